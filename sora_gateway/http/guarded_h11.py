"""uvicorn's h11 protocol with bounds on what a peer can cost before it has asked for anything.

Without them a request head may be of any size if it arrives in one piece, and a silent or half-sent one is
kept for ever. While an event stream is sent it is also a :class:`~sora_gateway.realtime.line.Line`: chunks are
written to the transport beside h11, which counts none in a chunked body.

Pinned to uvicorn 0.54: overridden are ``connection_made``, ``data_received``, ``connection_lost``,
``send_400_response``, ``on_response_complete``, ``pause_writing`` and ``resume_writing``; ``app`` is wrapped.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from sora_gateway.realtime.line import DIRECT, NONE, Reader, opened

MAX_HEAD = 32 * 1024
"""Bytes of request line and headers together."""
MAX_HEADERS = 100

_CLOSE = (b"connection", b"close")
_END_OF_LINE = re.compile(rb"\r?\n[ \t]?")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def _dropped(data: bytes) -> None:
    """Takes what there is nobody for."""


class GuardedConnection(h11.Connection):
    """h11's parser, which also refuses what is well-formed but too large, or readable in two ways."""

    def __init__(self) -> None:
        # h11 applies its own bound only to a head that has not ended yet, hence the second look below.
        super().__init__(h11.SERVER, MAX_HEAD)
        self.refused_with = 400

    # The sentinels have no public type to name here.
    def next_event(self) -> Any:
        received = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _check(event)
                _check_lines(received)
        except h11.RemoteProtocolError as error:
            self.refused_with = 431 if error.error_status_hint == 431 else 400
            raise
        return event


def _check(request: h11.Request) -> None:
    headers = list(request.headers)
    size = len(request.target) + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > MAX_HEAD or len(headers) > MAX_HEADERS:
        raise h11.RemoteProtocolError("request head too large", error_status_hint=431)
    names = {name for name, _ in headers}
    # Two framings at once are how requests are smuggled past a proxy; h11 would let the second win.
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("two framings")
    # Only the origin form: an absolute target or "@host" is read differently by different programs.
    if not request.target.startswith(b"/") and (request.method, request.target) != (b"OPTIONS", b"*"):
        raise h11.RemoteProtocolError("not an origin-form target")
    for name, value in headers:
        if name == b"host" and not _HOST.fullmatch(value):
            raise h11.RemoteProtocolError("not a host")


def _check_lines(received: bytes) -> None:
    """*received* begins with a head. h11 takes lines that end in LF alone, and lines that go on in the next one;
    a proxy in front may see other headers there."""
    end = _END_OF_LINE.search(received)
    while end is not None and end[0] == b"\r\n":
        if received.startswith(b"\r\n", end.end()):
            return
        end = _END_OF_LINE.search(received, end.end())
    raise h11.RemoteProtocolError("not lines that end in CRLF")


