"""The seam between a connection and what carries it: the server's transport directly, or plain ASGI."""

from __future__ import annotations

from typing import Protocol

DIRECT = "sora_gateway.line"
"""The ASGI extension with which our own protocols offer themselves as a :class:`Line`."""


class Reader(Protocol):
    """Who is told what happens on a line. Nothing here may wait."""

    def received(self, text: str | None) -> None:
        """A whole message came; None for one that is not text."""
        ...

    def paused(self) -> None:
        """The peer takes less than it is sent: write no more for now."""
        ...

    def resumed(self) -> None: ...

    def lost(self) -> None:
        """The connection is gone. The last call, and it may come more than once."""
        ...


class Line(Protocol):
    """Takes bytes in a :data:`~sora_gateway.realtime.framing.Form` that fits it, in order, and never waits."""

    @property
    def full(self) -> bool:
        """Whether it has asked its reader to pause."""
        ...

    def attach(self, reader: Reader) -> None:
        """From now on *reader* is told, first of what has come already."""
        ...

    def write(self, data: bytes) -> None: ...

    def hold(self) -> None:
        """Takes nothing more from the peer, until :meth:`go_on`."""
        ...

    def go_on(self) -> None: ...

    def end(self, code: int, reason: str) -> None:
        """Says *code* to the peer and ends; a peer that does not take even that is cut off."""
        ...
