"""Who is next when more is asked for than can be made at once."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core import fair_queue
from sora_gateway.core.fair_queue import PATIENCE, FairQueue, Lane


def served(queue: FairQueue, now: float = 0.0) -> list[str]:
    found = []
    while (key := queue.take(now)) is not None:
        found.append(key)
    return found


def test_people_take_turns_however_many_jobs_each_has() -> None:
    queue = FairQueue()
    for number in range(500):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, 0.0)
    assert [queue.take(0.0) for _ in range(4)] == ["ann-0", "ann-1", "ann-2", "ann-3"]
    queue.add("bob-0", "bob", Lane.NORMAL, 1.0)
    queue.add("bob-1", "bob", Lane.NORMAL, 1.0)
    assert [queue.take(1.0) for _ in range(4)] == ["bob-0", "ann-4", "bob-1", "ann-5"]


def test_who_has_just_been_served_comes_after_who_has_not_been() -> None:
    queue = FairQueue()
    queue.add("ann-0", "ann", Lane.NORMAL, 0.0)
    assert queue.take(0.0) == "ann-0"
    queue.add("ann-1", "ann", Lane.NORMAL, 1.0)
    queue.add("bob-0", "bob", Lane.NORMAL, 2.0)
    assert served(queue, 2.0) == ["bob-0", "ann-1"]


def test_one_persons_jobs_keep_their_order() -> None:
    queue = FairQueue()
    for number in range(5):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, float(number))
    assert served(queue) == [f"ann-{number}" for number in range(5)]


def test_who_was_away_has_saved_up_nothing() -> None:
    queue = FairQueue()
    for number in range(100):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, 0.0)
    for _ in range(50):
        queue.take(0.0)
    for number in range(50):
        queue.add(f"bob-{number}", "bob", Lane.NORMAL, 1.0)
    owners = Counter(str(queue.take(1.0)).split("-")[0] for _ in range(20))
    assert owners == {"ann": 10, "bob": 10}


def test_a_lane_goes_before_those_below_it() -> None:
    queue = FairQueue()
    queue.add("batch", "ann", Lane.BATCH, 0.0)
    queue.add("normal", "bob", Lane.NORMAL, 0.0)
    queue.add("vip", "vic", Lane.VIP, 0.0)
    assert served(queue) == ["vip", "normal", "batch"]


def test_patience_lifts_a_job_by_a_lane_so_that_nobody_waits_for_ever() -> None:
    queue = FairQueue()
    queue.add("old", "ann", Lane.BATCH, 0.0)
    queue.add("vip", "vic", Lane.VIP, 2 * PATIENCE)
    assert queue.order(2 * PATIENCE - 1) == ["vip", "old"]
    assert queue.order(2 * PATIENCE) == ["old", "vip"]


def test_who_may_not_now_is_passed_over_and_keeps_their_place() -> None:
    queue = FairQueue()
    queue.add("ann-0", "ann", Lane.NORMAL, 0.0)
    queue.add("bob-0", "bob", Lane.NORMAL, 1.0)
    assert queue.take(2.0, lambda owner: owner != "ann") == "bob-0"
    assert queue.take(2.0, lambda owner: owner != "ann") is None
    assert queue.take(2.0) == "ann-0"


def test_who_steps_back_leaves_their_turn_to_their_next_job() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, 0.0)
        queue.add(f"bob-{number}", "bob", Lane.NORMAL, 1.0)
    queue.discard("ann-0")
    queue.discard("nobody's")
    assert served(queue) == ["ann-1", "bob-0", "ann-2", "bob-1", "bob-2"]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.sampled_from(Lane)),
        st.tuples(st.just("take"), st.sampled_from("abc"), st.just(Lane.NORMAL)),
        st.tuples(st.just("discard"), st.sampled_from("abc"), st.just(Lane.NORMAL)),
    ),
    max_size=60,
)


@given(steps)
def test_the_order_that_is_told_is_the_order_that_comes(history: list[tuple[str, str, Lane]]) -> None:
    queue, count, waiting = FairQueue(), 0, set[str]()
    for moment, (what, owner, lane) in enumerate(history):
        if what == "add":
            count += 1
            queue.add(f"{owner}-{count}", owner, lane, float(moment))
            waiting.add(f"{owner}-{count}")
        elif what == "take":
            taken = queue.take(float(moment))
            assert (taken is None) == (not waiting)
            waiting.discard(str(taken))
        elif mine := sorted(key for key in waiting if key.startswith(owner)):
            queue.discard(mine[0])
            waiting.discard(mine[0])
    now = float(len(history))
    told = queue.order(now)
    assert set(told) == waiting
    assert served(queue, now) == told


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=200))
def test_nobody_who_waits_is_served_twice_less_often_than_another(owners: list[str]) -> None:
    """Among people who all have something waiting, the numbers of turns differ by one at most."""
    queue = FairQueue()
    for number, owner in enumerate(owners):
        queue.add(f"{owner}-{number}", owner, Lane.NORMAL, 0.0)
    left, turns = Counter(owners), Counter[str]()
    while min(left.values()) > 0:
        owner = str(queue.take(0.0)).split("-")[0]
        turns[owner] += 1
        left[owner] -= 1
        assert max(turns[each] for each in left) - min(turns[each] for each in left) <= 1


def test_turns_of_a_higher_lane_save_up_nothing_for_those_who_wait_below_it() -> None:
    """Ann's line is long and was passed over often; who comes after that still has the next turn but one."""
    queue = FairQueue()
    for number in range(300):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, 0.0)
        queue.add(f"vic-{number}", "vic", Lane.VIP, 0.0)
    for _ in range(300):
        assert str(queue.take(1.0)).startswith("vic")
    queue.add("bob-0", "bob", Lane.NORMAL, 2.0)
    assert "bob-0" in [queue.take(2.0), queue.take(2.0)]


