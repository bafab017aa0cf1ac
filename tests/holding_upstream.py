"""An upstream that takes a create for good and holds its answer, as :data:`PHASES` has it for a word in the prompt."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.processes import LoggingUpstream
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.sample_videos import sample_mp4

HELD = 1.5
"""Seconds."""


async def _before_the_head(wire: Wire, data: bytes) -> None:
    await asyncio.sleep(HELD)
    await wire.send(data)


async def _in_the_middle_of_the_body(wire: Wire, data: bytes) -> None:
    await wire.send(data[:-10])
    await asyncio.sleep(HELD)
    await wire.send(data[-10:])


async def _after_it(wire: Wire, data: bytes) -> None:
    await wire.send(data)


async def _for_ever(wire: Wire, data: bytes) -> None:
    await wire.hang()


PHASES: dict[str, Callable[[Wire, bytes], Awaitable[None]]] = {
    "before": _before_the_head,
    "middle": _in_the_middle_of_the_body,
    "after": _after_it,
    "forever": _for_ever,
}


@asynccontextmanager
async def holding_upstream(directory: Path) -> AsyncIterator[LoggingUpstream]:
    """In this process; what it takes is on its disk before anything is answered."""
    journal = directory / "creates.jsonl"
    journal.touch()

    def _write_down(line: dict[str, object]) -> None:
        with open(journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    async def handle(request: Received, wire: Wire) -> None:
        path = request.target.partition("?")[0].removeprefix("/v1/videos").strip("/")
        if request.method == "POST":
            order = request.json
            video = f"held-{os.urandom(8).hex()}"
            line = {"id": video, "prompt": order["prompt"], "client_request_id": request.headers["x-client-request-id"]}  # fmt: skip
            _write_down(line)
            held = next((name for name in PHASES if name in str(order["prompt"]).split()), "after")
            await PHASES[held](wire, _closing({"id": video, "status": "queued"}))
        elif path.endswith("/content"):
            whole = {"Content-Type": "video/mp4", "Connection": "close"}
            await wire.send(answer(200, sample_mp4(), whole))
        elif path:
            await wire.send(_closing({"id": path, "status": "completed", "progress": 100}))
        else:
            await wire.send(answer(404, "", {"Connection": "close"}))

    async with serving_raw(handle) as raw:
        yield LoggingUpstream(raw.url, journal)


def _closing(body: dict[str, object]) -> bytes:
    return answer(200, body, {"Connection": "close"})
