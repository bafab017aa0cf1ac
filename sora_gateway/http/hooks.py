"""``/hooks/upstream/{name}``: an upstream says that something has changed, and is asked; what it claims is not believed."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from starlette.responses import Response

from sora_gateway.core.outcome import valid_external_id
from sora_gateway.core.views import View
from sora_gateway.core.webhook_signature import is_signed
from sora_gateway.errors import InvalidRequest, NotAuthenticated, NotFound, TooLarge
from sora_gateway.http.routing import Access, Call, Endpoint

MAX_BODY = 64 * 1024
REMEMBERED = 10_000
"""Ids of messages that are known again."""


class HookTaken(View):
    """Nothing about what is known here: whoever can send a message need not learn which videos there are."""

    taken: bool = True


class Hooks:
    """The route, and the ids of the messages that it has taken."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def take(self, call: Call) -> HookTaken | Response:
        """A webhook of an upstream, signed as Standard Webhooks has it: the job that it names is looked at now.

        The same message again has no effect.
        """
        name, headers = call.path["name"], call.request.headers
        secret = call.services.provisioning.webhook_secret(name)
        if not secret:
            raise NotFound("There is nothing at this address.")
        body = await _body(call)
        message_id = headers.get("webhook-id", "")[:256]
        now = call.services.clock.now()
        signatures = headers.get("webhook-signature", "")[:4096]
        if not is_signed(secret, message_id, headers.get("webhook-timestamp", ""), signatures, body, now):
            raise NotAuthenticated("The signature is not that of this upstream's webhook_secret.")
        external_id = valid_external_id(_job_of(body))
        if (name, message_id) in self._seen:
            return Response(b'{"taken":true}', media_type="application/json")
        self._seen[name, message_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if external_id is not None:
            call.services.supervisor.look_now(name, external_id)
        return HookTaken()

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST", path="/hooks/upstream/{name}", handler=self.take, summary="An upstream's webhook",
                access=Access.PUBLIC, tag="upstreams", response=HookTaken, status=202,
                also={200: "The message was here before."},
                errors=(InvalidRequest, NotAuthenticated, NotFound, TooLarge),
            ),
        ]  # fmt: skip


async def _body(call: Call) -> bytes:
    found = bytearray()
    async for chunk in call.request.stream():
        found += chunk
        if len(found) > MAX_BODY:
            raise TooLarge(f"A webhook has at most {MAX_BODY} bytes.")
    return bytes(found)


def _job_of(body: bytes) -> Any:
    """The upstream's id of the job that a message is about.

    Raises:
        InvalidRequest: the message is no JSON object.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise InvalidRequest("A webhook is a JSON object.")
    data = message.get("data")
    place = data if isinstance(data, dict) else message
    return next((place[name] for name in ("id", "task_id", "video_id") if name in place), None)
