"""When to look again: numbers in, seconds out.

Every function here is pure; jitter comes in as a fraction in [0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sora_gateway.core.durations import Durations, prior
from sora_gateway.core.trend import NO_TREND, Trend

LONGEST_BACKOFF = 60.0
"""Seconds between two looks that fail, at most, unless the policy is slower by itself."""
OUTLASTED = 0.01
"""A job that only so few outlast goes by other rules than they did."""
OVERDUE_STEP = 0.05
"""The part of its age after which a job is looked at again that is overdue and has outlasted all others."""


class PolicyName(StrEnum):
    ADAPTIVE = "adaptive"
    STEPPED = "stepped"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """How one upstream is polled. Intervals in seconds."""

    name: PolicyName = PolicyName.ADAPTIVE
    min_interval: float = 2.0
    """Never faster; also the interval of ``fixed``."""
    max_interval: float = 60.0
    """Never slower, except when overdue or told to wait."""
    overdue_interval: float = 600.0
    watched_interval: float = 5.0
    """``adaptive`` is never slower while somebody watches a job that may be done."""


@dataclass(slots=True)
class Seen:
    """What is known of a job at the moment of asking. Ages in seconds.

    Not frozen: whoever asks for thousands of jobs, again and again, keeps one for each of them.
    """

    age: float
    """Since the receipt."""
    progress: float | None
    polls: int
    """Answered looks since the gateway started."""
    errors: int = 0
    """Failed looks in a row."""
    overdue: bool = False
    retry_after: float | None = None
    durations: Durations | None = None
    """How long such jobs take; None when nothing was learned."""
    trend: Trend = NO_TREND
    """How its progress has moved."""
    watched: bool = False
    """Whether somebody waits for news of it."""


def next_delay(policy: PollPolicy, seen: Seen, fraction: float) -> float:
    """Seconds until the next look.

    ``adaptive`` looks where learned durations and the job's progress make it worth most; ``stepped`` looks at once,
    then every 5 s below 30 %, 10 s below 70 %, 15 s above; ``fixed`` every ``min_interval``. Errors back off with
    full jitter, overdue jobs fall to a slow pulse, and an upstream's ``Retry-After`` wins over all of it.
    """
    if seen.errors:
        cap = min(policy.max_interval, LONGEST_BACKOFF)
        delay = backoff(seen.errors, base=policy.min_interval, cap=cap, fraction=fraction)
        delay = max(delay, policy.min_interval)
    elif policy.name is PolicyName.ADAPTIVE:
        delay = _adaptive(policy, seen, fraction)
    else:
        delay = policy.overdue_interval if seen.overdue else _plain(policy, seen)
        # Up to a tenth more, so that jobs accepted together do not ask together for ever.
        delay *= 1 + fraction / 10
    return max(delay, seen.retry_after or 0.0)


def _plain(policy: PollPolicy, seen: Seen) -> float:
    if policy.name is PolicyName.FIXED:
        return policy.min_interval
    if seen.polls == 0:
        return 0.0
    progress = seen.progress or 0.0
    step = 5.0 if progress < 30 else 10.0 if progress < 70 else 15.0
    return min(max(step, policy.min_interval), policy.max_interval)


def _adaptive(policy: PollPolicy, seen: Seen, fraction: float) -> float:
    durations = seen.durations or prior()
    guess = durations.guess(seen.age, seen.trend)
    if seen.polls:
        delay = durations.next_look(seen.age, guess) - seen.age
    else:
        # Nobody has looked since the receipt, or since a restart, when the job may have been done for long.
        delay = max(durations.next_look(0.0, None), policy.min_interval) - seen.age
        if delay <= 0:
            return policy.min_interval * fraction
    if seen.overdue and durations.share_longer(seen.age) < OUTLASTED:
        delay = max(delay, OVERDUE_STEP * seen.age)
    elif seen.watched and durations.plausible(seen.age, policy.watched_interval, guess):
        delay = min(delay, policy.watched_interval)
    delay = min(delay, policy.overdue_interval if seen.overdue else policy.max_interval)
    # The create was a request, too.
    delay = max(delay, policy.min_interval if seen.polls else policy.min_interval - seen.age)
    return delay + min(delay / 10, policy.min_interval) * fraction


def backoff(failures: int, *, base: float, cap: float, fraction: float) -> float:
    """Exponential backoff with full jitter: uniform in [0, min(cap, base * 2**failures)).

    Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return min(cap, base * 2.0 ** min(failures, 32)) * fraction


def estimated_progress(age: float, expected: float) -> float:
    """A guess, in percent, for upstreams that report none: even up to 80 % at the expected moment, then
    ever slower, never 99."""
    if expected <= 0 or age <= 0:
        return 0.0
    ratio = age / expected
    return 80 * ratio if ratio <= 1 else 98.0 - 18.0 / ratio
