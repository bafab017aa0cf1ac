"""SGLang: no prompt in its objects, twenty rows in its list, no variants, no key, and a DELETE that stops nothing."""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.profile_fakes.core import WORDS, Clip, Fake, Json, Refusal

SAYS = WORDS["sglang"]


class SGLang(Fake):
    refused: ClassVar[Json] = {"seconds": 0}
    owner = "sglang"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.in_the_cloud = False
        """Whether files are uploaded somewhere, and not kept."""

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/videos", self._create),
            self.route("GET", "/videos", self._list),
            self.route("GET", "/videos/{id}", self._retrieve),
            self.route("DELETE", "/videos/{id}", self._delete),
            self.route("GET", "/videos/{id}/content", self._content),
            self.route("GET", "/models", self.models),
            Route("/cloud/{id}.mp4", self._cloud),
        ]

    def check_key(self, request: Request) -> None:
        """It asks nobody for a key."""

    def refuse(self, status: int, message: str, code: str = "") -> Refusal:
        return Refusal(JSONResponse({"detail": message}, status))

    async def _create(self, request: Request) -> Response:
        order = await self.fields_of(request)
        if not order.get("prompt"):
            raise self._invalid("prompt", "Field required")
        try:
            # A text is taken for a number.
            order["seconds"] = int(order.get("seconds", 4))
        except ValueError:
            raise self._invalid("seconds", "Input should be a valid integer") from None
        if order["seconds"] < 1:
            raise self._invalid("seconds", "Input should be greater than or equal to 1")
        return JSONResponse(self._told(self.take(order, f"{self.paid:032x}"), request))

    def _invalid(self, name: str, message: str) -> Refusal:
        return Refusal(JSONResponse({"detail": [{"loc": ["body", name], "msg": message}]}, 422))

    async def _list(self, request: Request) -> Response:
        if request.query_params.get("limit") == "0":
            raise self._invalid("limit", "Input should be greater than or equal to 1")
        clips, more = self.page(request, default=20)
        return self.listed([self._told(clip, request) for clip in clips], more)

    async def _retrieve(self, request: Request) -> Response:
        return JSONResponse(self._told(self.find(request), request))

    async def _delete(self, request: Request) -> Response:
        # The record goes; what computes it is not told.
        clip = self.clips.pop(self.find(request).id)
        return JSONResponse(self._told(clip, request) | {"status": "deleted"})

    async def _content(self, request: Request) -> Response:
        clip, variant = self.find(request), request.query_params.get("variant", "0")
        if not variant.isdecimal():
            raise self.refuse(404, SAYS["wrong variant"].replace("variant video", f"variant {variant}"))
        if clip.stage != "completed":
            raise self.refuse(404, "Generation is still in-progress")
        if self.in_the_cloud:
            raise self.refuse(400, SAYS["in the cloud"] + self._cloud_url(clip, request))
        return self.sent(request)

    async def _cloud(self, request: Request) -> Response:
        return self.sent(request)

    def _cloud_url(self, clip: Clip, request: Request) -> str:
        return f"{request.base_url}cloud/{clip.id}.mp4"

    def _told(self, clip: Clip, request: Request) -> Json:
        told: Json = {
            "id": clip.id,
            "object": "video",
            "model": clip.order.get("model", ""),
            "status": "in_progress" if clip.stage == "running" else clip.stage,
            "progress": clip.progress if clip.stage == "completed" else min(99, clip.progress),
            "created_at": clip.created_at,
            "size": clip.order.get("size", ""),
            "seconds": str(clip.order["seconds"]),
            "quality": "standard",
            "url": None,
            "urls": None,
            "file_path": None,
            "file_paths": None,
            "num_outputs": 1,
            "peak_memory_mb": None,
            "inference_time_s": None,
            "error": {"message": clip.error} if clip.error else None,
        }
        if clip.stage == "completed":
            path, url = f"/srv/outputs/{clip.id}.mp4", self._cloud_url(clip, request)
            here, there = {"file_path": path, "file_paths": [path]}, {"url": url, "urls": [url]}
            told |= there if self.in_the_cloud else here
        return told
