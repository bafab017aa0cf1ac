"""Answers that go wrong on the wire.

On a socket the connection breaks. Called in process there is no connection to break: there
:class:`ConnectionDropped` comes out of the application, and whoever calls it takes that for a lost answer.
"""

from __future__ import annotations

import contextlib

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CUT = 0.6
"""Where a cut file ends, as a share of what should have come."""


class ConnectionDropped(ConnectionResetError):
    """The simulator broke the connection on purpose."""


class Dropped(Response):
    """No answer at all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Without a status nothing can be written, but the server counts the answer as begun; when the
        # application then fails, it closes the connection instead of explaining itself with a 500.
        with contextlib.suppress(KeyError):
            await send({"type": "http.response.start"})
        raise ConnectionDropped


class Halved:
    """*answer* with its whole head and the first *share* of its body, then a broken connection."""

    def __init__(self, answer: ASGIApp, share: float = 0.5) -> None:
        self._answer = answer
        self._share = share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = 0

        async def cut(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                left = int(_length(message) * self._share)
                await send(message)
                return
            body = message.get("body", b"")
            await send({"type": "http.response.body", "body": body[:left], "more_body": True})
            left -= len(body)
            if left <= 0:
                raise ConnectionDropped

        await self._answer(scope, receive, cut)


class Truncated:
    """*answer* ending in good order at 60 %, with no length that would tell: a proxy that gave up."""

    def __init__(self, answer: ASGIApp) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = 0

        async def cut(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                left = int(_length(message) * CUT)
                headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                await send({**message, "headers": [*headers, (b"connection", b"close")]})
                return
            body = message.get("body", b"")
            await send({**message, "body": body[: max(0, left)]})
            left -= len(body)

        await self._answer(scope, receive, cut)


def _length(start: Message) -> int:
    """What the head of an answer declares, in bytes."""
    return next((int(value) for name, value in start["headers"] if name == b"content-length"), 0)
