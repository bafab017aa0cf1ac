"""Books kept by hand: what the ledger must say, from the design's money table and without looking at the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sora_gateway.core import job as j
from sora_gateway.core.job import ExternalId, Job, JobId, State
from sora_gateway.core.money import OnCancel
from sora_gateway.core.retention import Removal

Line = tuple[str, str, int, int, str | None]
"""Whose, kind, change of available, change of held, which job."""


@dataclass
class Books:
    """What the ledger must say, kept without looking at it."""

    lines: list[Line] = field(default_factory=list)
    available: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    jobs: dict[JobId, Job] = field(default_factory=dict)
    open: set[JobId] = field(default_factory=set)
    """Jobs whose hold has not ended."""
    months: set[tuple[str, str]] = field(default_factory=set)
    claims: dict[str, list[JobId]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    """How often each may still be used."""
    redeemed: set[tuple[str, str]] = field(default_factory=set)

    def move(self, user: str, kind: str, available: int, held: int = 0, job: JobId | None = None) -> None:
        self.lines.append((user, kind, available, held, job))
        self.available[user] = self.available.get(user, 0) + available
        self.held[user] = self.held.get(user, 0) + held

    def hold(self, job: Job) -> None:
        self.jobs[job.id] = job
        self.open.add(job.id)
        self.move(job.owner, "hold", -job.credits, job.credits, job.id)

    def end(self, job: Job, kind: str) -> None:
        self.open.remove(job.id)
        self.move(job.owner, kind, job.credits if kind == "release" else 0, -job.credits, job.id)


def ending(before: State, event: j.Event, on_cancel: OnCancel) -> str | None:
    """The design's money table: how the hold of a job ends by *event*, None when it stays open."""
    match event:
        case j.Stored() | j.ChargeSettled():
            return "settle"
        case j.Refused() | j.UpstreamFailed() | j.CancelConfirmed() | j.GivenUp() | j.ChargeReleased():
            return "release"
        case j.CancelRequested() | j.FinalLimit():
            return "release" if before is State.QUEUED else None
        case j.CancelUnconfirmed():
            return str(on_cancel)
    return None


def event_of(kind: type[j.Event], job: Job, at: float) -> j.Event:
    """One of that kind that fits *job*."""
    arguments: dict[type[j.Event], tuple[Any, ...]] = {
        j.Refused: ("refused", "The upstream refused."),
        j.UpstreamFailed: ("gpu_lost", "A GPU broke."),
        j.FileLost: ("file_lost", "The file is gone."),
        j.Accepted: (ExternalId(f"ext-{job.id}-{job.attempt}"),),
        j.Adopted: (ExternalId(f"found-{job.id}-{job.version}"),),
        j.Postponed: (at + 5.0, "busy", True),
        j.AnswerLost: ("The answer was lost.",),
        j.LostUpstream: ("The upstream lost it.",),
        j.FilesRemoved: (Removal.AGE,),
        j.FilesFound: (("video",),),
    }
    return kind(at, *arguments.get(kind, ()))


ORDINARY = frozenset(j.EVENTS) - {
    j.Observed, j.Waiting, j.Rerouted, j.BecameOverdue, j.VisibilityChanged, j.ChargeSettled, j.ChargeReleased,
}  # fmt: skip
"""Every event that can have to do with money."""
