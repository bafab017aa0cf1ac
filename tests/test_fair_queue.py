"""Who is next when more is asked for than can be made at once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

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
