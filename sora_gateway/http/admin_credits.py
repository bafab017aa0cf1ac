"""``/api/admin/credits``: everybody's balances and the books, and what only a person can decide about them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.responses import Response

from sora_gateway.accounts.address import MAX_ADDRESS
from sora_gateway.accounts.authenticator import SESSION_IDLE
from sora_gateway.core.job import JobId
from sora_gateway.core.views import View, iso
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.auditing import actor_of, entry
from sora_gateway.http.finding import find
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
from sora_gateway.store.accounts import UserRecord
from sora_gateway.store.administration import Moment, UserFilter
from sora_gateway.store.credits import MOST_CREDITS, said

_Id = Annotated[str, Field(min_length=1, max_length=128)]
_Address = Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS)]
_Note = Annotated[str, Field(max_length=300)]


class BalanceView(View):
    """What one person has, and the plan that counts now."""

    user_id: str
    email: str
    available: int
    held: int
    plan: str
    plan_until: str | None = Field(description="When the default plan follows; null for never.")
    daily_credits_used_until: str | None = Field(
        description="Until when they were refused for their plan's daily credits; null if they were not."
    )


class BalancePage(View):
    balances: list[BalanceView]
    has_more: bool


class BalanceQuery(View):
    model_config = LedgerQuery.model_config

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    search: _Address | None = Field(None, description="A part of the address.")
    after: _Id | None = Field(None, description="The id of the last person of the page before.")


class Whom(View):
    """A person, by the id or the address."""

    user_id: _Id | None = None
    email: _Address | None = None


class GrantCredits(Whom):
    model_config = ASKED

    amount: Annotated[int, Field(ge=1, le=MOST_CREDITS)]
    note: _Note = Field("", description="The person reads it too.")


class AdjustCredits(Whom):
    model_config = ASKED

    amount: Annotated[int, Field(ge=-MOST_CREDITS, le=MOST_CREDITS)] = Field(
        description="Less than zero takes credits away, of which there must be enough."
    )
    note: Annotated[str, Field(min_length=1, max_length=300)] = Field(
        description="Why; the person reads it too."
    )


class AnyLedgerQuery(LedgerQuery, Whom):
    """Everybody's entries, or one person's."""


class AnyLedgerFileQuery(Whom):
    """Everybody's entries, or one person's."""

    model_config = LedgerQuery.model_config


class AnyEntry(EntryView):
    user_id: str
    email: str
    actor: str = Field(description="Who decided on it: a person's id, `command line`, or empty.")
    actor_email: str | None


class AnyLedgerPage(View):
    entries: list[AnyEntry]
    has_more: bool


class AnyUsageQuery(UsageQuery, Whom):
    """Everybody's usage, or one person's."""


class AnyUsage(UsageView):
    user_id: str
    email: str
    upstream_cost: float | None = Field(
        description="What upstreams said that they took, in their own money; null when none did."
    )


class AnyUsageList(View):
    usage: list[AnyUsage]
    since: str
    until: str


class BooksView(View):
    balanced: bool
    complaints: list[str] = Field(description="Every way in which they do not balance.")


class DisputeView(View):
    """A video that failed after its upstream had taken it: its credits are held until somebody decides."""

    video_id: str
    external_video_id: str | None
    user_id: str
    email: str
    model: str
    upstream: str
    credits: int
    error_code: str
    error_message: str
    ended_at: str


class DisputeList(View):
    disputes: list[DisputeView]


class Decided(View):
    video_id: str
    credits: int
    charge: Literal["settled", "released"]


async def list_balances(call: Call) -> BalancePage:
    """Newest people first. The next page is asked for with `after`, the id of the last person of this one."""
    query: BalanceQuery = call.query
    wanted = UserFilter(query.limit, query.search, after=query.after)
    residents, more = await call.services.store.administration.page(wanted, _moment(call))
    return BalancePage(balances=[_balance(call, resident.user) for resident in residents], has_more=more)


def _balance(call: Call, user: UserRecord) -> BalanceView:
    plans = call.services.plans
    plan, held = plans.of(user.id), plans.held(user.id)
    return BalanceView(
        user_id=user.id,
        email=user.email,
        available=user.available,
        held=user.held,
        plan=plan.name,
        plan_until=iso(held.until) if held.plan == plan.name else None,
        daily_credits_used_until=iso(call.services.supervisor.caps.reached().get(user.id)),
    )


async def balance_of(call: Call, user_id: str) -> BalanceView:
    """One person's. Raises NotFound."""
    resident = await call.services.store.administration.resident(user_id, _moment(call))
    return _balance(call, resident.user)


def _moment(call: Call) -> Moment:
    return Moment(call.services.clock.now(), SESSION_IDLE)


async def _whom(call: Call, whom: Whom) -> str:
    """The id of the one person who is named. Raises InvalidRequest, NotFound."""
    if (whom.user_id is None) == (whom.email is None):
        raise InvalidRequest("Say userId or email, one of them.", param="userId")
    if whom.email is not None:
        return (await call.services.store.people.by_email(whom.email)).id
    return (await balance_of(call, whom.user_id or "")).user_id


async def _whom_if_any(call: Call, whom: Whom) -> str | None:
    return None if whom.user_id is None and whom.email is None else await _whom(call, whom)


async def grant_credits(call: Call) -> BalanceView:
    """Gives a person credits."""
    wish: GrantCredits = call.body
    user_id = await _whom(call, wish)
    written = entry(call, "credits.grant", user_id, said(wish.amount, wish.note))
    await call.services.store.credits.grant(user_id, wish.amount, wish.note, written)
    return await balance_of(call, user_id)


