"""The seam between a connection and what carries it: the server's transport directly, or plain ASGI."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Protocol

SEND_BUFFER = 128 * 1024
"""Bytes that the kernel keeps for a peer that does not read; by itself it would take megabytes."""
NONE = -1
"""No descriptor."""

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

    @property
    def descriptor(self) -> int:
        """The socket's, which may be written to past the line until :meth:`Reader.lost`, as long as the line is not
        full; what it does not take goes to :meth:`write`. :data:`NONE` if this line is not for that."""
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


def opened(transport: asyncio.Transport) -> int:
    """Makes *transport* a line's, and returns its descriptor if that may be written to past it.

    It asks to pause as soon as it keeps a single byte, which asyncio promises for a limit of zero: as long as it has not
    asked, nothing is overtaken by who writes to the socket. It tells that the connection is lost before it closes the
    descriptor. Only the peer's own bytes may pass, so no encryption.
    """
    sock: socket.socket | None = transport.get_extra_info("socket")
    # Of a peer that has left meanwhile the socket is closed.
    if sock is None or sock.fileno() < 0 or transport.is_closing():
        return NONE
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    transport.set_write_buffer_limits(0)
    # Elsewhere a socket is no file.
    direct = os.name == "posix" and transport.get_extra_info("sslcontext") is None
    return sock.fileno() if direct else NONE
