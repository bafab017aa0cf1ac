"""Receivers of webhooks: one on a real socket that does what a test says, and one in memory for what takes days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sora_gateway.core.webhook_signature import is_signed
from sora_gateway.core.webhooks import Answer
from tests.lab import closing
from tests.raw_server import Received, Wire, serving_raw

INSIDE = "http://127.0.0.1:1/admin"


@dataclass
class FakeReceiver:
    """*behaves* is used up from the front, its last entry stays: a status, or one of ``slow``, ``silent``,
    ``redirect``, ``huge``, ``drip``, ``closes``, ``resets``."""

    behaves: list[int | str] = field(default_factory=lambda: [204])
    url: str = ""
    host: str = ""
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    headers: dict[str, str] = field(default_factory=dict)

    async def handle(self, request: Received, wire: Wire) -> None:
        self.received.append(request)
        self.arrived.set()
        behaviour = self.behaves.pop(0) if len(self.behaves) > 1 else self.behaves[0]
        match behaviour:
            case int():
                await wire.send(closing(behaviour, b"what it says", self.headers))
            case "slow":
                await asyncio.sleep(0.2)
                await wire.send(closing(200))
            case "silent":
                await wire.hang()
            case "redirect":
                await wire.send(closing(302, b"", {"Location": INSIDE}))
            case "huge":
                await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + bytes(1 << 20))
                await wire.hang()
            case "drip":
                await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                await wire.drip(bytes(1000), 0.05)
            case "closes":
                return
            case "resets":
                wire.reset()

    async def gets(self, number: int) -> list[Received]:
        """The first *number* of what it received, once they are there."""
        async with asyncio.timeout(20):
            while len(self.received) < number:
                self.arrived.clear()
                await self.arrived.wait()
        return self.received[:number]


@asynccontextmanager
async def receiving(*behaves: int | str) -> AsyncIterator[FakeReceiver]:
    """On a free port of the loopback."""
    receiver = FakeReceiver(list(behaves) or [204])
    async with serving_raw(receiver.handle) as server:
        receiver.host = f"127.0.0.1:{server.port}"
        receiver.url = f"http://{receiver.host}/hook"
        yield receiver


def signed_by(request: Received, secret: str, now: float) -> bool:
    """Whether one of the message's signatures is *secret*'s."""
    headers = request.headers
    return is_signed(
        secret,
        headers["webhook-id"],
        headers["webhook-timestamp"],
        headers["webhook-signature"],
        request.body,
        now,
    )


@dataclass
class ScriptedReceivers:
    """Answers by address; each script is used up from the front, its last entry stays. ``hang`` never answers."""

    scripts: dict[str, list[Answer | str]] = field(default_factory=dict)
    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    under_way: int = 0
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared by a test that wants all of them to think for a while."""

    def __post_init__(self) -> None:
        self.answering.set()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        self.sent.append((url, headers, body))
        script = self.scripts.get(url, [answered(204)])
        answer = script.pop(0) if len(script) > 1 else script[0]
        self.under_way += 1
        try:
            await self.answering.wait()
            if isinstance(answer, str):
                await asyncio.Event().wait()
                raise AssertionError
            return answer
        finally:
            self.under_way -= 1

    def ids(self, url: str) -> list[str]:
        return [headers["webhook-id"] for each, headers, _ in self.sent if each == url]


def answered(status: int | None, retry_after: float | None = None) -> Answer:
    fine = status is not None and 200 <= status < 300
    return Answer(status, "" if fine else f"status {status}", 0.1, retry_after)
