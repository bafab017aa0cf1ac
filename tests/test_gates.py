"""Gates of many upstreams with one person's seats over all of them: nothing leaks, and nobody waits beside room.

A supervisor's jobs in small: each asks a gate, may be let in, is sent, leaves, or goes to another gate. After every
step the seats that are taken are those of the jobs inside, and whoever waits has a reason to.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.job import JobId
from sora_gateway.supervisor.gate import COUNTED_AT_ONCE, Gate
from sora_gateway.supervisor.seats import Seats
from tests.examples import examples
from tests.fakes import ManualClock, settle

CREATING = 2
PLACES = 3
OWNERS = ("ann", "bob", "eve")

jobs = st.integers(0, 11)
gates = st.integers(0, 1)
ordinary = st.one_of(
    st.tuples(st.just("ask"), jobs, gates, st.sampled_from(Lane)),
    st.tuples(st.just("answered"), jobs),
    st.tuples(st.just("leave"), jobs),
    st.tuples(st.just("limit"), st.sampled_from(OWNERS), st.integers(0, 2)),
)
rare = st.one_of(
    st.tuples(st.just("give up waiting"), jobs),
    st.tuples(st.just("occupy"), jobs, gates),
    st.tuples(st.just("pause"), gates),
    st.tuples(st.just("hold"), gates),
    st.tuples(st.just("release"), gates),
    st.tuples(st.just("fail"), gates),
    st.tuples(st.just("replace"), gates),
    st.tuples(st.just("time"), st.sampled_from([1.0, 40.0, 1000.0])),
)
steps = st.lists(st.one_of(ordinary, ordinary, ordinary, rare), min_size=15, max_size=60)


class Team:
    """Two upstreams, and twelve jobs of three people; each job asks one gate at a time, as its watcher would."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limits = dict.fromkeys(OWNERS, 0)
        self.seats = Seats(self.limits.__getitem__)
        self.gates = [self.gate(), self.gate()]
        self.retired: list[Gate] = []
        self.at: dict[int, Gate] = {}
        """Whose gate each job waits for, or is inside of."""
        self.turns: dict[int, asyncio.Future[bool]] = {}

    def gate(self) -> Gate:
        return Gate(self.clock, PLACES, CREATING, seats=self.seats)

    async def do(self, what: str, *arguments: Any) -> None:
        await getattr(self, what.replace(" ", "_"))(*arguments)
        await settle()
        for number, turn in list(self.turns.items()):
            if turn.done() and not turn.result():
                # The gate closed: the watcher leaves and may ask elsewhere.
                del self.turns[number]
                self.at.pop(number).leave(job(number))

    async def ask(self, number: int, where: int, lane: Lane) -> None:
        if number not in self.at:
            self.at[number] = self.gates[where]
            self.turns[number] = self.gates[where].ask(job(number), owner(number), lane)

    async def answered(self, number: int) -> None:
        if number in self.turns and self.turns[number].done():
            self.at[number].answered(job(number), in_order=True)

    async def leave(self, number: int) -> None:
        if number in self.at:
            self.turns.pop(number, None)
            self.at.pop(number).leave(job(number))

    async def give_up_waiting(self, number: int) -> None:
        """The watcher was cancelled: its turn may just have come."""
        if number in self.turns:
            self.turns.pop(number).cancel()
            self.at.pop(number).leave(job(number))

    async def occupy(self, number: int, where: int) -> None:
        if number not in self.at:
            self.at[number] = self.gates[where]
            self.gates[where].occupy(job(number), owner(number))

    async def pause(self, where: int) -> None:
        self.gates[where].pause("it refuses our key")

    async def hold(self, where: int) -> None:
        self.gates[where].hold("switched off")

    async def release(self, where: int) -> None:
        self.gates[where].release()

    async def fail(self, where: int) -> None:
        self.gates[where].failed()

    async def replace(self, where: int) -> None:
        """The upstream is configured anew: those that it has are counted at the new gate, as the supervisor does."""
        old, new = self.gates[where], self.gate()
        old.hold("it was taken away")
        await settle()
        for number in [each for each, gate in self.at.items() if gate is old]:
            turn = self.turns.get(number)
            if turn is not None and turn.done() and turn.result():
                old.answered(job(number), in_order=True)
        await old.drained()
        await old.aclose()
        self.gates[where] = new
        self.retired.append(old)
        for number, gate in list(self.at.items()):
            if gate is old and (number not in self.turns or self.turns[number].done()):
                old.leave(job(number))
                if number in self.turns and not self.turns.pop(number).result():
                    del self.at[number]
                else:
                    new.occupy(job(number), owner(number))
                    self.at[number] = new

    async def limit(self, who: str, seats: int) -> None:
        self.limits[who] = seats
        self.seats.look_again()

    async def time(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    # --- what must be true -------------------------------------------------------------------------

    def check(self) -> None:
        inside = [number for number in self.at if number not in self.turns or self.turns[number].done()]
        taken = Counter(map(owner, inside))
        assert self.seats.taken == sum(gate.inside for gate in self.gates) == len(inside)
        assert all(gate.inside == gate.waiting == 0 for gate in self.retired)
        for who in OWNERS:
            limit = self.limits[who]
            assert self.seats.room(who) == (max(0, limit - taken[who]) if limit else None)
        for gate in self.gates:
            waiting = [
                number for number, turn in self.turns.items() if self.at[number] is gate and not turn.done()
            ]
            assert gate.waiting == len(waiting)
            places = sorted(gate.position(job(number)) or 0 for number in waiting)
            assert places == list(range(1, len(waiting) + 1))
            careful = bool(gate._out_of_order or gate._breaker.openings)
            creates = len(gate._creating) < (1 if careful else CREATING)
            room = gate.inside < PLACES and not gate.paused and creates
            may = [number for number in waiting if self.seats.free(owner(number))]
            assert not (room and may), f"{may} wait beside room"


def job(number: int) -> JobId:
    return JobId(f"video_{number}")


def owner(number: int) -> str:
    return OWNERS[number % len(OWNERS)]


@settings(max_examples=examples(150))
@given(steps)
def test_seats_taken_are_jobs_inside_and_nobody_waits_beside_room(history: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        team = Team()
        for step in history:
            await team.do(*step)
            team.check()
        for number in range(12):
            await team.do("leave", number)
        team.check()
        assert team.seats.taken == 0
        for gate in team.gates:
            await gate.aclose()

    asyncio.run(play())


async def test_a_long_line_is_not_counted_anew_for_everybody_who_joins_it() -> None:
    """Each create is answered with its place; with thousands who wait, that would take longer than all the rest."""
    clock = ManualClock()
    gate = Gate(clock, max_concurrent=1, max_creating=1)
    counted: list[int] = []
    order = gate._queue.order

    def counting(*arguments: Any) -> list[str]:
        counted.append(gate.waiting)
        return order(*arguments)

    gate._queue.order = counting  # type: ignore[method-assign,assignment]  # the expensive part, and nothing else
    gate.ask(job(0), "ann")
    places = []
    for number in range(1, 2 * COUNTED_AT_ONCE + 1):
        gate.ask(job(number), "ann")
        places.append(gate.position(job(number)))
    assert places == list(range(1, 2 * COUNTED_AT_ONCE + 1)), "whoever comes is behind the others"
    assert len(counted) == COUNTED_AT_ONCE, "only while the line was short"
    gate.ask(job(1000), "bob")
    assert gate.position(job(1000)) == 2 * COUNTED_AT_ONCE + 1, (
        "he has had no turn yet, which is found within a second"
    )
    await clock.advance(1.1)
    assert gate.position(job(1000)) == 1
    await gate.aclose()