async def adjust_credits(call: Call) -> BalanceView:
    """Corrects a balance; what is held for videos is not touched."""
    wish: AdjustCredits = call.body
    if not wish.amount:
        raise InvalidRequest("A correction of nothing is none.", param="amount")
    user_id = await _whom(call, wish)
    written = entry(call, "credits.adjust", user_id, said(wish.amount, wish.note))
    await call.services.store.credits.adjust(user_id, wish.amount, wish.note, written)
    return await balance_of(call, user_id)


async def get_whole_ledger(call: Call) -> AnyLedgerPage:
    """Everybody's movements, or one person's, newest first. The next page is asked for with `after`, the id of the
    last entry of this one."""
    query: AnyLedgerQuery = call.query
    wanted = query.wanted(await _whom_if_any(call, query))
    page = await call.services.store.credits.statement(wanted)
    emails = await call.services.store.emails({line.actor for line in page.lines if line.actor})
    return AnyLedgerPage(
        entries=[
            AnyEntry.model_validate(
                entry_fields(line)
                | {
                    "user_id": line.user_id,
                    "email": line.email,
                    "actor": line.actor,
                    "actor_email": emails.get(line.actor),
                }
            )
            for line in page.lines
        ],
        has_more=page.has_more,
    )


async def get_whole_ledger_file(call: Call) -> Response:
    """The same as a file for spreadsheets, all of it, oldest first. A text that a spreadsheet could take for a formula
    has an apostrophe before it."""
    return ledger_file(call.services, await _whom_if_any(call, call.query), whose=True)


async def get_whole_usage(call: Call) -> AnyUsageList:
    """Videos and credits by person, model and day, newest first, with what the upstreams said that they took."""
    query: AnyUsageQuery = call.query
    since, until = query.bounds(call.services.clock.now())
    found = await call.services.store.credits.usage(await _whom_if_any(call, query), since, until)
    return AnyUsageList(
        usage=[
            AnyUsage.model_validate(
                usage_fields(usage)
                | {"user_id": usage.user_id, "email": usage.email, "upstream_cost": usage.cost}
            )
            for usage in found
        ],
        since=iso(since) or "",
        until=iso(until) or "",
    )


async def check_books(call: Call) -> BooksView:
    """Adds everything up: every balance against its entries, every video against its hold."""
    complaints = await call.services.store.credits.check()
    return BooksView(balanced=not complaints, complaints=complaints)


async def list_disputes(call: Call) -> DisputeList:
    """Oldest first, those of deleted videos too."""
    return DisputeList(
        disputes=[
            DisputeView(
                video_id=dispute.job_id,
                external_video_id=dispute.external_id,
                user_id=dispute.owner,
                email=dispute.email,
                model=dispute.model,
                upstream=dispute.upstream,
                credits=dispute.credits,
                error_code=dispute.error_code or "",
                error_message=dispute.error_message or "",
                ended_at=iso(dispute.finished_at) or "",
            )
            for dispute in await call.services.store.credits.disputes()
        ]
    )


async def settle(call: Call) -> Decided:
    """The video is owed: takes the credits that are held for it."""
    return await _decide(call, owed=True)


async def release(call: Call) -> Decided:
    """The video is not owed: gives the credits back."""
    return await _decide(call, owed=False)


async def _decide(call: Call, *, owed: bool) -> Decided:
    given = JobId(call.path["id"])
    # A deleted video is found by our id alone.
    known = await call.services.store.get(given)
    job_id = given if known is not None else (await find(call)).id
    job = await call.services.charges.decide(job_id, owed=owed, by=actor_of(call))
    return Decided(video_id=job.id, credits=job.credits, charge="settled" if owed else "released")


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/credits", handler=list_balances, summary="Everybody's balance",
        access=Access.ADMIN, tag="admin", query=BalanceQuery, response=BalancePage,
    ),
    Endpoint(
        method="POST", path="/api/admin/credits/grant", handler=grant_credits, summary="Give credits",
        access=Access.ADMIN, tag="admin", request=GrantCredits, response=BalanceView, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/admin/credits/adjust", handler=adjust_credits, summary="Correct a balance",
        access=Access.ADMIN, tag="admin", request=AdjustCredits, response=BalanceView, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="GET", path="/api/admin/credits/ledger", handler=get_whole_ledger, summary="Every movement of credits",
        access=Access.ADMIN, tag="admin", query=AnyLedgerQuery, response=AnyLedgerPage,
    ),
    Endpoint(
        method="GET", path="/api/admin/credits/ledger.csv", handler=get_whole_ledger_file, summary="The same as a file",
        access=Access.ADMIN, tag="admin", query=AnyLedgerFileQuery, produces=(CSV,),
    ),
    Endpoint(
        method="GET", path="/api/admin/credits/check", handler=check_books, summary="Do the books balance?",
        access=Access.ADMIN, tag="admin", response=BooksView,
    ),
    Endpoint(
        method="GET", path="/api/admin/usage", handler=get_whole_usage, summary="Usage by person, model and day",
        access=Access.ADMIN, tag="admin", query=AnyUsageQuery, response=AnyUsageList,
    ),
    Endpoint(
        method="GET", path="/api/admin/disputes", handler=list_disputes, summary="Credits that somebody has to decide on",
        access=Access.ADMIN, tag="admin", response=DisputeList,
    ),
    Endpoint(
        method="POST", path="/api/admin/jobs/{id}/settle", handler=settle, summary="Take the credits of a failed video",
        access=Access.ADMIN, tag="admin", response=Decided, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/jobs/{id}/release", handler=release, summary="Give the credits of a failed video back",
        access=Access.ADMIN, tag="admin", response=Decided, errors=(NotFound, Conflict),
    ),
]  # fmt: skip
