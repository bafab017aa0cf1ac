"""``/api/admin/stats``: the whole on one page: jobs, money, and which caps are reached."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.core.job import State
from sora_gateway.core.views import View, iso
from sora_gateway.http.admin_upstreams import SpendView, spend_view
from sora_gateway.http.routing import Access, Call, Endpoint


class UpstreamStats(View):
    name: str
    open: bool
    jobs: int = Field(description="Jobs that it has.")
    waiting: int = Field(description="Jobs that wait for a place.")
    spend: SpendView


class CappedPerson(View):
    """Somebody who was refused for the daily credits of their plan."""

    user_id: str
    email: str
    until: str | None


class CirculationView(View):
    """Credits of all people together."""

    available: int
    held: int


class PeopleStats(View):
    everybody: int
    disabled: int
    without_plan: int = Field(description="Of the others: those that have the default plan.")


class AdminStats(View):
    jobs: dict[State, int] = Field(description="Everybody's, by stage; stages without any are left out.")
    upstreams: list[UpstreamStats]
    people: PeopleStats
    credits: CirculationView
    disputes: int = Field(description="Failed videos whose credits somebody has to decide on.")
    daily_credits_used: list[CappedPerson]


async def get_stats(call: Call) -> AdminStats:
    """Jobs by stage, what each upstream has cost in the last day against its cap, credits in circulation, and whom and
    what a cap stops."""
    services = call.services
    total = await services.store.credits.circulation()
    people = await services.store.administration.headcount(services.clock.now())
    capped = services.supervisor.caps.reached()
    emails = await services.store.emails(capped.keys())
    return AdminStats(
        jobs=await services.store.counts(call.caller),
        upstreams=[
            UpstreamStats(
                name=each.name,
                open=each.open,
                jobs=each.inside,
                waiting=each.waiting,
                spend=spend_view(each),
            )
            for each in await services.provisioning.conditions()
        ],
        people=PeopleStats(
            everybody=people.everybody, disabled=people.disabled, without_plan=people.without_plan
        ),
        credits=CirculationView(available=total.available, held=total.held),
        disputes=len(await services.store.credits.disputes()),
        daily_credits_used=[
            CappedPerson(user_id=user_id, email=emails.get(user_id, ""), until=iso(until))
            for user_id, until in capped.items()
        ],
    )


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/stats", handler=get_stats, summary="Jobs, money and caps",
        access=Access.ADMIN, tag="admin", response=AdminStats,
    ),
]  # fmt: skip
