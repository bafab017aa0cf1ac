"""``generate`` and ``watch`` as clients of a gateway: what they show while they follow, against scripted servers."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from sora_gateway.cli.follow import follow
from sora_gateway.cli.jobs import client_of
from sora_gateway.cli.progress import Progress
from sora_gateway.client import Answered, GatewayClient, Pace, Task
from sora_gateway.errors import StartupError
from tests.raw_server import Received, Wire, always, answer, serving_raw

EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
TASK = {
    "videoId": "video_1", "status": "queued", "stage": "queued", "progress": 0.0, "progressEstimated": False, "note": "",
    "error": None, "seq": 1, "createdAt": "2026-11-22T10:00:00.000Z",
}  # fmt: skip
SOON = Pace(first_delay=0.01, last_delay=0.05)
EPOCH = "0123456789abcdef"


def event(at: int, seq: int, **changed: Any) -> bytes:
    data = TASK | {"type": "update", "step": "progress", "message": f"News {seq}.", "seq": seq} | changed
    cursor = f"{EPOCH}-{at}"
    return f"id: {cursor}\nevent: update\ndata: {json.dumps(data | {'cursor': cursor})}\n\n".encode()


async def followed(url: str, out: io.StringIO, **changed: Any) -> Progress:
    async with GatewayClient(url, "k", pace=SOON) as client:
        return await follow(client, Task.of(TASK | changed), out)


def streams(requests: list[Received]) -> list[Received]:
    """The requests for the event stream: where no socket opens, the commands follow over that."""
    return [request for request in requests if request.target.endswith("/stream")]


@pytest.mark.parametrize("address", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(StartupError, match="is not the address of a gateway"):
        client_of(address, "k")


async def test_following_goes_on_where_the_stream_broke_off() -> None:
    async def handle(request: Received, wire: Wire) -> None:
        if not streams([request]):
            await wire.send(answer(502, "<html>no sockets"))
        elif "last-event-id" not in request.headers:
            await wire.send(EVENT_STREAM + event(1, 2, status="processing", progress=40.0))
        else:
            await wire.send(EVENT_STREAM + event(2, 3, status="completed", progress=100.0, message="Ready."))

    out = io.StringIO()
    async with serving_raw(handle) as server:
        end = await followed(server.url, out)
    assert (end.status, end.progress) == ("completed", 100.0)
    resumed = [request.headers.get("last-event-id") for request in streams(server.requests)]
    assert resumed == [None, f"{EPOCH}-1"]
    assert [line.split("  ")[1] for line in out.getvalue().splitlines()] == ["Queued.", "News 2.", "Ready."]


async def test_following_outlasts_a_gateway_that_is_starting() -> None:
    starting: dict[str, object] = {"error": {"code": "unavailable", "message": "Starting."}}

    async def handle(request: Received, wire: Wire) -> None:
        if len(server.requests) < 3:
            await wire.send(answer(503, starting))
        elif streams([request]):
            await wire.send(EVENT_STREAM + event(2, 3, status="failed", message="No."))
        else:
            await wire.send(answer(502, "<html>no sockets"))

    async with serving_raw(handle) as server:
        pace = Pace(first_delay=0.01, last_delay=0.05, busy_delay=0.01)
        async with GatewayClient(server.url, "k", pace=pace) as client:
            end = await follow(client, Task.of(TASK), io.StringIO())
    assert end.status == "failed"


async def test_following_ends_when_the_gateway_says_no() -> None:
    gone: dict[str, object] = {"error": {"code": "not_found", "message": "There is no video by that id."}}
    async with serving_raw(always(answer(404, gone))) as server:
        with pytest.raises(Answered, match="no video by that id"):
            await followed(server.url, io.StringIO())


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


REASON = "It shows somebody who exists, and whose consent the upstream would want to see first."


@pytest.mark.parametrize("columns", ["40", "200"])
def test_on_a_narrow_terminal_the_reason_of_a_failure_is_still_told_whole(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    failed = {"status": "failed", "error": {"code": "refused", "message": REASON}}
    asyncio.run(followed("http://127.0.0.1:1", out := Terminal(), **failed))
    assert out.getvalue().count(REASON) == 1


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    asyncio.run(followed("http://127.0.0.1:1", out := Terminal(), status="completed"))
    assert not {"\r", "\x1b"} & set(out.getvalue())


async def test_a_job_that_has_ended_is_not_followed() -> None:
    assert (await followed("http://127.0.0.1:1", io.StringIO(), status="completed")).final
