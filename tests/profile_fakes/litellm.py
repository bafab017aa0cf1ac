"""LiteLLM's proxy before one provider: long ids that say which, no DELETE, no list without a provider, whole files.

An id names the model in the answer to a create, and in no other. A create whose answer is lost is sent again, twice,
unless a header forbids it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.profile_fakes.core import Clip, Fake, Json, Refusal

_PROVIDER = "hosted_vllm"
_TRIES = 3


class LiteLLM(Fake):
    order: ClassVar[Json] = {"model": "wan-2.2", "seconds": 8}
    refused: ClassVar[Json] = {"model": "sora-2"}
    ranges = False
    signs: Mapping[str, str] = {"x-litellm-call-id": "0f3c", "x-litellm-version": "1.106.0"}
    loses_answers = False
    """Whether its provider takes every create and breaks the connection."""

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
        if self.loses_answers:
            once = request.headers.get("x-litellm-num-retries") == "0"
            self.paid += 1 if once else _TRIES
            raise self.refuse(500, "InternalServerError: Server disconnected", "internal_server_error")
        clip = self.take(order, _wrapped(f"video_gen_{self.paid:032x}", order["model"]))
        return JSONResponse(self._told(clip, clip.id))

    async def _list(self, request: Request) -> Response:
        raise self.refuse(400, "custom_llm_provider is required")

    async def _retrieve(self, request: Request) -> Response:
        clip = self.find(request)
        return JSONResponse(self._told(clip, _wrapped(_inner(clip.id))))

    async def _content(self, request: Request) -> Response:
        if self.find(request).stage != "completed":
            raise self.refuse(404, "Generation is still in-progress")
        # It has read the whole file into memory, and passes on nothing but its bytes.
        headers = {"content-disposition": "attachment; filename=video.mp4"}
        return Response(self.file, 200, headers, "video/mp4")

    def _told(self, clip: Clip, wrapped: str) -> Json:
        return {
            "id": wrapped,
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


def _wrapped(own_id: str, model: str = "") -> str:
    text = f"litellm:custom_llm_provider:{_PROVIDER};model_id:{model};video_id:{own_id}"
    return f"video_{base64.b64encode(text.encode()).decode()}"


def _inner(wrapped: str) -> str:
    return base64.b64decode(wrapped.removeprefix("video_")).decode().rpartition(":")[2]
