"""The simulator's routes: OpenAI's ``/v1/videos`` over :class:`SimulatorState`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sora_gateway.upstream.simulator.broken import CUT, Halved, Truncated
from sora_gateway.upstream.simulator.creating import create, create_character, edit, extend, remix
from sora_gateway.upstream.simulator.faults import applies
from sora_gateway.upstream.simulator.files import MEDIA_TYPES
from sora_gateway.upstream.simulator.orders import MODELS
from sora_gateway.upstream.simulator.refusals import Refused, disk_trouble_told, invalid
from sora_gateway.upstream.simulator.state import SimulatorState
from sora_gateway.upstream.simulator.timeline import Record, moment, video_object

MAX_PAGE = 100
PAGE = 20
FILE_PATIENCE = 20.0
"""Seconds that a request waits for a file that is still being rendered."""

Handler = Callable[[SimulatorState, Request], Awaitable[ASGIApp]]


def build_simulator(state: SimulatorState) -> Starlette:
    """The simulator as an ASGI application under ``/v1``. Its lifespan closes *state*; where no lifespan
    runs (called in process), whoever made *state* closes it.
    """

    def route(path: str, method: str, handler: Handler) -> Route:
        async def endpoint(request: Request) -> ASGIApp:
            _authenticate(state, request)
            return await handler(state, request)

        return Route(f"/v1{path}", endpoint, methods=[method])

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await state.aclose()

    return Starlette(
        routes=[
            route("/models", "GET", _models),
            route("/videos", "POST", create),
            route("/videos", "GET", _list),
            # Before /videos/{id}, which fits them too.
            route("/videos/edits", "POST", edit),
            route("/videos/extensions", "POST", extend),
            route("/videos/characters", "POST", create_character),
            route("/videos/characters/{id}", "GET", _character),
            route("/videos/{id}", "GET", _retrieve),
            route("/videos/{id}", "DELETE", _delete),
            route("/videos/{id}/content", "GET", _content),
            route("/videos/{id}/remix", "POST", remix),
        ],
        exception_handlers={
            Refused: _refused,
            HTTPException: _routing_trouble,
        },
        lifespan=lifespan,
    )


def _authenticate(state: SimulatorState, request: Request) -> None:
    key = state.options.api_key
    given = request.headers.get("authorization", "")
    if key and not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
        raise Refused(401, "invalid_api_key", "Incorrect API key provided.")


async def _models(state: SimulatorState, request: Request) -> Response:
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "sora-gateway-simulator"} for name in MODELS
    ]
    return JSONResponse({"object": "list", "data": models})


async def _list(state: SimulatorState, request: Request) -> Response:
    records = [record for record in state.records() if "amnesia" not in record.faults]
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid("Order must be asc or desc.", "order", "invalid_value")
    if order == "desc":
        records.reverse()
    if after := request.query_params.get("after"):
        ids = [record.id for record in records]
        # After what is not there comes nothing.
        records = records[ids.index(after) + 1 :] if after in ids else []
    limit = _limit(request)
    now = state.clock.now()
    page = [video_object(record, now) for record in records[:limit]]
    return JSONResponse(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(records) > limit,
        }
    )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(PAGE))
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > MAX_PAGE:
        raise invalid(f"Limit must be 0 to {MAX_PAGE}.", "limit", "invalid_value")
    return int(text)


async def _retrieve(state: SimulatorState, request: Request) -> Response:
    record = _known(state, request)
    if _meets(state, record, "poll_500"):
        raise Refused(500, "server_error", "The server had an error while processing your request.")
    return JSONResponse(video_object(record, state.clock.now()))


async def _delete(state: SimulatorState, request: Request) -> Response:
    """Ended or not, the job is gone afterwards; one that still ran is stopped."""
    record = _known(state, request)
    with disk_trouble_told():
        await state.delete(record.id)
    return JSONResponse({"id": record.id, "object": "video.deleted", "deleted": True})


async def _character(state: SimulatorState, request: Request) -> Response:
    made = state.character(request.path_params["id"])
    if made is None:
        raise Refused(404, "not_found", "There is no character with this id.", "id")
    return JSONResponse(made)


async def _content(state: SimulatorState, request: Request) -> ASGIApp:
    record = _known(state, request)
    variant = request.query_params.get("variant", "video")
    if variant not in MEDIA_TYPES:
        raise invalid(f"Variant must be one of {', '.join(MEDIA_TYPES)}.", "variant", "invalid_value")
    status = moment(record, state.clock.now()).status
    if status == "failed":
        raise Refused(404, "not_found", "The video failed; there is no file.")
    if status != "completed":
        raise Refused(404, "not_ready", "Generation is still in progress.")
    if variant == "video" and (fault := _content_fault(state, record)) is not None:
        return fault
    answer = await _file(state, record, variant)
    return _cut(state, record, answer) if variant == "video" else answer


async def _file(state: SimulatorState, record: Record, variant: str) -> Response:
    try:
        async with asyncio.timeout(FILE_PATIENCE):
            path = await state.files.path(record, variant)
    except TimeoutError:
        raise Refused(404, "not_ready", "The file is still being written.") from None
    return FileResponse(path, media_type=MEDIA_TYPES[variant])


def _content_fault(state: SimulatorState, record: Record) -> Response | None:
    """What comes instead of the file."""
    if "content_404" in record.faults and _meets(state, record, "content_404"):
        raise Refused(404, "not_ready", "The file is not there yet.")
    if _meets(state, record, "wrong_type"):
        return HTMLResponse("<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>")
    return None


def _cut(state: SimulatorState, record: Record, answer: Response) -> ASGIApp:
    """What becomes of the file on the way."""
    if _meets(state, record, "content_drop"):
        return Halved(answer, CUT)
    if _meets(state, record, "truncate"):
        return Truncated(answer)
    return answer


def _known(state: SimulatorState, request: Request) -> Record:
    record = state.visible(request.path_params["id"])
    if record is None:
        raise Refused(404, "not_found", "There is no video with this id.", "id")
    return record


def _meets(state: SimulatorState, record: Record, fault: str) -> bool:
    """Whether *record*'s *fault* meets this request; counts it."""
    if fault not in record.faults:
        return False
    key = f"{fault} {record.id}"
    state.seen[key] += 1
    return applies(record.faults, fault, state.seen[key] - 1)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response()


def _routing_trouble(request: Request, error: Exception) -> Response:
    """No such route, or a multipart body that cannot be parsed."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    return Refused(
        error.status_code, code, f"{request.method} {request.url.path}: {error.detail}."
    ).response()
