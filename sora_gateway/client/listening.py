"""One line, read in a task of its own: beside it silence is noticed, and a better way is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Self

from sora_gateway.client.failures import Answered, Ended
from sora_gateway.client.lines import LINES, Hearing, Line, Message
from sora_gateway.client.values import Transport

WAITING = 64
"""Messages that wait for a slow reader; the rest waits at the gateway, which lets it come back if it takes too long."""


class Better(Ended):
    """A better way works: *transport*."""

    def __init__(self, transport: Transport) -> None:
        super().__init__("a better way works", said=True)
        self.transport: Transport = transport


class Listening:
    """``async with``; then :meth:`next` until it raises. *probe* returns the better way that works, when one does."""

    def __init__(
        self, line: Line, transport: Transport, probe: Callable[[], Awaitable[Transport]] | None
    ) -> None:
        self._line = line
        self._transport = transport
        self._probe = probe
        self._queue: asyncio.Queue[Message | Exception] = asyncio.Queue(WAITING)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._notice_silence())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def next(self) -> Message:
        """The next message.

        Raises:
            Ended: the line is over.
            Answered: and there is nothing to come back for.
        """
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def _read(self) -> None:
        try:
            async with aclosing(LINES[self._transport](self._line)) as messages:
                async for message in messages:
                    await self._queue.put(message)
                    if self._probe is not None:
                        # Not before this line works: what fails as well is no reason to climb.
                        self._tasks.append(asyncio.create_task(self._climb(self._probe)))
                        self._probe = None
        except Exception as error:
            # Whatever it is, the reader of the queue has to hear of it.
            await self._queue.put(error)

    async def _climb(self, probe: Callable[[], Awaitable[Transport]]) -> None:
        await self._queue.put(Better(await probe()))

    async def _notice_silence(self) -> None:
        """A dead network closes nothing by itself: silence is answered with a question, and more silence is the end."""
        hearing, clock = self._line.hearing, self._line.clock
        while True:
            rest = hearing.last + hearing.silence - clock.monotonic()
            if rest > 0:
                await clock.sleep(rest)
            elif self._queue.full():
                hearing.heard()  # It is our reader who is slow.
            elif hearing.nudge is None or not await self._answers():
                await self._queue.put(Ended("nothing is heard of it"))
                return

    async def _answers(self) -> bool:
        hearing, clock, asked = self._line.hearing, self._line.clock, self._line.clock.monotonic()
        assert hearing.nudge is not None
        asking = asyncio.ensure_future(hearing.nudge())
        try:
            await clock.sleep(self._line.pace.pong_timeout)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        return hearing.last > asked


async def works(line: Line, transport: Transport) -> bool:
    """Whether something is told over *transport* within the time for that."""
    hearing = Hearing(line.clock, line.pace.open_timeout)
    async with Listening(replace(line, hearing=hearing), transport, None) as listening:
        try:
            await listening.next()
        except (Ended, Answered):
            return False
        return True
