"""A line over plain ASGI, for a server that does not offer its transports: a task that sends, behind a bounded buffer.

It costs a task for each connection and a wake-up for each message; what people see is the same, and so are the tests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from sora_gateway.realtime.line import NONE, Reader

HIGH = 64 * 1024
"""Bytes that wait to be sent, from which on the reader is to pause."""
LOW = HIGH // 4
LAST_WORDS = 1.0
"""Seconds that a peer has to take what is left when the line ends."""


class PlainLine:
    """*send* sends one piece and raises OSError when the peer is gone."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._reader: Reader | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._open = asyncio.Event()
        """Set while the peer may say something."""
        self._open.set()
        self._task: asyncio.Task[None] | None = None
        self._cut: asyncio.TimerHandle | None = None
        self.full = False
        self.descriptor = NONE
        self.ended: tuple[int, str] | None = None
        """With which code and reason, once it has ended."""

    def attach(self, reader: Reader) -> None:
        self._reader = reader

    def write(self, data: bytes) -> None:
        if self.ended is not None:
            return
        self._waiting.append(data)
        self._size += len(data)
        self._changed.set()
        if self._size > HIGH and not self.full:
            self.full = True
            if self._reader is not None:
                self._reader.paused()

    def hold(self) -> None:
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    async def may_hear(self) -> None:
        """Returns when the peer may say something."""
        await self._open.wait()

    def end(self, code: int, reason: str) -> None:
        if self.ended is None:
            self.ended = code, reason
            self._changed.set()
            self._open.set()
            if self._task is not None:
                self._cut = asyncio.get_running_loop().call_later(LAST_WORDS, self._task.cancel)

    async def carry(self) -> None:
        """Sends until the line ends, and what is left then if the peer takes it.

        Raises:
            OSError: the peer is gone.
            CancelledError: the peer does not take what is left.
        """
        self._task = asyncio.current_task()
        try:
            while self._waiting or self.ended is None:
                await self._changed.wait()
                self._changed.clear()
                while self._waiting:
                    await self._send_next()
        finally:
            if self._cut is not None:
                self._cut.cancel()

    async def _send_next(self) -> None:
        data = self._waiting[0]
        await self._send(data)
        self._waiting.popleft()
        self._size -= len(data)
        if self.full and self._size <= LOW:
            self.full = False
            if self._reader is not None:
                self._reader.resumed()
