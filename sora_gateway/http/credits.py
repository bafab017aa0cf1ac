"""``/api/credits``: what somebody has, what became of it, and codes that bring more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.responses import Response

from sora_gateway.core.plans import Plan, next_period, settings_of
from sora_gateway.core.principal import Scope
from sora_gateway.core.views import Priority, View, iso
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.auditing import entry
from sora_gateway.http.ledger_views import (
    CSV,
    EntryView,
    LedgerQuery,
    UsageQuery,
    UsageView,
    entry_fields,
    ledger_file,
    usage_fields,
)
from sora_gateway.http.people import ASKED
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.store.statements import Line


class PlanView(View):
    """Limits of 0 are unlimited."""

    name: str
    may_generate: bool
    monthly_credits: int
    concurrency: int = Field(description="Videos in the making at once; others wait.")
    per_hour: int
    per_day: int
    daily_credits: int = Field(description="Credits in any 24 hours.")
    priority: Priority
    keep_days: int = Field(
        description="Days for which the files of videos are kept; 0: as long as everybody's (`expiresAt` of a video says "
        "until when)."
    )


class OwnPlan(PlanView):
    until: str | None = Field(description="When the default plan follows; null for never.")


class UsedView(View):
    """What counts towards the plan's limits now."""

    hour: int = Field(description="Videos asked for in the last hour.")
    day: int = Field(description="Videos asked for in the last 24 hours.")
    credits: int = Field(description="Credits of the last 24 hours, without those that were given back.")


class CreditsView(View):
    """*available* can be spent, *held* is set aside for what is being made."""

    enabled: bool = Field(description="Whether videos cost credits here at all.")
    available: int
    held: int
    plan: OwnPlan
    used: UsedView
    monthly_credits_at: str | None = Field(
        description="When the plan's credits come again; null without any."
    )


class OwnEntry(EntryView):
    by: Literal["you", "administrator", "gateway"] = Field(description="Who decided on it.")


class LedgerPage(View):
    entries: list[OwnEntry]
    has_more: bool


class UsageList(View):
    usage: list[UsageView]
    since: str
    until: str


class RedeemCode(View):
    model_config = ASKED

    code: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="As it was given; dashes, spaces and small letters do not matter."
    )


class Redeemed(View):
    """What the code gave."""

    credits: int
    plan: str | None
    plan_until: str | None
    available: int = Field(description="The balance with it.")


def plan_fields(plan: Plan) -> dict[str, object]:
    """The fields of a :class:`PlanView`."""
    return {"name": plan.name, **settings_of(plan)}


async def get_credits(call: Call) -> CreditsView:
    """The balance with this month's credits of the plan, the plan, and what is used of its limits."""
    services, user_id = call.services, call.caller.user_id
    standing = await services.plans.standing(user_id)
    plan, held = services.plans.of(user_id), services.plans.held(user_id)
    until = iso(held.until) if held.plan == plan.name else None
    now = services.clock.now()
    return CreditsView(
        enabled=services.settings.credits.enabled,
        available=standing.balance.available,
        held=standing.balance.held,
        plan=OwnPlan.model_validate(plan_fields(plan) | {"until": until}),
        used=UsedView(hour=standing.used.hour, day=standing.used.day, credits=standing.used.credits),
        monthly_credits_at=iso(next_period(now)) if plan.monthly_credits else None,
    )


async def get_ledger(call: Call) -> LedgerPage:
    """Every movement of your credits, newest first. The next page is asked for with `after`, the id of the last entry
    of this one."""
    query: LedgerQuery = call.query
    page = await call.services.store.credits.statement(query.wanted(call.caller.user_id))
    return LedgerPage(
        entries=[own_entry(call.caller.user_id, line) for line in page.lines],
        has_more=page.has_more,
    )


def own_entry(user_id: str, line: Line) -> OwnEntry:
    """An entry as it is told to the person *user_id*, whose it is or who administers."""
    return OwnEntry.model_validate(entry_fields(line) | {"by": _decided(user_id, line)})


def _decided(user_id: str, line: Line) -> str:
    """Who moved the credits. Which administrator it was is not the person's business."""
    if not line.actor:
        return "you" if line.kind == "hold" else "gateway"
    return "you" if line.actor == user_id else "administrator"


async def get_ledger_file(call: Call) -> Response:
    """The same as a file for spreadsheets, all of it, oldest first. A text that a spreadsheet could take for a formula
    has an apostrophe before it."""
    return ledger_file(call.services, call.caller.user_id, whose=False)


async def get_usage(call: Call) -> UsageList:
    """Videos and credits by model and day, newest first."""
    query: UsageQuery = call.query
    since, until = query.bounds(call.services.clock.now())
    found = await call.services.store.credits.usage(call.caller.user_id, since, until)
    return UsageList(
        usage=[UsageView.model_validate(usage_fields(usage)) for usage in found],
        since=iso(since) or "",
        until=iso(until) or "",
    )


async def redeem_code(call: Call) -> Redeemed:
    """Gives you what the code is worth, once. Wrong ones are counted as wrong passwords are: after the sixth in a row
    nothing is tried for a while, longer each time."""
    wish: RedeemCode = call.body
    user_id = call.caller.user_id
    got = await call.services.codes.redeem(wish.code, user_id, entry(call, "code.redeem", ""))
    standing = await call.services.plans.standing(user_id)
    until = call.services.plans.held(user_id).until if got.plan is not None else None
    return Redeemed(
        credits=got.credits, plan=got.plan, plan_until=iso(until), available=standing.balance.available
    )


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/credits", handler=get_credits, summary="Your balance and plan",
        access=Access.VIEWER, tag="credits", response=CreditsView,
    ),
    Endpoint(
        method="GET", path="/api/credits/ledger", handler=get_ledger, summary="What became of your credits",
        access=Access.VIEWER, tag="credits", needs=Scope.ACCOUNT, query=LedgerQuery, response=LedgerPage,
    ),
    Endpoint(
        method="GET", path="/api/credits/ledger.csv", handler=get_ledger_file, summary="The same as a file",
        access=Access.VIEWER, tag="credits", needs=Scope.ACCOUNT, produces=(CSV,),
    ),
    Endpoint(
        method="GET", path="/api/credits/usage", handler=get_usage, summary="Your usage by model and day",
        access=Access.VIEWER, tag="credits", query=UsageQuery, response=UsageList,
    ),
    Endpoint(
        method="POST", path="/api/credits/redeem", handler=redeem_code, summary="Redeem a code",
        access=Access.VIEWER, tag="credits", needs=Scope.ACCOUNT, request=RedeemCode, response=Redeemed,
        errors=(InvalidRequest, NotFound, Conflict),
    ),
]  # fmt: skip
