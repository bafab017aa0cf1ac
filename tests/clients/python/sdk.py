"""The SDK as the checks use it: clients that remember what they sent, and a few things that all checks need."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai

from tests.clients.surroundings import Surroundings

PORTRAIT = "720x1280"


@dataclass
class Sent:
    """One request as it left, and the answer's status once it came."""

    method: str
    path: str
    headers: Any
    at: float
    """Seconds on a clock without a date."""
    status: int | None = None
    answer_headers: Any = None


@dataclass
class Sdk:
    """Makes clients, and prompts that occur once."""

    place: Surroundings
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def client(
        self, key: str = "", *, lossy: bool = False, **options: Any
    ) -> tuple[openai.OpenAI, list[Sent]]:
        """A client, and the growing list of what it sends."""
        sent, hooks = _remembered()
        http = openai.DefaultHttpxClient(event_hooks=hooks)
        return openai.OpenAI(http_client=http, **self._address(key, lossy), **options), sent

    def async_client(self, *, lossy: bool = False, **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(**self._address("", lossy), **options)

    def _address(self, key: str, lossy: bool) -> dict[str, str]:
        return {
            "base_url": self.place.lossy_url if lossy else self.place.url,
            "api_key": key or self.place.key,
        }

    def prompt(self, about: str) -> str:
        """A prompt that nobody has used."""
        return f"{about} (openai {openai.__version__}, {next(self.numbers)})"

    def finished(self, about: str, **fields: Any) -> Any:
        """A video that is there; without polling at OpenAI's pace."""
        client, _ = self.client()
        made = client.videos.create(prompt=self.prompt(about), size=PORTRAIT, **fields)
        return self.ended(client, made.id)

    def ended(self, client: Any, video_id: str) -> Any:
        """The video once it has completed or failed."""
        return until(
            lambda: client.videos.retrieve(video_id), lambda video: video.status in ("completed", "failed")
        )

    def ids_of(self, prompt: str) -> list[str]:
        """The ids of all videos that were made from *prompt*."""
        client, _ = self.client()
        return [video.id for video in client.videos.list(limit=100) if video.prompt == prompt]

    def paid(self, prompt: str, expected: int) -> int:
        """How many creates the upstream has taken; waits for it to be *expected*, then for one too many."""
        until(lambda: self.place.paid(prompt), lambda count: count >= expected)
        time.sleep(0.3)
        return self.place.paid(prompt)


def until(look: Callable[[], Any], good: Callable[[Any], bool], within: float = 20.0) -> Any:
    """What *look* returns, once it is *good*."""
    ends = time.monotonic() + within
    while not good(seen := look()):
        assert time.monotonic() < ends, f"after {within:g} s it is still {seen!r}"
        time.sleep(0.05)
    return seen


def _remembered() -> tuple[list[Sent], dict[str, list[Callable[[Any], None]]]]:
    sent: list[Sent] = []
    by_request: dict[int, Sent] = {}

    def leaves(request: Any) -> None:
        sent.append(Sent(request.method, request.url.raw_path.decode(), request.headers, time.monotonic()))
        by_request[id(request)] = sent[-1]

    def comes(response: Any) -> None:
        record = by_request[id(response.request)]
        record.status, record.answer_headers = response.status_code, response.headers

    return sent, {"request": [leaves], "response": [comes]}
