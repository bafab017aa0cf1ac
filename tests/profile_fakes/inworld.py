"""Inworld: creates that can be sent again under their key, and addresses that are signed anew at every look."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.profile_fakes.core import Clip, Fake, Json, Refusal


class Inworld(Fake):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.by_key: dict[str, Clip] = {}
        """The first job of each ``Idempotency-Key``."""
        self._signatures: dict[str, int] = {}

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/videos", self._create),
            self.route("GET", "/videos", self._list),
            self.route("GET", "/videos/{id}", self._retrieve),
            Route("/signed/{id}/{number:int}.mp4", self._file),
        ]

    def refuse(self, status: int, message: str, code: str = "invalid_request_error") -> Refusal:
        return Refusal(JSONResponse({"error": {"message": message, "type": code, "code": None}}, status))

    def cancel(self) -> None:
        """Every job that runs has been stopped there, by somebody else."""
        for clip in self.alive():
            clip.stage = "cancelled"

    def expire(self) -> None:
        """Every address that was ever signed is too old."""
        self._signatures = {clip_id: number + 1 for clip_id, number in self._signatures.items()}

    async def _create(self, request: Request) -> Response:
        order, key = await self.json_of(request), request.headers.get("idempotency-key")
        if key in self.by_key:
            return JSONResponse(self._told(self.by_key[key]))
        if order.get("seconds") not in ("4", "8", "12"):
            raise self.refuse(400, "seconds must be 4, 8 or 12.")
        clip = self.take(order, f"vid_{self.paid:024x}")
        if key is not None:
            self.by_key[key] = clip
        return JSONResponse(self._told(clip), 202)

    async def _list(self, request: Request) -> Response:
        clips, more = self.page(request, default=20)
        return self.listed([self._told(clip) for clip in clips], more)

    async def _retrieve(self, request: Request) -> Response:
        clip = self.find(request)
        told = self._told(clip)
        if clip.stage == "completed":
            number = self._signatures[clip.id] = self._signatures.get(clip.id, 0) + 1
            url = f"{request.base_url}signed/{clip.id}/{number}.mp4"
            told["output"] = {"videos": [{"url": url, "url_expires_at": clip.created_at + 3600}]}
        return JSONResponse(told)

    async def _file(self, request: Request) -> Response:
        if self._signatures.get(request.path_params["id"]) != request.path_params["number"]:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        return self.sent(request)

    def _told(self, clip: Clip) -> Json:
        return {
            "id": clip.id,
            "object": "video",
            "model": clip.order["model"],
            "prompt": clip.order["prompt"],
            "status": "in_progress" if clip.stage == "running" else clip.stage,
            "progress": clip.progress,
            "created_at": clip.created_at,
            "seconds": clip.order["seconds"],
            "size": clip.order["size"],
            "error": {"code": "generation_failed", "message": clip.error} if clip.error else None,
        }
