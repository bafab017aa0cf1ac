"""What stands between the gateway and an upstream: circuit breaker, request budget, spend cap and gate."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, WINDOW, Breaker
from sora_gateway.core.budget import Budget
from sora_gateway.core.job import JobId
from sora_gateway.core.spend import DAY, Spend, Tariff
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.seats import Seats
from tests.fakes import ManualClock, settle


def broken(breaker: Breaker, times: int, now: float = 0.0) -> Breaker:
    for _ in range(times):
        breaker = breaker.failed(now)
    return breaker


class TestTheBreaker:
    def test_opens_after_five_failures_in_a_row(self) -> None:
        assert broken(Breaker(), FAILURES - 1).state(0.0) == "closed"
        assert broken(Breaker(), FAILURES).state(0.0) == "open"

    def test_an_answer_in_between_starts_the_count_anew(self) -> None:
        breaker = broken(Breaker(), FAILURES - 1).succeeded()
        assert broken(breaker, FAILURES - 1).state(0.0) == "closed"

    def test_failures_that_lie_far_apart_do_not_add_up(self) -> None:
        breaker = Breaker()
        for number in range(20):
            breaker = breaker.failed(number * (WINDOW + 1))
        assert breaker.state(20 * WINDOW) == "closed"

    def test_lets_one_through_after_its_pause_whose_outcome_decides(self) -> None:
        breaker = broken(Breaker(), FAILURES)
        assert breaker.state(FIRST_PAUSE) == "half-open"
        assert breaker.succeeded().state(FIRST_PAUSE) == "closed"
        again = breaker.failed(FIRST_PAUSE)
        assert again.state(FIRST_PAUSE + 2 * FIRST_PAUSE - 1) == "open"
        assert again.state(FIRST_PAUSE + 2 * FIRST_PAUSE) == "half-open"

    def test_what_was_sent_before_it_opened_does_not_open_it_further(self) -> None:
        breaker = broken(Breaker(), FAILURES)
        assert breaker.failed(1.0) == breaker

    @given(st.lists(st.tuples(st.floats(0, 10_000), st.booleans()), max_size=80))
    def test_never_pauses_longer_than_a_quarter_of_an_hour(self, history: list[tuple[float, bool]]) -> None:
        breaker = Breaker()
        for now, well in sorted(history):
            breaker = breaker.succeeded() if well else breaker.failed(now)
            assert breaker.open_until - now <= LONGEST_PAUSE


class TestTheRequestBudget:
    def test_without_a_limit_is_always_ready(self) -> None:
        budget = Budget()
        for _ in range(1000):
            budget.take(5.0)
        assert budget.ready_at(5.0) == 5.0
        assert budget.free(5.0) is None

    @given(
        st.integers(1, 600),
        st.integers(1, 50),
        st.lists(st.floats(0, 30), min_size=1, max_size=200),
    )
    def test_no_window_has_more_than_its_share_and_the_burst(
        self, per_minute: int, burst: int, pauses: list[float]
    ) -> None:
        budget, now, taken = Budget(per_minute, burst), 100.0, []
        for pause in pauses:
            now += pause
            now = max(now, budget.ready_at(now))
            budget.take(now)
            taken.append(now)
        for start, first in enumerate(taken):
            for count, last in enumerate(taken[start:], 1):
                allowed = (last - first) * per_minute / 60 + min(burst, per_minute)
                assert count <= allowed + 1e-6

    def test_an_upstream_that_asks_for_patience_gets_it(self) -> None:
        budget = Budget(60)
        budget.hold_back(10.0, 30.0)
        assert budget.ready_at(11.0) == 40.0
        assert budget.free(11.0) == 0


class TestTheSpendCap:
    def test_counts_what_left_in_the_last_day(self) -> None:
        spend = Spend(Tariff(cap=10, per_video=1, per_second=0.5), [("a", 0.0, 4), ("b", 100.0, 8)])
        assert spend.total(200.0) == 8.0
        assert not spend.allows(200.0, 4)
        assert spend.allows(200.0, 2)
        assert spend.frees_at(200.0) == DAY
        assert spend.allows(DAY + 1, 4)

    def test_takes_back_what_provably_cost_nothing(self) -> None:
        spend = Spend(Tariff(cap=3, per_video=3))
        spend.count("a", 0.0, 4)
        assert not spend.allows(1.0, 4)
        spend.take_back("a")
        assert spend.allows(1.0, 4)

    def test_without_a_cap_allows_everything(self) -> None:
        spend = Spend(Tariff(per_video=1000))
        spend.count("a", 0.0, 4)
        assert spend.allows(1.0, 4)


def job(number: int) -> JobId:
    return JobId(f"video_{number:032x}")


class TestTheGate:
    async def test_gives_places_in_the_order_of_asking(self) -> None:
        gate = Gate(ManualClock(), max_concurrent=0, max_creating=2)
        turns = [gate.ask(job(number)) for number in range(4)]
        assert [turn.done() for turn in turns] == [True, True, False, False]
        gate.answered(job(1), in_order=True)
        assert [turn.done() for turn in turns] == [True, True, True, False]

    async def test_gives_the_next_place_to_whoever_was_served_least(self) -> None:
        gate = Gate(ManualClock(), max_concurrent=2, max_creating=2)
        hers = [gate.ask(job(number), "ann") for number in range(500)]
        his = gate.ask(job(500), "bob")
        assert [turn.done() for turn in hers[:3]] == [True, True, False]
        assert gate.position(job(500)) == 1
        gate.leave(job(0))
        assert his.done()
        assert not hers[2].done()

    async def test_knows_everybodys_position_and_who_steps_back_has_none(self) -> None:
        gate = Gate(ManualClock(), max_concurrent=1, max_creating=1)
        gate.ask(job(0), "ann")
        for number, owner in enumerate(("ann", "ann", "bob"), 1):
            gate.ask(job(number), owner)
        assert [gate.position(job(number)) for number in range(4)] == [None, 2, 3, 1]
        gate.leave(job(1))
        assert [gate.position(job(number)) for number in range(4)] == [None, None, 2, 1]
        assert gate.waiting == 2

    async def test_gives_nobody_more_seats_than_their_plan_has_whichever_upstreams_make_their_videos(
        self,
    ) -> None:
        limits = {"ann": 1}
        seats = Seats(lambda owner: limits.get(owner, 0))
        one, two = (Gate(ManualClock(), max_concurrent=0, max_creating=5, seats=seats) for _ in range(2))
        first, second = one.ask(job(0), "ann"), two.ask(job(1), "ann")
        third = two.ask(job(2), "bob")
        assert (first.done(), second.done(), third.done()) == (True, False, True)
        one.leave(job(0))
        assert second.done()
        waiting = one.ask(job(3), "ann")
        assert not waiting.done()
        limits["ann"] = 2
        seats.look_again()
        assert waiting.done()

    async def test_that_closes_tells_everybody_who_waits(self) -> None:
        gate = Gate(ManualClock(), max_concurrent=1, max_creating=1)
        gate.ask(job(0))
        waiting = [gate.ask(job(number)) for number in (1, 2)]
        gate.pause("it refuses our key")
        assert [turn.result() for turn in waiting] == [False, False]
        assert gate.reason == "it refuses our key"

    async def test_opens_by_itself_and_lets_one_through_first(self) -> None:
        clock = ManualClock()
        gate = Gate(clock, max_concurrent=0, max_creating=5)
        for _ in range(FAILURES):
            gate.failed()
        assert (gate.breaker, gate.reason) == ("open", "it does not answer")
        turns = [gate.ask(job(number)) for number in range(3)]
        await clock.advance(FIRST_PAUSE + 1)
        assert [turn.done() for turn in turns] == [True, False, False]
        gate.answered(job(0), in_order=True)
        assert all(turn.done() for turn in turns)
        await gate.aclose()

    async def test_held_by_a_person_opens_only_when_they_say_so(self) -> None:
        clock = ManualClock()
        gate = Gate(clock, max_concurrent=0, max_creating=5)
        gate.hold("an administrator paused it")
        turn = gate.ask(job(0))
        await clock.advance(100_000)
        assert not turn.done()
        gate.release()
        await settle()
        assert turn.result() is True
        await gate.aclose()

    async def test_sends_no_more_creates_than_its_budget_has_requests(self) -> None:
        clock = ManualClock()
        gate = Gate(clock, max_concurrent=0, max_creating=100, budget=Budget(per_minute=60, burst=2))
        turns = [gate.ask(job(number)) for number in range(5)]
        assert sum(turn.done() for turn in turns) == 2
        await clock.advance(2.5)
        assert sum(turn.done() for turn in turns) == 4
        await clock.advance(60)
        assert await asyncio.gather(*turns) == [True] * 5
        await gate.aclose()
