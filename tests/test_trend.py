"""What progress is worth: two extrapolations, and how far each was off before."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.trend import NO_TREND, SMALLEST_MOVE, Guess, ProgressScale, Trend


def seen(*looks: tuple[float, float | None]) -> Trend:
    trend = NO_TREND
    for age, progress in looks:
        trend = trend.after(age, progress)
    return trend


def test_only_movement_is_kept() -> None:
    assert seen((10, None), (20, 0)) == NO_TREND
    assert seen((10, 30), (20, 30), (30, 30)).points == ((10, 30),)
    assert seen((10, 30), (20, None), (30, 50)).points == ((10, 30), (30, 50))


def test_a_fall_or_a_clock_set_back_begins_anew() -> None:
    assert seen((10, 30), (20, 50), (30, 20)).points == ((30, 20),)
    assert seen((10, 30), (20, 50), (30, 0)) == NO_TREND
    assert seen((30, 30), (20, 50)).points == ((20, 50),)


def test_a_hundred_percent_of_what_is_not_done_is_not_that() -> None:
    assert seen((10, 100)).points[0][1] < 100


def test_small_steps_do_not_pile_up() -> None:
    trend = seen(*((float(age), age / 10) for age in range(10, 990)))
    assert len(trend.points) < 100 / SMALLEST_MOVE + 3
    newest = len(trend.points) - 1
    before = trend.before(newest)
    assert before is not None
    assert trend.points[newest][1] - before[1] >= SMALLEST_MOVE, "the slope is taken over more than rounding"


def test_without_movement_there_is_no_guess() -> None:
    assert ProgressScale().guess(NO_TREND, 50) is None
    assert ProgressScale().guess(seen((10, 0)), 50) is None


def test_even_progress_is_extrapolated_evenly() -> None:
    guess = ProgressScale().guess(seen((30, 30), (60, 60)), 60)
    assert guess is not None
    assert math.exp(guess.middle) == pytest.approx(100)


def test_a_guess_that_was_outlived_is_worth_ever_less() -> None:
    trend, scale = seen((30, 30), (60, 60), (90, 90)), ProgressScale()
    widths = [guess.deviation for age in (90, 120, 200, 400) if (guess := scale.guess(trend, age))]
    assert widths == sorted(widths)
    assert widths[-1] > 3 * widths[0]


SHAPES: dict[str, Callable[[float], float]] = {
    "even": lambda share: 99 * share,
    "late": lambda share: 99 * share**2,
    "early": lambda share: 99 * share**0.5,
    "to 90": lambda share: min(90.0, 150 * share),
}


def learned(shape: Callable[[float], float], jobs: int = 40) -> ProgressScale:
    chance, scale = Random("shapes"), ProgressScale()
    for _ in range(jobs):
        took = 120 * math.exp(0.3 * chance.gauss(0, 1))
        ages = sorted(chance.uniform(0.2, 0.99) * took for _ in range(6))
        scale = scale.learned(seen(*((age, float(int(shape(age / took)))) for age in ages)), took)
    return scale


@pytest.mark.parametrize("name", SHAPES)
def test_any_steady_shape_of_progress_is_learned(name: str) -> None:
    """Half-way through a job of 200 s, of which experience would say 120 s."""
    shape, trend = SHAPES[name], NO_TREND
    for share in (0.3, 0.4, 0.5):
        trend = trend.after(200 * share, float(int(shape(share))))
    before, after = ProgressScale().guess(trend, 100), learned(shape).guess(trend, 100)
    assert before is not None
    assert after is not None
    assert math.exp(after.middle) == pytest.approx(200, rel=0.06)
    assert after.deviation < 0.6 * before.deviation


def test_a_progress_that_means_nothing_is_learned_to_mean_nothing() -> None:
    """It jumps to 90 at once and stays there."""
    scale = learned(lambda share: 90.0)
    trend = seen((60, 90))
    guess = scale.guess(trend, 60)
    assert guess is not None
    assert guess.deviation > 0.3
    experience = Guess(math.log(120), 0.25)
    assert math.exp(guess.combined(experience).middle) == pytest.approx(120, rel=0.2)


def test_the_surer_one_decides() -> None:
    sure, vague = Guess(math.log(100), 0.05), Guess(math.log(200), 0.5)
    both = sure.combined(vague)
    assert math.exp(both.middle) == pytest.approx(100, rel=0.02)
    assert both.deviation < sure.deviation


looks = st.lists(
    st.tuples(st.floats(-10, 1e6), st.none() | st.floats(-1e3, 1e3) | st.just(math.nan)), max_size=20
)


@given(looks, st.floats(0.001, 1e6), st.floats(0, 1e7))
def test_no_progress_breaks_the_scale(
    taken: list[tuple[float, float | None]], took: float, age: float
) -> None:
    trend = seen(*taken)
    scale = ProgressScale().learned(trend, took)
    guess = scale.guess(trend, age)
    assert (guess is None) == (not trend.points)
    if guess is not None:
        assert math.isfinite(guess.middle)
        assert 0 < guess.deviation < math.inf
