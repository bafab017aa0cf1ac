"""When to look again: numbers in, seconds out.

Every function here is pure; jitter comes in as a fraction in [0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PolicyName(StrEnum):
    STEPPED = "stepped"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """How one upstream is polled. Intervals in seconds."""

    name: PolicyName = PolicyName.STEPPED
    min_interval: float = 2.0
    """Never faster; also the interval of ``fixed``."""
    max_interval: float = 60.0
    """Never slower, except when overdue or told to wait."""
    overdue_interval: float = 600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a job at the moment of asking. Ages in seconds."""

    age: float
    """Since the receipt."""
    progress: float | None
    polls: int
    """Answered looks so far."""
    errors: int = 0
    """Failed looks in a row."""
    overdue: bool = False
    retry_after: float | None = None


def next_delay(policy: PollPolicy, seen: Seen, fraction: float) -> float:
    """Seconds until the next look.

    ``stepped`` looks at once, then every 5 s below 30 %, 10 s below 70 %, 15 s above; ``fixed`` every
    ``min_interval``. Errors back off with full jitter, overdue jobs fall to a slow pulse, and an upstream's
    ``Retry-After`` wins over all of it.
    """
    if seen.errors:
        delay = backoff(seen.errors, base=policy.min_interval, cap=policy.max_interval, fraction=fraction)
        delay = max(delay, policy.min_interval)
    elif seen.overdue:
        delay = policy.overdue_interval
    elif policy.name is PolicyName.FIXED:
        delay = policy.min_interval
    elif seen.polls == 0:
        delay = 0.0
    else:
        progress = seen.progress or 0.0
        step = 5.0 if progress < 30 else 10.0 if progress < 70 else 15.0
        delay = min(max(step, policy.min_interval), policy.max_interval)
    if not seen.errors:
        # Up to a tenth more, so that jobs accepted together do not ask together for ever.
        delay *= 1 + fraction / 10
    return max(delay, seen.retry_after or 0.0)


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
