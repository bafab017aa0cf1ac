"""Between a mailbox and a line: lets letters through while the line takes them, and gives up on a peer that does not."""

from __future__ import annotations

import asyncio

from sora_gateway.errors import CloseCode
from sora_gateway.realtime.framing import Form, Message
from sora_gateway.realtime.line import Line
from sora_gateway.realtime.mailbox import Mailbox


class Gone(Exception):
    """The connection is over; there is nobody to say anything to."""


class Flow:
    """A :class:`~sora_gateway.realtime.line.Reader` but for what it hears: one connection's way out.

    *patience* is the time in seconds that a peer may take nothing; then the mailbox is closed.
    """

    __slots__ = ("_deadline", "_form", "_line", "_mailbox", "_patience", "_room")

    def __init__(self, mailbox: Mailbox, line: Line, form: Form, patience: float) -> None:
        self._mailbox = mailbox
        self._line = line
        self._form = form
        self._patience = patience
        self._deadline: asyncio.TimerHandle | None = None
        self._room: asyncio.Future[None] | None = None
        """Done when the line takes something again, or never will; while somebody waits for it."""
        mailbox.serve(line, form)

    async def say(self, message: Message) -> None:
        """Writes *message*, and returns when there is room for more.

        Raises:
            Gone: the connection is over, before or meanwhile.
        """
        if self._mailbox.closed.done():
            raise Gone
        self._line.write(self._form(message))
        await self.drained()

    async def drained(self) -> None:
        """Returns when the line has room. Raises Gone."""
        while self._line.full and not self._mailbox.closed.done():
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if self._mailbox.closed.done():
            raise Gone

    def paused(self) -> None:
        self._mailbox.pause()
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._patience, self._mailbox.close, CloseCode.TOO_SLOW)

    def resumed(self) -> None:
        self.over()
        self._mailbox.go_on()

    def over(self) -> None:
        """Nobody has to wait for the line any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
