"""The smallest honest ``/v1/videos``: jobs in memory that move when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.applications import Starlette
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

    def finish(self) -> None:
        """Every job that runs is ready."""
        for job in self.jobs.values():
            job |= {"status": "completed", "progress": 100}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/videos", self._create, methods=["POST"]),
                Route("/v1/videos", self._list),
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
        if refused := self._refused(request):
            return refused
        async with request.form() as form:
            order = dict(form) if form else await request.json()
        if order["seconds"] not in ("4", "8", "12"):
            return self._refused(request, 400, "seconds must be 4, 8 or 12.") or Response()
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
