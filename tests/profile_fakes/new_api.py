"""new-api in its two languages: its own errors, a database that lags behind, and files that are cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.profile_fakes.core import NOW, WORDS, Clip, Fake, Json, Refusal, golden

CREATED, COMPLETED = golden("new_api_created.json"), golden("new_api_completed.json")
ERROR, LEGACY = golden("new_api_error.json"), golden("new_api_legacy.json")
SAYS = WORDS["new-api"]
PROVIDERS_REFUSAL = '{"error":{"message":"seconds must be 4, 8 or 12","type":"invalid_request_error"}}'


class _Tasks(Fake):
    """What both languages have: tasks in a database, which a loop fills every 15 seconds."""

    signs: Mapping[str, str] = {"X-Oneapi-Request-Id": "20261101", "X-New-Api-Version": "v0.9.6"}

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.lagging = False
        """Whether looks are answered with what the loop found when it last ran: see :meth:`sweep`."""
        self._known: dict[str, tuple[str, int, str]] = {}

    def sweep(self) -> None:
        self._known = {clip.id: (clip.stage, clip.progress, clip.error) for clip in self.clips.values()}

    def routes(self) -> list[Route]:
        return [
            self.route("GET", "/models", self.models),
            Route("/provider/{id}.mp4", self._provider),
        ]

    def check_key(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise _as_openai(401, "无效的令牌", "new_api_error")

    def refuse(self, status: int, message: str, code: str = "fail_to_fetch_task") -> Refusal:
        return Refusal(JSONResponse(ERROR | {"code": code, "message": message}, status))

    def unknown(self) -> Refusal:
        return self.refuse(400, SAYS["unknown task"], SAYS["unknown task"])

    async def no_route(self, request: Request, error: Exception) -> Response:
        return _as_openai(404, f"Invalid URL ({request.method} {request.url.path})").response

    def taken(self, order: Json, seconds: object) -> Clip:
        if seconds not in ("4", "8", "12", 4, 8, 12):
            raise self.refuse(400, PROVIDERS_REFUSAL)
        clip = self.take(order, f"task_{self.paid:032d}")
        self.sweep()
        return clip

    def found(self, request: Request) -> Clip:
        """The task as the database has it."""
        clip = self.find(request)
        if not self.lagging:
            self.sweep()
        stage, progress, error = self._known[clip.id]
        return Clip(clip.id, clip.order, clip.created_at, stage, progress, error)

    def address(self, clip: Clip, request: Request) -> str:
        return f"{request.base_url}provider/{clip.id}.mp4"

    async def _provider(self, request: Request) -> Response:
        return self.sent(request)


class NewAPI(_Tasks):
    """``/v1/videos``."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.provider_has_addresses = True
        """OpenAI's and Sora's channels have none: the file comes through new-api."""
        self.cut_after: int | None = None
        """Bytes that pass through before its minute is over."""

    def routes(self) -> list[Route]:
        return [
            *super().routes(),
            self.route("POST", "/videos", self._create),
            self.route("GET", "/videos/{id}", self._retrieve),
            self.route("GET", "/videos/{id}/content", self._content),
        ]

    async def _create(self, request: Request) -> Response:
        order = await self.fields_of(request)
        clip = self.taken(order, order.get("seconds", order.get("duration")))
        return JSONResponse(self._told(clip))

    async def _retrieve(self, request: Request) -> Response:
        clip = self.found(request)
        told = self._told(clip)
        if clip.stage == "completed" and self.provider_has_addresses:
            told |= COMPLETED | {"id": clip.id, "metadata": {"url": self.address(clip, request)}}
        return JSONResponse(told)

    async def _content(self, request: Request) -> Response:
        if request.path_params["id"] not in self.clips:
            raise _as_openai(404, "Task not found")
        if self.found(request).stage != "completed":
            raise _as_openai(400, SAYS["not ready"])
        whole = self.sent(request)
        if self.cut_after is None or len(whole.body) <= self.cut_after:
            return whole

        async def a_minute_long() -> AsyncIterator[bytes]:
            yield bytes(whole.body[: self.cut_after])
            raise TimeoutError("context deadline exceeded")

        return StreamingResponse(a_minute_long(), whole.status_code, dict(whole.headers))

    def _told(self, clip: Clip) -> Json:
        told = CREATED | {
            "id": clip.id,
            "task_id": clip.id,
            "model": clip.order["model"],
            "status": "in_progress" if clip.stage == "running" else clip.stage,
            "progress": 100 if clip.stage == "failed" else clip.progress // 10 * 10,
            "created_at": clip.created_at,
            "seconds": clip.order.get("seconds"),
            "size": clip.order.get("size"),
        }
        return told | {"error": {"message": clip.error, "code": ""}} if clip.error else told


class NewAPILegacy(_Tasks):
    """``/v1/video/generations``."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.url_in_fail_reason = False
        """As in old builds."""

    def routes(self) -> list[Route]:
        return [
            *super().routes(),
            self.route("POST", "/video/generations", self._create),
            self.route("GET", "/video/generations/{id}", self._retrieve),
        ]

    async def _create(self, request: Request) -> Response:
        order = await self.json_of(request)
        if not isinstance(order.get("image", ""), str):
            raise self.refuse(
                400, "cannot unmarshal object into field image of type string", "invalid_request"
            )
        return JSONResponse({"task_id": self.taken(order, order.get("duration")).id})

    async def _retrieve(self, request: Request) -> Response:
        clip = self.found(request)
        words = {"queued": "QUEUED", "running": "IN_PROGRESS", "completed": "SUCCESS", "failed": "FAILURE"}
        url = self.address(clip, request) if clip.stage == "completed" else ""
        data = LEGACY["data"] | {
            "task_id": clip.id,
            "status": words[clip.stage],
            "progress": f"{100 if clip.ended else clip.progress // 10 * 10}%",
            "fail_reason": clip.error or (url if self.url_in_fail_reason else ""),
            "result_url": "" if self.url_in_fail_reason else url,
            "submit_time": clip.created_at,
            "start_time": 0 if clip.stage == "queued" else NOW,
            "finish_time": NOW + 60 if clip.ended else 0,
        }
        return JSONResponse(LEGACY | {"data": data})


def _as_openai(status: int, message: str, kind: str = "invalid_request_error") -> Refusal:
    """Keys, unknown addresses and the content route have OpenAI's errors."""
    return Refusal(JSONResponse({"error": {"message": message, "type": kind}}, status))
