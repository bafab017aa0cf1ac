"""What an operator can do about credits, plans and codes; operations like those of :mod:`.operations`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sora_gateway.accounts.codes import Worth
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.job import JobId
from sora_gateway.core.plans import DEFAULT, settings_of
from sora_gateway.core.wire import iso
from sora_gateway.errors import InvalidRequest
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.credits import MOST_CREDITS, said
from sora_gateway.store.statements import Dispute, LedgerFilter

if TYPE_CHECKING:
    from sora_gateway.operations import Services

SHOWN = 20
"""Entries of the ledger that ``credits show`` has."""

Shown = Mapping[str, Any]

# --- balances and the books ----------------------------------------------------------------------------


async def credits_show(services: Services, email: str) -> Shown:
    """A person's balance, plan, what they have used of it, and their latest entries. Raises NotFound."""
    user = await services.store.people.by_email(email)
    standing = await services.plans.standing(user.id)
    page = await services.store.credits.statement(LedgerFilter(SHOWN, user.id))
    return {
        "email": user.email,
        "available": standing.balance.available,
        "held": standing.balance.held,
        **_plan_of(services, user.id),
        "used": {
            "hour": standing.used.hour,
            "day": standing.used.day,
            "credits": standing.used.credits,
        },
        "entries": [
            {
                "at": iso(line.at),
                "kind": line.kind,
                "available": line.available,
                "held": line.held,
                "job_id": line.job_id,
                "note": line.note,
            }
            for line in page.lines
        ],
    }


async def credits_grant(services: Services, email: str, amount: int, note: str = "") -> Shown:
    """Gives a person credits. Raises NotFound, InvalidRequest for no amount that can be given."""
    if not 1 <= amount <= MOST_CREDITS:
        raise InvalidRequest(f"1 to {MOST_CREDITS} credits are given at once.", param="amount")
    user = await services.store.people.by_email(email)
    entry = _entry(services, "credits.grant", user.id, said(amount, note))
    await services.store.credits.grant(user.id, amount, note, entry)
    return await _balance(services, user.id, user.email)


async def credits_adjust(services: Services, email: str, amount: int, note: str) -> Shown:
    """Corrects a balance. Raises NotFound, Conflict if it would fall below zero, InvalidRequest without a reason."""
    if not amount or abs(amount) > MOST_CREDITS:
        raise InvalidRequest(
            f"A correction is 1 to {MOST_CREDITS} credits more, or less with a minus.", param="amount"
        )
    if not note.strip():
        raise InvalidRequest("Say why: the note stays with the entry.", param="note")
    user = await services.store.people.by_email(email)
    entry = _entry(services, "credits.adjust", user.id, said(amount, note))
    await services.store.credits.adjust(user.id, amount, note, entry)
    return await _balance(services, user.id, user.email)


async def credits_check(services: Services) -> Shown:
    """``complaints``: every way in which the books do not balance, one sentence each."""
    return {"complaints": await services.store.credits.check()}


async def credits_disputes(services: Services) -> list[Shown]:
    """Ended videos whose credits are still held, oldest first."""
    return [_dispute(dispute) for dispute in await services.store.credits.disputes()]


async def credits_settle(services: Services, job_id: str) -> Shown:
    """Takes the credits of a disputed video. Raises NotFound, or Conflict if they are not held."""
    return await _charge(services, job_id, owed=True)


async def credits_release(services: Services, job_id: str) -> Shown:
    """Gives them back. Raises the same."""
    return await _charge(services, job_id, owed=False)


async def _charge(services: Services, job_id: str, *, owed: bool) -> Shown:
    job = await services.charges.decide(JobId(job_id), owed=owed, by=COMMAND_LINE)
    return {"id": job.id, "credits": job.credits, "charge": "settled" if owed else "released"}


# --- plans ---------------------------------------------------------------------------------------------


async def plan_list(services: Services) -> list[Shown]:
    """Every plan with its limits, and how many people were given it."""
    plans = services.plans
    return [
        {
            "name": name,
            "made_here": plans.made_here(name),
            "people": plans.count(name),
            **settings_of(plan),
        }
        for name, plan in sorted(plans.known().items())
    ]


