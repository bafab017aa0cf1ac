"""Jobs of which nobody knows whether the upstream took them: what is known, and what an administrator may decide."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listed
from sora_gateway.core.reconcile import Kind
from sora_gateway.core.views import Task, View, iso
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.finding import find
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.http.tasks import task_of
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.doubts import Doubt
from sora_gateway.supervisor.decisions import Adopt, Decision, GiveUp, LookAgain, PayAgain

MAX_ID = 512
DECISIONS = frozenset({"job.look_again", "job.adopt", "job.pay_again", "job.give_up"})
"""What of the audit log is about a doubt."""
_ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})


class CandidateView(View):
    """A video in the upstream's list that may be the one; what the upstream does not tell is null."""

    external_video_id: str
    status: str
    created_at: str | None = Field(description="By the upstream's clock.")
    prompt: str | None
    model: str | None
    seconds: str | None
    size: str | None


class DecisionView(View):
    at: str | None
    actor: str = Field(description="A person's id, or `command line`.")
    action: str
    detail: str


class DoubtView(View):
    """A job in doubt, and its latest create. Times are ISO 8601 in UTC."""

    video_id: str
    external_video_id: str | None = Field(description="Set when the upstream had taken it and denies it now.")
    owner: str = Field(description="Their e-mail address.")
    prompt: str
    model: str
    upstream: str
    upstream_model: str
    seconds: int
    size: str
    credits: int
    cancel_requested: bool
    note: str = Field(description="Why it is in doubt, and what the search has come to.")
    attempt: int
    attempt_id: str = Field(description="Went along as `X-Client-Request-Id`.")
    submitted_at: str | None
    http_status: int | None = Field(description="What the create was answered, if it was.")
    answer: str = Field(description="The beginning of that answer, redacted.")
    looked_at: str | None = Field(description="The latest look of this process.")
    finding: Kind | None = Field(description="What it came to.")
    candidates: list[CandidateView]
    next_look_at: str | None = Field(description="Null when only a person can move it on.")
    decisions: list[DecisionView] = Field(description="What people have done about it so far.")


class DoubtList(View):
    jobs: list[DoubtView]


class AdoptVideo(View):
    """The upstream's video that it is."""

    model_config = _ASKED

    external_video_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class PayAgainQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    attempt_id: Annotated[str, Field(max_length=128)] | None = Field(
        None,
        description="The attempt that is thought lost; when it is not the latest any more, nothing is sent. "
        "A request that is repeated by itself cannot buy a third video then.",
    )


def _candidate(row: Listed) -> CandidateView:
    return CandidateView(
        external_video_id=row.external_id,
        status=row.look.status or row.look.kind,
        created_at=iso(row.created_at),
        prompt=row.prompt,
        model=row.model,
        seconds=row.seconds,
        size=row.size,
    )


def _decision(entry: AuditEntry) -> DecisionView:
    return DecisionView(at=iso(entry.at), actor=entry.actor, action=entry.action, detail=entry.detail)


async def _doubt(services: Services, doubt: Doubt) -> DoubtView:
    job, finding = doubt.job, services.supervisor.finding(doubt.job)
    return DoubtView(
        video_id=job.id,
        external_video_id=job.external_id,
        owner=doubt.email,
        prompt=job.prompt,
        model=job.model,
        upstream=job.upstream,
        upstream_model=job.upstream_model,
        seconds=job.seconds,
        size=job.size,
        credits=job.credits,
        cancel_requested=job.cancel_requested,
        note=job.note,
        attempt=job.attempt,
        attempt_id=doubt.attempt_id,
        submitted_at=iso(job.submitted_at),
        http_status=doubt.http_status,
        answer=doubt.detail,
        looked_at=iso(finding.at) if finding else None,
        finding=finding.verdict.kind if finding else None,
        candidates=[_candidate(row) for row in finding.verdict.candidates] if finding else [],
        next_look_at=iso(services.supervisor.next_look(job.id)),
        decisions=[
            _decision(line) for line in await services.store.audited(job.id) if line.action in DECISIONS
        ],
    )


async def list_doubts(call: Call) -> DoubtList:
    """Oldest first, with what the search for each has come to."""
    services = call.services
    return DoubtList(jobs=[await _doubt(services, doubt) for doubt in await services.store.doubts()])


async def look_again(call: Call) -> Task:
    """Looks for it at the upstream now; the answer comes when that was done. `stage` says whether it was found."""
    return await _decided(call, LookAgain())


async def adopt(call: Call) -> Task:
    """It goes on as that video of the upstream, on its one hold."""
    asked: AdoptVideo = call.body
    return await _decided(call, Adopt(ExternalId(asked.external_video_id)))


async def pay_again(call: Call) -> Task:
    """Sends another create on the same hold, although the first may have been paid for."""
    query: PayAgainQuery = call.query
    if query.attempt_id is not None:
        attempts = await call.services.store.attempts((await find(call)).id)
        if not attempts or attempts[-1].id != query.attempt_id:
            raise Conflict("Another create was sent since; look at the job before you decide again.")
    return await _decided(call, PayAgain())


async def give_up(call: Call) -> Task:
    """Closes it as failed and gives the credits back."""
    return await _decided(call, GiveUp())


async def _decided(call: Call, decision: Decision) -> Task:
    job = await find(call)
    return await task_of(call, await call.services.supervisor.decide(job.id, decision, actor_of(call)))


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/jobs/unknown", handler=list_doubts, summary="Videos whose outcome is unknown",
        access=Access.ADMIN, tag="admin", response=DoubtList,
    ),
    Endpoint(
        method="POST", path="/api/admin/jobs/{id}/look-again", handler=look_again, summary="Look for it now",
        access=Access.ADMIN, tag="admin", response=Task, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/jobs/{id}/adopt", handler=adopt, summary="Say which video it is",
        access=Access.ADMIN, tag="admin", request=AdoptVideo, response=Task,
        errors=(InvalidRequest, NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/jobs/{id}/pay-again", handler=pay_again, summary="Send it once more",
        access=Access.ADMIN, tag="admin", query=PayAgainQuery, response=Task, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST", path="/api/admin/jobs/{id}/give-up", handler=give_up, summary="Close it",
        access=Access.ADMIN, tag="admin", response=Task, errors=(NotFound, Conflict),
    ),
]  # fmt: skip
