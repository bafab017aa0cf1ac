"""What is wrong now, gathered from the parts that know it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sora_gateway.clock import Clock
from sora_gateway.core.alerts import AlertKind, Trouble
from sora_gateway.store import Store
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream

log = logging.getLogger(__name__)

ROWS_EVERY = 60.0
"""Seconds between two counts of rows; the rest is in memory and looked at each time."""
DAY = 86_400.0
FAILING_FOR = 3600.0
"""Seconds for which a webhook must have failed: receivers are restarted, and tried again for days."""
OVERDUE = 900.0
"""Seconds by which a webhook's message must be late: the outbox is not being emptied."""
DISK_MAY_TAKE = 20.0
"""Seconds after which a database that does not answer is one that cannot be used: a disk that hangs is to be told of."""
BACKUP_TAKES = 1800.0
"""Seconds that a backup may take, with a second try; half of the time between two is added."""


@dataclass(frozen=True, slots=True)
class Backups:
    """*latest* says when the newest was begun, in epoch seconds, None without one; it may block. One is due *every* so
    many seconds."""

    latest: Callable[[], float | None]
    every: float


class Troubles:
    """*upstreams* are those in use now, *free* measures the disk in bytes, *floor* is the least of them.
    *held_back* is whether no more files may go to make room. *sends_webhooks* is whether the outbox is emptied at all,
    *backups* those that the gateway makes by itself."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        store: Store,
        clock: Clock,
        free: Callable[[], int],
        floor: int,
        *,
        held_back: Callable[[], bool] = lambda: False,
        sends_webhooks: bool = True,
        backups: Backups | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._store = store
        self._clock = clock
        self._free = free
        self._floor = floor
        self._held_back = held_back
        self._sends_webhooks = sends_webhooks
        self._backups = backups
        self._began = clock.now()
        self._counted: list[Trouble] = []
        self._counted_at = float("-inf")
        self._readable = True

    async def now(self, *, fresh: bool = False) -> list[Trouble]:
        """Everything that is wrong; *fresh* counts rows again, however lately that was done. Never raises."""
        ticks = self._clock.monotonic()
        if fresh or ticks - self._counted_at >= ROWS_EVERY or not self._readable:
            self._counted_at = ticks
            await self._count()
        return [*self._of_upstreams(), *await self._of_storage(), *self._counted]

    def _of_upstreams(self) -> Iterator[Trouble]:
        now, ticks = self._clock.now(), self._clock.monotonic()
        for name, upstream in self._upstreams.items():
            gate = upstream.gate
            if gate.closed_since is not None:
                since = now - (ticks - gate.closed_since)
                yield Trouble(AlertKind.UPSTREAM, name, _cause(gate), since=since)
            if gate.spend.reached(now):
                yield Trouble(AlertKind.SPEND_CAP, name, "reached")

    async def _of_storage(self) -> list[Trouble]:
        found = []
        if self._free() < self._floor:
            found.append(Trouble(AlertKind.STORAGE, "disk", "disk"))
        if self._held_back():
            found.append(Trouble(AlertKind.STORAGE, "room", "room"))
        if not self._readable or not await self._writable():
            found.append(Trouble(AlertKind.STORAGE, "database", "database"))
        return found

    async def _writable(self) -> bool:
        try:
            async with asyncio.timeout(DISK_MAY_TAKE):
                return await self._store.writable()
        except TimeoutError:
            return False

    async def _count(self) -> None:
        try:
            async with asyncio.timeout(DISK_MAY_TAKE):
                self._counted = [*await self._rows(), *await self._old_backup()]
        except Exception:
            # Whatever keeps the database from being read is what has to be told; what was counted before stands.
            if self._readable:
                log.exception("what is wrong cannot be read from the database")
            self._readable = False
        else:
            self._readable = True

    async def _old_backup(self) -> list[Trouble]:
        if self._backups is None:
            return []
        latest, every = await asyncio.to_thread(self._backups.latest), self._backups.every
        due = (self._began if latest is None else latest) + every
        if self._clock.now() < due + every / 2 + BACKUP_TAKES:
            return []
        return [Trouble(AlertKind.BACKUP, "", "old", since=due)]

    async def _rows(self) -> list[Trouble]:
        store, now = self._store, self._clock.now()
        found = [
            Trouble(AlertKind.UNKNOWN, upstream, "unknown", videos)
            for upstream, videos in (await store.alerts.doubts()).items()
        ]
        disputes = await store.credits.disputes()
        if disputes:
            found.append(Trouble(AlertKind.DISPUTE, "", "undecided", len(disputes)))
        webhooks = await store.alerts.webhooks(now - DAY, now - FAILING_FOR, now - OVERDUE)
        counts = {
            "disabled": webhooks.disabled,
            "failing": webhooks.failing,
            "waiting": webhooks.waiting if self._sends_webhooks else 0,
        }
        return found + [
            Trouble(AlertKind.WEBHOOKS, which, which, count) for which, count in counts.items() if count
        ]


def _cause(gate: Gate) -> str:
    if gate.held:
        return "switched_off"
    return "silent" if gate.breaker != "closed" else "refused"