def test_who_may_not_for_long_saves_up_one_turn_and_no_more() -> None:
    queue = FairQueue()
    for number in range(300):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, 0.0)
        queue.add(f"bob-{number}", "bob", Lane.NORMAL, 0.0)
    for _ in range(200):
        queue.take(1.0, lambda owner: owner != "ann")
    owners = [str(queue.take(2.0)).split("-")[0] for _ in range(6)]
    assert owners == ["ann", "bob"] * 3


def test_how_long_somebody_has_waited_elsewhere_counts() -> None:
    queue = FairQueue()
    queue.add("vip", "vic", Lane.VIP, 0.0)
    queue.add("new", "ann", Lane.BATCH, 0.0)
    queue.add("old", "bob", Lane.BATCH, 0.0, since=-2 * PATIENCE)
    queue.add("older", "bob", Lane.BATCH, 0.0, since=-3 * PATIENCE)
    assert queue.order(0.0) == ["older", "vip", "new", "old"]
    assert served(queue) == ["older", "vip", "new", "old"]


def test_a_line_that_was_sent_away_remembers_who_was_served() -> None:
    queue = FairQueue()
    queue.add("ann-0", "ann", Lane.NORMAL, 0.0)
    queue.take(0.0)
    queue.add("ann-1", "ann", Lane.NORMAL, 1.0)
    queue.clear()
    assert queue.order(1.0) == []
    queue.add("ann-1", "ann", Lane.NORMAL, 1.0)
    queue.add("bob-0", "bob", Lane.NORMAL, 2.0)
    assert served(queue, 2.0) == ["bob-0", "ann-1"]


