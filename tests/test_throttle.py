"""How often somebody may try: pure rules, with moments that a test makes up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.throttle import FORGOTTEN, FREE_FAILURES, LONGEST_LOCK, Failures, Rate

ANN, BOB = "ann@example.org", "bob@example.org"


def fail(failures: Failures, now: float, name: str = ANN) -> float:
    """A wrong attempt that may be made; the lock that it begins."""
    assert failures.begin(name, now) == 0
    return failures.wrong(name, now)


def test_five_failures_cost_nothing_and_from_the_sixth_on_each_locks_for_twice_as_long() -> None:
    failures, now, locks = Failures(), 0.0, []
    for _ in range(18):
        locks.append(fail(failures, now))
        now += locks[-1]
    assert locks == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_while_a_name_is_locked_nothing_is_tried_and_another_name_is_free() -> None:
    failures = Failures()
    for _ in range(6):
        fail(failures, 100.0)
    assert failures.begin(ANN, 100.25) == 0.75
    assert failures.begin(BOB, 100.25) == 0
    failures.right(BOB)
    assert failures.begin(ANN, 101.0) == 0


def test_who_gets_it_right_begins_anew() -> None:
    failures = Failures()
    for _ in range(6):
        fail(failures, 0.0)
    assert failures.begin(ANN, 1.0) == 0
    failures.right(ANN)
    assert [fail(failures, 2.0) for _ in range(6)] == [0, 0, 0, 0, 0, 1]


def test_what_came_to_nothing_is_neither_right_nor_wrong() -> None:
    failures = Failures()
    for _ in range(5):
        fail(failures, 0.0)
    assert failures.begin(ANN, 0.0) == 0
    failures.abandon(ANN)
    assert failures.failures(ANN) == 5
    assert fail(failures, 0.0) == 1


def test_attempts_at_once_are_no_more_guesses_than_attempts_in_a_row() -> None:
    failures = Failures()
    begun = sum(failures.begin(ANN, 0.0) == 0 for _ in range(100))
    assert begun == FREE_FAILURES + 1
    assert [failures.wrong(ANN, 0.1) for _ in range(begun)] == [0, 0, 0, 0, 0, 1]
    assert failures.begin(ANN, 0.2) > 0
    # And once that is over, one after the other.
    assert [failures.begin(ANN, 2.0) == 0 for _ in range(3)] == [True, False, False]


def test_a_name_of_which_nothing_was_heard_for_a_day_is_free_again() -> None:
    failures = Failures()
    for _ in range(6):
        fail(failures, 0.0)
    assert fail(failures, FORGOTTEN) == 2
    assert fail(failures, 2 * FORGOTTEN + 3) == 0


def test_who_has_proved_it_otherwise_is_not_locked_any_more() -> None:
    failures = Failures()
    for _ in range(6):
        fail(failures, 0.0)
    failures.forget(ANN)
    assert fail(failures, 0.0) == 0
    failures.begin(ANN, 0.0)
    failures.forget(ANN)
    assert failures.wrong(ANN, 0.0) == 0


def test_only_so_many_names_are_remembered_those_heard_of_last() -> None:
    failures, rate = Failures(most=3), Rate(1, most=3)
    for name in "abcd":
        for _ in range(6):
            fail(failures, 0.0, name)
        assert rate.take(name, 0.0) == 0
    assert [failures.failures(name) for name in "abcd"] == [0, 6, 6, 6]
    assert [rate.take(name, 1.0) > 0 for name in "bcd"] == [True, True, True]
    assert rate.take("a", 1.0) == 0


def test_an_attempt_under_way_is_not_forgotten() -> None:
    failures = Failures(most=1)
    assert failures.begin(ANN, 0.0) == 0
    assert failures.begin(BOB, 0.0) == 0
    assert failures.wrong(ANN, 0.0) == 0
    failures.right(BOB)


def gaps(longest: int) -> st.SearchStrategy[list[float]]:
    """Seconds between attempts, in eighths: sums of them are exact."""
    return st.lists(st.integers(0, longest * 8).map(lambda eighths: eighths / 8), min_size=1, max_size=60)


@given(gaps(1000))
def test_however_they_come_guesses_are_as_far_apart_as_the_locks(between: list[float]) -> None:
    """Whoever keeps guessing gets five guesses, and then one for each lock."""
    failures, now, guesses = Failures(), 0.0, []
    for gap in between:
        now += gap
        if failures.begin(ANN, now) == 0:
            failures.wrong(ANN, now)
            guesses.append(now)
    for number, (one, next_one) in enumerate(
        zip(guesses[FREE_FAILURES:], guesses[FREE_FAILURES + 1 :], strict=False)
    ):
        assert next_one - one >= min(LONGEST_LOCK, 2.0**number)


@given(gaps(1000), st.integers(0, 59))
def test_who_waits_as_long_as_they_are_told_may_try(between: list[float], at: int) -> None:
    failures, now = Failures(), 0.0
    for gap in between[: at + 1]:
        now += gap
        wait = failures.begin(ANN, now)
        if wait:
            now += wait
            assert failures.begin(ANN, now) == 0
        failures.wrong(ANN, now)


@given(gaps(50), st.integers(1, 10))
def test_no_minute_has_more_attempts_than_its_limit(between: list[float], limit: int) -> None:
    rate, now, taken = Rate(limit), 0.0, []
    for gap in between:
        now += gap
        wait = rate.take(ANN, now)
        if not wait:
            taken.append(now)
        else:
            assert 0 < wait <= 60
            # It is refused because of attempts that were made, and what is refused does not count.
            assert len([moment for moment in taken if now - moment < 60]) == limit
    for moment in taken:
        assert len([each for each in taken if moment <= each < moment + 60]) <= limit


def test_a_limit_of_nothing_is_none() -> None:
    rate = Rate(0)
    assert {rate.take(ANN, 0.0) for _ in range(1000)} == {0.0}
