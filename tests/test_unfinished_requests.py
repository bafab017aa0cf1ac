"""Requests that are still being served when the gateway stops: each gets an answer, and the log no traceback."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.types import Message, Receive, Scope, Send

from sora_gateway import app
from sora_gateway.app import Gateway, opened
from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy
from sora_gateway.http.middleware import REQUEST_ID, ErrorBoundary
from sora_gateway.http.unanswered import Unanswered
from sora_gateway.settings import Settings
from tests.fakes import CountingEntropy, FastClock
from tests.lab import SPEED, Lab, closing, lab_settings
from tests.listening import peer_of
from tests.live import until
from tests.pictures import encoded
from tests.raw_server import Received, Wire, serving_raw
from tests.running import Person, person, settings_for
from tests.sample_videos import sample_mp4

AGAIN = (503, "unavailable", "10")
SIZE = {"size": "720x1280"}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing that happens at the end is an error."""
    yield
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [(record.name, record.getMessage()) for record in errors] == []


@pytest.fixture(autouse=True)
def short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SOCKETS_MAY_FINISH", 0.2)


@asynccontextmanager
async def ending(
    settings: Settings, clock: Clock | None = None, entropy: Entropy | None = None
) -> AsyncIterator[tuple[Gateway, Person, asyncio.Event]]:
    """A gateway that stops when the block is left, before the connections of its people are closed."""
    hurry = asyncio.Event()
    async with asyncio.timeout(20):
        opening = opened(settings, clock, entropy, hurry)
        gateway = await opening.__aenter__()
        async with person(gateway, credits=1000) as ann:
            try:
                yield gateway, ann, hurry
            finally:
                await opening.__aexit__(None, None, None)


def told(response: httpx.Response) -> tuple[int, str, str | None]:
    return response.status_code, response.json()["error"]["code"], response.headers.get("retry-after")


def children() -> list[int]:
    """Our child processes that look at images."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            ours = int(parent) == os.getpid() and "media.task" in (entry / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if ours:
            found.append(int(entry.name))
    return found


async def test_a_request_whose_image_is_being_decoded_is_told_to_come_back(tmp_path: Path) -> None:
    image = encoded(Image.effect_noise((2000, 2000), 90).convert("RGB"), "JPEG")
    async with ending(settings_for(tmp_path)) as (_, ann, _):
        files = {"input_reference": ("a.jpg", image)}
        asking = asyncio.create_task(ann.http.post("/v1/videos", data={"prompt": "a", **SIZE}, files=files))
        await until(lambda: len(children()) == 1)
        # It does not get any further.
        os.kill(children()[0], signal.SIGSTOP)
    assert told(await asking) == AGAIN
    assert children() == []
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_request_whose_image_is_being_fetched_is_told_to_come_back(tmp_path: Path) -> None:
    async def silent(_: Received, wire: Wire) -> None:
        await wire.hang()

    async with serving_raw(silent) as server:
        media = {"image_hosts": [f"127.0.0.1:{server.port}"]}
        async with ending(settings_for(tmp_path, media=media)) as (_, ann, _):
            reference = {"image_url": f"{server.url}/boat.png"}
            body = {"prompt": "a boat", "input_reference": reference, **SIZE}
            first = asyncio.create_task(ann.http.post("/v1/videos", json=body))
            await until(lambda: len(server.requests) == 1)
            # So is the next try, which waits for it.
            headers = {"x-stainless-retry-count": "1"}
            again = asyncio.create_task(ann.http.post("/v1/videos", json=body, headers=headers))
            await asyncio.sleep(0.1)
        assert told(await first) == told(await again) == AGAIN


async def test_an_upload_that_still_arrives_is_told_to_come_back(tmp_path: Path) -> None:
    async with ending(settings_for(tmp_path)) as (gateway, ann, _):
        port = httpx.URL(gateway.address).port
        async with peer_of(port or 0) as peer:
            head = f"POST /v1/videos HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ann.key}\r\n"
            await peer.send(
                f"{head}Content-Type: application/json\r\nContent-Length: 9000\r\n\r\n{{".encode()
            )
            await asyncio.sleep(0.1)
            await gateway.server.stop(0.1)
            status, headers = await peer.head()
            assert (status, headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize("patient", [True, False])
async def test_a_character_that_is_being_made_is_waited_for_and_its_caller_told(
    tmp_path: Path, patient: bool
) -> None:
    thought = asyncio.Event()

    async def think(_: Received, wire: Wire) -> None:
        await thought.wait()
        await wire.send(closing(200, {"id": "char-1", "name": "Otter", "created_at": 1}))

    lab = Lab(creates=[think])
    async with serving_raw(lab.handle) as server:
        settings = lab_settings(tmp_path, server.url, upstream={"profile": "openai"})
        async with ending(settings, FastClock(SPEED), CountingEntropy(fraction=0.0)) as (_, ann, hurry):
            form: Any = {"data": {"name": "Otter"}, "files": {"video": ("a.mp4", sample_mp4())}}
            asking = asyncio.create_task(ann.http.post("/v1/videos/characters", **form))
            await until(lambda: len(lab.orders) == 1)
            asyncio.get_running_loop().call_later(0.5, (thought if patient else hurry).set)
        answer = await asking
        if patient:
            assert (answer.status_code, answer.json()["name"]) == (200, "Otter")
        else:
            assert told(answer) == (502, "outcome_unknown", None)
        thought.set()
    assert len(lab.orders) == 1


async def served(boundary: ErrorBoundary, path: str) -> list[Message]:
    """The messages that a request is answered with."""
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    try:
        await boundary({"type": "http", "method": "GET", "path": path, REQUEST_ID: "req_1"}, receive, send)
    except asyncio.CancelledError:
        said.append({"type": "cancelled"})
    return said


async def test_only_what_has_no_answer_yet_is_broken_off() -> None:
    rest = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await rest.wait()
        await send({"type": "http.response.body", "body": b"the rest"})

    unanswered = Unanswered()
    boundary = ErrorBoundary(slow, unanswered)
    waiting, cancelled, begun = (
        asyncio.create_task(served(boundary, path)) for path in ("/waiting", "/cancelled", "/begun")
    )
    await asyncio.sleep(0)
    # By somebody else: that is no refusal.
    cancelled.cancel()
    assert await cancelled == [{"type": "cancelled"}]
    await unanswered.refuse(within=5)
    assert [message.get("status") for message in await waiting] == [503, None]
    assert waiting.cancelling() == 0
    assert not begun.done()
    rest.set()
    assert [message.get("status") for message in await begun] == [200, None]
    # Nobody is left.
    await unanswered.refuse(within=5)
