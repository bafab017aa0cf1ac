"""Repeated reads of one server, at a tenth of what a general client costs: plain HTTP/1.1 over kept connections.

For lists, which are asked for again and again. It reads the answers that nearly all servers give, strictly; anything
else (:class:`NotPlain`) is for the general client to ask again. So is nothing that costs something: a request is
sent once more by itself when a kept connection turns out to be closed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import SplitResult, urlsplit

MAX_HEAD = 32 * 1024
KEPT = 4
"""Connections kept for the next request."""
EXPIRY = 20.0
"""Seconds for which they are kept; servers close theirs after more than that."""

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,7})[ \t]*(?:;[^\r\n]*)?\r\n")
_TARGET = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}
_WITHOUT_BODY = frozenset({204, 304})


class NotPlain(Exception):
    """The request or its answer needs a client that knows more."""


class Answer:
    """One answer as it comes in, byte for byte."""

    def __init__(self, limit: int) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.truncated = False
        """Whether there was more of the body than the limit."""
        self.keeps = True
        """Whether the connection can be used again."""
        self._limit = limit
        self._received = bytearray()
        self._start = 0
        """Where the body begins, or the next chunk."""
        self._length: int | None = None
        """Of the body; None while its head is not there, or for chunks."""
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> bool:
        """Takes what has come; says whether it is all there.

        Raises:
            NotPlain: it is not what this understands.
        """
        self._received += data
        if not self.status and not self._read_head():
            return False
        return self._read_chunks() if self._length is None else self._read_length(self._length)

    def _read_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > MAX_HEAD:
                raise NotPlain
            return False
        first, *lines = bytes(self._received[:end]).split(b"\r\n")
        status = _STATUS.fullmatch(first)
        if status is None or end > MAX_HEAD:
            raise NotPlain
        for line in lines:
            header = _HEADER.fullmatch(line)
            name = header[1].decode().lower() if header else ""
            if header is None or name in self.headers:
                # Folded, damaged, or there twice: what counts is a matter of opinion.
                raise NotPlain
            self.headers[name] = header[2].decode("latin-1")
        self.status = int(status[1])
        self._start = end + 4
        self.keeps = self.headers.get("connection", "").lower() != "close"
        length, coding = self.headers.get("content-length"), self.headers.get("transfer-encoding")
        if self.status in _WITHOUT_BODY:
            length, coding = "0", None
        if coding is not None:
            if length is not None or coding.lower() != "chunked":
                raise NotPlain
        elif length is None or not length.isdecimal() or len(length) > 12:
            # Without a length it ends when the connection does, and nobody knows whether all of it came.
            raise NotPlain
        else:
            self._length = int(length)
        return True

    def _read_length(self, length: int) -> bool:
        available = len(self._received) - self._start
        if length > self._limit and available > self._limit:
            self.truncated, self.keeps = True, False
        elif available < length:
            return False
        self.keeps = self.keeps and available == length
        self.body = bytes(self._received[self._start : self._start + min(length, self._limit)])
        return True

    def _read_chunks(self) -> bool:
        size = sum(map(len, self._chunks))
        while (line := _CHUNK.match(self._received, self._start)) is not None:
            length, begin = int(line[1], 16), line.end()
            if length == 0:
                return self._read_end(begin)
            if len(self._received) < begin + length + 2:
                break
            if self._received[begin + length : begin + length + 2] != b"\r\n":
                raise NotPlain
            self._chunks.append(bytes(self._received[begin : begin + length]))
            self._start, size = begin + length + 2, size + length
            if size > self._limit:
                self.body, self.truncated, self.keeps = b"".join(self._chunks)[: self._limit], True, False
                return True
        if len(self._received) - self._start > self._limit + 64 or (
            line is None and len(self._received) - self._start > 64
        ):
            raise NotPlain
        return False

    def _read_end(self, begin: int) -> bool:
        end = bytes(self._received[begin : begin + 2])
        if len(end) < 2:
            return False
        if end != b"\r\n":
            raise NotPlain  # Trailers.
        self.keeps = self.keeps and len(self._received) == begin + 2
        self.body = b"".join(self._chunks)
        return True


class _Connection(asyncio.Protocol):
    """One answer at a time."""

    def __init__(self) -> None:
        self.since = 0.0
        """When (by the loop's clock) it was put away."""
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._done: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one without saying so.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._done is None or self._answer is None or self._done.done():
            # Nobody has asked.
            self.close()
            return
        try:
            if self._answer.feed(data):
                self._done.set_result(self._answer)
        except NotPlain as error:
            self._done.set_exception(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionResetError())

    async def exchange(self, request: bytes, limit: int) -> Answer:
        """Raises ConnectionResetError, NotPlain."""
        assert self._transport is not None
        if self.closed or self._transport.is_closing():
            raise ConnectionResetError
        self._answer, self._done = Answer(limit), asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._done
        finally:
            self._done = None

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()


class PlainConnections:
    """The kept connections to one server or a few; *tls* makes the context for https, at the first need."""

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self._tls = tls
        self._kept: dict[tuple[str, str, int], list[_Connection]] = {}

    async def get(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        """The answer to a GET, with at most *limit* bytes of its body.

        Raises:
            NotPlain: ask with a general client.
            OSError: it cannot be reached, or the connection broke.
        """
        parts = urlsplit(url)
        place, request = _request(parts, headers)
        kept = self._kept.setdefault(place, [])
        oldest = asyncio.get_running_loop().time() - EXPIRY
        while kept:
            connection = kept.pop()
            if connection.closed or connection.since < oldest:
                connection.close()
                continue
            try:
                return await self._exchange(connection, place, request, limit)
            except ConnectionResetError:
                # The server had closed it meanwhile; a read can be repeated.
                break
        return await self._exchange(await self._connect(place), place, request, limit)

    async def _exchange(
        self, connection: _Connection, place: tuple[str, str, int], request: bytes, limit: int
    ) -> Answer:
        keeps = False
        try:
            answer = await connection.exchange(request, limit)
            keeps = answer.keeps
            return answer
        finally:
            kept = self._kept[place]
            if keeps and len(kept) < KEPT and not connection.closed:
                connection.since = asyncio.get_running_loop().time()
                kept.append(connection)
            else:
                connection.close()

    async def _connect(self, place: tuple[str, str, int]) -> _Connection:
        scheme, host, port = place
        loop = asyncio.get_running_loop()
        context = await asyncio.to_thread(self._tls) if scheme == "https" else None
        _, connection = await loop.create_connection(_Connection, host, port, ssl=context)
        return connection

    def close(self) -> None:
        for kept in self._kept.values():
            while kept:
                kept.pop().close()


def _request(parts: SplitResult, headers: Mapping[str, str]) -> tuple[tuple[str, str, int], bytes]:
    """Where to, and the bytes.

    Raises:
        NotPlain: the address or a header is not plain ASCII.
    """
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
    if not host or not port or parts.username is not None or not _TARGET.fullmatch(target):
        raise NotPlain
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise NotPlain
    return (parts.scheme, host, port), "\r\n".join([*lines, "", ""]).encode()
