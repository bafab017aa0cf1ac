"""One upstream's gate: how many of its jobs may be in flight, how many creates at once, and whether it is open.

People take turns (:mod:`~sora_gateway.core.fair_queue`), within what their plans give them at once. What closes
it: an administrator, an account that is out of order (a growing pause), and a circuit breaker (an upstream that
does not answer). After the last two it lets one create through to see whether the upstream is well again. The
request budget delays, it does not close.
"""

from __future__ import annotations

import asyncio
import math

from sora_gateway.clock import Clock
from sora_gateway.core.breaker import Breaker, BreakerState
from sora_gateway.core.budget import Budget
from sora_gateway.core.fair_queue import FairQueue, Lane
from sora_gateway.core.job import JobId
from sora_gateway.core.spend import Spend, Tariff
from sora_gateway.supervisor.seats import Seats

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 900.0
COUNTED_AT_ONCE = 200
"""So many who wait are counted anew after each change, of more once in a second: with five thousand it takes longer than
everything else that accepts a job."""


class Gate:
    """Belongs to one event loop. *max_concurrent* of 0 is unlimited."""

    def __init__(
        self,
        clock: Clock,
        max_concurrent: int,
        max_creating: int,
        budget: Budget | None = None,
        spend: Spend | None = None,
        seats: Seats | None = None,
    ) -> None:
        """*seats* are shared by all gates."""
        self._clock = clock
        self._max_concurrent = max_concurrent
        self._max_creating = max_creating
        self.budget = budget or Budget()
        """Shared with whoever else sends requests to this upstream."""
        self.spend = spend or Spend(Tariff())
        self._breaker = Breaker()
        self._queue = FairQueue()
        self._turns: dict[JobId, tuple[str, asyncio.Future[bool]]] = {}
        """Of those who wait: whose they are, and what they wait for."""
        self._positions: dict[JobId, int] = {}
        """As they were at ``_positions_at``."""
        self._positions_at = -math.inf
        self._moved = False
        """Whether the queue has changed since."""
        self._inside: dict[JobId, str] = {}
        self._seats = seats or Seats()
        self._seats.freed.append(self._admit)
        self._creating: set[JobId] = set()
        self._pause = 0.0
        self._paused_until = 0.0
        self._out_of_order = ""
        self._held = ""
        self._closed_at: float | None = None
        """When trouble began, or a person closed it, in monotonic seconds; None while all is well."""
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None
        self._closed = False

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
    def held(self) -> bool:
        """Whether a person has closed it."""
        return bool(self._held)

    @property
    def closed_since(self) -> float | None:
        """Since when something is wrong with it, in monotonic seconds; its careful first create does not end that."""
        return self._closed_at

    @property
    def inside(self) -> int:
        """Jobs that the upstream has, or is about to get."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        return len(self._turns)

    @property
    def max_concurrent(self) -> int:
        """Places in all; 0 is unlimited."""
        return self._max_concurrent

    def position(self, job_id: JobId) -> int | None:
        """Where *job_id* stands among those who wait, the next one at 1; None when it does not wait here."""
        if job_id not in self._turns:
            return None
        now = self._clock.monotonic()
        # Who looks at a list asks for many of them at nearly the same moment.
        moved = self._moved and len(self._turns) <= COUNTED_AT_ONCE
        if moved or now - self._positions_at > 1.0:
            order = self._queue.order(self._clock.now(), self._seats.room)
            self._positions = {JobId(key): place for place, key in enumerate(order, 1)}
            self._positions_at, self._moved = now, False
        # Who came since then is behind all others, as far as is known yet.
        return self._positions.get(job_id, len(self._turns))

    # --- places ----------------------------------------------------------------------------------

    def ask(
        self, job_id: JobId, owner: str = "", lane: Lane = Lane.NORMAL, since: float | None = None
    ) -> asyncio.Future[bool]:
        """Done when *job_id* may send its create (True), or when the gate has just closed (False): another upstream
        may be open. :meth:`leave` ends the wait, which began at the moment *since* (wall time), or begins now."""
        self.step_back(job_id)
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._moved = True
        self._turns[job_id] = (owner, turn)
        # By the time of day: it goes on over restarts, and two who came together stay together.
        self._queue.add(job_id, owner, lane, self._clock.now(), since)
        self._admit()
        return turn

    def step_back(self, job_id: JobId) -> None:
        """It does not wait any more."""
        if self._turns.pop(job_id, None) is not None:
            self._moved = True
            self._queue.discard(job_id)

    def occupy(self, job_id: JobId, owner: str = "") -> None:
        """Counts a job that the upstream had accepted before a restart."""
        if job_id not in self._inside:
            self._inside[job_id] = owner
            self._seats.take(owner)

    def leave(self, job_id: JobId) -> None:
        """The job is not the upstream's any more, or not yet, and does not wait for it."""
        self.step_back(job_id)
        owner = self._inside.pop(job_id, None)
        self._created(job_id)
        if owner is not None:
            self._seats.leave(owner)  # which looks at every gate, this one too
        else:
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
        if not self._held:
            self._closed_at = None
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

    def hold(self, reason: str, ago: float = 0.0) -> None:
        """A person closes it, or has *ago* seconds before, until :meth:`release`."""
        self._held = reason
        self._close()
        self._closed_at = self._clock.monotonic() - ago

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
        """Nobody gets in any more, and nobody's seat is taken here."""
        self._closed = True
        if self._admit in self._seats.freed:
            self._seats.freed.remove(self._admit)
        owners, self._inside = list(self._inside.values()), {}
        self._seats.leave(*owners)
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
        if self._closed_at is None:
            self._closed_at = self._clock.monotonic()
        self._positions, self._positions_at = {}, -math.inf
        turns, self._turns = self._turns, {}
        self._queue.clear()
        for _, turn in turns.values():
            if not turn.done():
                turn.set_result(False)

    def _ready_at(self, now: float) -> float:
        """When the next create may leave, in monotonic seconds; never while a person holds the gate."""
        if self._held:
            return math.inf
        return max(self.budget.ready_at(now), self.opens_at or 0.0)

    def _admit(self) -> None:
        """Lets in whoever is next while there is room; after trouble, one at a time until one succeeds."""
        creating = 1 if self._out_of_order or self._breaker.openings else self._max_creating
        while (
            not self._closed
            and self._turns
            and len(self._creating) < creating
            and (not self._max_concurrent or len(self._inside) < self._max_concurrent)
        ):
            now = self._clock.monotonic()
            if self._ready_at(now) > now:
                self._open_later()
                return
            key = self._queue.take(self._clock.now(), self._seats.free)
            if key is None:
                return
            job_id = JobId(key)
            self._moved = True
            owner, turn = self._turns.pop(job_id)
            if not turn.done():
                self.occupy(job_id, owner)
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
