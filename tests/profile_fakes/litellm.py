"""LiteLLM's proxy before one provider: long ids that say which, no DELETE, no list without a provider, whole files."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.profile_fakes.core import Clip, Fake, Json, Refusal

_PROVIDER = "litellm:custom_llm_provider:hosted_vllm;model_id:wan-2.2;video_id:"


class LiteLLM(Fake):
    order: ClassVar[Json] = {"model": "wan-2.2", "seconds": 8}
    refused: ClassVar[Json] = {"model": "sora-2"}
    ranges = False
    signs: Mapping[str, str] = {"x-litellm-call-id": "0f3c", "x-litellm-version": "1.106.0"}

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/videos", self._create),
            self.route("GET", "/videos", self._list),
            self.route("GET", "/videos/{id}", self._retrieve),
            self.route("GET", "/videos/{id}/content", self._content),
            self.route("GET", "/models", self.models),
        ]

    def refuse(self, status: int, message: str, code: str = "") -> Refusal:
        error = {"message": message, "type": code or None, "param": None, "code": str(status)}
        return Refusal(JSONResponse({"error": error}, status))

    async def _create(self, request: Request) -> Response:
        order = await self.fields_of(request)
        if order.get("model") != self.order["model"]:
            raise self.refuse(400, f"/videos: Invalid model name passed in model={order.get('model')}.")
        long_id = base64.b64encode(f"{_PROVIDER}video_gen_{self.paid:032x}".encode()).decode()
        return JSONResponse(self._told(self.take(order, f"video_{long_id}")))

    async def _list(self, request: Request) -> Response:
        raise self.refuse(400, "custom_llm_provider is required")

    async def _retrieve(self, request: Request) -> Response:
        return JSONResponse(self._told(self.find(request)))

    async def _content(self, request: Request) -> Response:
        if self.find(request).stage != "completed":
            raise self.refuse(404, "Generation is still in-progress")
        # It has read the whole file into memory, and passes on nothing but its bytes.
        headers = {"content-disposition": "attachment; filename=video.mp4"}
        return Response(self.file, 200, headers, "video/mp4")

    def _told(self, clip: Clip) -> Json:
        return {
            "id": clip.id,
            "object": "video",
            "model": clip.order["model"],
            "status": "processing" if clip.stage == "running" else clip.stage,
            "progress": clip.progress,
            # Some providers tell no time.
            "created_at": 0,
            "size": clip.order.get("size"),
            "seconds": clip.order.get("seconds"),
            "error": {"code": "500", "message": clip.error} if clip.error else None,
        }
