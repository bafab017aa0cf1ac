"""Tokens-Pool: ``/sora/v1``, a licence as key with or without ``Bearer``, ``sora_video2``, and errors that are text."""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.profile_fakes.core import Clip, Fake, Image, Json, Refusal


class TokensPool(Fake):
    base = "/sora/v1"
    order: ClassVar[Json] = {"model": "sora_video2", "seconds": 10}
    refused: ClassVar[Json] = {"seconds": 8}

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/videos", self._create),
            self.route("GET", "/videos/{id}", self._retrieve),
            self.route("GET", "/videos/{id}/content", self._content),
            self.route("POST", "/videos/{id}/remix", self._remix),
            Route("/files/{id}.mp4", self._file),
        ]

    def licence(self) -> str:
        return f"Bearer {self.key}"

    def check_key(self, request: Request) -> None:
        if request.headers.get("authorization") != self.licence():
            raise self.refuse(401, "invalid licence")

    def refuse(self, status: int, message: str, code: str = "") -> Refusal:
        return Refusal(JSONResponse({"error": message}, status))

    async def _create(self, request: Request) -> Response:
        order = await self.fields_of(request)
        files = [name for name, value in order.items() if isinstance(value, Image)]
        if files not in ([], ["input_reference[]"]):
            raise self.refuse(400, f"unexpected file {files}")
        if str(order.get("duration", order.get("seconds", 10))) not in ("10", "15", "25"):
            raise self.refuse(400, "duration must be 10, 15 or 25")
        return self._taken(order)

    async def _remix(self, request: Request) -> Response:
        if self.find(request).stage != "completed":
            raise self.refuse(400, "the video is not completed")
        return self._taken(await self.json_of(request))

    def _taken(self, order: Json) -> Response:
        # Size, length and quality may be dashed into the model's name, in any order.
        if not order.get("model", "").startswith("sora_video2"):
            raise self.refuse(400, "unknown model")
        return JSONResponse(self._told(self.take(order, f"video_{self.paid:016x}"), None))

    async def _retrieve(self, request: Request) -> Response:
        return JSONResponse(self._told(self.find(request), request))

    async def _content(self, request: Request) -> Response:
        if self.find(request).stage != "completed":
            raise self.refuse(404, "video not ready")
        return self.sent(request)

    async def _file(self, request: Request) -> Response:
        return self.sent(request)

    def _told(self, clip: Clip, request: Request | None) -> Json:
        told: Json = {
            "id": clip.id,
            "object": "video",
            "model": clip.order["model"],
            "status": clip.stage if clip.ended else "processing",
            "progress": clip.progress,
            "created_at": clip.created_at,
        }
        if clip.error:
            told["error"] = clip.error
        if clip.stage == "completed" and request is not None:
            told["video_url"] = f"{request.base_url}files/{clip.id}.mp4"
        return told


class TokensPoolRaw(TokensPool):
    """Its older versions."""

    def licence(self) -> str:
        return self.key