async def plan_set(services: Services, email: str, plan: str, until: str | None = None) -> Shown:
    """Puts a person on *plan*, for ever or *until* a moment (ISO 8601 with a time zone).

    Raises NotFound for an unknown person or plan, InvalidRequest if the moment is none, or has passed.
    """
    user = await services.store.people.by_email(email)
    end = _moment(until)
    if end is not None and end <= services.clock.now():
        raise InvalidRequest("The plan would have ended already.", param="until")
    entry = _entry(services, "plan.give", user.id, plan if end is None else f"{plan} until {iso(end)}")
    await services.plans.give(user.id, None if plan == DEFAULT else plan, end, entry)
    return {"email": user.email, **_plan_of(services, user.id)}


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest("Say a moment like 2026-12-31T00:00:00Z, with its time zone.", param="until")


def _plan_of(services: Services, user_id: str) -> Shown:
    """What a person is on now, and until when."""
    plan = services.plans.of(user_id)
    held = services.plans.held(user_id)
    return {"plan": plan.name, "until": iso(held.until) if held.plan == plan.name else None}


# --- codes ---------------------------------------------------------------------------------------------


async def code_create(
    services: Services,
    count: int = 1,
    credits: int = 0,
    plan: str | None = None,
    plan_days: int | None = None,
    uses: int = 1,
    expires_in: float | None = None,
    note: str = "",
) -> list[Shown]:
    """New codes with their ``code``, which is shown this once; *expires_in* seconds.

    Raises InvalidRequest if they would be worth nothing, NotFound for an unknown plan.
    """
    now = services.clock.now()
    if min(credits, uses - 1) < 0 or max(credits, uses) > MOST_CREDITS or (plan_days or 1) < 1:
        raise InvalidRequest("A code gives credits or days, and is used at least once.", param="credits")
    worth = Worth(credits, plan, plan_days, uses, None if expires_in is None else now + expires_in, note)
    made = await services.codes.create(count, worth, _entry(services, "code.create", ""))
    return [{"code": code.text, **_code(code.record)} for code in made]


async def code_list(services: Services) -> list[Shown]:
    """All codes, newest first, without what people type."""
    return [_code(record) for record in await services.codes.all()]


async def code_revoke(services: Services, code_id: str) -> Shown:
    """Raises NotFound unless the code can still be used."""
    await services.codes.revoke(code_id, _entry(services, "code.revoke", code_id))
    return {"id": code_id}


CREDITS: Mapping[str, Callable[..., Awaitable[Shown | list[Shown]]]] = {
    "credits.show": credits_show,
    "credits.grant": credits_grant,
    "credits.adjust": credits_adjust,
    "credits.check": credits_check,
    "credits.disputes": credits_disputes,
    "credits.settle": credits_settle,
    "credits.release": credits_release,
    "plan.list": plan_list,
    "plan.set": plan_set,
    "code.create": code_create,
    "code.list": code_list,
    "code.revoke": code_revoke,
}


async def _balance(services: Services, user_id: str, email: str) -> Shown:
    balance = await services.store.credits.balance(user_id)
    return {"email": email, "available": balance.available, "held": balance.held}


def _entry(services: Services, action: str, target: str, detail: str = "") -> AuditEntry:
    return audit.entry(COMMAND_LINE, services.clock.now(), action, target, detail)


def _dispute(dispute: Dispute) -> Shown:
    return {
        "id": dispute.job_id,
        "email": dispute.email,
        "model": dispute.model,
        "upstream": dispute.upstream,
        "external_id": dispute.external_id,
        "credits": dispute.credits,
        "error": dispute.error_code,
        "ended_at": iso(dispute.finished_at),
    }


def _code(record: CodeRecord) -> Shown:
    return {
        "id": record.id,
        "prefix": record.prefix,
        "credits": record.credits,
        "plan": record.plan,
        "plan_days": record.plan_days,
        "uses_left": record.uses_left,
        "note": record.note,
        "expires_at": iso(record.expires_at),
        "revoked_at": iso(record.revoked_at),
    }
