"""A real server on a free loopback port, for tests of what crosses a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from sora_gateway.http.guarded_h11 import GuardedH11
from sora_gateway.http.server import GatewayServer


@asynccontextmanager
async def listening(app: ASGIApp, http: type[asyncio.Protocol] = GuardedH11) -> AsyncIterator[int]:
    """The port of a running server."""
    server = GatewayServer(http=http)
    port = await server.start(app, "127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop(grace=0.3)


@dataclass
class Peer:
    """A client that sends exactly the bytes it is told to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    goes_on_sending: bool = False
    """Then a close may find bytes that nobody has read, of which the kernel makes a reset."""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def until_closed(self) -> bytes:
        """Everything that comes until the other side closes."""
        came = b""
        try:
            while piece := await self.reader.read(1 << 16):
                came += piece
        except ConnectionResetError:
            if not self.goes_on_sending:
                raise
        return came

    async def response(self) -> tuple[int, bytes]:
        """The next response that has a Content-Length: status and body."""
        status, headers = await self.head()
        return status, await self.reader.readexactly(int(headers["content-length"]))

    async def head(self) -> tuple[int, dict[str, str]]:
        """The next response's status and headers."""
        start, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        return int(start.split(" ")[1]), dict(line.split(": ", 1) for line in lines if line)


@asynccontextmanager
async def peer_of(port: int) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()
        # One turn of the loop, so that the transport is gone before the loop is.
        await asyncio.sleep(0)
