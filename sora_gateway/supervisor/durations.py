"""What was learned of each kind of job: how long it takes, and what its upstream's percentages are worth.

Durations are stored with the jobs and read once for each upstream; what percentages are worth is learned anew after
a restart, from a handful of jobs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sora_gateway.core.durations import ENOUGH, Durations, Percentiles, prior
from sora_gateway.core.job import Job
from sora_gateway.core.trend import NO_TREND, ProgressScale, Trend
from sora_gateway.store.durations import NEWEST, Sample

MOST_MODELS = 256
"""Models kept ready; more kinds of jobs than that are rare, and a model is made in milliseconds."""
RELEARN = 20
"""A model is made anew when it has grown by this part, one in so many."""


class Kind(NamedTuple):
    """Jobs that should take equally long; None stands for all of them."""

    upstream: str
    model: str | None = None
    seconds: int | None = None
    size: str | None = None

    @property
    def wider(self) -> Kind | None:
        """The kinds that lend their experience: all of one model, then all of one upstream."""
        if self.seconds is not None:
            return Kind(self.upstream, self.model)
        return Kind(self.upstream) if self.model is not None else None


@dataclass(slots=True)
class _Experience:
    samples: deque[float] = field(default_factory=lambda: deque(maxlen=NEWEST))
    """Newest first."""
    news: int = 0
    """Samples since the model was made."""


class LearnedDurations:
    """Answers from memory; :meth:`load` an upstream before its jobs are asked about.

    *stored* gives what the newest jobs of an upstream took, newest first (``Store.durations``).
    """

    def __init__(self, stored: Callable[[str], Awaitable[Sequence[Sample]]]) -> None:
        self._stored = stored
        self._loaded: set[str] = set()
        self._reading: dict[str, asyncio.Event] = {}
        """By upstream, while it is read; set at the end."""
        self._experience: dict[Kind, _Experience] = {}
        self._models: dict[Kind, Durations] = {}
        self._scales: dict[Kind, ProgressScale] = {}
        self._ready: dict[Kind, Durations] = {}
        """Models with their scales, until the next job ends."""

    async def load(self, upstream: str) -> None:
        """Reads what is stored of *upstream*, once; all who wait for it go on together, as after a restart they do."""
        while upstream not in self._loaded:
            reading = self._reading.get(upstream)
            if reading is None:
                await self._read(upstream)
            else:
                await reading.wait()

    def of(self, job: Job) -> Durations:
        """How long jobs like *job* take; of few, what is known of similar ones."""
        kind = kind_of(job)
        ready = self._ready.get(kind)
        if ready is None:
            scale = self._scales.get(Kind(job.upstream, job.upstream_model))
            ready = self._model(kind) if scale is None else self._model(kind).with_scale(scale)
            if len(self._ready) >= MOST_MODELS:
                self._ready.clear()
            self._ready[kind] = ready
        return ready

    def note(self, job: Job, took: float, trend: Trend = NO_TREND) -> None:
        """Learns from a job that its upstream has just ended, well or badly, after *took* seconds; *trend* is how
        its progress moved on the way."""
        if job.upstream not in self._loaded:
            # It will be read with all the others.
            return
        self._add(kind_of(job), took)
        if trend.points:
            scaled = Kind(job.upstream, job.upstream_model)
            self._scales[scaled] = self._scales.get(scaled, ProgressScale()).learned(trend, took)
        self._ready.clear()

    def percentiles(self, upstream: str) -> Mapping[Kind, Percentiles]:
        """Of every kind of job that *upstream* has ended, for people."""
        return {
            kind: self._model(kind).percentiles
            for kind in sorted(kind for kind in self._experience if kind.size is not None)
            if kind.upstream == upstream
        }

    async def _read(self, upstream: str) -> None:
        read = self._reading[upstream] = asyncio.Event()
        try:
            samples = await self._stored(upstream)
        finally:
            # If that failed, whoever waits tries it again.
            del self._reading[upstream]
            read.set()
        self._loaded.add(upstream)
        for sample in reversed(samples):
            self._add(Kind(upstream, sample.upstream_model, sample.seconds, sample.size), sample.took)
        self._ready.clear()

    def _add(self, kind: Kind, took: float) -> None:
        wider: Kind | None = kind
        while wider is not None:
            experience = self._experience.setdefault(wider, _Experience())
            experience.samples.appendleft(took)
            experience.news += 1
            wider = wider.wider

    def _model(self, kind: Kind) -> Durations:
        experience = self._experience.get(kind)
        wider = kind.wider
        if experience is None:
            return prior() if wider is None else self._model(wider)
        made = self._models.get(kind)
        if made is not None and experience.news < max(1, made.samples // RELEARN):
            return made
        otherwise = self._model(wider) if wider is not None and len(experience.samples) < ENOUGH else None
        if len(self._models) >= MOST_MODELS:
            self._models.clear()
        made = self._models[kind] = Durations.learn(experience.samples, otherwise)
        experience.news = 0
        return made


def kind_of(job: Job) -> Kind:
    return Kind(job.upstream, job.upstream_model, job.seconds, job.size)
