"""The wheel: whose turn comes when, however often turns are moved."""

from __future__ import annotations

import heapq

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Look
from sora_gateway.store.jobs import Change
from sora_gateway.supervisor.subject import Subject
from sora_gateway.supervisor.wheel import TICK, Wheel
from tests.jobs import make_job


class Nobody:
    def wake(self) -> None: ...

    def change(self, look: Look) -> Change | None:
        return None

    def stored(self, change: Change, *, kept: bool) -> None: ...


def subjects(count: int) -> list[Subject]:
    return [Subject(make_job(), ExternalId(f"ext-{number}"), Nobody(), 0.0) for number in range(count)]


moments = st.floats(0, 100, allow_nan=False)


@given(st.lists(st.tuples(st.integers(0, 9), moments), max_size=60), moments)
def test_everybodys_turn_comes_once_at_the_moment_that_was_said_last(
    puts: list[tuple[int, float]], until: float
) -> None:
    wheel, everybody, due = Wheel(), subjects(10), dict[int, float]()
    for number, moment in puts:
        wheel.put(everybody[number], moment)
        due[number] = moment
    taken = wheel.take(until)
    assert len(set(map(id, taken))) == len(taken)
    numbers = {everybody.index(each) for each in taken}
    assert numbers <= {number for number, moment in due.items() if moment <= until}, "nobody is early"
    assert numbers >= {number for number, moment in due.items() if moment <= until - TICK}, "nor a tick late"
    rest = wheel.take(1000.0)
    assert numbers | {everybody.index(each) for each in rest} == set(due)
    assert wheel.next() is None


@given(st.lists(moments, min_size=1, max_size=30))
def test_the_next_turn_is_never_later_than_the_earliest(due: list[float]) -> None:
    wheel = Wheel()
    for subject, moment in zip(subjects(len(due)), due, strict=True):
        wheel.put(subject, moment)
    assert wheel.earlier.is_set()
    taken: list[float] = []
    while (turn := wheel.next()) is not None:
        assert turn <= heapq.nsmallest(len(taken) + 1, due)[-1] + TICK
        taken += [subject.due for subject in wheel.take(turn)]
    assert sorted(taken) == sorted(due)


def test_who_is_busy_or_gone_has_no_turn_and_can_be_put_again() -> None:
    wheel, (busy, gone, there) = Wheel(), subjects(3)
    for subject in (busy, gone, there):
        wheel.put(subject, 1.0)
    busy.busy = gone.gone = True
    assert wheel.take(2.0) == [there]
    busy.busy = False
    wheel.put(busy, 3.0)
    assert wheel.take(4.0) == [busy]


def test_who_was_taken_and_not_dealt_with_comes_back() -> None:
    wheel, (first, second) = Wheel(), subjects(2)
    wheel.put(first, 1.0)
    wheel.put(second, 1.0)
    taken = wheel.take(2.0)
    wheel.put(second, 9.0)
    wheel.put_back(taken, 5.0)
    assert (first.due, second.due) == (5.0, 9.0)


def test_an_earlier_turn_wakes_whoever_waits_and_a_later_one_does_not() -> None:
    wheel, (first, second, third) = Wheel(), subjects(3)
    wheel.put(first, 5.0)
    wheel.earlier.clear()
    wheel.put(second, 9.0)
    assert not wheel.earlier.is_set()
    wheel.put(third, 1.0)
    assert wheel.earlier.is_set()
