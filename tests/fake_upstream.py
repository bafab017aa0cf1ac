"""The smallest honest ``/v1/videos``: jobs in memory that move when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(4000)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "


@dataclass
class FakeUpstream:
    """*jobs*: id -> the object that a look is answered with. *key* is the only one that it takes."""

    key: str
    jobs: dict[str, dict[str, object]] = field(default_factory=dict)
    characters: list[str] = field(default_factory=list)
    """The names of those that were made."""

    def finish(self) -> None:
        """Every job that runs is ready."""
        for job in self.jobs.values():
            job |= {"status": "completed", "progress": 100}

    def fail(self, reason: str) -> None:
        """Every job that runs has failed."""
        for job in self.jobs.values():
            job |= {"status": "failed", "error": {"code": "server_error", "message": reason}}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/videos", self._create, methods=["POST"]),
                Route("/v1/videos", self._list),
                Route("/v1/videos/edits", self._edit, methods=["POST"]),
                Route("/v1/videos/extensions", self._extend, methods=["POST"]),
                Route("/v1/videos/characters", self._create_character, methods=["POST"]),
                Route("/v1/videos/{id}/remix", self._remix, methods=["POST"]),
                Route("/v1/videos/{id}", self._retrieve),
                Route("/v1/videos/{id}", self._delete, methods=["DELETE"]),
                Route("/v1/videos/{id}/content", self._content),
            ]
        )

    def _refused(self, request: Request, status: int = 401, message: str = "Invalid key.") -> Response | None:
        if status == 401 and request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status)

    async def _create(self, request: Request) -> Response:
        order = await _fields(request)
        return self._refused(request) or self._wrong(request, order) or self._taken()

    async def _remix(self, request: Request) -> Response:
        source = {"id": request.path_params["id"]}
        return self._refused(request) or self._wrong_source(request, source) or self._taken()

    async def _edit(self, request: Request) -> Response:
        order = await _fields(request)
        return self._refused(request) or self._wrong_source(request, order["video"]) or self._taken()

    async def _extend(self, request: Request) -> Response:
        order = await _fields(request)
        wrong = self._wrong(request, order) or self._wrong_source(request, order["video"])
        return self._refused(request) or wrong or self._taken()

    async def _create_character(self, request: Request) -> Response:
        order = await _fields(request)
        if refused := self._refused(request) or self._wrong_source(request, order["video"]):
            return refused
        self.characters.append(str(order["name"]))
        made = {"id": f"char_{len(self.characters) - 1}", "name": self.characters[-1], "created_at": 1}
        return JSONResponse(made)

    def _wrong(self, request: Request, order: dict[str, Any]) -> Response | None:
        if order["seconds"] not in ("4", "8", "12"):
            return self._refused(request, 400, "seconds must be 4, 8 or 12.")
        known = {f"char_{number}" for number in range(len(self.characters))}
        if not {one["id"] for one in order.get("characters", [])} <= known:
            return self._refused(request, 400, "No such character.")
        return None

    def _wrong_source(self, request: Request, source: bytes | dict[str, str]) -> Response | None:
        if isinstance(source, bytes):
            return None if source[4:8] == b"ftyp" else self._refused(request, 400, "That is no video.")
        job = self.jobs.get(source["id"])
        if job is None:
            return self._refused(request, 404, "No such video.")
        return None if job["status"] == "completed" else self._refused(request, 400, "Not completed yet.")

    def _taken(self) -> Response:
        job: dict[str, object] = {
            "id": f"video_{len(self.jobs)}",
            "object": "video",
            "status": "queued",
            "progress": 0,
            "error": None,
        }
        self.jobs[str(job["id"])] = job
        return JSONResponse(job)

    async def _list(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"object": "list", "data": list(self.jobs.values())})

    async def _retrieve(self, request: Request) -> Response:
        job = self.jobs.get(request.path_params["id"])
        return self._refused(request) or (JSONResponse(job) if job else Response(status_code=404))

    async def _delete(self, request: Request) -> Response:
        job = self.jobs.pop(request.path_params["id"], None)
        if job is None:
            return Response(status_code=404)
        return JSONResponse({"id": job["id"], "object": "video.deleted", "deleted": True})

    async def _content(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        job = self.jobs.get(request.path_params["id"])
        if job is None or job["status"] != "completed":
            return Response(status_code=404)
        if request.query_params.get("variant") == "thumbnail":
            return Response(WEBP, media_type="image/webp")
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"etag": '"v1"', "content-range": f"bytes {start}-{len(MP4) - 1}/{len(MP4)}"}
        if not start:
            del headers["content-range"]
        return Response(MP4[start:], 206 if start else 200, headers, "video/mp4")


async def _fields(request: Request) -> dict[str, Any]:
    """The body's fields, JSON or form; a file is its bytes."""
    async with request.form() as form:
        if not form:
            fields: dict[str, Any] = await request.json()
            return fields
        return {
            name: await value.read() if isinstance(value, UploadFile) else value
            for name, value in form.items()
        } | {"characters": [{"id": value} for value in form.getlist("characters[][id]")]}
