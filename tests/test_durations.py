"""How long jobs take, learned: what samples make of the belief, and what people are told of it."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.durations import ENOUGH, PRIOR_MEDIAN, Durations, prior
from sora_gateway.core.trend import NO_TREND, Trend

samples = st.lists(st.floats(0.01, 1e6), max_size=60)


def drawn(count: int, median: float = 120.0, sigma: float = 0.25) -> list[float]:
    chance = Random(f"{count} {median} {sigma}")
    return [median * math.exp(sigma * chance.gauss(0, 1)) for _ in range(count)]


def test_nothing_learned_is_the_prior() -> None:
    assert Durations.learn([]) is prior()
    assert prior().median == pytest.approx(PRIOR_MEDIAN, rel=0.05)
    assert prior().percentiles.samples == 0
    assert prior().percentile(0.84) == pytest.approx(PRIOR_MEDIAN * math.exp(0.5), rel=0.05)


def test_enough_samples_are_all_that_counts() -> None:
    known = Durations.learn(drawn(500, median=600.0))
    assert known.median == pytest.approx(600.0, rel=0.05)
    assert known.percentile(0.9) == pytest.approx(600 * math.exp(0.25 * 1.28), rel=0.08)
    assert known.percentile(0.99) == pytest.approx(600 * math.exp(0.25 * 2.33), rel=0.2)
    assert known.percentiles.samples == 500
    assert known.unknown == 0
    assert Durations.learn(drawn(ENOUGH)).unknown == 0


def test_a_few_samples_move_the_prior_and_each_one_leaves_less_unknown() -> None:
    slow = drawn(ENOUGH, median=600.0)
    medians = [Durations.learn(slow[:count]).median for count in (0, 5, 10, ENOUGH)]
    assert medians == sorted(medians)
    unknown = [Durations.learn(slow[:count]).unknown for count in range(ENOUGH + 1)]
    assert unknown == sorted(unknown, reverse=True)
    assert (unknown[0], unknown[-1]) == (1.0, 0.0)


def test_few_samples_lean_on_similar_jobs_rather_than_on_the_prior() -> None:
    similar = Durations.learn(drawn(500, median=600.0))
    assert Durations.learn(drawn(3, median=900.0), similar).percentile(0.3) > 450
    assert Durations.learn(drawn(3, median=900.0)).percentile(0.3) < 300
    assert Durations.learn(drawn(3, median=900.0), similar).unknown > 0, "they may be different after all"


def test_the_newest_samples_count_most() -> None:
    faster, slower = drawn(200, median=60.0), drawn(200, median=300.0)
    assert Durations.learn([*faster, *slower]).median < 80
    assert Durations.learn([*slower, *faster]).median > 200


def test_two_ways_of_ending_stay_two() -> None:
    """Half of the jobs are refused within seconds: nothing ends between them and the videos."""
    pairs = zip(drawn(100, 10.0), drawn(100, 300.0), strict=True)
    known = Durations.learn([length for pair in pairs for length in pair])
    between = known.share_longer(30) - known.share_longer(100)
    assert between < 0.03
    assert known.share_longer(30) == pytest.approx(0.5, abs=0.05)


def test_equal_durations_are_known_closely() -> None:
    known = Durations.learn([90.0] * 100)
    assert known.share_longer(87) > 0.97
    assert known.share_longer(93) < 0.03
    assert known.schedule.next_look(0.0) == pytest.approx(90, abs=3)


def test_what_is_no_duration_is_left_out() -> None:
    assert Durations.learn([0.0, -5.0, math.inf, math.nan]) is prior()
    assert Durations.learn([0.0, *[60.0] * ENOUGH]).samples == ENOUGH


def test_a_job_that_has_outlived_all_others_is_still_expected_to_end() -> None:
    known = Durations.learn(drawn(500))
    assert 0 < known.share_longer(3600) < 0.01
    assert known.remaining(3600, NO_TREND) > 60


def test_what_remains_is_less_for_an_older_job_until_it_is_late() -> None:
    known = Durations.learn(drawn(500))
    remaining = [known.remaining(age, NO_TREND) for age in (0.0, 30.0, 60.0, 90.0, 110.0)]
    assert remaining == sorted(remaining, reverse=True)
    assert remaining[0] == pytest.approx(120, rel=0.1)


def test_progress_says_what_remains_better_than_experience() -> None:
    known = Durations.learn(drawn(500))
    slow = Trend().after(60, 15).after(100, 25)
    assert known.remaining(100, slow) > known.remaining(100, NO_TREND) * 1.5
    quick = Trend().after(30, 30).after(60, 60)
    assert known.remaining(60, quick) < known.remaining(60, NO_TREND)


@given(samples, st.floats(0, 1e7))
def test_whatever_was_learned_is_a_distribution(lengths: list[float], age: float) -> None:
    known = Durations.learn(lengths)
    assert 0 <= known.share_longer(age) <= 1
    assert known.share_longer(age) >= known.share_longer(age * 1.5 + 1)
    assert known.remaining(age, NO_TREND) > 0
    told = known.percentiles
    assert 0 < told.p50 <= told.p90 <= told.p99 < math.inf
    assert all(earlier < later for earlier, later in pairwise(known.schedule.due))


@given(samples, st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 100), st.floats(0, 100))
def test_what_remains_is_a_number_whatever_progress_says(
    lengths: list[float], first: float, later: float, progress: float, move: float
) -> None:
    trend = Trend().after(first, progress).after(first + later, progress + move)
    remaining = Durations.learn(lengths).remaining(first + later, trend)
    assert 0 < remaining < math.inf
