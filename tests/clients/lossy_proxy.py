"""A proxy that loses answers when a request asks for it.

A request says in ``x-lose`` what happens to it and to the times that it is sent again: ``x-lose: drop, 502``
loses the answer to the first, makes a 502 of the second's (``x-stainless-retry-count: 1``), and lets the
third through. So clients at work together need no common script.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

UNSENT = "unsent"
"""The connection breaks before the gateway has seen anything."""
CUT = "cut"
"""The connection breaks in the middle of the request."""
VANISH = "vanish"
"""The request arrives whole, and both sides of it are closed at once."""
DROP = "drop"
"""The request is answered, and the connection closed instead of the answer."""
HALF = "half"
"""The connection breaks in the middle of the answer."""
SILENCE = "silence"
"""The request is answered, and its sender never hears of it."""
# Every other word is a status that the sender is told, after the request was answered.

_PAGE = b"<html><body><h1>Bad Gateway</h1></body></html>"
_MAX_HEAD = 1 << 16


@dataclass(frozen=True)
class _Head:
    """The first line and the headers, with names in lower case."""

    line: str
    headers: list[tuple[str, str]]

    def get(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.headers if key == name), default)

    def loss(self) -> str:
        """What happens to this one; empty when nothing does."""
        words = [word.strip() for word in self.get("x-lose").split(",")]
        retry = int(self.get("x-stainless-retry-count", "0"))
        return words[retry] if retry < len(words) else ""

    def forwarded(self) -> bytes:
        """For one request only: the end of the answer is the end of the connection."""
        kept = [(name, value) for name, value in self.headers if name not in ("connection", "x-lose")]
        lines = [f"{name}: {value}" for name, value in [*kept, ("connection", "close")]]
        return "\r\n".join([self.line, *lines, "", ""]).encode("latin-1")


@contextlib.asynccontextmanager
async def lossy_proxy(target: str) -> AsyncIterator[str]:
    """The address of a proxy before the gateway at *target*, for the length of the block."""
    address = urlsplit(target)
    assert address.hostname is not None
    gateway = (address.hostname, address.port or 80)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either side may leave at any moment.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _relay(reader, writer, gateway)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_MAX_HEAD)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gateway: tuple[str, int]
) -> None:
    head = _parsed(await reader.readuntil(b"\r\n\r\n"))
    assert not head.get("transfer-encoding"), "no client that is tried here sends in chunks"
    body = await reader.readexactly(int(head.get("content-length", "0")))
    loss = head.loss()
    if loss == UNSENT:
        return
    request = head.forwarded() + (body[: len(body) // 2] if loss == CUT else body)
    answer = await _asked(gateway, request, wait=loss not in (CUT, VANISH))
    if loss == "":
        writer.write(answer)
    elif loss == HALF:
        writer.write(answer[: -len(_after_head(answer)) // 2])
    elif loss == SILENCE:
        await reader.read()
    elif loss.isdecimal():
        writer.write(f"HTTP/1.1 {loss} Lost\r\ncontent-type: text/html\r\ncontent-length: ".encode())
        writer.write(b"%d\r\nconnection: close\r\n\r\n" % len(_PAGE) + _PAGE)
    await writer.drain()


async def _asked(gateway: tuple[str, int], request: bytes, *, wait: bool) -> bytes:
    """The gateway's whole answer; nothing without *wait*."""
    reader, writer = await asyncio.open_connection(*gateway)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read() if wait else b""
    finally:
        writer.close()


def _parsed(head: bytes) -> _Head:
    line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = (field.split(":", 1) for field in fields)
    return _Head(line, [(name.lower(), value.strip()) for name, value in pairs])


def _after_head(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]
