"""vLLM-Omni: forms only, failures with their own status, a DELETE that stops the work, and everything in memory."""

from __future__ import annotations

import re
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.profile_fakes.core import WORDS, Clip, Fake, Json, Refusal, golden

CREATED = golden("vllm_omni_created.json")
SAYS = WORDS["vllm-omni"]


class VLLMOmni(Fake):
    order: ClassVar[Json] = {"model": CREATED["model"], "seconds": 8}
    # Any number of seconds is taken, but only the model that is loaded.
    refused: ClassVar[Json] = {"model": "sora-2"}
    owner = "vllm"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.slow_aborts = 0
        """How many DELETEs to come are answered before the work has stopped."""
        self.aborted: list[str] = []
        self.late_files = False
        """Whether a job is completed a moment before its file is written."""
        self.failure_status = 500
        """What the look at a failed job is answered with; the failure may name another."""

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/videos", self._create),
            self.route("GET", "/videos", self._list),
            self.route("GET", "/videos/{id}", self._retrieve),
            self.route("DELETE", "/videos/{id}", self._delete),
            self.route("GET", "/videos/{id}/content", self._content),
            self.route("GET", "/models", self.models),
        ]

    def check_key(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refusal(JSONResponse({"error": "Unauthorized"}, 401))

    def refuse(self, status: int, message: str, code: str = "BadRequestError") -> Refusal:
        error = {"message": message, "type": code, "param": None, "code": status}
        return Refusal(JSONResponse({"error": error}, status))

    async def _create(self, request: Request) -> Response:
        order = await self.form_of(request)
        if "prompt" not in order:
            # What is in a JSON body is in no field of a form.
            raise self.refuse(
                400, "[{'type': 'missing', 'loc': ('body', 'prompt'), 'msg': 'Field required'}]"
            )
        if not re.fullmatch(r"[1-9]\d*", order.get("seconds", "4")):
            raise self.refuse(400, "String should match pattern '^[1-9]\\d*$'")
        if order.get("model", CREATED["model"]) != CREATED["model"]:
            raise self.refuse(400, SAYS["another model"])
        return JSONResponse(self._told(self.take(order, f"video_gen_{self.paid:032x}")))

    async def _list(self, request: Request) -> Response:
        clips, more = self.page(request, default=None)
        return self.listed([self._told(clip) for clip in clips], more)

    async def _retrieve(self, request: Request) -> Response:
        clip = self.find(request)
        told = self._told(clip)
        if clip.stage != "failed":
            return JSONResponse(told)
        told["error"]["code"] = self.failure_status
        return JSONResponse(told, self.failure_status)

    async def _delete(self, request: Request) -> Response:
        clip = self.find(request)
        if not clip.ended and self.slow_aborts:
            self.slow_aborts -= 1
            raise self.refuse(409, SAYS["aborting"])
        if clip.stage == "completed" and self.late_files:
            raise self.refuse(409, SAYS["without a file"])
        if not clip.ended:
            self.aborted.append(clip.id)
        del self.clips[clip.id]
        return JSONResponse({"id": clip.id, "deleted": True, "object": "video.deleted"})

    async def _content(self, request: Request) -> Response:
        clip = self.find(request)
        if clip.stage == "failed":
            raise self.refuse(422, "Video generation failed. Check job status for error details.")
        if clip.stage != "completed" or self.late_files:
            raise self.refuse(404, SAYS["not ready"])
        return self.sent(request)

    def _told(self, clip: Clip) -> Json:
        done = clip.stage == "completed"
        told = CREATED | {
            "id": clip.id,
            "prompt": clip.order["prompt"],
            "size": clip.order.get("size"),
            "seconds": clip.order.get("seconds", "4"),
            "created_at": clip.created_at,
            "status": "in_progress" if clip.stage == "running" else clip.stage,
            "progress": 100 if done else 0,
        }
        if done:
            told |= {
                "completed_at": clip.created_at + 60,
                "file_name": f"{clip.id}.mp4",
                "inference_time_s": 60.0,
            }
        if clip.stage == "failed":
            told["error"] = {"code": "generation_failed", "message": clip.error}
        return told
