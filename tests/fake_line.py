"""Lines whose peer a test plays: the models of a transport, one without a socket and one with.

They behave as the server's own lines do: ``tests/test_uvicorn_seams.py`` holds them to one contract. What is written is
kept until the peer takes it; above *high* bytes the reader is asked to pause, at *low* it may go on. What the peer says
comes in packets, and one that has begun is told to its end, also to a reader that asks to hold in between.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from contextlib import suppress

from sora_gateway.realtime.line import NONE, Reader


class FakeLine:
    """*cuts*: :meth:`end` cuts the connection off, as that of an event stream does."""

    def __init__(self, high: int = 64 * 1024, *, cuts: bool = False) -> None:
        self.full = False
        self.descriptor = NONE
        self.ended: tuple[int, str] | None = None
        self.gone = False
        self.written = 0
        """Bytes, since the beginning."""
        self.too_late = 0
        """Bytes that were written after the end: they would have come behind the close."""
        self._high, self._low = high, high // 4
        self._cuts = cuts
        self._reader: Reader | None = None
        self._held = False
        self._untaken = bytearray()
        self._said: deque[tuple[str | None, ...]] = deque()

    # --- the line ----------------------------------------------------------------------------------

    def attach(self, reader: Reader) -> None:
        self._reader = reader
        if self.gone:
            reader.lost()
        while self._said:
            self._tell(self._said.popleft())

    def write(self, data: bytes) -> None:
        if self.gone:
            return
        if self.ended is not None:
            self.too_late += len(data)
        self.written += len(data)
        self._untaken += data
        if len(self._untaken) > self._high and not self.full:
            self.full = True
            if self._reader is not None:
                self._reader.paused()

    def hold(self) -> None:
        self._held = True

    def go_on(self) -> None:
        if self._held:
            self._held = False
            asyncio.get_running_loop().call_soon(self._hear)

    def end(self, code: int, reason: str) -> None:
        if self.ended is not None or self.gone:
            return
        self.ended = code, reason
        self.go_on()
        if self._cuts:
            self.cut()

    def finish(self) -> None:
        """The task that it was opened by has ended it."""
        self.collect()
        self.ended = self.ended or (0, "")

    def collect(self) -> None:
        """Counts what was written."""

    # --- the peer ----------------------------------------------------------------------------------

    @property
    def untaken(self) -> int:
        """Bytes that are on their way."""
        return len(self._untaken)

    def take(self, size: int | None = None) -> bytes:
        """What the peer reads: *size* bytes at most, or everything that is there."""
        taken = bytes(self._untaken[:size])
        del self._untaken[: len(taken)]
        if self.full and len(self._untaken) <= self._low and not self.gone:
            self.full = False
            if self._reader is not None:
                self._reader.resumed()
        return taken

    def say(self, *texts: str | None) -> None:
        """Messages of the peer, in one packet."""
        self._said.append(texts)
        self._hear()

    def cut(self) -> None:
        """The connection is gone, at either side's wish; the reader hears of it a moment later."""
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().call_soon(self._lost)

    def leave(self) -> None:
        """The peer says good-bye: the reader hears it at once, and once more when the connection is gone."""
        if not self.gone:
            self._lost()
            self.cut()

    # -----------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        while self._said and self._reader is not None and not self._held and not self.gone:
            self._tell(self._said.popleft())

    def _tell(self, packet: tuple[str | None, ...]) -> None:
        for text in packet:
            if self._reader is not None and self.ended is None:
                self._reader.received(text)

    def _lost(self) -> None:
        if self._reader is not None:
            self._reader.lost()


class FakeSocketLine(FakeLine):
    """One with a pair of sockets that take about *room* bytes, and with a descriptor that may be written to past it.

    Like the transports under the real ones it keeps nothing before the socket is full, and asks to pause at the first
    byte that it keeps.
    """

    def __init__(self, room: int) -> None:
        super().__init__(high=0)
        self._ours, self._theirs = socket.socketpair()
        for each in (self._ours, self._theirs):
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        self.descriptor = self._ours.fileno()
        self._came = bytearray()
        """What came out of the socket and was not taken yet; what is kept comes behind it."""

    def write(self, data: bytes) -> None:
        if not self.gone and not self._untaken and self.ended is None:
            data = data[self._sent(data) :]
        if data:
            super().write(data)

    def _sent(self, data: bytes) -> int:
        with suppress(BlockingIOError):
            return os.write(self.descriptor, data)
        return 0

    def end(self, code: int, reason: str) -> None:
        self.collect()
        super().end(code, reason)

    @property
    def untaken(self) -> int:
        self.collect()
        return len(self._came) + len(self._untaken)

    def take(self, size: int | None = None) -> bytes:
        self.collect()
        taken = bytes(self._came[:size])
        del self._came[: len(taken)]
        return taken + super().take(None if size is None else size - len(taken))

    def collect(self) -> None:
        """Takes everything out of the socket, so that it is counted."""
        while self._theirs.fileno() >= 0:
            try:
                came = self._theirs.recv(1 << 16)
            except BlockingIOError:
                return
            if not came:
                return
            self.written += len(came)
            self._came += came
            if self.ended is not None:
                self.too_late += len(came)

    def _lost(self) -> None:
        self.collect()
        super()._lost()
        if self.gone:
            self._ours.close()
            self._theirs.close()
