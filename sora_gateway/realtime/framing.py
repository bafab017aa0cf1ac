"""How a message looks on the wire. A form is made once and written to every reader who takes it.

WebSocket frames: RFC 6455 section 5.2, server side, so unmasked. Event streams: the HTML standard, server-sent events;
over HTTP/1.1 in chunks of RFC 9112 section 7.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Kind = Literal["ready", "subscribed", "update", "log", "reset", "unsubscribed", "error", "pong"]


class Message(Protocol):
    """*body* is its JSON in UTF-8, *cursor* where a stream that ends after it goes on."""

    @property
    def kind(self) -> Kind: ...

    @property
    def body(self) -> bytes: ...

    @property
    def cursor(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to one connection."""

    kind: Kind
    body: bytes
    cursor: str = ""


Form: TypeAlias = Callable[[Message], bytes]
"""From a message to the bytes that are written for it."""

_TEXT = 0x81
"""The final, and only, frame of a text message."""
_MIDDLE = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack


def text_frame(message: Message) -> bytes:
    """A whole WebSocket frame."""
    payload = message.body
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 1 << 16:
        return _MIDDLE(_TEXT, 126, size) + payload
    return _LONG(_TEXT, 127, size) + payload


def bare_text(message: Message) -> bytes:
    """The payload alone, for who frames it themselves."""
    return message.body


def event(message: Message) -> bytes:
    """An event of a ``text/event-stream``."""
    head = f"id: {message.cursor}\nevent: {message.kind}\ndata: "
    return b"%b%b\n\n" % (head.encode(), message.body)


def event_chunk(message: Message) -> bytes:
    """The same as a chunk of an HTTP/1.1 body."""
    return chunk(event(message))


def chunk(body: bytes) -> bytes:
    """*body*, which is not empty, as a chunk of an HTTP/1.1 body."""
    return b"%x\r\n%b\r\n" % (len(body), body)
