"""A whole gateway in front of one upstream whose every byte a test decides: ``[upstreams.lab]`` on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from sora_gateway.settings import Settings
from tests.canaries import UPSTREAM_KEY
from tests.fakes import CountingEntropy, FastClock
from tests.raw_server import Handler, Received, Wire, always, answer, serving_raw
from tests.running import Person, person, running, settings_for

SPEED = 500
"""Seconds of the gateway in one second of the test."""
OPPORTUNITY = 0.15
"""Seconds of the test, more than a minute of the gateway: enough for every wait of one without jitter."""
PRICE = 7
WORKING: dict[str, object] = {"status": "in_progress", "progress": 10}


@dataclass
class Lab:
    """*creates* is used up from the front, its last entry stays; empty, every create gets a new id.

    *looks* is what every job's object says beside its id. *content* and *delete* answer those requests.
    """

    creates: list[Handler] = field(default_factory=list)
    looks: dict[str, object] = field(default_factory=lambda: dict(WORKING))
    content: bytes = answer(404)
    delete: bytes = answer(405)
    orders: list[Received] = field(default_factory=list)
    """Every paid request that arrived: creates, remixes, edits, extensions and new characters."""
    deletes: int = 0

    async def handle(self, request: Received, wire: Wire) -> None:
        method, path = request.method, request.target.partition("?")[0].removeprefix("/v1/videos")
        if method == "POST":
            self.orders.append(request)
            if self.creates:
                script = self.creates.pop(0) if len(self.creates) > 1 else self.creates[0]
                await script(request, wire)
            else:
                await wire.send(closing(200, {"id": f"ext-{len(self.orders)}", "status": "queued"}))
        elif method == "DELETE":
            self.deletes += 1
            await wire.send(self.delete)
        elif path.endswith("/content"):
            await wire.send(self.content)
        else:
            await wire.send(closing(200, {"id": path.strip("/")} | self.looks))


def closing(
    status: int, body: bytes | str | dict[str, object] = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """An answer that says that the connection ends with it, as the raw server's do."""
    return answer(status, body, {"Connection": "close", **(headers or {})})


def says(
    status: int, body: bytes | str | dict[str, object] = b"", headers: Mapping[str, str] | None = None
) -> Handler:
    return always(closing(status, body, headers))


def lab_settings(data_dir: Path, url: str, **sections: Any) -> Settings:
    """*url* without ``/v1``. Polls are rare and addresses last; keyword ``upstream`` adds to its table;
    further ``upstreams`` are asked first."""
    table = {
        "base_url": f"{url}/v1", "api_key": UPSTREAM_KEY, "models": {"sora-2": "wan-2.2"},
        # Tests look more often than people would.
        "requests_per_minute": 0,
    }  # fmt: skip
    media = {"url_lifetime": 1e6} | sections.pop("media", {})
    return settings_for(
        data_dir,
        upstreams=sections.pop("upstreams", {}) | {"lab": table | sections.pop("upstream", {})},
        media=media,
        polling={"policy": "fixed", "min_interval": 20} | sections.pop("polling", {}),
        credits={"enabled": True} | sections.pop("credits", {}),
        pricing={"per_video": PRICE} | sections.pop("pricing", {}),
        **sections,
    )


@asynccontextmanager
async def at_the_lab(
    data_dir: Path,
    lab: Lab,
    *,
    url: str | None = None,
    balance: int = 100,
    speed: float = SPEED,
    **sections: Any,
) -> AsyncIterator[Person]:
    """Ann, who has *balance* credits, at a gateway that waits without jitter and lives *speed* times as fast.

    *lab* gets an address of its own unless another *url* (without ``/v1``) is given.
    """
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            url = (await stack.enter_async_context(serving_raw(lab.handle))).url
        settings = lab_settings(data_dir, url, **sections)
        gateway = await stack.enter_async_context(
            running(settings, FastClock(speed), CountingEntropy(fraction=0.0))
        )
        yield await stack.enter_async_context(person(gateway, credits=balance))


async def turned_away(ann: Person, video_id: str) -> dict[str, Any]:
    """The task once its upstream was found to be unreachable: its note says so, or, when that had happened often enough
    to open the circuit breaker, that it does not answer."""
    async with asyncio.timeout(20):
        while True:
            task = await ann.task(video_id)
            if any(words in task["note"] for words in ("cannot be reached", "does not answer")):
                assert task["stage"] == "queued"
                return task
            await asyncio.sleep(0.01)


async def opportunity() -> None:
    """Time in which a gateway that wanted to send something again would have."""
    await asyncio.sleep(OPPORTUNITY)


async def ledger(ann: Person, task: dict[str, Any]) -> list[str]:
    """The movements of the task, by name; each has the whole price."""
    entries = await ann.gateway.store.credits.of_job(task["videoId"])
    assert all(abs(held) == PRICE for _, _, held in entries)
    return [kind for kind, _, _ in entries]


async def outcomes(ann: Person, task: dict[str, Any]) -> list[str | None]:
    """What the books say of each create."""
    return [attempt.outcome for attempt in await ann.gateway.store.attempts(task["videoId"])]


_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 5
_PORTS = cycle(range(12_000 + 4_000 * _WORKER, 16_000 + 4_000 * _WORKER))
"""Each process of a run has its own, below those that the system gives away by itself."""


def unused_port() -> int:
    """A port on which nobody listens, and on which no server of another test will, which takes what the system gives."""
    while True:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", next(_PORTS))) as free:
            port: int = free.getsockname()[1]
            return port
