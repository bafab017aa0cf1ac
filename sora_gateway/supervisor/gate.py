"""One upstream's gate: how many of its jobs may be in flight, how many creates at once, and whether it is paused.

Places are given first come, first served. A paused upstream opens again by itself after a growing pause,
and then lets one create through to see whether it is in order.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sora_gateway.clock import Clock
from sora_gateway.core.job import JobId

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 900.0


class Gate:
    """Belongs to one event loop. *max_concurrent* of 0 is unlimited."""

    def __init__(self, clock: Clock, max_concurrent: int, max_creating: int) -> None:
        self._clock = clock
        self._max_concurrent = max_concurrent
        self._max_creating = max_creating
        self._waiting: deque[tuple[JobId, asyncio.Future[None]]] = deque()
        self._inside: set[JobId] = set()
        self._creating: set[JobId] = set()
        self._pause = 0.0
        self._paused_until = 0.0
        self._reopening: asyncio.Task[None] | None = None
        self.reason = ""
        """Why it is paused, in plain words; empty when it is open."""

    @property
    def paused(self) -> bool:
        return bool(self.reason) and self._clock.monotonic() < self._paused_until

    def ask(self, job_id: JobId) -> asyncio.Future[None]:
        """A future that is done when *job_id* has a place and may send its create; cancel it to step back."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((job_id, turn))
        self._admit()
        return turn

    def occupy(self, job_id: JobId) -> None:
        """Counts a job that the upstream had accepted before a restart."""
        self._inside.add(job_id)

    def answered(self, job_id: JobId, *, in_order: bool) -> None:
        """The create's answer is known; *in_order* when it shows that the upstream works for us."""
        self._creating.discard(job_id)
        if in_order:
            self._pause, self.reason = 0.0, ""
        self._admit()

    def leave(self, job_id: JobId) -> None:
        """The job is not the upstream's any more, or not yet."""
        self._inside.discard(job_id)
        self._creating.discard(job_id)
        self._admit()

    def pause(self, reason: str) -> float:
        """Stops new creates for a while, longer each time. Returns the seconds."""
        if not self.paused:
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
            self._paused_until = self._clock.monotonic() + self._pause
            self.reason = reason
            if self._reopening is None or self._reopening.done():
                self._reopening = asyncio.create_task(self._reopen(), name="gate: reopen")
        return max(0.0, self._paused_until - self._clock.monotonic())

    async def aclose(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel("gate: closing")
            await asyncio.gather(self._reopening, return_exceptions=True)

    async def _reopen(self) -> None:
        while (rest := self._paused_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(rest)
        self._admit()

    def _admit(self) -> None:
        """Lets in whoever is first while there is room; after a pause, one at a time until one succeeds."""
        creating = 1 if self.reason else self._max_creating
        while (
            self._waiting
            and not self.paused
            and len(self._creating) < creating
            and (not self._max_concurrent or len(self._inside) < self._max_concurrent)
        ):
            job_id, turn = self._waiting.popleft()
            if not turn.done():
                self._inside.add(job_id)
                self._creating.add(job_id)
                turn.set_result(None)
