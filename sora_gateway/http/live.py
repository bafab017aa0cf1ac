"""Where live updates come in over HTTP: the WebSocket route and the event streams."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from sora_gateway.core.actor import Actor
from sora_gateway.core.job import Job
from sora_gateway.core.principal import Principal, Scope
from sora_gateway.core.views import View, iso
from sora_gateway.errors import CrossOrigin, LiveLimit, NotFound
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.credentials import session_of
from sora_gateway.http.finding import find
from sora_gateway.http.metering import Routed
from sora_gateway.http.middleware import REQUEST_ID
from sora_gateway.http.origin import is_cross_origin, is_foreign_stream
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.realtime.session import Looked
from sora_gateway.realtime.sse import stream
from sora_gateway.realtime.websocket import LiveSocket, address_of


class Since(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    since: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Cursor of the last event seen; a Last-Event-ID header wins."
    )
    ticket: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="A stream ticket, instead of any other credential."
    )


class TaskSince(Since):
    log: bool = Field(False, description="Begin with the step log of the video.")


class StreamTicket(View):
    ticket: str = Field(description="For `?ticket=` of `/ws` and of the event streams; works once.")
    expires_at: str


def live_routes(services: Services) -> list[WebSocketRoute]:
    """The WebSocket; its protocol is that of ``core/messages.py``."""

    def looks_of(connection: HTTPConnection, principal: Principal) -> Looked:
        looks = services.looks
        by = Actor(principal.user_id, address_of(connection), connection.scope[REQUEST_ID])

        async def looked(job: Job | None) -> None:
            if job is None:
                await looks.note_list(principal, by)
            else:
                await looks.note(principal, job, by)

        return looked

    socket = LiveSocket(
        services.live,
        lambda headers: not is_cross_origin(headers),
        session_of,
        services.tickets.redeem,
        looks_of,
    )
    return [WebSocketRoute("/ws", Routed(socket, "/ws"))]


async def task_stream(call: Call) -> Response:
    """The changes of one video as server-sent events; the stream ends after its final event."""
    _check_page(call)
    return stream(call.request, call.caller, await find(call), call.services.live)


async def all_stream(call: Call) -> Response:
    """The changes of all my videos as server-sent events; an administrator sees everybody's."""
    _check_page(call)
    await call.services.looks.note_list(call.caller, actor_of(call))
    return stream(call.request, call.caller, None, call.services.live)


def _check_page(call: Call) -> None:
    if is_foreign_stream(call.request.headers):
        raise CrossOrigin("This stream was opened by a page of another site, so it was refused.")


async def mint_ticket(call: Call) -> StreamTicket:
    """A ticket for one connection that can have no header: good once, within a minute, and only as long as the
    credential that it was made with."""
    ticket = call.services.tickets.mint(call.caller)
    return StreamTicket(ticket=ticket.text, expires_at=iso(ticket.expires_at) or "")


_OVER = {204: "The video has ended and its last event was seen: there is nothing to come back for."}

ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/video/tasks/{id}/stream", handler=task_stream, summary="Follow it",
        access=Access.VIEWER, tag="live", query=TaskSince, tickets=True, produces=("text/event-stream",), also=_OVER,
        errors=(NotFound, CrossOrigin, LiveLimit),
    ),
    Endpoint(
        method="GET", path="/api/events/stream", handler=all_stream, summary="Follow all my videos",
        access=Access.VIEWER, tag="live", query=Since, tickets=True, produces=("text/event-stream",),
        errors=(CrossOrigin, LiveLimit),
    ),
    Endpoint(
        method="POST", path="/api/stream-tickets", handler=mint_ticket, summary="A ticket for one stream",
        access=Access.VIEWER, tag="live", needs=Scope.READ, response=StreamTicket, status=201,
    ),
]  # fmt: skip
