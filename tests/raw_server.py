"""A server whose every byte is scripted: for what no well-behaved server can be made to do."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Received:
    """One request as it arrived. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes, pause: float) -> None:
        """One byte every *pause* seconds."""
        for index in range(len(data)):
            await self.send(data[index : index + 1])
            await asyncio.sleep(pause)

    async def hang(self) -> None:
        """Says nothing until the other side has gone."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Ends the connection with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Received, Wire], Awaitable[None]]
"""Answers one request; the connection is closed when it returns."""


@dataclass
class RawServer:
    port: int
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(
    status: int, body: bytes | str | dict[str, object] = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole HTTP/1.1 answer with its length; a dict becomes JSON."""
    lines = dict(headers or {})
    if isinstance(body, dict):
        lines.setdefault("Content-Type", "application/json")
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    lines.setdefault("Content-Length", str(len(data)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + data


def always(data: bytes) -> Handler:
    """Answers every request with these bytes, then closes."""

    async def handle(_: Received, wire: Wire) -> None:
        await wire.send(data)

    return handle


@asynccontextmanager
async def serving_raw(
    handler: Handler, on_connect: Callable[[Wire], Awaitable[bool]] | None = None, port: int = 0
) -> AsyncIterator[RawServer]:
    """Runs *handler* for every request on *port* of the loopback; 0 is a free one.

    *on_connect* sees the connection before a byte is read and says whether to go on.
    """
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw.connections += 1
        wire = Wire(reader, writer)
        try:
            if on_connect is None or await on_connect(wire):
                request = await _read_request(reader)
                raw.requests.append(request)
                await handler(request, wire)
        except (ConnectionError, asyncio.IncompleteReadError):
            # The client went away, which many of these tests are about.
            return
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    raw = RawServer(server.sockets[0].getsockname()[1])
    try:
        yield raw
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)
