"""So many calls in so many seconds, and a refusal that costs nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.rates import Rate, RateLimiter


def test_a_burst_is_allowed_and_the_rest_comes_at_its_pace() -> None:
    limiter, rate = RateLimiter(), Rate(60, burst=3)
    verdicts = [limiter.take("ann", rate, 0.0) for _ in range(4)]
    assert [each.remaining for each in verdicts] == [2, 1, 0, 0]
    assert [each.retry_after for each in verdicts] == [None, None, None, 1.0]
    assert limiter.take("ann", rate, 1.0).retry_after is None


def test_a_refused_call_does_not_lengthen_the_wait() -> None:
    limiter, rate = RateLimiter(), Rate(60, burst=1)
    limiter.take("ann", rate, 0.0)
    for tenth in range(1, 10):
        assert limiter.take("ann", rate, tenth / 10).retry_after is not None
    assert limiter.take("ann", rate, 1.0).retry_after is None


def test_each_key_has_its_own_limit_and_the_oldest_are_forgotten() -> None:
    limiter, rate = RateLimiter(remembered=2), Rate(1)
    for name in ("ann", "bob", "cid"):
        assert limiter.take(name, rate, 0.0).retry_after is None
    assert limiter.take("cid", rate, 0.0).retry_after == 60.0
    assert limiter.take("ann", rate, 0.0).retry_after is None


calls = st.lists(st.floats(0.0, 10.0), min_size=1, max_size=80)


@given(calls, st.integers(1, 20), st.integers(1, 20))
def test_in_no_window_are_more_allowed_than_promised(gaps: list[float], per: int, burst: int) -> None:
    limiter, rate, now = RateLimiter(), Rate(per, 10.0, burst), 0.0
    allowed: list[float] = []
    for gap in gaps:
        now += gap
        if limiter.take("ann", rate, now).retry_after is None:
            allowed.append(now)
    for first, start in enumerate(allowed):
        for last in range(first, len(allowed)):
            window = allowed[last] - start
            assert last - first + 1 <= window / rate.interval + rate.at_once + 1e-6


@given(calls, st.integers(1, 20), st.integers(1, 20))
def test_who_waits_as_told_is_let_in(gaps: list[float], per: int, burst: int) -> None:
    limiter, rate, now = RateLimiter(), Rate(per, 10.0, burst), 0.0
    for gap in gaps:
        now += gap
        verdict = limiter.take("ann", rate, now)
        if verdict.retry_after is not None:
            assert limiter.look("ann", rate, now + verdict.retry_after).retry_after is None
