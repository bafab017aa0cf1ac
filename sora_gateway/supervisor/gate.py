"""One upstream's gate: how many of its jobs may be in flight, how many creates at once, and whether it is open.

Places are given first come, first served. What closes it: an administrator, an account that is out of order (a
growing pause), and a circuit breaker (an upstream that does not answer). After the last two it lets one create
through to see whether the upstream is well again. The request budget delays, it does not close.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque

from sora_gateway.clock import Clock
from sora_gateway.core.breaker import Breaker, BreakerState
from sora_gateway.core.budget import Budget
from sora_gateway.core.job import JobId
from sora_gateway.core.spend import Spend, Tariff

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 900.0


class Gate:
    """Belongs to one event loop. *max_concurrent* of 0 is unlimited."""

    def __init__(
        self,
        clock: Clock,
        max_concurrent: int,
        max_creating: int,
        budget: Budget | None = None,
        spend: Spend | None = None,
    ) -> None:
        self._clock = clock
        self._max_concurrent = max_concurrent
        self._max_creating = max_creating
        self.budget = budget or Budget()
        """Shared with whoever else sends requests to this upstream."""
        self.spend = spend or Spend(Tariff())
        self._breaker = Breaker()
        self._waiting: deque[tuple[JobId, asyncio.Future[bool]]] = deque()
        self._inside: set[JobId] = set()
        self._creating: set[JobId] = set()
        self._pause = 0.0
        self._paused_until = 0.0
        self._out_of_order = ""
        self._held = ""
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None

    # --- how it is -------------------------------------------------------------------------------

    @property
    def reason(self) -> str:
        """Why it is closed, in plain words; empty when it is open."""
        now = self._clock.monotonic()
        if self._held:
            return self._held
        if self._out_of_order and now < self._paused_until:
            return self._out_of_order
        if self.breaker == "open":
            return "it does not answer"
        return ""

    @property
    def paused(self) -> bool:
        return bool(self.reason)

    @property
    def breaker(self) -> BreakerState:
        return self._breaker.state(self._clock.monotonic())

    @property
    def opens_at(self) -> float | None:
        """When it opens by itself, in monotonic seconds; None while it is open, or held by a person."""
        if not self.paused or self._held:
            return None
        return max(self._paused_until if self._out_of_order else 0.0, self._breaker.open_until)

    @property
    def inside(self) -> int:
        """Jobs that the upstream has, or is about to get."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        return sum(not turn.done() for _, turn in self._waiting)

    # --- places ----------------------------------------------------------------------------------

    def ask(self, job_id: JobId) -> asyncio.Future[bool]:
        """Done when *job_id* may send its create (True), or when the gate has just closed (False): another upstream
        may be open. Cancel it to step back."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((job_id, turn))
        self._admit()
        return turn

    def occupy(self, job_id: JobId) -> None:
        """Counts a job that the upstream had accepted before a restart."""
        self._inside.add(job_id)

    def leave(self, job_id: JobId) -> None:
        """The job is not the upstream's any more, or not yet."""
        self._inside.discard(job_id)
        self._created(job_id)
        self._admit()

    # --- what was learned ------------------------------------------------------------------------

    def answered(self, job_id: JobId, *, in_order: bool) -> None:
        """The create's answer is known; *in_order* when it shows that the upstream works for us."""
        self._created(job_id)
        if in_order:
            self.worked()
        self._admit()

    def worked(self) -> None:
        """The upstream gave a usable answer."""
        was_closed = bool(self._out_of_order) or self._breaker.openings > 0
        self._breaker = self._breaker.succeeded()
        self._pause, self._paused_until, self._out_of_order = 0.0, 0.0, ""
        if was_closed:
            self._admit()

    def failed(self) -> None:
        """The upstream was not reached, broke off, or answered that it is broken."""
        before = self.breaker
        self._breaker = self._breaker.failed(self._clock.monotonic())
        if before != "open" and self.breaker == "open":
            self._close()

    def pause(self, reason: str) -> float:
        """The account there is out of order: no creates for a while, longer each time. Returns the seconds."""
        now = self._clock.monotonic()
        if not (self._out_of_order and now < self._paused_until):
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
            self._paused_until = now + self._pause
            self._out_of_order = reason
            self._close()
        return max(0.0, self._paused_until - now)

    def hold(self, reason: str) -> None:
        """A person closes it, until :meth:`release`."""
        self._held = reason
        self._close()

    def release(self) -> None:
        """A person opens it, whatever had closed it."""
        self._held = ""
        self.worked()
        self._admit()

    async def drained(self) -> None:
        """Returns when no create is on its way any more; whoever calls it has closed the gate before."""
        while self._creating:
            self._drained.clear()
            await self._drained.wait()

    async def aclose(self) -> None:
        if self._opening is not None:
            self._opening.cancel("gate: closing")
            await asyncio.gather(self._opening, return_exceptions=True)

    # --- inside ----------------------------------------------------------------------------------

    def _created(self, job_id: JobId) -> None:
        self._creating.discard(job_id)
        if not self._creating:
            self._drained.set()

    def _close(self) -> None:
        """Tells everybody who waits; they may know another upstream, or come back and wait here."""
        waiting, self._waiting = self._waiting, deque()
        for _, turn in waiting:
            if not turn.done():
                turn.set_result(False)
        self._admit()

    def _ready_at(self, now: float) -> float:
        """When the next create may leave, in monotonic seconds; never while a person holds the gate."""
        if self._held:
            return math.inf
        return max(self.budget.ready_at(now), self.opens_at or 0.0)

    def _admit(self) -> None:
        """Lets in whoever is first while there is room; after trouble, one at a time until one succeeds."""
        creating = 1 if self._out_of_order or self._breaker.openings else self._max_creating
        while (
            self._waiting
            and len(self._creating) < creating
            and (not self._max_concurrent or len(self._inside) < self._max_concurrent)
        ):
            now = self._clock.monotonic()
            if self._ready_at(now) > now:
                self._open_later()
                return
            job_id, turn = self._waiting.popleft()
            if not turn.done():
                self._inside.add(job_id)
                self._creating.add(job_id)
                self.budget.take(now)
                turn.set_result(True)

    def _open_later(self) -> None:
        self._changed.set()
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._wait_and_open(), name="gate: open")

    async def _wait_and_open(self) -> None:
        while (ready := self._ready_at(now := self._clock.monotonic())) > now:
            self._changed.clear()
            if math.isinf(ready):
                await self._changed.wait()
            else:
                await self._clock.sleep(ready - now, self._changed)
        # Not from within itself: it may have to be started again.
        self._opening = None
        self._admit()
