"""When to look again: numbers in, seconds out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.polling import PolicyName, PollPolicy, Seen, backoff, estimated_progress, next_delay

STEPPED = PollPolicy(PolicyName.STEPPED)
FIXED = PollPolicy(PolicyName.FIXED, min_interval=10.0)


@pytest.mark.parametrize(
    ("progress", "delay"), [(None, 5.0), (0, 5.0), (29, 5.0), (30, 10.0), (69, 10.0), (70, 15.0), (99, 15.0)]
)
def test_stepped_waits_longer_the_further_it_is(progress: float | None, delay: float) -> None:
    assert next_delay(STEPPED, Seen(age=60, progress=progress, polls=3), fraction=0.0) == delay


def test_stepped_looks_at_once_the_first_time() -> None:
    assert next_delay(STEPPED, Seen(age=0, progress=None, polls=0), fraction=0.5) == 0.0


def test_fixed_is_fixed_but_for_a_tenth_of_jitter() -> None:
    assert next_delay(FIXED, Seen(age=60, progress=50, polls=9), fraction=0.0) == 10.0
    assert next_delay(FIXED, Seen(age=60, progress=50, polls=9), fraction=1.0) == 11.0


def test_an_overdue_job_falls_to_a_slow_pulse() -> None:
    assert next_delay(STEPPED, Seen(age=9999, progress=90, polls=99, overdue=True), fraction=0.0) == 600.0


seen = st.builds(
    Seen,
    age=st.floats(0, 1e6),
    progress=st.none() | st.floats(0, 100),
    polls=st.integers(0, 1000),
    errors=st.integers(0, 50),
    overdue=st.booleans(),
    retry_after=st.none() | st.floats(0, 900),
)


@given(seen, st.floats(0, 0.999), st.sampled_from([STEPPED, FIXED]))
def test_retry_after_beats_haste(seen: Seen, fraction: float, policy: PollPolicy) -> None:
    assert next_delay(policy, seen, fraction) >= (seen.retry_after or 0.0)


@given(seen, st.floats(0, 0.999), st.sampled_from([STEPPED, FIXED]))
def test_no_wait_is_longer_than_what_it_must_be(seen: Seen, fraction: float, policy: PollPolicy) -> None:
    ceiling = max(policy.max_interval, policy.overdue_interval, seen.retry_after or 0.0) * 1.1
    assert 0.0 <= next_delay(policy, seen, fraction) <= ceiling


@given(st.integers(0, 10_000), st.floats(0, 0.999))
def test_backoff_is_within_its_cap_and_spread_to_zero(failures: int, fraction: float) -> None:
    assert 0.0 <= backoff(failures, base=1.0, cap=60.0, fraction=fraction) < 60.0
    assert backoff(failures, base=1.0, cap=60.0, fraction=0.0) == 0.0


@given(st.floats(0, 1e6), st.floats(0.1, 1e5))
def test_a_guess_grows_and_never_claims_the_end(age: float, expected: float) -> None:
    assert 0.0 <= estimated_progress(age, expected) < 99.0
    assert estimated_progress(age, expected) <= estimated_progress(age + 1, expected)
