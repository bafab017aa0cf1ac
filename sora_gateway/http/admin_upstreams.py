"""``/api/admin/upstreams``: how every upstream does, and what an administrator can do about it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from sora_gateway.core.breaker import BreakerState
from sora_gateway.core.operation import Operation
from sora_gateway.core.views import View, iso
from sora_gateway.diagnosis import Line
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.provisioning import Condition

_ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})
_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class PutUpstream(View):
    """An upstream's configuration, as in ``[upstreams.NAME]``; what is left out has its default."""

    model_config = _ASKED

    dialect: str | None = None
    profile: str | None = None
    base_url: Annotated[str, Field(max_length=2048)]
    api_key: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="Without it, the one that is there is kept."
    )
    webhook_secret: Annotated[str, Field(max_length=512)] | None = Field(
        None, description="As apiKey: without it, the one that is there is kept."
    )
    models: dict[str, str] | None = None
    sizes: list[str] | None = None
    seconds: list[int] | None = None
    max_concurrent: int | None = None
    max_creating: int | None = None
    on_ambiguous: str | None = None
    requests_per_minute: int | None = None
    cost_per_video: float | None = None
    cost_per_second: float | None = None
    spend_cap: float | None = None


class FailureView(View):
    video_id: str
    at: str | None
    outcome: str
    http_status: int | None
    detail: str = Field(description="The start of the upstream's answer, without secrets.")


class BudgetView(View):
    per_minute: int = Field(description="0: unlimited.")
    free: int | None = Field(description="Requests that could leave at once; null: unlimited.")


class SpendView(View):
    """Money in whatever unit ``costPerVideo`` is in."""

    last_day: float
    cap: float = Field(description="0: unlimited.")
    reached: bool = Field(description="Whether the cap stops creates.")


class DurationView(View):
    """How long videos of one kind take, in seconds, by what was made."""

    model: str
    seconds: int | None
    size: str | None
    samples: int
    p50: float
    p90: float
    p99: float


class LimitsView(View):
    """As configured; 0 is unlimited."""

    max_concurrent: int = Field(description="Its jobs in flight at once.")
    max_creating: int = Field(description="Paid creates in flight at once.")
    cost_per_video: float
    cost_per_second: float


class AbilitiesView(View):
    """What the server can do, by its profile."""

    operations: list[Operation]
    characters: bool
    listing: Literal["none", "stale", "live"] = Field(
        description="Whether it lists its jobs, and whether the list says how they are now."
    )
    idempotent: bool = Field(description="Whether a create that is sent again is not paid again.")
    cancels: bool = Field(description="Whether it stops a running job.")
    on_ambiguous: str = Field(
        description="What becomes of a create that nobody can find: `hold` or `resubmit_if_absent`; empty: the profile's."
    )


class LastDayView(View):
    """Videos that ended there in the last 24 hours. *median* and *p90* are seconds from the order to the video."""

    completed: int
    failed: int
    cancelled: int
    median: float | None
    p90: float | None


class UpstreamView(View):
    """What is known of one upstream."""

    name: str
    source: Literal["configuration", "added", "simulator"]
    dialect: str
    profile: str
    base_url: str
    models: dict[str, str]
    sizes: list[str] = Field(description="That it can make; empty: every one.")
    seconds: list[int] = Field(description="The same.")
    has_api_key: bool
    has_webhook_secret: bool
    limits: LimitsView
    abilities: AbilitiesView
    open: bool
    reason: str = Field(description="Why it is closed; empty while it is open.")
    paused: bool = Field(description="Whether an administrator has closed it.")
    closed_since: str | None = Field(
        description="Since when something is wrong with it, or it is paused; null while all is well."
    )
    breaker: BreakerState
    opens_at: str | None
    jobs: int = Field(description="Jobs that it has.")
    waiting: int = Field(description="Jobs that wait for a place.")
    unknown: int = Field(description="Jobs of which nobody knows whether it has them.")
    budget: BudgetView
    spend: SpendView
    last_day: LastDayView
    durations: list[DurationView]
    failures: list[FailureView] = Field(description="The latest creates that failed, newest first.")


