"""``/api/admin/audit``: who did what to what, from where, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from sora_gateway.core.views import View, iso
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.validation import Moment
from sora_gateway.store.audit import AuditFilter, Recorded

_Text = Annotated[str, Field(max_length=300)]


class AuditQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    actor: _Text | None = Field(None, description="Who did it: an id, an e-mail address, or `command line`.")
    action: _Text | None = Field(
        None, description="The action, or its beginning: `user.` for all about people."
    )
    target: _Text | None = Field(None, description="What it was done to: an id, or `upstream NAME`.")
    since: Moment | None = Field(None, description="From this moment on (ISO 8601 with a time zone).")
    until: Moment | None = Field(None, description="Before this moment.")
    after: Annotated[int, Field(ge=1, lt=1 << 63)] | None = Field(
        None, description="The id of the last entry of the page before."
    )


class AuditView(View):
    id: int
    at: str
    actor: str = Field(description="A person's id, or `command line`.")
    email: str | None = Field(
        description="The address that the person has today; null where it was nobody's id."
    )
    action: str
    target: str
    detail: str
    address: str = Field(description="The client's; empty where nobody came over HTTP.")
    request_id: str = Field(description="That of the answer; empty where nobody came over HTTP.")


class AuditPage(View):
    entries: list[AuditView]
    has_more: bool


def _view(line: Recorded) -> AuditView:
    entry = line.entry
    return AuditView(
        id=line.id,
        at=iso(entry.at) or "",
        actor=entry.actor,
        email=line.email,
        action=entry.action,
        target=entry.target,
        detail=entry.detail,
        address=entry.address,
        request_id=entry.request_id,
    )


async def list_audit(call: Call) -> AuditPage:
    """What people did, newest first. The next page is asked for with `after`, the id of the last entry of this one."""
    query: AuditQuery = call.query
    wanted = AuditFilter(
        limit=query.limit,
        actor=query.actor,
        action=query.action,
        target=query.target,
        since=_moment(query.since),
        until=_moment(query.until),
        before=query.after,
    )
    lines, more = await call.services.store.audit_page(wanted)
    return AuditPage(entries=[_view(line) for line in lines], has_more=more)


def _moment(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/audit", handler=list_audit, summary="What people did",
        access=Access.ADMIN, tag="admin", query=AuditQuery, response=AuditPage,
    ),
]  # fmt: skip
