"""A WebSocket client that sends exactly the bytes that it is told to, whatever they are worth."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to :data:`KEY`; both are the example of RFC 6455."""
WITHIN = 5.0
"""Seconds for anything that is waited for."""

_MASK = b"\x11\x22\x33\x44"
_GOOD = [
    "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
]  # fmt: skip


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
    width: int | None = None,
) -> bytes:
    """One frame. *reserved* are the three bits as a number; *length* is what the header says instead of the truth,
    and *width* the number of bytes beside the first two in which it says so: 0, 2 or 8."""
    length = len(payload) if length is None else length
    width = (0 if length < 126 else 2 if length < 1 << 16 else 8) if width is None else width
    short = {0: length, 2: 126, 8: 127}[width]
    head = bytes([fin << 7 | reserved << 4 | opcode, masked << 7 | short])
    head += length.to_bytes(width) if width else b""
    if not masked:
        return head + payload
    return head + _MASK + bytes(byte ^ _MASK[place % 4] for place, byte in enumerate(payload))


def text(payload: bytes, *rest: bytes) -> bytes:
    """A text message; with *rest* in that many fragments more."""
    last = len(rest) - 1
    later = [frame(CONTINUATION, part, fin=place == last) for place, part in enumerate(rest)]
    return b"".join([frame(TEXT, payload, fin=not rest), *later])


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason)


def handshake(
    *lines: str, start: str = "GET /ws HTTP/1.1", without: Sequence[str] = (), body: bytes = b""
) -> bytes:
    """A good handshake with *lines* added and the headers *without* left out."""
    kept = [line for line in _GOOD if line.partition(":")[0] not in without]
    return "\r\n".join([start, *kept, *lines, "", ""]).encode("latin-1") + body


@dataclass
class RawSocket:
    """The client's end. What came stays readable although the other side has reset the connection since."""

    connection: socket.socket
    came: bytes = b""

    async def send(self, *pieces: bytes) -> None:
        """Each in a segment of its own; who has closed meanwhile takes the rest for nothing."""
        with suppress(ConnectionError):
            for piece in pieces:
                await asyncio.get_running_loop().sock_sendall(self.connection, piece)
                await asyncio.sleep(0)

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of an answer, with names in lower case."""
        while b"\r\n\r\n" not in self.came:
            assert await self._more(), f"the connection ended after {self.came!r}"
        head, _, self.came = self.came.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        return int(start.split(" ")[1]), {name.lower(): value for name, _, value in pairs}

    async def said(self) -> tuple[int, bytes] | None:
        """The opcode and the payload of the next frame; None when the connection has ended."""
        while (whole := self._frame()) is None:
            if not await self._more():
                assert not self.came, f"half a frame: {self.came!r}"
                return None
        return whole

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while await self._more():
            pass
        return self.came

    async def silent(self, seconds: float) -> bool:
        """Whether nothing comes for that long, not even the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._more()
        except TimeoutError:
            return True
        return False

    def _frame(self) -> tuple[int, bytes] | None:
        if len(self.came) < 2:
            return None
        first, length = self.came[0], self.came[1]
        assert first & 0xF0 == 0x80, "the gateway sends whole messages without extensions"
        assert length < 128, "a server does not mask"
        width = {126: 2, 127: 8}.get(length, 0)
        if width:
            length = int.from_bytes(self.came[2 : 2 + width])
        end = 2 + width + length
        if len(self.came) < end:
            return None
        payload, self.came = self.came[2 + width : end], self.came[end:]
        return first & 0x0F, payload

    async def _more(self) -> bool:
        try:
            async with asyncio.timeout(WITHIN):
                piece = await asyncio.get_running_loop().sock_recv(self.connection, 1 << 16)
        except ConnectionResetError:
            return False
        self.came += piece
        return bool(piece)


@asynccontextmanager
async def raw_socket(port: int) -> AsyncIterator[RawSocket]:
    with socket.socket() as connection:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        yield RawSocket(connection)


def word(opcode: int, payload: bytes) -> str:
    """A frame of the gateway's in a word: the type of a message and what it is about; a control frame in capitals, with
    what it carries."""
    if opcode == TEXT:
        message = json.loads(payload)
        return f"{message['type']}:{message['topic']}" if "topic" in message else str(message["type"])
    if opcode == CLOSE:
        return f"CLOSE:{int.from_bytes(payload[:2])}" if payload else "CLOSE"
    return f"{ {PING: 'PING', PONG: 'PONG'}[opcode] }:{payload.decode()}"
