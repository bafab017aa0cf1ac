"""The two ways in which files go by themselves: they are old enough, or the disk needs the room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

from sora_gateway.clock import Clock
from sora_gateway.core.retention import DAY, Kept, Removal, allowed, lacking, making_room
from sora_gateway.media.inventory import Inventory
from sora_gateway.retention.leaps import Leaps
from sora_gateway.retention.rules import Rules
from sora_gateway.retention_settings import Retention
from sora_gateway.store import Store
from sora_gateway.supervisor.removing import Remover

log = logging.getLogger(__name__)

SLICE = 50
"""Jobs that share a look at the store, and its commits."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next to lose its files; *at* is when, None as soon as the disk needs the room."""

    kept: Kept
    at: float | None


class Hindrance(StrEnum):
    """Why no more files are removed although the disk needs room."""

    SHARE = "share"
    """As much went for it within a day as may."""
    BACKUP = "backup"
    """A backup on the same disk has the oldest too: removing them would free nothing."""
    NOTHING_LEFT = "nothing_left"
    """The others are protected, or there are none."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """What could not be removed: *needed* are the bytes that the disk lacks still."""

    needed: int
    because: Hindrance


class OldFiles:
    """*free* is how many bytes the disk has free, *inventory* what lies on it."""

    def __init__(
        self, settings: Retention, rules: Rules, store: Store, remover: Remover, inventory: Inventory,
        free: Callable[[], int], clock: Clock, leaps: Leaps,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._rules = rules
        self._store = store
        self._remover = remover
        self._inventory = inventory
        self._free = free
        self._clock = clock
        self._leaps = leaps
        self.freed = 0
        """Bytes since the start."""
        self.shortage: Shortage | None = None
        """What the latest look found that could not be freed."""

    @property
    def held_back(self) -> bool:
        """Whether the disk had too little free at the latest look, and as much had been removed as may be in a day."""
        return self.shortage is not None and self.shortage.because is Hindrance.SHARE

    async def by_age(self) -> int:
        """Removes what has been kept long enough; of how many jobs. Raises StorageFull, StorageFailed."""
        removed = 0
        if self._leaps.doubted():
            return removed
        for cutoff in self._rules.cutoffs(self._clock.now()):
            while old := await self._store.upkeep.old_files(cutoff, self._settings.keep_tag, SLICE):
                done = await self._remove(old, Removal.AGE)
                removed += done
                if not done:
                    break
        return removed

    async def by_room(self) -> int:
        """While the disk has less free than it should, removes the files of who ended first; of how many jobs.

        What is removed counts as free at once: a file that is being sent keeps its room until it is closed. Where a
        backup has the oldest too, removing them would free nothing, now or at the next look, until none is left: then
        nothing goes. Nor does more than the share of a day: whatever fills the disk may be something else, which would
        take all that is given to it. Raises StorageFull, StorageFailed, OSError.
        """
        settings = self._settings
        needed = lacking(self._free(), settings.free_below, settings.free_above)
        stored, gone = await self._today() if needed else (0, 0)
        may_go = allowed(stored, gone, settings.free_share)
        ended_before = self._clock.now() - settings.spare_hours * HOUR
        removed, hindrance = 0, None
        while needed > 0 and may_go > 0:
            oldest = await self._store.upkeep.oldest_files(ended_before, settings.keep_tag, SLICE)
            chosen = making_room(oldest, min(needed, may_go))
            shared = await self._inventory.shared([each.job_id for each in chosen])
            chosen = _until_one_of(shared, chosen)
            done = await self._remove(chosen, Removal.DISK)
            removed += done
            size = sum(each.size for each in chosen)
            needed, may_go = needed - size, may_go - size
            if shared:
                hindrance = Hindrance.BACKUP
                log.warning(
                    "the disk needs %d bytes more; removing the oldest files would free nothing, because a backup on the"
                    " same disk has them too: keep backups on another one",
                    needed,
                )
                break
            if not done:
                hindrance = Hindrance.NOTHING_LEFT
                log.warning(
                    "the disk needs %d bytes more, and there are no files left that may be removed", needed
                )
                break
        # What is lacking up to free_above can wait for another day.
        if may_go <= 0 and needed > max(0, settings.free_above - settings.free_below):
            hindrance = Hindrance.SHARE if gone or removed else Hindrance.NOTHING_LEFT
        self.shortage = Shortage(needed, hindrance) if hindrance is not None and needed > 0 else None
        if self.held_back:
            log.warning(
                "the disk needs %d bytes more, and as much was removed for it within a day as retention.free_share says:"
                " is something else filling it?",
                needed,
            )
        return removed

    async def _today(self) -> tuple[int, int]:
        """Bytes that are stored, and that went within a day for the sake of the disk."""
        upkeep = self._store.upkeep
        gone = await upkeep.removed_within(DAY, self._clock.now(), Removal.DISK)
        return await upkeep.stored(), gone

    async def upcoming(self, limit: int) -> list[Upcoming]:
        """Who loses files next by their age, soonest first; where nobody does, who would for the disk."""
        now = self._clock.now()
        found: list[Upcoming] = []
        for cutoff in self._rules.cutoffs(now):
            days = now - cutoff.moment
            everybody = replace(cutoff, moment=now)
            old = await self._store.upkeep.old_files(everybody, self._settings.keep_tag, limit)
            found += [Upcoming(kept, kept.finished_at + days) for kept in old]
        if not found and self._settings.free_below:
            oldest = await self._store.upkeep.oldest_files(now, self._settings.keep_tag, limit)
            found = [Upcoming(kept, None) for kept in oldest]
        return sorted(found, key=lambda each: (each.at or 0.0, each.kept.finished_at))[:limit]

    async def _remove(self, jobs: Sequence[Kept], because: Removal) -> int:
        # Together, so that their rows share commits.
        done = await asyncio.gather(*(self._remover.remove(each.job_id, because) for each in jobs))
        size = sum(each.size for each, removed in zip(jobs, done, strict=True) if removed)
        self.freed += size
        if any(done):
            log.info("removed the files of %d videos (%d bytes): %s", sum(done), size, because)
        return sum(done)


def _until_one_of(shared: Collection[str], oldest_first: Sequence[Kept]) -> list[Kept]:
    """Those before the first one of *shared*: younger files do not go in the place of older ones."""
    return list(takewhile(lambda each: each.job_id not in shared, oldest_first))


def days_before(now: float, days: int) -> float | None:
    """The moment before which rows go that are kept for so many *days*; None for never, which 0 means."""
    return now - days * DAY if days else None
