"""Where looks belong: the optimal schedule, and its bounds whatever was learned and seen."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.durations import Durations, prior
from sora_gateway.core.polling import PolicyName, PollPolicy, Seen, next_delay
from sora_gateway.core.schedule import LOOK_COST, next_look_about, normal_hazard
from sora_gateway.core.trend import NO_TREND, ProgressScale, Trend

ADAPTIVE = PollPolicy()


def drawn(median: float, sigma: float = 0.25, count: int = 500) -> list[float]:
    chance = Random(f"{median} {sigma}")
    return [median * math.exp(sigma * chance.gauss(0, 1)) for _ in range(count)]


USUAL = Durations.learn(drawn(120.0))


def delay(age: float, *, fraction: float = 0.0, policy: PollPolicy = ADAPTIVE, **seen: object) -> float:
    fields = {"durations": USUAL, "polls": 1, "progress": None} | seen
    return next_delay(policy, Seen(age=age, **fields), fraction)  # type: ignore[arg-type]


# --- the schedule ------------------------------------------------------------------------------------


def test_looks_are_as_dense_as_the_root_of_the_hazard() -> None:
    """Keller 1974: where the hazard is known, so is the gap."""
    middle, sigma = math.log(120), 0.25
    hazard = normal_hazard(0.0) / (sigma * 120)
    assert next_look_about(120, middle, sigma) - 120 == pytest.approx(
        (2 * LOOK_COST / hazard) ** 0.5, rel=0.1
    )
    assert USUAL.schedule.next_look(120) - 120 == pytest.approx((2 * LOOK_COST / hazard) ** 0.5, rel=0.25)


@pytest.mark.parametrize("sigma", [0.05, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("age", [20.0, 60.0, 120.0, 200.0, 400.0])
def test_the_table_of_the_normal_distribution_serves_every_deviation(sigma: float, age: float) -> None:
    """One look is due between an age and the next, also when that is summed up step by step."""
    middle = math.log(120)
    there = next_look_about(age, middle, sigma)
    steps, due = 4000, 0.0
    for step in range(steps):
        at = age + (there - age) * (step + 0.5) / steps
        hazard = normal_hazard((math.log(at) - middle) / sigma) / (sigma * at)
        due += math.sqrt(hazard / (2 * LOOK_COST)) * (there - age) / steps
    assert due == pytest.approx(1.0, abs=0.05)


def test_every_count_has_its_age_and_every_age_its_count() -> None:
    for age in (0.5, 5.0, 50.0, 120.0, 500.0, 5000.0, 1e6):
        later = USUAL.schedule.next_look(age)
        assert USUAL.schedule.count(later) - USUAL.schedule.count(age) == pytest.approx(1.0, abs=1e-6)


# --- the policy --------------------------------------------------------------------------------------


def test_few_looks_while_a_finish_is_impossible_and_many_where_it_is_likely() -> None:
    assert delay(10) > 40
    assert delay(110) < 8
    assert delay(200) < 6


def test_a_model_of_seconds_is_looked_at_after_seconds() -> None:
    turbo = Durations.learn(drawn(2.5))
    assert 2.0 <= delay(0, polls=0, durations=turbo) < 4
    assert delay(3, durations=turbo) < 4


def test_an_unknown_upstream_is_looked_at_every_ten_seconds_or_more_often() -> None:
    age = 0.0
    gaps: list[float] = []
    while age < 600:
        gaps.append(delay(age, polls=len(gaps), durations=None))
        age += gaps[-1]
    assert max(gaps) < 12, "a job that takes seconds is noticed, and one that takes for ever"
    assert min(gaps) > 4


def test_somebody_who_watches_an_unknown_upstream_hears_of_it_at_once() -> None:
    assert delay(0, polls=0, durations=None, watched=True) <= 5


def test_somebody_who_watches_changes_nothing_while_a_finish_is_impossible() -> None:
    assert delay(20, watched=True) == delay(20)
    vague = Durations.learn(drawn(600.0, 0.4))
    assert delay(600, durations=vague) > 8
    assert delay(600, durations=vague, watched=True) == 5


def test_moving_progress_says_when_to_look() -> None:
    even = Trend().after(60, 30).after(80, 40)
    known = USUAL.with_scale(trained())
    assert delay(80, durations=known, trend=even) > 2 * delay(80), "it will take 200 s"
    nearly = Trend().after(60, 60).after(94, 94)
    assert delay(94, durations=known, trend=nearly) < delay(94), "it will be done in 6 s"


def test_progress_that_stands_still_is_forgotten() -> None:
    stuck = Trend().after(40, 40).after(60, 60).after(80, 90)
    known = USUAL.with_scale(trained())
    assert delay(120, durations=known, trend=stuck) < 8
    assert delay(400, durations=known, trend=stuck) < delay(400) * 2.6


def trained() -> ProgressScale:
    scale = USUAL.scale
    for took in drawn(120.0, count=60):
        scale = scale.learned(Trend().after(0.3 * took, 30).after(0.6 * took, 60).after(0.9 * took, 90), took)
    return scale


def test_an_overdue_job_is_looked_at_ever_more_rarely() -> None:
    gaps = [delay(age, overdue=True) for age in (1800.0, 3600.0, 7200.0, 20_000.0)]
    assert gaps == sorted(gaps)
    assert gaps[0] < 120
    assert gaps[-1] == ADAPTIVE.overdue_interval
    assert delay(3600, overdue=True, watched=True) == gaps[1], "watching makes nothing come that is lost"


def test_an_upstream_that_takes_hours_is_not_overdue_for_the_schedule() -> None:
    hours = Durations.learn(drawn(7200.0))
    assert delay(7200, overdue=True, durations=hours) < 60
    assert 60 < delay(1900, overdue=True, durations=hours) <= 600


def test_after_a_restart_a_late_job_is_looked_at_soon_but_not_with_all_the_others() -> None:
    assert delay(300, polls=0, fraction=0.0) == 0
    assert delay(300, polls=0, fraction=0.5) == 1
    assert delay(10, polls=0) > 40, "one that was just accepted is not late"


def test_the_floor_wins_over_haste() -> None:
    slow = PollPolicy(min_interval=30.0)
    assert delay(120, policy=slow) >= 30
    assert delay(120, policy=slow, watched=True) >= 30
    assert delay(0, policy=slow, polls=0, durations=Durations.learn([2.0] * 50)) >= 30


def test_errors_back_off_at_random_and_not_for_ever() -> None:
    patient = PollPolicy(max_interval=900.0)
    assert delay(120, errors=12, fraction=0.999, policy=patient) <= 60
    assert delay(120, errors=12, fraction=0.0, policy=patient) == patient.min_interval


moves = st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(0, 100)), max_size=6)
lengths = st.lists(st.floats(0.05, 1e6), max_size=40)
policies = st.builds(
    PollPolicy,
    name=st.sampled_from(PolicyName),
    min_interval=st.floats(0.1, 30),
    max_interval=st.floats(30, 600),
    watched_interval=st.floats(0.1, 60),
)


@given(
    policies, lengths, moves, st.floats(-5, 1e7), st.integers(0, 1000), st.booleans(), st.booleans(),
    st.floats(0, 0.999), st.none() | st.floats(0, 900),
)  # fmt: skip
def test_every_wait_is_within_its_bounds(
    policy: PollPolicy, taken: list[float], looks: list[tuple[float, float | None]], age: float, polls: int,
    overdue: bool, watched: bool, fraction: float, retry_after: float | None,
) -> None:  # fmt: skip
    trend = NO_TREND
    for at, progress in looks:
        trend = trend.after(at, progress)
    seen = Seen(
        age, 50.0, polls, overdue=overdue, retry_after=retry_after, durations=Durations.learn(taken),
        trend=trend, watched=watched,
    )  # fmt: skip
    wait = next_delay(policy, seen, fraction)
    assert wait >= (retry_after or 0.0)
    assert wait >= (policy.min_interval if polls else 0.0)
    slowest = policy.overdue_interval if overdue else policy.max_interval
    assert wait <= max(1.1 * max(slowest, policy.min_interval + max(0.0, -age)), retry_after or 0.0)


@given(lengths, st.floats(0, 1e5))
def test_who_watches_never_waits_longer(taken: list[float], age: float) -> None:
    known = Durations.learn(taken)
    assert delay(age, durations=known, watched=True) <= delay(age, durations=known)


@given(lengths, st.floats(0.1, 20_000))
def test_no_job_is_looked_at_for_ever(taken: list[float], took: float) -> None:
    """Never more often than the floor, and of a job that outlasts everything, ever more rarely."""
    known, age, polls = Durations.learn(taken), 0.0, 0
    while age < took:
        age += delay(age, durations=known, polls=polls, overdue=age >= 1800, fraction=0.5)
        polls += 1
    assert polls <= took / ADAPTIVE.min_interval + 2
    assert age <= took + ADAPTIVE.overdue_interval * 1.1


def test_nothing_learned_is_the_same_as_the_prior() -> None:
    assert delay(100, durations=None) == delay(100, durations=prior())
