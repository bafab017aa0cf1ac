"""Plans: what a person may have made, how much at once, and what they get for it every month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sora_gateway.core.fair_queue import Lane

DEFAULT = "default"
"""The plan of everybody who has no other."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of 0 are unlimited. *daily_credits* is a cap on what may be held in any 24 hours."""

    name: str = DEFAULT
    may_generate: bool = True
    monthly_credits: int = 0
    concurrency: int = 0
    per_hour: int = 0
    per_day: int = 0
    daily_credits: int = 0
    lane: Lane = Lane.NORMAL


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a person may have accepted now, by their plan: checked in the transaction that accepts it. *period* is
    the calendar month whose credits they get if they have not had them yet."""

    plan: str
    period: str
    monthly_credits: int = 0
    per_hour: int = 0
    per_day: int = 0
    daily_credits: int = 0


def allowance(plan: Plan, now: float) -> Allowance:
    """What *plan* allows at *now* (epoch seconds)."""
    return Allowance(
        plan.name, period_of(now), plan.monthly_credits, plan.per_hour, plan.per_day, plan.daily_credits
    )


def period_of(moment: float) -> str:
    """The calendar month in UTC in which *moment* (epoch seconds) lies, as ``2026-11``: monthly credits come once in it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m")
