"""What becomes of jobs, counted since the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sora_gateway.core.job import Job
from sora_gateway.core.states import State
from sora_gateway.core.tally import Histograms, Tally

DELAYS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Course:
    """Which states jobs come to, and how late their end is noticed; by upstream."""

    states: Tally = field(default_factory=Tally)
    detection: Histograms = field(default_factory=lambda: Histograms(DELAYS))

    def came_to(self, job: Job) -> None:
        """It is stored that *job* has come to its state."""
        self.states.add(job.upstream, job.state.value)

    def noticed(self, job: Job, delay: float) -> None:
        """Its upstream had ended it *delay* seconds before that was seen, as closely as looking can tell."""
        self.detection.add(max(0.0, delay), job.upstream)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the supervisor is doing: jobs that it watches, by upstream and state, and how many of them are overdue; and
    what became of jobs since the start."""

    watched: Mapping[tuple[str, State], int]
    overdue: int
    course: Course
