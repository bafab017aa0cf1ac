"""The webhooks that the gateway sends, as ``/asyncapi.json`` describes them: their data is the task of ``/api``."""

from __future__ import annotations

from typing import Any

from sora_gateway.core.states import State
from sora_gateway.core.webhooks import TEST_EVENT, EventType
from sora_gateway.http.asyncapi_examples import ended_task

Schema = dict[str, Any]

_OF = {
    EventType.COMPLETED: (State.COMPLETED, "A video is ready."),
    EventType.FAILED: (State.FAILED, "There will be no video; the task says why."),
    EventType.CANCELLED: (State.CANCELLED, "A video was cancelled."),
}
_HEADERS = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The same however often it is sent: take each once."},
        "webhook-timestamp": {"type": "string", "description": "When it was sent, in epoch seconds."},
        "webhook-signature": {
            "type": "string",
            "description": "One signature, or two with a space between while the secret is changed: `v1,` and base64.",
        },
    },
}


def webhook_channel() -> Schema:
    """Where they go."""
    return {
        "address": None,
        "title": "Webhooks",
        "description": "A POST to the address that a person gave at `POST /api/webhooks`, signed as Standard Webhooks "
        "has it. Answer with 2xx within seconds; anything else is tried again, for three days, except 410, which "
        "ends the webhook.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in webhook_messages()},
    }


def webhook_operation() -> Schema:
    return {
        "action": "send",
        "summary": "What a webhook is told.",
        "channel": {"$ref": "#/channels/webhook"},
        "messages": [{"$ref": f"#/channels/webhook/messages/{name}"} for name in webhook_messages()],
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    }


def webhook_messages() -> dict[str, Schema]:
    """By the kind of event, with ``-`` for what the name of a part cannot have in it."""
    described = {
        kind: _message(
            kind, summary, {"$ref": "#/components/schemas/Task"},
            ended_task(state).model_dump(mode="json", by_alias=True),
        )
        for kind, (state, summary) in _OF.items()
    }  # fmt: skip
    webhook_id = {"type": "string", "description": "The webhook that was tried."}
    tried = {"type": "object", "required": ["webhookId"], "properties": {"webhookId": webhook_id}}
    described_test = _message(TEST_EVENT, "Somebody tries the webhook.", tried, {"webhookId": "webhook_1"})
    return {name.replace(".", "-"): each for name, each in [*described.items(), (TEST_EVENT, described_test)]}


def _message(kind: str, summary: str, data: Schema, example: Schema) -> Schema:
    fields = {
        "type": {"const": str(kind), "description": "What happened."},
        "timestamp": {"type": "string", "description": "When: ISO 8601 in UTC."},
        "data": {"description": "What it happened to, as it is when this is sent.", "allOf": [data]},
    }
    return {
        "name": str(kind),
        "title": str(kind),
        "summary": summary,
        "contentType": "application/json",
        "headers": _HEADERS,
        "payload": {"type": "object", "required": list(fields), "properties": fields},
        "examples": [
            {"payload": {"type": str(kind), "timestamp": "2026-09-21T14:16:33.000Z", "data": example}}
        ],
    }
