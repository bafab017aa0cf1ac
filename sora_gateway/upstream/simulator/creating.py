"""Everything that is paid for: takes it, or fails at it in the way that was asked for."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from sora_gateway.upstream.simulator.broken import Dropped, Halved
from sora_gateway.upstream.simulator.faults import Faults, FaultValue, applies, parse_faults
from sora_gateway.upstream.simulator.orders import (
    read_character,
    read_create,
    read_edit,
    read_extension,
    read_remix,
)
from sora_gateway.upstream.simulator.refusals import Refused, disk_trouble_told, invalid
from sora_gateway.upstream.simulator.state import Order, SimulatorState
from sora_gateway.upstream.simulator.timeline import MESSAGES, MODERATION, video_object

_REFUSED_WORD = re.compile(r"\bforbidden\b", re.IGNORECASE)
"""The word that the simulator's moderation objects to."""


async def create(state: SimulatorState, request: Request) -> ASGIApp:
    """POST /v1/videos."""
    return await _video(state, request, await read_create(state, request))


async def remix(state: SimulatorState, request: Request) -> ASGIApp:
    """POST /v1/videos/{id}/remix."""
    return await _video(state, request, await read_remix(state, request))


async def edit(state: SimulatorState, request: Request) -> ASGIApp:
    """POST /v1/videos/edits."""
    return await _video(state, request, await read_edit(state, request))


async def extend(state: SimulatorState, request: Request) -> ASGIApp:
    """POST /v1/videos/extensions."""
    return await _video(state, request, await read_extension(state, request))


async def create_character(state: SimulatorState, request: Request) -> ASGIApp:
    """POST /v1/videos/characters; faults are asked for in the name."""
    name = await read_character(request)

    async def take(faults: dict[str, FaultValue]) -> dict[str, Any]:
        return await state.create_character(name)

    return await _taken(state, name, take)


async def _video(state: SimulatorState, request: Request, order: Order) -> ASGIApp:
    """Takes one job and answers its ``Video`` object."""
    client_request_id = request.headers.get("x-client-request-id", "")[:200]

    async def take(faults: dict[str, FaultValue]) -> dict[str, Any]:
        record = await state.create(order, faults, client_request_id)
        return video_object(record, state.clock.now())

    return await _taken(state, order.prompt, take)


async def _taken(
    state: SimulatorState, text: str, take: Callable[[dict[str, FaultValue]], Awaitable[dict[str, Any]]]
) -> ASGIApp:
    """What *take* answers, unless moderation objects to *text* or a fault in it is met.

    Raises:
        Refused: the request is refused.
    """
    if _REFUSED_WORD.search(text):
        raise _moderated()
    faults = _faults(state, text)
    earlier = state.seen[text]
    if faults:
        state.seen[text] += 1
    meeting = {} if "once" in faults and earlier else faults
    if (broken := _before(meeting, earlier)) is not None:
        return broken
    with disk_trouble_told():
        answer = await take(faults)
    if isinstance(seconds := meeting.get("create_hang"), float):
        await state.clock.sleep(seconds)
    return _answered(meeting, answer)


def _faults(state: SimulatorState, prompt: str) -> dict[str, FaultValue]:
    if not state.options.directives:
        return {}
    try:
        return parse_faults(prompt)
    except ValueError as error:
        raise invalid(str(error), "prompt") from None


def _before(faults: Faults, earlier: int) -> ASGIApp | None:
    """What goes wrong before a job is taken.

    Raises:
        Refused: the create is refused.
    """
    if "moderation" in faults:
        raise _moderated()
    if "create_400" in faults:
        raise invalid("The request is invalid, as it was asked to be.")
    if applies(faults, "create_401", earlier):
        raise Refused(401, "invalid_api_key", "Incorrect API key provided.")
    if applies(faults, "create_402", earlier):
        raise Refused(402, "billing_hard_limit_reached", "You exceeded your current quota.")
    _raise_if_busy(faults, earlier)
    if "create_500" in faults and faults["create_500"] != "committed":
        raise _server_error()
    if "create_502_html" in faults and faults["create_502_html"] != "committed":
        return _bad_gateway()
    return Dropped() if "create_drop_before" in faults else None


def _raise_if_busy(faults: Faults, earlier: int) -> None:
    after = faults.get("create_429")
    if isinstance(after, float) and not earlier:
        raise Refused(429, "rate_limit_exceeded", "Rate limit reached.", retry_after=after)
    if "create_503" not in faults:
        return
    after = faults["create_503"]
    if not isinstance(after, float):
        raise Refused(503, "server_error", "The server is overloaded.")
    if not earlier:
        raise Refused(503, "server_error", "The server is overloaded.", retry_after=after)


def _answered(faults: Faults, answer: dict[str, Any]) -> ASGIApp:
    """The answer to a job that was taken, or what is left of it."""
    if "create_500" in faults:
        return _server_error().response()
    if "create_502_html" in faults:
        return _bad_gateway()
    if "create_drop" in faults:
        return Dropped()
    if "create_half" in faults:
        return Halved(JSONResponse(answer))
    if "create_empty" in faults:
        return Response(b"", media_type="application/json")
    if "create_no_id" in faults:
        return JSONResponse({name: value for name, value in answer.items() if name != "id"})
    return JSONResponse(answer)


def _moderated() -> Refused:
    return Refused(400, MODERATION, MESSAGES[MODERATION], "prompt")


def _server_error() -> Refused:
    return Refused(500, "server_error", "The server had an error while processing your request.")


def _bad_gateway() -> Response:
    return HTMLResponse("<html><head><title>502 Bad Gateway</title></head></html>", 502)