def test_the_order_that_is_told_counts_with_the_seats_that_are_free() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.add(f"ann-{number}", "ann", Lane.NORMAL, 0.0)
        queue.add(f"bob-{number}", "bob", Lane.NORMAL, 0.0)
    rooms = {"ann": 1, "bob": None}
    assert queue.order(0.0, rooms.__getitem__) == ["ann-0", "bob-0", "bob-1", "bob-2", "ann-1", "ann-2"]


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(Lane)), min_size=1, max_size=80),
    st.lists(st.sampled_from([0.0, 1.0, PATIENCE / 3, PATIENCE]), max_size=80),
)
def test_between_two_turns_of_one_person_every_other_has_one_at_most(
    wanted: list[tuple[str, Lane]], pauses: list[float]
) -> None:
    """In the lane of the one; a higher lane may go before them both, until patience has lifted them."""
    queue, now = FairQueue(), 0.0
    waiting: dict[str, Lane] = {}
    for number, (owner, lane) in enumerate(wanted):
        queue.add(f"{owner}-{number}", owner, lane, now)
        waiting[f"{owner}-{number}"] = lane
    turn_at: dict[tuple[str, Lane], float] = {}

    def reached(key: str) -> int:
        lane = waiting[key]
        return max(0, lane - int((now - turn_at.get((key[0], lane), 0.0)) / PATIENCE))

    since: dict[str, Counter[str]] = {}
    for step in range(len(wanted)):
        now += pauses[step] if step < len(pauses) else 0.0
        best = {
            owner: min(reached(key) for key in waiting if key[0] == owner)
            for owner in {*"".join(k[0] for k in waiting)}
        }
        key = str(queue.take(now))
        owner, level = key[0], reached(key)
        assert level == min(best.values()), "a higher lane was passed over"
        for other, turns in since.items():
            if best.get(other) != level:
                turns.clear()
            elif other != owner:
                turns[owner] += 1
                assert turns[owner] <= 1, f"{owner} had two turns while {other} waited in the same lane"
        since = {other: since.get(other, Counter()) for other in "abcd"} | {owner: Counter()}
        turn_at[owner, waiting.pop(key)] = now


def test_a_long_line_that_is_served_is_not_lifted_over_who_comes_new() -> None:
    """Ann's five hundred have waited for an hour; they keep Bob no longer than five hundred new ones would."""
    queue = FairQueue()
    for number in range(500):
        queue.add(f"ann-{number}", "ann", Lane.BATCH, 0.0)
    for minute in range(60):
        queue.take(60.0 * minute)
    queue.add("bob-0", "bob", Lane.BATCH, 3600.0)
    queue.add("eve-0", "eve", Lane.NORMAL, 3600.0)
    assert queue.order(3600.0)[:3] == ["eve-0", "bob-0", "ann-60"]
    assert [queue.take(3600.0) for _ in range(3)] == ["eve-0", "bob-0", "ann-60"]


def test_who_is_passed_over_by_a_lane_without_end_has_a_turn_whenever_their_patience_ends() -> None:
    queue, turns = FairQueue(), 0
    for number in range(20):
        queue.add(f"ann-{number}", "ann", Lane.BATCH, 0.0)
    for minute in range(100):
        queue.add(f"vic-{minute}", "vic", Lane.VIP, 60.0 * minute)
        turns += str(queue.take(60.0 * minute)).startswith("ann")
    assert turns == 99 * 60 // int(2 * PATIENCE)


class Steps:
    """Counts the lines of the queue that are run: what it costs, on any machine."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Steps:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != fair_queue.__file__:
            return None
        self.count += event == "line"
        return self._trace


@pytest.mark.parametrize("everybody", [1, 20, 10_000], ids=["one person", "a team", "each their own"])
def test_each_of_ten_thousand_who_wait_costs_as_much_as_each_of_a_thousand(everybody: int) -> None:
    """Asking and taking everything is nearly linear, however many people it is shared by."""

    def steps(number: int, people: int) -> float:
        queue = FairQueue()
        with Steps() as counted:
            for each in range(number):
                queue.add(f"{each}", f"person {each % people}", Lane(each % 3), float(each))
            assert len(served(queue, float(number))) == number
        return counted.count / number

    assert steps(10_000, everybody) < 1.5 * steps(1000, max(1, min(everybody, 1000)))


def test_who_may_not_costs_a_question_for_each_person_not_for_each_job() -> None:
    asked = Counter[str]()

    def may(owner: str) -> bool:
        asked[owner] += 1
        return owner == "free"

    queue = FairQueue()
    for number in range(5000):
        queue.add(f"barred-{number}", "barred", Lane(number % 3), 0.0)
        queue.add(f"free-{number}", "free", Lane.BATCH, 0.0)
    for _ in range(5000):
        assert str(queue.take(1.0, may)).startswith("free")
    assert asked["barred"] <= 5000
