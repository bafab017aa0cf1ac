"""A reverse proxy on a real port: what stands between browsers and the gateway, with its two habits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_ADDED = re.compile(rb"^(x-forwarded-(for|proto)|connection):", re.IGNORECASE)


@dataclass
class Proxy:
    """Forwards what is below *prefix* to *target* and answers 404 itself to everything else.

    It takes the prefix off if it *strips*, says that people came by *scheme* from *client*, and leaves the Host
    as it is. One request for each connection, except that an upgraded one goes on both ways.
    """

    target: int
    prefix: str = ""
    strips: bool = False
    scheme: str = "https"
    client: str = "203.0.113.7"
    port: int = 0
    _open: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._forward(reader, writer)
        finally:
            await _closed(writer)
            del self._open[writer]

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, target, version = start.split(b" ")
        prefix = self.prefix.encode()
        if not (target == prefix or target.startswith((prefix + b"/", prefix + b"?"))):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        if self.strips:
            target = target.removeprefix(prefix) or b"/"
        upgraded = any(line.lower().startswith(b"upgrade:") for line in lines)
        head = [
            b" ".join((method, target, version)),
            *(line for line in lines if not _ADDED.match(line)),
            f"X-Forwarded-For: {self.client}".encode(),
            f"X-Forwarded-Proto: {self.scheme}".encode(),
            b"Connection: Upgrade" if upgraded else b"Connection: close",
        ]
        behind, forward = await asyncio.open_connection("127.0.0.1", self.target)
        forward.write(b"\r\n".join(head) + b"\r\n\r\n")
        pumps = {asyncio.create_task(_pump(reader, forward)), asyncio.create_task(_pump(behind, writer))}
        try:
            # An answer ends with the gateway's side; so does everything when the client leaves.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await _closed(forward)

    async def close(self) -> None:
        """Breaks what is still open and waits for it to end."""
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*self._open.values())


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


@asynccontextmanager
async def proxied(proxy: Proxy) -> AsyncIterator[Proxy]:
    """The proxy while it runs; its *port* is set."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
