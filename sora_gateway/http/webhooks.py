"""``/api/webhooks``: one's own endpoints, and what they were told."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.responses import Response

from sora_gateway.core.principal import Scope
from sora_gateway.core.views import View, iso
from sora_gateway.core.webhooks import DEFAULT_EVENTS, DeliveryStatus, EventType
from sora_gateway.errors import Conflict, Forbidden, FreshLoginNeeded, InvalidRequest, NotFound, Unavailable
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.people import ASKED
from sora_gateway.http.routing import Access, Call, Endpoint, check_fresh
from sora_gateway.store.webhook_deliveries import DeliveryRecord, TryRecord
from sora_gateway.store.webhooks import WebhookRecord
from sora_gateway.webhooks.endpoints import Wish
from sora_gateway.webhooks.messages import NotTold
from sora_gateway.webhooks.receiver import MAX_URL

Url = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL)]
Description = Annotated[str, StringConstraints(max_length=200)]
Events = Annotated[
    list[Annotated[EventType, Field(strict=False)]], Field(min_length=1, max_length=len(EventType))
]


class CreateWebhook(View):
    model_config = ASKED

    url: Url = Field(description="Where it is sent: https, at a host of the open internet.")
    description: Description = ""
    events: Events = Field(list(DEFAULT_EVENTS), description="What it is told of.")
    everybody: bool = Field(False, description="Told of everybody's videos; for administrators.")


class ChangeWebhook(View):
    """What is left out stays as it is."""

    model_config = ASKED

    url: Url | None = None
    description: Description | None = None
    events: Events | None = None
    everybody: bool | None = None
    enabled: bool | None = Field(None, description="Of a disabled one, everything that waits is given up.")


class Webhook(View):
    """Times are ISO 8601 in UTC."""

    id: str
    url: str
    description: str
    events: list[EventType]
    everybody: bool
    enabled: bool
    disabled_reason: str = Field(description="Why the gateway disabled it; empty if it did not.")
    failing_since: str | None = Field(description="The first failure after the last success.")
    old_secret_until: str | None = Field(
        description="Until when the secret before the last rotation signs too."
    )
    created_at: str
    changed_at: str


class NewWebhook(Webhook):
    secret: str = Field(description="What messages are signed with; it is shown this once.")


class Webhooks(View):
    webhooks: list[Webhook]


class Try(View):
    at: str
    duration_ms: int
    http_status: int | None = Field(description="Null where no answer came.")
    error: str = Field(description="Empty for an answer of 2xx.")


class Delivery(View):
    """One message to one endpoint. *id* is the ``webhook-id`` that it is sent with, every time."""

    id: str
    webhook_id: str
    video_id: str | None
    type: str
    status: DeliveryStatus
    note: str = Field(description="Why it was given up, where no try says it.")
    created_at: str
    next_try_at: str | None
    tries: list[Try]


class Deliveries(View):
    deliveries: list[Delivery]
    has_more: bool


class TestResult(View):
    delivery_id: str
    delivered: bool
    http_status: int | None
    error: str
    duration_ms: int


class ListDeliveries(View):
    model_config = ASKED

    limit: Annotated[int, Field(ge=1, le=100, strict=False)] = 50
    after: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="The id of the last delivery of the page before."
    )
    status: Annotated[DeliveryStatus, Field(strict=False)] | None = None


# --- endpoints ---------------------------------------------------------------------------------------


async def list_webhooks(call: Call) -> Webhooks:
    """Your own, oldest first."""
    now = call.services.clock.now()
    return Webhooks(
        webhooks=[
            Webhook(**_fields(each, now))
            for each in await call.services.store.webhooks.of(call.caller.user_id)
        ]
    )


async def create_webhook(call: Call) -> NewWebhook:
    """Its address is told when videos of yours have ended. The secret is shown this once."""
    asked: CreateWebhook = call.body
    _check_reach(call, asked.everybody)
    wish = Wish(asked.url, asked.description, _once(asked.events), asked.everybody)
    webhook, secret = await call.services.webhooks.create(actor_of(call), call.caller.user_id, wish)
    return NewWebhook(**_fields(webhook, call.services.clock.now()), secret=secret)


async def get_webhook(call: Call) -> Webhook:
    """One of your own."""
    return Webhook(**_fields(await _find(call), call.services.clock.now()))


async def change_webhook(call: Call) -> Webhook:
    """Another address is checked like a new one. One that was disabled is told of what happens from now on."""
    asked: ChangeWebhook = call.body
    before = await _changeable(call)
    everybody = before.everybody if asked.everybody is None else asked.everybody
    _check_reach(call, everybody)
    wish = Wish(
        before.url if asked.url is None else asked.url,
        before.description if asked.description is None else asked.description,
        before.events if asked.events is None else _once(asked.events),
        everybody,
        before.enabled if asked.enabled is None else asked.enabled,
    )
    changed = await call.services.webhooks.change(actor_of(call), before, wish)
    return Webhook(**_fields(changed, call.services.clock.now()))


async def delete_webhook(call: Call) -> Response:
    """With its deliveries. It is told nothing more, also of what has happened."""
    await call.services.webhooks.remove(actor_of(call), await _find(call))
    return Response(status_code=204)


async def rotate_webhook_secret(call: Call) -> NewWebhook:
    """A new secret, shown this once. For a day the one before signs as well: messages carry two signatures."""
    webhook, secret = await call.services.webhooks.rotate(actor_of(call), await _changeable(call))
    return NewWebhook(**_fields(webhook, call.services.clock.now()), secret=secret)


async def test_webhook(call: Call) -> TestResult:
    """Sends a ``webhook.test`` now, once, enabled or not, and says what the receiver answered."""
    try:
        delivery, made = await call.services.webhooks.test(await _changeable(call))
    except NotTold as reason:
        raise Conflict(str(reason)) from None
    shown = _try(made)
    return TestResult(
        delivery_id=delivery.id,
        delivered=delivery.status is DeliveryStatus.DELIVERED,
        http_status=shown.http_status,
        error=shown.error,
        duration_ms=shown.duration_ms,
    )


# --- deliveries --------------------------------------------------------------------------------------


async def list_deliveries(call: Call) -> Deliveries:
    """What one of your webhooks was told, and is going to be told, newest first, with every try."""
    query: ListDeliveries = call.query
    webhook, store = await _find(call), call.services.store.webhooks
    found, more = await store.deliveries(webhook.id, query.status, query.after, query.limit)
    return Deliveries(deliveries=await _deliveries(call, found), has_more=more)


async def get_delivery(call: Call) -> Delivery:
    """One of them."""
    found = await call.services.store.webhooks.delivery(call.path["id"], call.caller.user_id)
    return (await _deliveries(call, [found]))[0]


async def replay_delivery(call: Call) -> Delivery:
    """Sends it again under the same id, and tries as often as with a new one. It says how the video is now."""
    delivery = await call.services.store.webhooks.delivery(call.path["id"], call.caller.user_id)
    _check_change(call, await call.services.store.webhooks.find(delivery.webhook_id, call.caller.user_id))
    again = await call.services.webhooks.replay(delivery.id, call.caller.user_id)
    return (await _deliveries(call, [again]))[0]


async def _deliveries(call: Call, found: list[DeliveryRecord]) -> list[Delivery]:
    tries = await call.services.store.webhooks.tries(found)
    return [
        Delivery(
            id=each.id,
            webhook_id=each.webhook_id,
            video_id=each.job_id,
            type=each.type,
            status=each.status,
            note=each.note,
            created_at=iso(each.created_at) or "",
            next_try_at=iso(each.next_at),
            tries=[_try(made) for made in tries[each.seq]],
        )
        for each in found
    ]


def _try(made: TryRecord) -> Try:
    return Try(
        at=iso(made.at) or "",
        duration_ms=round(made.duration * 1000),
        http_status=made.http_status,
        error=made.error,
    )


# --- who may -----------------------------------------------------------------------------------------


async def _find(call: Call) -> WebhookRecord:
    return await call.services.store.webhooks.find(call.path["id"], call.caller.user_id)


async def _changeable(call: Call) -> WebhookRecord:
    """Raises NotFound, Forbidden, FreshLoginNeeded."""
    webhook = await _find(call)
    _check_change(call, webhook)
    return webhook


def _check_change(call: Call, webhook: WebhookRecord) -> None:
    """Raises Forbidden, FreshLoginNeeded."""
    if call.caller.role == "viewer":
        raise Forbidden("Your role lets you look, but not do this.")
    _check_reach(call, webhook.everybody)


def _check_reach(call: Call, everybody: bool) -> None:
    """An endpoint of everybody's videos shows its receiver what only an administrator sees, for as long as it is
    there; so it takes what administrating takes. Raises Forbidden, FreshLoginNeeded."""
    if not everybody:
        return
    if not call.caller.sees_all:
        raise Forbidden("Only an administrator has webhooks for everybody's videos.")
    check_fresh(call.caller, call.services.clock.now())


def _once(events: list[EventType]) -> tuple[str, ...]:
    return tuple(each.value for each in EventType if each in events)


def _fields(webhook: WebhookRecord, now: float) -> dict[str, Any]:
    old = webhook.old_until is not None and webhook.old_until > now
    return {
        "id": webhook.id,
        "url": webhook.url,
        "description": webhook.description,
        "events": [EventType(each) for each in webhook.events],
        "everybody": webhook.everybody,
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "failing_since": iso(webhook.failing_since),
        "old_secret_until": iso(webhook.old_until) if old else None,
        "created_at": iso(webhook.created_at) or "",
        "changed_at": iso(webhook.changed_at) or "",
    }


_CHANGES = (NotFound, Forbidden, FreshLoginNeeded)

ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/webhooks", handler=list_webhooks, summary="My webhooks",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, response=Webhooks,
    ),
    Endpoint(
        method="POST", path="/api/webhooks", handler=create_webhook, summary="A new webhook",
        access=Access.MEMBER, tag="webhooks", needs=Scope.ACCOUNT, request=CreateWebhook, response=NewWebhook,
        status=201, errors=(InvalidRequest, Forbidden, FreshLoginNeeded, Conflict, Unavailable),
    ),
    Endpoint(
        method="GET", path="/api/webhooks/deliveries/{id}", handler=get_delivery, summary="One delivery",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, response=Delivery, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/webhooks/deliveries/{id}/replay", handler=replay_delivery, summary="Send it again",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, response=Delivery, status=202,
        errors=(*_CHANGES, Conflict),
    ),
    Endpoint(
        method="GET", path="/api/webhooks/{id}", handler=get_webhook, summary="One webhook",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, response=Webhook, errors=(NotFound,),
    ),
    Endpoint(
        method="PATCH", path="/api/webhooks/{id}", handler=change_webhook, summary="Change it",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, request=ChangeWebhook, response=Webhook,
        errors=(InvalidRequest, *_CHANGES, Unavailable),
    ),
    Endpoint(
        method="DELETE", path="/api/webhooks/{id}", handler=delete_webhook, summary="Delete it",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, status=204, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/webhooks/{id}/rotate-secret", handler=rotate_webhook_secret,
        summary="A new secret", access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, response=NewWebhook,
        errors=_CHANGES,
    ),
    Endpoint(
        method="POST", path="/api/webhooks/{id}/test", handler=test_webhook, summary="Try it out",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, response=TestResult,
        errors=(*_CHANGES, Conflict, Unavailable),
    ),
    Endpoint(
        method="GET", path="/api/webhooks/{id}/deliveries", handler=list_deliveries, summary="What it was told",
        access=Access.VIEWER, tag="webhooks", needs=Scope.ACCOUNT, query=ListDeliveries, response=Deliveries,
        errors=(NotFound,),
    ),
]  # fmt: skip
