"""Accepting jobs: rows, inputs, holds, first events and the claim in one transaction, one job or many, all or none.

What a person's plan allows is counted here, so that no number of requests at once gets past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sora_gateway.core.asset import StoredFile
from sora_gateway.core.claim import Claim
from sora_gateway.core.job import Job
from sora_gateway.core.plans import Allowance
from sora_gateway.errors import DailyCreditsUsed, InsufficientCredits, PlanForbids, PlanLimit
from sora_gateway.store import claims, events, jobs, ledger, tags
from sora_gateway.store.writer import Transaction

HOUR = 3600.0
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is to be accepted; *price_version* names the list that its price is from."""

    job: Job
    inputs: tuple[StoredFile, ...] = ()
    price_version: str = ""
    tags: tuple[str, ...] = ()


def accept(
    tx: Transaction, new: Sequence[NewJob], claim: Claim | None = None, allowance: Allowance | None = None
) -> list[Job]:
    """Accepts all of *new*, which are one person's and of one moment; or returns what *claim* made before.

    Several share their ``batch_id``, which is what their claim leads to.

    Raises:
        InsufficientCredits: the owner's balance does not cover all of them.
        PlanLimit: the owner's plan does not allow so many; it says when it will.
        IdempotencyMismatch: the claim's key was used for another request.
    """
    first = new[0].job
    earlier = claims.taken(tx, claim, first.created_at) if claim is not None else None
    if earlier is not None:
        return jobs.made(tx, earlier)
    if allowance is not None:
        _check(tx, [each.job for each in new], allowance)
    for each in new:
        jobs.insert(tx, each.job, each.inputs)
        tags.put(tx, each.job.id, each.tags)
        ledger.hold(tx, each.job, each.price_version)
        events.append(tx, each.job, None, each.job.created_at)
    if claim is not None:
        claims.record(tx, claim, first.batch_id or first.id, first.created_at)
    return [each.job for each in new]


def _check(tx: Transaction, new: Sequence[Job], allowance: Allowance) -> None:
    owner, now = new[0].owner, new[0].created_at
    ledger.grant_monthly(tx, owner, allowance.monthly_credits, allowance.period, now)
    price = sum(job.credits for job in new)
    has = ledger.balance(tx, owner)
    if price > has:
        what = "This video costs" if len(new) == 1 else f"These {len(new)} videos cost"
        raise InsufficientCredits(
            f"{what} {price} credits and {has} are left; {price - has} more are needed. Redeem a code, or ask an administrator."
        )
    check_limits(tx, owner, now, len(new), price, allowance)


def check_limits(
    tx: Transaction, owner: str, now: float, wanted: int, price: int, allowance: Allowance
) -> None:
    """Whether *owner* may have *wanted* more videos for *price* credits now, whatever their balance is.

    Raises:
        PlanLimit: not now; it says when.
        PlanForbids: never so many at once.
    """
    for limit, window, words in ((allowance.per_hour, HOUR, "an hour"), (allowance.per_day, DAY, "a day")):
        if limit:
            _check_count(tx, owner, now, wanted, limit, window, words)
    if allowance.daily_credits:
        _check_credits(tx, owner, now, price, allowance.daily_credits)


@dataclass(frozen=True, slots=True)
class Used:
    """What a person has had of what plans limit: videos in the last hour and day, credits in the last day."""

    hour: int
    day: int
    credits: int


def used(tx: Transaction, owner: str, now: float) -> Used:
    """Counted as :func:`check_limits` counts it."""
    return Used(
        len(_asked_for(tx, owner, now - HOUR)),
        len(_asked_for(tx, owner, now - DAY)),
        sum(held for _, held in _spent(tx, owner, now)),
    )


def _asked_for(tx: Transaction, owner: str, since: float) -> list[float]:
    rows = tx.execute(
        "SELECT created_at FROM jobs WHERE owner = ? AND created_at > ? ORDER BY created_at", (owner, since)
    )
    return [row["created_at"] for row in rows]


def _spent(tx: Transaction, owner: str, now: float) -> list[tuple[float, int]]:
    """When and how much was held in the last day, unless it was given back."""
    rows = tx.execute(
        "SELECT l.at, l.held FROM ledger l WHERE l.user_id = ? AND l.kind = 'hold' AND l.at > ? AND l.held > 0"
        " AND NOT EXISTS (SELECT 1 FROM ledger r WHERE r.job_id = l.job_id AND r.kind = 'release') ORDER BY l.id",
        (owner, now - DAY),
    )
    return [(row["at"], row["held"]) for row in rows]


def _check_count(
    tx: Transaction, owner: str, now: float, wanted: int, limit: int, window: float, words: str
) -> None:
    if wanted > limit:
        raise PlanForbids(f"Your plan allows {limit} videos in {words}; ask for no more than that at once.")
    had = _asked_for(tx, owner, now - window)
    over = len(had) + wanted - limit
    if over > 0:
        wait = had[over - 1] + window - now
        raise PlanLimit(
            f"Your plan allows {limit} videos in {words}, and {len(had)} were asked for.", retry_after=wait
        )


def _check_credits(tx: Transaction, owner: str, now: float, price: int, cap: int) -> None:
    if price > cap:
        raise PlanForbids(f"Your plan allows {cap} credits in a day, and this costs {price}.")
    had = _spent(tx, owner, now)
    spent = sum(held for _, held in had)
    if price and spent + price > cap:
        freed, wait = 0, DAY
        for at, held in had:
            freed += held
            if spent - freed + price <= cap:
                wait = at + DAY - now
                break
        raise DailyCreditsUsed(
            f"Your plan allows {cap} credits in a day, and {spent} were used.", retry_after=wait
        )
