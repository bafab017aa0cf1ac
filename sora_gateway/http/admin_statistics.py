"""``/api/admin/statistics``: what came of the videos that ended in a time, and how long people waited for them."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.core.views import View, iso
from sora_gateway.http.ledger_views import UsageQuery
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.store.statistics import Ended


class EndedView(View):
    """Videos that ended. *median* and *p90* are seconds from the order to the video, null without one."""

    name: str = Field(description="The day in UTC (2026-11-22), the model or the upstream; empty for all.")
    completed: int
    failed: int
    cancelled: int
    median: float | None
    p90: float | None


class ReasonView(View):
    code: str = Field(description="Of the catalogue of errors.")
    videos: int


class Statistics(View):
    since: str
    until: str
    total: EndedView
    days: list[EndedView] = Field(description="Those on which something ended, the earliest first.")
    models: list[EndedView]
    upstreams: list[EndedView]
    reasons: list[ReasonView] = Field(description="Why videos failed, the most frequent first.")


def _view(ended: Ended) -> EndedView:
    return EndedView.model_validate({name: getattr(ended, name) for name in EndedView.model_fields})


async def get_statistics(call: Call) -> Statistics:
    """Everybody's videos by the moment of their end, deleted ones too."""
    query: UsageQuery = call.query
    since, until = query.bounds(call.services.clock.now())
    read = call.services.store.statistics
    total = await read.ended("all", since, until)
    return Statistics(
        since=iso(since) or "",
        until=iso(until) or "",
        total=_view(total[0] if total else Ended("")),
        days=[_view(each) for each in await read.ended("day", since, until)],
        models=[_view(each) for each in await read.ended("model", since, until)],
        upstreams=[_view(each) for each in await read.ended("upstream", since, until)],
        reasons=[ReasonView(code=each.code, videos=each.videos) for each in await read.reasons(since, until)],
    )


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/statistics", handler=get_statistics, summary="What came of the videos",
        access=Access.ADMIN, tag="admin", query=UsageQuery, response=Statistics,
    ),
]  # fmt: skip
