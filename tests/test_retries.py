"""How long a download is tried: patient with networks and disks, firm with upstreams that have no file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.retries import DownloadTrouble, next_download

T = DownloadTrouble

kinds = st.sampled_from(DownloadTrouble)
counts = st.integers(0, 1_000_000)
ages = st.floats(0, 1e9)
fractions = st.floats(0, 1, exclude_max=True)


def waits(kind: DownloadTrouble, limit: int = 100) -> list[float]:
    """The waits of a file that fails the same way every time, until it is given up."""
    found: list[float] = []
    while len(found) < limit:
        delay = next_download(kind, len(found) + 1, sum(found), 0.0)
        if delay is None:
            break
        found.append(delay)
    return found


def test_a_file_that_is_not_ready_is_asked_for_ever_less_often_for_ten_minutes() -> None:
    found = waits(T.NOT_YET)
    assert found[:7] == [2, 4, 8, 16, 32, 60, 60]
    assert 600 <= sum(found) < 660


@pytest.mark.parametrize("kind", [T.TRUNCATED, T.BROKEN])
def test_a_file_that_arrives_broken_is_fetched_anew_three_times(kind: DownloadTrouble) -> None:
    assert len(waits(kind)) == 3


def test_something_that_is_no_video_is_asked_for_five_times_in_half_an_hour() -> None:
    found = waits(T.NOT_MEDIA)
    assert len(found) == 5
    assert sum(found) == 1800


@pytest.mark.parametrize("kind", [T.TOO_LARGE, T.GONE])
def test_a_file_that_is_too_large_or_nowhere_is_not_asked_for_twice(kind: DownloadTrouble) -> None:
    assert waits(kind) == []


def test_an_expired_address_is_renewed_for_an_hour() -> None:
    assert 3600 <= sum(waits(T.EXPIRED)) < 3660


@given(st.sampled_from([T.INTERRUPTED, T.STORAGE]), counts, ages, fractions)
def test_neither_the_network_nor_our_own_disk_ever_loses_a_file(
    kind: DownloadTrouble, failures: int, age: float, fraction: float
) -> None:
    assert next_download(kind, failures, age, fraction) is not None


@given(kinds, counts, ages, fractions)
def test_a_wait_is_never_a_hot_loop_and_never_longer_than_a_quarter_of_an_hour_and_a_bit(
    kind: DownloadTrouble, failures: int, age: float, fraction: float
) -> None:
    delay = next_download(kind, failures, age, fraction)
    assert delay is None or 1 <= delay <= 990


@given(kinds, st.integers(1, 4), ages, fractions)
def test_having_been_switched_off_for_long_does_not_lose_a_file(
    kind: DownloadTrouble, failures: int, age: float, fraction: float
) -> None:
    """Time alone does not give up: the answer after a few failures is the same at any age."""
    assert next_download(kind, failures, age, fraction) == next_download(kind, failures, 0.0, fraction)


@given(kinds, counts, ages, fractions)
def test_giving_up_is_final(kind: DownloadTrouble, failures: int, age: float, fraction: float) -> None:
    if next_download(kind, failures, age, fraction) is None:
        assert next_download(kind, failures + 1, age + 1, fraction) is None
