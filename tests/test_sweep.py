"""When a list is asked for many jobs, and how far it is believed: numbers in, yes or no out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.sweep import (
    CHECK_EVERY,
    CONTRADICTIONS,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    NOT_LISTED,
    TIMELY,
    Sweep,
    Trust,
)

pages = st.lists(st.one_of(st.integers(0, 12), st.just(NOT_LISTED)), max_size=60)


def read(due: list[int], really: list[int]) -> tuple[int, int]:
    """How many pages are read for jobs that are thought to be on the pages *due* and are on *really* (0: nowhere),
    and how many jobs are left to be asked for one by one."""
    sweep, left = Sweep(due), list(range(len(due)))
    while sweep.worth_going_on():
        sweep.read += 1
        here = [each for each in left if really[each] == sweep.read]
        sweep.found(due[each] for each in here)
        left = [each for each in left if each not in here]
    return sweep.read, len(left)


@pytest.mark.parametrize(
    ("due", "really", "expected"),
    [
        pytest.param([1, 1], [1, 1], (0, 2), id="two are asked for one by one"),
        pytest.param([1, 1, 1], [1, 1, 1], (1, 0), id="three are worth a page"),
        pytest.param([0, 0, 0], [1, 1, 1], (1, 0), id="new ones are looked for on the first page"),
        pytest.param([1, 1, 1, 2], [1, 1, 1, 2], (1, 1), id="one is not worth another page"),
        pytest.param([1, 1, 1, 2, 2], [1, 1, 1, 2, 2], (2, 0), id="two are"),
        pytest.param([1, 1, 1, 9, 9], [1, 1, 1, 9, 9], (1, 2), id="two that are far away are not"),
        pytest.param([9] * 12, [9] * 12, (9, 0), id="many that are far away are"),
        pytest.param([1, 1, 1], [2, 2, 2], (2, 0), id="who has moved is looked for on the next page"),
        pytest.param([NOT_LISTED] * 50, [0] * 50, (0, 50), id="who is on no page is not looked for"),
    ],
)
def test_pages_are_read_while_they_save_requests(
    due: list[int], really: list[int], expected: tuple[int, int]
) -> None:
    assert read(due, really) == expected


def test_after_a_restart_all_are_found_wherever_they_are() -> None:
    really = [1 + number // 100 for number in range(1000)]
    assert read([0] * 1000, really) == (10, 0)


@given(st.integers(3, 60))
def test_a_list_that_has_nobody_is_given_up_soon(due: int) -> None:
    asked, left = read([0] * due, [0] * due)
    assert asked <= 4
    assert left == due


@given(pages, st.data())
def test_a_sweep_costs_hardly_more_than_asking_one_by_one(due: list[int], data: st.DataObject) -> None:
    """If the jobs are where they were seen, never more; and wherever they are, never twice as much."""
    really = data.draw(st.lists(st.integers(0, 12), min_size=len(due), max_size=len(due)))
    asked, left = read(due, really)
    assert asked + left <= 2 * len(due) + 4
    there = [page if page != NOT_LISTED else 0 for page in due]
    asked, left = read(due, there)
    if 0 not in due:
        assert asked + left <= len(due)


class TestTrust:
    def test_a_list_that_fails_is_left_alone_ever_longer(self) -> None:
        trust, now, pauses = Trust(), 100.0, []
        for _ in range(7):
            trust.failed(now)
            began = now
            while not trust.allows(now):
                now += FIRST_PAUSE
            pauses.append(now - began)
        assert pauses == [60, 120, 240, 480, 900, 900, 900]
        trust.worked()
        trust.failed(now)
        assert trust.allows(now + FIRST_PAUSE)

    def test_a_lie_costs_the_belief_for_long(self) -> None:
        trust = Trust(proven=True)
        trust.lied(100.0)
        assert not trust.proven
        assert not trust.allows(100.0 + LONGEST_PAUSE - 1)
        assert trust.allows(100.0 + LONGEST_PAUSE)

    def test_a_list_is_checked_at_first_and_then_once_a_minute(self) -> None:
        trust = Trust()
        assert trust.check_is_due(5.0)
        trust.checked(5.0, 5.1, true=True)
        assert not trust.check_is_due(5.1 + CHECK_EVERY - 1)
        assert trust.check_is_due(5.2 + CHECK_EVERY)

    def test_one_job_that_has_ended_since_is_no_lie_and_several_in_a_row_are(self) -> None:
        trust = Trust()
        for number in range(CONTRADICTIONS):
            assert trust.allows(5.0)
            assert trust.check_is_due(5.0), f"it is not settled after {number}"
            trust.checked(5.0, 5.1, true=False)
        assert not trust.allows(5.1)

    def test_a_confirmation_in_between_clears_it(self) -> None:
        trust = Trust()
        for _ in range(5):
            for _ in range(CONTRADICTIONS - 1):
                trust.checked(5.0, 5.1, true=False)
            trust.checked(5.0, 5.1, true=True)
        assert trust.allows(5.1)

    def test_what_comes_late_says_nothing_against_it(self) -> None:
        trust = Trust()
        for number in range(10):
            now = number * CHECK_EVERY
            assert trust.check_is_due(now + 2 * TIMELY)
            trust.checked(now, now + 2 * TIMELY, true=False)
            assert not trust.check_is_due(now + 2 * TIMELY)
        assert trust.allows(1e6)
