"""What stands between a client and its gateway: a proxy that blocks upgrades or streams, and cuts what it lets through."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from urllib.parse import urlsplit

Kind = str
"""``websocket``, ``sse`` or ``request``."""
ENDLESS = 1 << 40


@dataclass
class Between:
    """*target* is the gateway's port, which may change; *blocked* maps a kind of connection to the status that it is
    answered with; *budgets* are the bytes after which each live connection is cut, in the middle of whatever it says."""

    target: int
    blocked: dict[Kind, int] = field(default_factory=dict)
    budgets: Iterator[int] = field(default_factory=lambda: repeat(ENDLESS))
    port: int = 0
    asked: Counter[Kind] = field(default_factory=Counter)
    cuts: int = 0
    _open: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._forward(reader, writer)
        finally:
            writer.transport.abort()
            del self._open[writer]

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        kind = _kind_of(head)
        self.asked[kind] += 1
        if kind in self.blocked:
            writer.write(
                b"HTTP/1.1 %d No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nNo.\n" % self.blocked[kind]
            )
            await writer.drain()
            return
        if kind != "websocket":
            # One request for each connection, so that each is looked at.
            head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            head = head.replace(b"connection: keep-alive\r\n", b"").replace(
                b"Connection: keep-alive\r\n", b""
            )
        behind, forward = await asyncio.open_connection("127.0.0.1", self.target)
        budget = ENDLESS if kind == "request" else next(self.budgets)
        forward.write(head)
        pumps = [
            asyncio.create_task(_pump(reader, forward, ENDLESS)),
            asyncio.create_task(_pump(behind, writer, budget)),
        ]
        try:
            # When either side has gone, so does the other.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            self.cuts += budget < ENDLESS
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            forward.close()

    async def close(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*self._open.values(), return_exceptions=True)


def _kind_of(head: bytes) -> Kind:
    if b"\r\nupgrade:" in head.lower():
        return "websocket"
    return "sse" if b"/stream" in head.split(b"\r\n", 1)[0].split(b"?")[0] else "request"


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, budget: int) -> None:
    while budget > 0 and (data := await source.read(min(65536, budget))):
        budget -= len(data)
        sink.write(data)
        await sink.drain()


@asynccontextmanager
async def between(gateway: str) -> AsyncIterator[Between]:
    """The proxy in front of the gateway at that address, while it runs."""
    proxy = Between(urlsplit(gateway).port or 80)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