class ProfileView(View):
    """What an upstream may be told to be."""

    dialect: str
    name: str
    servers: str = Field(description="Which servers it is for, in a few words.")


class UpstreamList(View):
    upstreams: list[UpstreamView]
    profiles: list[ProfileView]


class ProbeLineView(View):
    """One thing that was found out."""

    well: bool | None = Field(description="null: a hint.")
    message: str
    profile: str | None = Field(description="A profile that would fit better.")


class ProbeView(View):
    ok: bool = Field(description="Whether it answers and takes our key.")
    message: str = Field(description="The first line.")
    lines: list[ProbeLineView]


def spend_view(condition: Condition) -> SpendView:
    """What an upstream has cost, and whether its cap stops it."""
    return SpendView(
        last_day=round(condition.spent, 4),
        cap=condition.entry.spend_cap if condition.entry else 0.0,
        reached=condition.cap_reached,
    )


def _view(condition: Condition) -> UpstreamView:
    entry = condition.entry
    return UpstreamView(
        name=condition.name,
        source="simulator" if entry is None else "added" if condition.added else "configuration",
        dialect=entry.dialect if entry else "simulator",
        profile=entry.profile if entry else "simulator",
        base_url=entry.base_url if entry else "",
        models=dict(entry.models) if entry else {},
        sizes=list(entry.sizes) if entry else [],
        seconds=list(entry.seconds) if entry else [],
        has_api_key=bool(entry and entry.api_key.get_secret_value()),
        has_webhook_secret=bool(entry and entry.webhook_secret.get_secret_value()),
        limits=LimitsView(
            max_concurrent=condition.max_concurrent,
            max_creating=entry.max_creating if entry else 0,
            cost_per_video=entry.cost_per_video if entry else 0.0,
            cost_per_second=entry.cost_per_second if entry else 0.0,
        ),
        abilities=_abilities(condition),
        open=condition.open,
        reason=condition.reason,
        paused=condition.held,
        closed_since=iso(condition.closed_since),
        breaker=condition.breaker,
        opens_at=iso(condition.opens_at),
        jobs=condition.inside,
        waiting=condition.waiting,
        unknown=condition.in_doubt,
        budget=BudgetView(per_minute=entry.requests_per_minute if entry else 0, free=condition.budget_free),
        spend=spend_view(condition),
        last_day=LastDayView(
            completed=condition.last_day.completed,
            failed=condition.last_day.failed,
            cancelled=condition.last_day.cancelled,
            median=condition.last_day.median,
            p90=condition.last_day.p90,
        ),
        durations=[
            DurationView(
                model=kind.model or "",
                seconds=kind.seconds,
                size=kind.size,
                samples=found.samples,
                p50=round(found.p50, 1),
                p90=round(found.p90, 1),
                p99=round(found.p99, 1),
            )
            for kind, found in condition.durations.items()
        ],
        failures=[
            FailureView(
                video_id=failure.job_id,
                at=iso(failure.at),
                outcome=failure.outcome,
                http_status=failure.http_status,
                detail=failure.detail,
            )
            for failure in condition.failures
        ],
    )


def _abilities(condition: Condition) -> AbilitiesView:
    adapter = condition.adapter
    return AbilitiesView(
        operations=sorted(adapter.operations),
        characters=adapter.characters,
        listing=adapter.listing,
        idempotent=adapter.idempotent,
        cancels=adapter.stops_jobs,
        on_ambiguous=condition.entry.on_ambiguous if condition.entry else "",
    )


async def list_upstreams(call: Call) -> UpstreamList:
    """Every upstream: whether it is open, what it costs and how it failed last."""
    provisioning = call.services.provisioning
    return UpstreamList(
        upstreams=[_view(each) for each in await provisioning.conditions()],
        profiles=[
            ProfileView(dialect=dialect, name=name, servers=servers)
            for dialect, name, servers in provisioning.profiles()
        ],
    )


async def get_upstream(call: Call) -> UpstreamView:
    """One of them."""
    return _view(await call.services.provisioning.condition(call.path["name"]))


