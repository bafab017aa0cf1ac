"""What stands between clients and a gateway: a proxy with its habits, and a line that blocks or breaks.

Real ones are in tests/proxies; these two do on demand what those do when it suits them.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from typing import TypeVar
from urllib.parse import urlsplit

Kind = str
"""``websocket``, ``sse`` or ``request``."""
ENDLESS = 1 << 40
_ADDED = re.compile(rb"^(x-forwarded-(for|proto)|connection):", re.IGNORECASE)


@dataclass
class Intermediary:
    """Takes connections on *port* and forwards them to the gateway's, *target*, which may change. One request for each
    connection, so that each is looked at; an upgraded one goes on both ways."""

    target: int
    port: int = field(default=0, kw_only=True)
    _open: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict, kw_only=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                await self.answer(head.removesuffix(b"\r\n\r\n").split(b"\r\n"), reader, writer)
        finally:
            writer.transport.abort()
            del self._open[writer]

    async def answer(
        self, head: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """To a request whose lines up to its body are *head*."""
        raise NotImplementedError

    async def refuse(self, writer: asyncio.StreamWriter, status: int) -> None:
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nNo.\n" % status)
        await _sent(writer)

    async def forward(
        self,
        head: list[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        budget: int = ENDLESS,
    ) -> None:
        """Until either side has gone, or the answer has had *budget* bytes."""
        behind, forward = await asyncio.open_connection("127.0.0.1", self.target)
        forward.write(b"\r\n".join(head) + b"\r\n\r\n")
        pumps = [
            asyncio.create_task(_pump(reader, forward, ENDLESS)),
            asyncio.create_task(_pump(behind, writer, budget)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            forward.close()
        await _sent(writer)

    async def close(self) -> None:
        """Breaks what is still open and waits for it to end."""
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*self._open.values(), return_exceptions=True)


def _upgrades(head: list[bytes]) -> bool:
    return any(line.lower().startswith(b"upgrade:") for line in head)


async def _sent(writer: asyncio.StreamWriter) -> None:
    """What was written has left, and the other side knows that there is no more."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, budget: int) -> None:
    while budget > 0 and (data := await source.read(min(65536, budget))):
        budget -= len(data)
        sink.write(data)
        await sink.drain()


@dataclass
class Proxy(Intermediary):
    """A reverse proxy: forwards what is below *prefix* and answers 404 itself to everything else.

    It takes the prefix off if it *strips*, says that people came by *scheme* from *client*, and leaves the Host
    as it is.
    """

    prefix: str = ""
    strips: bool = False
    scheme: str = "https"
    client: str = "203.0.113.7"

    async def answer(
        self, head: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, target, version = head[0].split(b" ")
        prefix = self.prefix.encode()
        if not (target == prefix or target.startswith((prefix + b"/", prefix + b"?"))):
            await self.refuse(writer, 404)
            return
        if self.strips:
            target = target.removeprefix(prefix) or b"/"
        changed = [
            b" ".join((method, target, version)),
            *(line for line in head[1:] if not _ADDED.match(line)),
            f"X-Forwarded-For: {self.client}".encode(),
            f"X-Forwarded-Proto: {self.scheme}".encode(),
            b"Connection: Upgrade" if _upgrades(head) else b"Connection: close",
        ]
        await self.forward(changed, reader, writer)


@dataclass
class Between(Intermediary):
    """A line that is not to be relied on: *blocked* maps a kind of connection to the status that it is answered with;
    *budgets* are the bytes after which each live connection is cut, in the middle of whatever it says."""

    blocked: dict[Kind, int] = field(default_factory=dict)
    budgets: Iterator[int] = field(default_factory=lambda: repeat(ENDLESS))
    asked: Counter[Kind] = field(default_factory=Counter)
    cuts: int = 0

    async def answer(
        self, head: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        kind = _kind_of(head)
        self.asked[kind] += 1
        if kind in self.blocked:
            await self.refuse(writer, self.blocked[kind])
            return
        if kind != "websocket":
            kept = [line for line in head if line.lower() != b"connection: keep-alive"]
            head = [kept[0], b"Connection: close", *kept[1:]]
        budget = ENDLESS if kind == "request" else next(self.budgets)
        await self.forward(head, reader, writer, budget)
        self.cuts += budget < ENDLESS


def _kind_of(head: list[bytes]) -> Kind:
    if _upgrades(head):
        return "websocket"
    return "sse" if b"/stream" in head[0].split(b"?")[0] else "request"


Standing = TypeVar("Standing", bound=Intermediary)


@asynccontextmanager
async def standing(intermediary: Standing) -> AsyncIterator[Standing]:
    """It, while it runs; its *port* is set."""
    server = await asyncio.start_server(intermediary.serve, "127.0.0.1", 0)
    intermediary.port = server.sockets[0].getsockname()[1]
    try:
        yield intermediary
    finally:
        server.close()
        await intermediary.close()
        await server.wait_closed()


@asynccontextmanager
async def between(gateway: str) -> AsyncIterator[Between]:
    """A line to the gateway at that address, while it stands."""
    async with standing(Between(urlsplit(gateway).port or 80)) as line:
        yield line
