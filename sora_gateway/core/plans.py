"""Plans: what a person may have made, how much at once, and what they get for it every month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

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
    keep_days: int = 0
    """Days for which files are kept; 0 is no word on it, and then the configuration's counts."""


def plan_of(name: str, settings: Mapping[str, Any]) -> Plan:
    """The plan that *settings* describe, by the names that ``[plans.NAME]`` has: the lane is its ``priority``."""
    fields = dict(settings)
    return Plan(name, lane=Lane[fields.pop("priority").upper()], **fields)


def settings_of(plan: Plan) -> dict[str, Any]:
    """The reverse of :func:`plan_of`."""
    settings = asdict(plan) | {"priority": plan.lane.name.lower()}
    return {key: value for key, value in settings.items() if key not in ("name", "lane")}


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


def next_period(moment: float) -> float:
    """When the month after that of *moment* begins (epoch seconds): then monthly credits come again."""
    then = datetime.fromtimestamp(moment, UTC)
    year, month = (then.year + 1, 1) if then.month == 12 else (then.year, then.month + 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()


def period_of(moment: float) -> str:
    """The calendar month in UTC in which *moment* (epoch seconds) lies, as ``2026-11``: monthly credits come once in it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m")