async def put_upstream(call: Call) -> UpstreamView:
    """Adds an upstream, or changes one that was added; it is used from now on. Its key is kept encrypted."""
    name, fields, secrets = _asked(call)
    await call.services.provisioning.put(actor_of(call), name, fields, secrets)
    return await get_upstream(call)


def _asked(call: Call) -> tuple[str, dict[str, Any], dict[str, str | None]]:
    """The name, the configuration and the secrets. Raises InvalidRequest for a bad name."""
    name = call.path["name"]
    asked: PutUpstream = call.body
    if not _NAME_PATTERN.fullmatch(name):
        raise InvalidRequest(
            "A name has at most 32 lower-case letters, digits, dashes and underscores.", param="name"
        )
    fields = asked.model_dump(exclude_none=True, exclude={"api_key", "webhook_secret"})
    return name, fields, {"api_key": asked.api_key, "webhook_secret": asked.webhook_secret}


async def delete_upstream(call: Call) -> Response:
    """Takes away one that was added; its jobs wait until one of that name is there again."""
    await call.services.provisioning.remove(actor_of(call), call.path["name"])
    return Response(status_code=204)


async def test_upstream(call: Call) -> ProbeView:
    """Asks it whether it answers and takes our key, and which server it is; costs nothing."""
    return _probe(await call.services.provisioning.diagnose(call.path["name"]))


async def try_upstream(call: Call) -> ProbeView:
    """The same before it is stored, of the configuration that is sent. Without `apiKey` it is asked with the one that
    is there."""
    name, fields, secrets = _asked(call)
    return _probe(await call.services.provisioning.diagnose_new(name, fields, secrets))


def _probe(lines: list[Line]) -> ProbeView:
    return ProbeView(
        ok=lines[0].well is True,
        message=lines[0].text,
        lines=[ProbeLineView(well=line.well, message=line.text, profile=line.profile) for line in lines],
    )


async def pause_upstream(call: Call) -> UpstreamView:
    """No more creates go there, also after a restart; what it has is watched on."""
    await call.services.provisioning.switch(actor_of(call), call.path["name"], on=False)
    return await get_upstream(call)


async def resume_upstream(call: Call) -> UpstreamView:
    """Opens it at once, whatever had closed it."""
    await call.services.provisioning.switch(actor_of(call), call.path["name"], on=True)
    return await get_upstream(call)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/upstreams", handler=list_upstreams, summary="How the upstreams do",
        access=Access.ADMIN, tag="admin", response=UpstreamList,
    ),
    Endpoint(
        method="GET", path="/api/admin/upstreams/{name}", handler=get_upstream, summary="How one upstream does",
        access=Access.ADMIN, tag="admin", response=UpstreamView, errors=(NotFound,),
    ),
    Endpoint(
        method="PUT", path="/api/admin/upstreams/{name}", handler=put_upstream, summary="Add or change an upstream",
        access=Access.ADMIN, tag="admin", request=PutUpstream, response=UpstreamView, errors=(Conflict,),
    ),
    Endpoint(
        method="DELETE", path="/api/admin/upstreams/{name}", handler=delete_upstream, summary="Take an upstream away",
        access=Access.ADMIN, tag="admin", status=204, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/upstreams/{name}/test", handler=test_upstream, summary="Try an upstream",
        access=Access.ADMIN, tag="admin", response=ProbeView, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/admin/upstreams/{name}/try", handler=try_upstream,
        summary="Try an upstream before it is added", access=Access.ADMIN, tag="admin", request=PutUpstream,
        response=ProbeView, errors=(Conflict,),
    ),
    Endpoint(
        method="POST", path="/api/admin/upstreams/{name}/pause", handler=pause_upstream, summary="Pause an upstream",
        access=Access.ADMIN, tag="admin", response=UpstreamView, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/admin/upstreams/{name}/resume", handler=resume_upstream, summary="Resume an upstream",
        access=Access.ADMIN, tag="admin", response=UpstreamView, errors=(NotFound,),
    ),
]  # fmt: skip
