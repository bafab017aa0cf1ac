"""How long files are kept: pure rules, from moments and sizes to what may go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

DAY = 86_400.0


class Removal(StrEnum):
    """Why a job has no files any more, although nobody deleted it."""

    AGE = "age"
    """They were kept for as long as they are kept."""
    DISK = "disk"
    """The disk had less free than it should have."""
    MISSING = "missing"
    """They were not where they should be: somebody or something else removed them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An ended job that has files, *size* bytes of them; *finished_at* in epoch seconds."""

    job_id: str
    owner: str
    finished_at: float
    size: int


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Files of jobs that ended at *moment* or before have been kept long enough: those of *owners*, or with None of
    everybody except *others*."""

    moment: float
    owners: tuple[str, ...] | None
    others: tuple[str, ...] = ()


def expiry(finished_at: float, keep_days: int) -> float | None:
    """When files are old enough to go; None for never, which 0 days mean."""
    return finished_at + keep_days * DAY if keep_days else None


def cutoffs(now: float, keep_days: int, of_people: Mapping[str, int]) -> list[Cutoff]:
    """What is old enough at *now*: *of_people* are the days of those for whom it is not *keep_days*."""
    exceptions = {owner: days for owner, days in of_people.items() if days != keep_days}
    found = [
        Cutoff(now - days * DAY, tuple(owner for owner, theirs in exceptions.items() if theirs == days))
        for days in sorted(set(exceptions.values()))
        if days
    ]
    if keep_days:
        found.append(Cutoff(now - keep_days * DAY, None, tuple(exceptions)))
    return found


def lacking(free: int, free_below: int, free_above: int) -> int:
    """Bytes that have to be freed: none while *free* is at or above *free_below*, else up to *free_above*, which is
    *free_below* itself where it is lower."""
    return max(free_below, free_above) - free if free < free_below else 0


def allowed(stored: int, removed: int, share: float) -> int:
    """Bytes that may still go for the sake of the disk, where *removed* have gone within the day and *stored* are there:
    *share* of both together. It bounds what somebody else who fills the disk can cost."""
    return math.ceil((stored + removed) * share) - removed


def making_room(oldest_first: Iterable[Kept], needed: int) -> list[Kept]:
    """The first of them that together have *needed* bytes; all, if that is not enough."""
    chosen = []
    for each in oldest_first:
        if needed <= 0:
            break
        chosen.append(each)
        needed -= each.size
    return chosen


def gone_sentence(removed_at: float, because: Removal) -> str:
    """What people are told who ask for a file that was removed at that moment."""
    day = datetime.fromtimestamp(removed_at, UTC).date().isoformat()
    match because:
        case Removal.AGE:
            return f"The files of this video were kept for as long as the gateway keeps them, and removed on {day}."
        case Removal.DISK:
            return f"The files of this video were removed on {day} to make room on the gateway's disk."
        case Removal.MISSING:
            return (
                f"The file of this video is not on the gateway's disk any more, which was noticed on {day}."
            )
