"""What the fakes share: jobs in memory that move when a test says so, forms, pages and ranges."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.sample_videos import sample_mp4

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

GOLDEN = Path(__file__).parent.parent / "golden"
NOW = 1_763_700_000
"""When the first job was made, in epoch seconds; the others follow, two in each second."""


def golden(name: str) -> Json:
    """A documented answer."""
    return dict(json.loads((GOLDEN / name).read_text(encoding="utf-8")))


WORDS: Json = golden("words.json")
"""Server -> occasion -> what it says, word for word."""


@dataclass
class Clip:
    """One job. *stage*: queued, running, completed, failed, cancelled."""

    id: str
    order: Json
    created_at: int
    stage: str = "queued"
    progress: int = 0
    error: str = ""

    @property
    def ended(self) -> bool:
        return self.stage not in ("queued", "running")


@dataclass(frozen=True)
class Image:
    """A file part of a form."""

    filename: str
    data: bytes
    media_type: str


class Refusal(Exception):
    """What a request is answered with instead."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass
class Asked:
    """One request that arrived with the right key."""

    method: str
    path: str
    query: dict[str, str]
    fields: Json = field(default_factory=dict)


class Fake:
    """One server. Subclasses say how it is asked, what it says, and in which words it refuses.

    *order* are the model and the seconds that it takes; *refused* is a change of them that it does not take.
    """

    base = "/v1"
    order: ClassVar[Json] = {"model": "sora-2", "seconds": 8}
    refused: ClassVar[Json] = {"seconds": 7777}
    ranges = True
    """Whether its files can be had from the middle on."""
    signs: Mapping[str, str] = {}
    """Headers that every answer of it carries."""
    owner = "openai"
    """Whom its models belong to, in its list of them."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.clips: dict[str, Clip] = {}
        self.asked: list[Asked] = []
        self.paid = 0
        """The creates that it has taken, also those that it has forgotten since."""
        self.file = sample_mp4()

    # --- what a test does to it --------------------------------------------------------------------

    def start(self, progress: int = 40) -> None:
        """Every job that waits or runs is at work, so far."""
        for clip in self.alive():
            clip.stage, clip.progress = "running", progress

    def finish(self) -> None:
        """Every job that runs is ready."""
        for clip in self.alive():
            clip.stage, clip.progress = "completed", 100

    def fail(self, reason: str) -> None:
        """Every job that runs has failed."""
        for clip in self.alive():
            clip.stage, clip.error = "failed", reason

    def restart(self) -> None:
        """It forgets everything, as servers do that keep their jobs in memory."""
        self.clips.clear()

    def alive(self) -> Iterable[Clip]:
        return [clip for clip in self.clips.values() if not clip.ended]

    # --- for subclasses ----------------------------------------------------------------------------

    def app(self) -> ASGIApp:
        async def refusal(_: Request, error: Exception) -> Response:
            assert isinstance(error, Refusal)
            return error.response

        handlers = {Refusal: refusal, 404: self.no_route, 405: self.no_route}
        inner = Starlette(routes=self.routes(), exception_handlers=handlers)

        async def signed(scope: Scope, receive: Receive, send: Send) -> None:
            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).update(self.signs)
                await send(message)

            await inner(scope, receive, sent)

        return signed

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """*path* below the base; the handler runs only with the right key."""

        async def called(request: Request) -> Response:
            self.check_key(request)
            self.asked.append(Asked(request.method, request.url.path, dict(request.query_params)))
            return await handler(request)

        return Route(self.base + path, called, methods=[method])

    def check_key(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise self.refuse(401, "Invalid key.")

    def refuse(self, status: int, message: str, code: str = "") -> Refusal:
        """In this server's own form."""
        raise NotImplementedError

    def unknown(self) -> Refusal:
        """Of an id that it has not, or no longer."""
        return self.refuse(404, "Video not found")

    async def no_route(self, request: Request, error: Exception) -> Response:
        """What FastAPI says of an address or a method that it does not have."""
        status = getattr(error, "status_code", 404)
        return JSONResponse({"detail": "Method Not Allowed" if status == 405 else "Not Found"}, status)

    def take(self, order: Json, clip_id: str) -> Clip:
        clip = Clip(clip_id, order, NOW + self.paid // 2)
        self.paid += 1
        self.clips[clip.id] = clip
        return clip

    def find(self, request: Request) -> Clip:
        clip = self.clips.get(request.path_params["id"])
        if clip is None:
            raise self.unknown()
        return clip

    async def json_of(self, request: Request) -> Json:
        try:
            fields = await request.json()
        except ValueError:
            raise self.refuse(400, "The body is not JSON.") from None
        self.asked[-1].fields = fields
        return dict(fields)

    async def form_of(self, request: Request) -> Json:
        """The fields of a form; in any other body there are none."""
        fields: Json = {}
        async with request.form() as form:
            for name, value in form.multi_items():
                fields[name] = (
                    Image(value.filename or "", await value.read(), value.content_type or "")
                    if isinstance(value, UploadFile)
                    else value
                )
        self.asked[-1].fields = fields
        return fields

    async def fields_of(self, request: Request) -> Json:
        """JSON or a form, whichever it is."""
        is_json = request.headers.get("content-type", "").startswith("application/json")
        return await (self.json_of if is_json else self.form_of)(request)

    def page(self, request: Request, default: int | None, most: int = 100) -> tuple[list[Clip], bool]:
        """What a list request asks for, newest first, and whether there is more."""
        query = request.query_params
        limit = int(query["limit"]) if "limit" in query else default
        if limit is not None and not 0 <= limit <= most:
            raise self.refuse(422, f"limit must be at most {most}")
        # By whole seconds, as all of them do: jobs of one second keep the order in which they were made.
        newest_first = query.get("order", "desc") == "desc"
        clips = sorted(self.clips.values(), key=lambda clip: clip.created_at, reverse=newest_first)
        if "after" in query:
            ids = [clip.id for clip in clips]
            clips = clips[ids.index(query["after"]) + 1 :] if query["after"] in ids else []
        return (clips, False) if limit is None else (clips[:limit], len(clips) > limit)

    async def models(self, request: Request) -> Response:
        model = {"id": self.order["model"], "object": "model", "owned_by": self.owner}
        return JSONResponse({"object": "list", "data": [model]})

    def listed(self, rows: list[Json], more: bool) -> Response:
        ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
        empty = {"object": "list", "data": rows, "first_id": None, "last_id": None, "has_more": more}
        return JSONResponse(empty | ends)

    def sent(self, request: Request, etag: str = '"v1"') -> Response:
        """The file, or what is left of it from the byte on that a Range asks for."""
        wanted = request.headers.get("range")
        if wanted is None or request.headers.get("if-range", etag) != etag or not self.ranges:
            return Response(self.file, 200, {"etag": etag}, "video/mp4")
        start, size = int(wanted.removeprefix("bytes=").rstrip("-")), len(self.file)
        if start >= size:
            return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
        headers = {"etag": etag, "content-range": f"bytes {start}-{size - 1}/{size}"}
        return Response(self.file[start:], 206, headers, "video/mp4")
