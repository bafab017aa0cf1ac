"""Somebody with a key for a ``/v1/videos``, whoever serves it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.clients.gateway import CLIP
from tests.clients.python.checking import same

PORTRAIT = "720x1280"
WITHIN = 30.0


@dataclass(frozen=True)
class Person:
    http: httpx.Client

    def create(self, prompt: str, **fields: Any) -> httpx.Response:
        """JSON; *fields* are added, or take the place of what would be there."""
        whole = {"model": "sora-2", "prompt": prompt, "size": PORTRAIT, "seconds": "4"} | fields
        return self.http.post("/v1/videos", json=whole)

    def create_with_image(self, prompt: str, image: bytes, **fields: str) -> httpx.Response:
        whole = {"model": "sora-2", "prompt": prompt, "size": PORTRAIT, "seconds": "4"} | fields
        return self.http.post(
            "/v1/videos", data=whole, files={"input_reference": ("a.png", image, "image/png")}
        )

    def made(self, answer: httpx.Response) -> str:
        """The id in the *answer* to a create."""
        assert answer.status_code == 200, answer.text
        same(answer.json()["object"], "video")
        return str(answer.json()["id"])

    def seen(self, video_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/videos/{video_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ended(self, video_id: str) -> dict[str, Any]:
        """The video once it has completed or failed, asked for by the same id all the time."""
        return dict(
            until(lambda: self.seen(video_id), lambda video: video["status"] in ("completed", "failed"))
        )

    def task(self, video_id: str) -> dict[str, Any]:
        """A gateway's own view of it."""
        answer = self.http.get(f"/api/video/tasks/{video_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def content(self, video_id: str, **query: str) -> httpx.Response:
        return self.http.get(f"/v1/videos/{video_id}/content", params=query)

    def has_the_clip(self, video_id: str) -> None:
        """Its file is the simulator's, to the last byte."""
        video = self.ended(video_id)
        same((video["status"], video["error"]), ("completed", None))
        answer = self.content(video_id)
        same((answer.status_code, answer.headers["content-type"]), (200, "video/mp4"))
        same(hashlib.sha256(answer.content).hexdigest(), hashlib.sha256(CLIP.read_bytes()).hexdigest())


def person(address: str, key: str) -> Person:
    headers = {"authorization": f"Bearer {key}"}
    return Person(httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=WITHIN))


def error(answer: httpx.Response) -> dict[str, Any]:
    return dict(answer.json()["error"])


def until(look: Callable[[], Any], good: Callable[[Any], bool], within: float = WITHIN) -> Any:
    """What *look* returns, once it is *good*."""
    ends = time.monotonic() + within
    while not good(seen := look()):
        assert time.monotonic() < ends, f"after {within:g} s it is still {seen!r}"
        time.sleep(0.1)
    return seen
