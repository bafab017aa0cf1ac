"""``/api/admin/alerts``: what is wrong now, who is told of it, and a test of whether they are."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.alerts.alerter import Standing
from sora_gateway.alerts.post import Posted
from sora_gateway.alerts.wording import sentence
from sora_gateway.core.alerts import Alert, AlertKind
from sora_gateway.core.views import View, iso
from sora_gateway.errors import NotFound, Unavailable
from sora_gateway.http.routing import Access, Call, Endpoint


class AlertView(View):
    kind: AlertKind
    subject: str = Field(description="Which upstream, or which part of the gateway; empty for the whole.")
    cause: str
    count: int = Field(description="How many it concerns.")
    since: str | None = Field(description="When it began, as far as this process knows.")
    text: str


class PostedView(View):
    delivered: bool
    status: int | None = Field(description="What was answered; null without an answer.")
    code: int | None = Field(description="The number with which Feishu or DingTalk refused it.")
    error: str = Field(description="Why there was no answer; empty with one.")


class DestinationView(View):
    """Where the operator is told. The address is a secret."""

    name: str
    kind: str
    language: str
    about: list[AlertKind] = Field(description="What it is told of; empty: everything.")
    failures: int = Field(description="Messages in a row that did not arrive.")
    latest: PostedView | None = Field(description="What came of the latest message or test since the start.")
    latest_at: str | None


class AlertsView(View):
    active: list[AlertView] = Field(description="What is wrong at this moment, the oldest first.")
    destinations: list[DestinationView]


async def list_alerts(call: Call) -> AlertsView:
    """Looked at when it is asked for, so it is never late."""
    alerts = call.services.alerts()
    return AlertsView(
        active=[_alert(each) for each in await alerts.now()],
        destinations=[_destination(each) for each in alerts.standings()],
    )


async def test_alerts(call: Call) -> PostedView:
    """Sends a test message, once, and says what was answered: numbers only."""
    return _posted(await call.services.alerts().test(call.path["name"]))


def _alert(alert: Alert) -> AlertView:
    trouble = alert.trouble
    return AlertView(
        kind=trouble.kind,
        subject=trouble.subject,
        cause=trouble.cause,
        count=trouble.count,
        since=iso(alert.since),
        text=sentence(trouble),
    )


def _destination(standing: Standing) -> DestinationView:
    return DestinationView(
        name=standing.name,
        kind=standing.destination.kind,
        language=standing.destination.language,
        about=list(standing.destination.about),
        failures=standing.failures,
        latest=None if standing.latest is None else _posted(standing.latest),
        latest_at=iso(standing.latest_at),
    )


def _posted(posted: Posted) -> PostedView:
    return PostedView(delivered=posted.delivered, status=posted.status, code=posted.code, error=posted.error)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/alerts", handler=list_alerts, summary="What is wrong, and who is told",
        access=Access.ADMIN, tag="admin", response=AlertsView,
    ),
    Endpoint(
        method="POST", path="/api/admin/alerts/{name}/test", handler=test_alerts, summary="Send a test alert",
        access=Access.ADMIN, tag="admin", response=PostedView, errors=(NotFound, Unavailable),
    ),
]  # fmt: skip
