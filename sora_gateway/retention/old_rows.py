"""Rows that go by their age, a slice at a time, and the pages that they leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sora_gateway.clock import Clock
from sora_gateway.retention.old_files import days_before
from sora_gateway.retention_settings import Retention
from sora_gateway.store import Store

SLICE = 500
"""Rows of a write transaction at most: a few milliseconds, so nobody who writes waits for housekeeping."""
KEPT_FREE = 1000
"""Free pages that stay in the database (4 MB): it will need them again soon."""
PAGES = 250
"""Pages that are given back in one step."""
STEPS = 100
"""Of those in one round, so that a hundred megabytes take no longer than they must."""


class OldRows:
    """*deliveries_days* are those for which is kept what webhooks were told."""

    def __init__(self, settings: Retention, deliveries_days: int, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._deliveries_days = deliveries_days
        self._store = store
        self._clock = clock

    async def events(self) -> int:
        """Steps of ended jobs. Whoever comes back with an older cursor gets the snapshot instead."""
        before = days_before(self._clock.now(), self._settings.events_days)
        if before is None:
            return 0
        removed, reached = 0, 0
        while True:
            done = await self._store.upkeep.trim_events(before, reached, SLICE)
            removed += done.removed
            if done.reached is None:
                return removed
            reached = done.reached

    async def audit(self) -> int:
        """What people did."""
        before = days_before(self._clock.now(), self._settings.audit_days)
        if before is None:
            return 0
        return await _until_none(lambda: self._store.upkeep.trim_audit(before, SLICE))

    async def deliveries(self) -> int:
        """What webhooks were told, and each try."""
        before = days_before(self._clock.now(), self._deliveries_days)
        if before is None:
            return 0
        return await _until_none(lambda: self._store.webhooks.prune(before, SLICE))

    async def expired(self) -> int:
        """Sessions, one-time links and share links that have ended."""
        return await _until_none(lambda: self._store.upkeep.forget_expired(self._clock.now(), SLICE))

    async def claims(self) -> int:
        """What repeated requests were known by."""
        return await self._store.upkeep.forget_claims(self._clock.now())

    async def pages(self) -> int:
        """Gives the room of all that back to the disk; how many pages."""
        given = 0
        for _ in range(STEPS):
            spare = min(PAGES, await self._store.upkeep.free_pages() - KEPT_FREE)
            if spare <= 0:
                break
            await self._store.upkeep.give_back(spare)
            given += spare
        return given


async def _until_none(step: Callable[[], Awaitable[int]]) -> int:
    removed = 0
    while done := await step():
        removed += done
    return removed
