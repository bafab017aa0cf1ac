"""A gateway in front of an upstream on a real socket that takes every create, lists it, and loses the answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sora_gateway.clock import Clock
from tests.fakes import CountingEntropy, FastClock
from tests.lab import closing, lab_settings
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.running import Person, person, running
from tests.sample_videos import sample_mp4

SPEED = 150
"""Seconds of the gateway in one second of the test."""

Json = dict[str, Any]
Loss = Callable[[Wire, Json], Awaitable[None]]
"""How the answer to a create, which is the video's object, does not arrive."""


async def _drop(wire: Wire, video: Json) -> None:
    wire.reset()


async def _half(wire: Wire, video: Json) -> None:
    whole = closing(200, video)
    await wire.send(whole[: len(whole) - 20])


async def _nothing(wire: Wire, video: Json) -> None:
    return None


async def _hang(wire: Wire, video: Json) -> None:
    await wire.hang()


def _say(status: int, body: bytes | str | Json = b"", content_type: str = "application/json") -> Loss:
    async def say(wire: Wire, video: Json) -> None:
        await wire.send(closing(status, body, {"Content-Type": content_type}))

    return say


async def _no_id(wire: Wire, video: Json) -> None:
    await wire.send(closing(200, {name: value for name, value in video.items() if name != "id"}))


async def receipt(wire: Wire, video: Json) -> None:
    """No loss at all."""
    await wire.send(closing(200, video))


HTML = "<html><title>Bad gateway</title></html>"
LOSSES: dict[str, Loss] = {
    "drops": _drop,
    "answers HTML": _say(200, HTML, "text/html"),
    "500": _say(500, {"error": {"message": "Oops.", "code": "server_error"}}),
    "502": _say(502, HTML, "text/html"),
    "half a body": _half,
    "nothing": _nothing,
    "an empty body": _say(200),
    "no id": _no_id,
    "hangs": _hang,
}


def fields_of(order: Received) -> Json:
    """What a create asks for, JSON or form."""
    if order.headers["content-type"] == "application/json":
        return order.json
    head = f"Content-Type: {order.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + order.body)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_content().strip()
        for part in form.iter_parts()
    }


@dataclass
class LossyLab:
    """*losses* is used up from the front, its last entry stays."""

    clock: Clock
    losses: list[Loss] = field(default_factory=lambda: [receipt])
    listing: bool = True
    taking: bool = True
    """Off: it loses the create as well."""
    stranger: bool = False
    """Whether somebody else, who shares the account, asks for the same at the same time."""
    tells_prompts: bool = True
    keeps_keys: bool = False
    """Whether a create with a known idempotency key is answered with its first video."""
    orders: list[Received] = field(default_factory=list)
    """Every create that arrived."""
    rows: list[Json] = field(default_factory=list)
    """Newest first."""
    keys: dict[str, Json] = field(default_factory=dict)
    lists: int = 0
    stuck: asyncio.Event | None = None
    """Set while looks at the list get no answer."""

    async def handle(self, request: Received, wire: Wire) -> None:
        address = urlsplit(request.target)
        path = address.path.removeprefix("/v1/videos").strip("/")
        if request.method == "POST":
            self.orders.append(request)
            key = request.headers.get("idempotency-key") if self.keeps_keys else None
            video = self.keys.get(key or "") or (self.take(fields_of(request)) if self.taking else {})
            if key:
                self.keys[key] = video
            await self.loss(request)(wire, video)
        elif not path:
            await self._list(parse_qs(address.query), wire)
        elif path.endswith("/content"):
            await wire.send(closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
        else:
            found = next((row for row in self.rows if row["id"] == path), None)
            await wire.send(closing(200, self.shown(found)) if found else closing(404))

    def loss(self, order: Received) -> Loss:
        """How this create's answer is lost."""
        return self.losses.pop(0) if len(self.losses) > 1 else self.losses[0]

    def shown(self, video: Json) -> Json:
        """The video as a look at it shows it."""
        return video

    def take(self, order: Json) -> Json:
        video: Json = {
            "id": f"ext-{len(self.orders)}", "object": "video", "status": "in_progress", "progress": 10,
            "created_at": int(self.clock.now()), "error": None,
        } | {name: order.get(name) for name in ("prompt", "model", "seconds", "size")}  # fmt: skip
        self.rows.insert(0, video)
        if self.stranger:
            self.rows.insert(1, video | {"id": f"stranger-{len(self.orders)}"})
        return video

    def listed(self, video: Json) -> Json:
        """The video as its row in the list shows it."""
        return self.shown(video) | ({} if self.tells_prompts else {"prompt": None})

    async def _list(self, query: dict[str, list[str]], wire: Wire) -> None:
        self.lists += 1
        if self.stuck is not None:
            await self.stuck.wait()
        if not self.listing:
            await wire.send(closing(404))
            return
        ids = [row["id"] for row in self.rows]
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        limit = int(query["limit"][0])
        page = {
            "object": "list",
            "data": [self.listed(row) for row in self.rows[start : start + limit]],
            "has_more": start + limit < len(self.rows),
        }
        date = formatdate(self.clock.now(), usegmt=True)
        await wire.send(answer(200, page, {"Connection": "close", "Date": date}))


@dataclass
class AtTheLossyLab:
    lab: LossyLab
    ann: Person
    root: Person


@asynccontextmanager
async def at_the_lossy_lab(
    data_dir: Path, *losses: Loss, profile: str = "openai", **lab: Any
) -> AsyncIterator[AtTheLossyLab]:
    """Ann, and Root who administers, at a gateway that lives :data:`SPEED` times as fast.

    Not faster: a create that a busy machine holds up must still arrive within the time in which it is looked for.
    """
    clock = FastClock(SPEED)
    upstream = LossyLab(clock, list(losses) or [receipt], **lab)
    async with contextlib.AsyncExitStack() as stack:
        url = (await stack.enter_async_context(serving_raw(upstream.handle))).url
        settings = lab_settings(
            data_dir, url, upstream={"profile": profile, "requests_per_minute": 0, "max_concurrent": 0},
            # It counts on both clocks: whoever waits for an answer waits in our time.
            jobs={"create_timeout": 0.5 if _hang in losses else 30.0},
        )  # fmt: skip
        gateway = await stack.enter_async_context(running(settings, clock, CountingEntropy(fraction=0.0)))
        ann, root = [
            await stack.enter_async_context(person(gateway, name, role, credits=100))
            for name, role in (("ann", "member"), ("root", "admin"))
        ]
        yield AtTheLossyLab(upstream, ann, root)