class GuardedH11(H11Protocol):
    """One client connection. The limits are class attributes: :meth:`with_limits` makes a class with others."""

    head_timeout = 10.0
    """Seconds for a head to arrive, counted from the connection or from the end of the response before it;
    also for a body that nobody reads any more."""
    linger_timeout = 1.0
    """Seconds that a refused peer has to read why."""
    max_connections = 0
    """Open connections at once, WebSockets included; 0 is unlimited."""

    @classmethod
    def with_limits(cls, *, max_connections: int = 0, head_timeout: float | None = None) -> type[GuardedH11]:
        limits = {"max_connections": max_connections, "head_timeout": head_timeout or cls.head_timeout}
        return type(cls.__name__, (cls,), limits)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parser = GuardedConnection()
        self.conn = self._parser
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._reader: Reader | None = None
        self.full = False
        self.descriptor = NONE
        app = self.app

        def offering_the_line(scope: Any, receive: Any, send: Any) -> Any:
            scope.setdefault("extensions", {})[DIRECT] = self
            return app(scope, receive, self._until_it_is_read(receive, send))

        self.app = offering_the_line

    # --- as a line ---------------------------------------------------------------------------------

    def attach(self, reader: Reader) -> None:
        self._reader = reader
        if self.full:
            reader.paused()  # It was asked to before there was a reader.
        self.descriptor = opened(self.transport)
        if self._is_over:
            reader.lost()

    @property
    def write(self) -> Any:
        # uvloop raises where asyncio drops.
        return _dropped if self._is_over else self.transport.write

    @property
    def _is_over(self) -> bool:
        """A refusal has been the last word already, while the peer has time to read it."""
        return self._refused or self.transport.is_closing()

    def hold(self) -> None:
        """A peer that has asked for an event stream says nothing more."""

    def go_on(self) -> None: ...

    def end(self, code: int, reason: str) -> None:
        """Cuts the connection off: an event stream has no last word, and one that could be taken needs no end here."""
        self.cycle.disconnected = True
        self.transport.abort()

    def pause_writing(self) -> None:
        self.full = True
        super().pause_writing()
        if self._reader is not None:
            self._reader.paused()

    def resume_writing(self) -> None:
        self.full = False
        super().resume_writing()
        if self._reader is not None:
            self._reader.resumed()

    # --- as a guard --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.max_connections and len(self.connections) > self.max_connections:
            self._refuse(503, "Too many connections are open; try again in a moment.")
        else:
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        try:
            super().connection_lost(exc)
        finally:
            # Whatever happens: the descriptor is closed next, and given to somebody else.
            if self._reader is not None:
                self._reader.lost()
                self._reader = None

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # read and dropped, so that closing does not reset the connection before the answer is read
        super().data_received(data)
        self._watch_head()

    def _get_upgrade(self) -> bytes | None:
        """All Connection lines together count; uvicorn knows the last one only."""
        options = (
            b",".join(value for name, value in self.headers if name == b"connection").lower().split(b",")
        )
        wanted = [value.lower() for name, value in self.headers if name == b"upgrade"]
        return wanted[-1] if wanted and b"upgrade" in [option.strip() for option in options] else None

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Refuses what uvicorn would hand on as another request than it was, and hands on what came behind it."""
        headers = dict(self.headers)
        if (
            event.http_version != b"1.1"
            or b"transfer-encoding" in headers
            or headers.get(b"content-length", b"0") != b"0"
        ):
            self._refuse(400, "A handshake is a GET of HTTP/1.1 without a body.")
            return
        lines = [len(event.target) + 16, *(len(name) + len(value) + 4 for name, value in self.headers)]
        if max(lines) > 8192:  # websockets' own bound, beyond which uvicorn's protocol says nothing for ever
            self._refuse(431, "The request head is too large.")
            return
        super().handle_websocket_upgrade(event)
        behind, _ = self.conn.trailing_data
        if behind and not self.transport.is_closing():
            self.transport.get_protocol().data_received(behind)  # type: ignore[attr-defined]

    def on_response_complete(self) -> None:
        if self._reader is not None:
            self._reader, self.descriptor = None, NONE
            self.transport.set_write_buffer_limits()
        super().on_response_complete()
        self._watch_head()

    def _until_it_is_read(self, receive: Any, send: Any) -> Any:
        """*send*, with an end that waits for the rest of a request that is answered early and not to be followed by
        another: of a connection that is closed under what its peer sends, the kernel throws away the answer as well.
        That is how proxies send. Where the connection is kept, the deadline for heads waits for it."""

        async def sending(message: Any) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and self.conn.their_state is h11.SEND_BODY and _CLOSE in self.headers:
                await send({**message, "more_body": True})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.head_timeout):
                        while (await receive()).get("more_body", False):
                            pass
                message = {"type": "http.response.body"}
            await send(message)

        return sending

    def send_400_response(self, msg: str) -> None:
        status = self._parser.refused_with
        self._refuse(status, "The request head is too large." if status == 431 else msg)

    def _watch_head(self) -> None:
        """The timer runs exactly while the next move is the peer's: a head, or the rest of an unread body.

        A handshake that is handed to the WebSocket protocol leaves h11 in neither state.
        """
        if self._refused:
            return
        theirs, ours = self.conn.their_state, self.conn.our_state
        waiting = theirs is h11.IDLE or (theirs is h11.SEND_BODY and ours is h11.DONE)
        if not waiting:
            self._disarm()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout, self._too_slow)

    def _too_slow(self) -> None:
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(408, "The request head took too long.")
        else:
            self.timeout_keep_alive_handler()

    def _refuse(self, status: int, sentence: str) -> None:
        self._refused = True
        self._disarm()
        if self.transport.is_closing():
            return
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # a response has begun: there is no room for another
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = sentence.encode()
        head = (
            f"HTTP/1.1 {status} {STATUS_PHRASES[status].decode()}\r\n"
            "content-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(self.linger_timeout, self.transport.abort)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
