"""uvicorn's protocol for one WebSocket, which offers its transport to who would write to it directly.

Until a connection is attached it is ASGI as usual: the handshake, and who it is. From then on what comes is handed to
its reader and what goes is written to the transport, or past it, without a task or a queue; the ASGI task ends, and with it what a
handshake needs (headers, scope, queue), which is most of a connection's memory.

Pinned to uvicorn 0.54 by tests/test_uvicorn_seams.py. Overridden: ``handle_connect``, ``send``, ``run_asgi``,
``send_receive_event_to_app``, ``handle_cont``, ``handle_close``, ``handle_parser_exception``, ``start_keepalive``,
``stop_keepalive``, ``keepalive_timeout``, ``shutdown``, ``connection_lost``, ``pause_writing`` and ``resume_writing``; replaced: ``conn``, and in the end ``queue``, ``writable``,
``scope``, ``server`` and ``client``. Of websockets' protocol: ``reject`` and ``recv_frame``; replaced: ``parser``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidHeaderValue, InvalidState, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from sora_gateway.errors import CloseCode
from sora_gateway.http.keepalive import Keepalive
from sora_gateway.http.middleware import CAREFUL_HEADERS
from sora_gateway.realtime.line import DIRECT, NONE, Reader, opened

CLOSING = 10.0
"""Seconds that a peer has to answer a close."""
CUTTING = 1.0
"""The same of one that takes nothing."""
FRAMES = 512
"""In a second, beside whole messages, which their reader counts: a quarter of a megabyte of empty pings holds the event
loop for a third of a second, and each is answered, also to who does not read."""
PING = b"\x89\x00"
PONG, PONG_SIZE = b"\x8a\x80", 6
"""How its answer begins, and what it has with the mask."""
PIECE = 4096
"""Bytes that are read at once, so that what was said in them counts before the rest is read."""


class _Careful(ServerProtocol):
    """Refuses what is no handshake as carefully as everything else is refused, and bounds what a peer can cost by frames
    that say nothing; *now* gives seconds."""

    # All attributes, also those of the classes above: thirty and more do not share the keys of their dictionaries.
    __slots__ = (
        "_frames", "_now", "_second", "_state", "accept_called", "available_extensions", "available_subprotocols",
        "close_rcvd", "close_rcvd_then_sent", "close_sent", "current_size", "debug", "eof_sent", "events",
        "expect_continuation_frame", "extensions", "handshake_exc", "id", "logger", "max_fragment_size",
        "max_message_size", "origin", "origins", "parser", "parser_exc", "read", "reader", "side", "subprotocol",
        "whole", "writes",
    )  # fmt: skip

    def __init__(self, now: Callable[[], float], **options: Any) -> None:
        super().__init__(**options)
        self._now = now
        self.read = False
        """Whether there is a reader, who counts messages."""
        self.whole = False
        """Whether all frames that have begun have come to their end."""
        self._second = 0
        self._frames = 0

    def forget_the_handshake(self) -> None:
        """Goes on to read frames, of which none has begun, without who has read the handshake and keeps all of it."""
        if not self.reader.buffer:
            self.parser = Protocol.parse(self)
            next(self.parser)
            self.whole = True

    def receive_data(self, data: bytes | bytearray) -> None:
        self.whole = False
        super().receive_data(data)

    def recv_frame(self, frame: Frame) -> None:
        # What comes after a close is read by nobody, so that nobody counts it.
        message = frame.fin and frame.opcode in (Opcode.TEXT, Opcode.BINARY)
        if not (message and self.read) or self.close_sent is not None:
            self._count()
        super().recv_frame(frame)
        self.whole = not self.reader.buffer

    def _count(self) -> None:
        second = int(self._now())
        if second != self._second:
            self._second, self._frames = second, 0
        self._frames += 1
        if self._frames > FRAMES:
            self.fail(CloseCode.TOO_MANY_MESSAGES, "too many frames; slow down")
            raise ProtocolError("too many frames")

    def reject(self, status: StatusLike, text: str) -> Response:
        version = (
            isinstance(self.handshake_exc, InvalidHeaderValue)
            and self.handshake_exc.name == "Sec-WebSocket-Version"
        )
        response = super().reject(426 if version else status, text)
        if version:
            response.headers["Sec-WebSocket-Version"] = "13"
        for name, value in CAREFUL_HEADERS:
            response.headers[name.decode()] = value.decode()
        return response


class _Dropped:
    """In the place of what an attached connection needs no more."""

    def put_nowait(self, message: object) -> None: ...
    def set(self) -> None: ...
    def write(self, data: bytes) -> None: ...


_DROPPED: Any = _Dropped()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A :class:`~sora_gateway.realtime.line.Line` from :meth:`attach` on.

    A handshake that was refused over HTTP is over. uvicorn takes it for one that was forgotten, and logs an error for
    each: a program with a revoked key would fill the log with them.
    """

    # As above.
    __slots__ = (
        "_asked", "_careful", "_early", "_keepalive", "_reader", "app", "app_state", "asgi_version", "client", "close_sent", "close_timeout",
        "close_timer", "config", "conn", "connections", "curr_msg_data_type", "default_headers", "descriptor",
        "disconnected", "frames", "full", "handshake_complete", "handshake_initiated", "initial_response",
        "last_ping_rtt", "logger", "loop", "pending_ping_payload", "ping_interval", "ping_sent_at", "ping_timeout",
        "ping_timer", "pong_timer", "queue", "read_paused", "request", "response", "root_path", "scheme", "scope",
        "server", "tasks", "transport", "writable",
    )  # fmt: skip

    def __init__(self, keepalive: Keepalive, **offered: Any) -> None:
        super().__init__(**offered)
        self._keepalive = keepalive
        self._asked = False
        """Whether the peer was asked for a sign of life, and has given none since."""
        self._reader: Reader | None = None
        self.full = False
        self.descriptor = NONE
        self._early = b""
        self._careful = _Careful(
            self.loop.time,
            extensions=[],  # no compression: memory for each connection, and lengths that tell of their content
            max_size=self.config.ws_max_size,
            logger=logging.getLogger("uvicorn.error"),
        )
        self.conn = self._careful

    # --- as a line ---------------------------------------------------------------------------------

    def attach(self, reader: Reader) -> None:
        waiting, self.queue = self.queue, _DROPPED
        self._reader, self.writable = reader, _DROPPED
        self.server = self.client = None
        self._careful.read = True
        if self.full:
            reader.paused()  # It was asked to before there was a reader.
        self.descriptor = opened(self.transport)
        if self.transport.get_write_buffer_size() and not self.full:
            self.pause_writing()  # It asked the protocol of the requests before the handshake, and asks nobody twice.
        if self.disconnected or self.transport.is_closing():
            reader.lost()
        while not waiting.empty():
            message = waiting.get_nowait()
            if message["type"] == "websocket.receive":
                reader.received(message.get("text"))

    @property
    def write(self) -> Any:
        # uvloop raises where asyncio drops, and the hub would take that for a bug in what it tells to everybody.
        return (_DROPPED if self.transport.is_closing() else self.transport).write

    def hold(self) -> None:
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = self._asked = False  # What it has answered meanwhile comes in a moment.
            self.transport.resume_reading()

    def end(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            self.transport.abort()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.go_on()
        # Not a close, which would wait for what the peer does not take.
        self.close_timer = self.loop.call_later(CUTTING if self.full else CLOSING, self.transport.abort)

    # --- what uvicorn calls ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._asked:
            self._asked = False
            if len(data) == PONG_SIZE and data.startswith(PONG) and self._careful.whole:
                return  # The answer, and nothing else; the parser would take as long as all the rest.
        if self.handshake_initiated and not self.handshake_complete:
            # websockets would answer it before the handshake is answered.
            self._early += data
            self.transport.pause_reading()
            return
        for start in range(0, len(data), PIECE):
            super().data_received(data[start : start + PIECE])
            if self.conn.parser_exc is not None:
                return

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The task that was made for it has not run yet.
            extensions: Any = self.scope["extensions"]
            extensions[DIRECT] = self
            self._careful.forget_the_handshake()

    async def run_asgi(self) -> None:
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:  # as uvicorn: the last place where it can be said
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        if self._reader is not None:
            self.scope = self.request = self.response = None  # type: ignore[assignment]  # nobody asks for them any more
        elif self.close_timer is None:
            self.transport.close()
            self._cut_later()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.handshake_complete and self._early:
            early, self._early = self._early, b""
            self.transport.resume_reading()
            self.data_received(early)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
        if self.close_timer is not None:
            # Not uvicorn's close, as in end().
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(CLOSING, self.transport.abort)

    def handle_cont(self, event: Frame) -> None:
        if event.data or event.fin:  # of pieces without content any number has room in a message
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        text: str | None = None
        if self.curr_msg_data_type == "text":
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.conn.send_close(1007, "a text message is UTF-8")
                self.handle_parser_exception()
                return
        if self._reader is not None:
            self._reader.received(text)
            return
        if text is None:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._cut_later()
        self._lost()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._cut_later()
        self._lost()

    def start_keepalive(self) -> None:
        self._keepalive.add(self)

    def stop_keepalive(self) -> None:
        self._keepalive.discard(self)

    def beat(self) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        if self.full or self.read_paused:
            # A question waits behind the rest, an answer is not read; who takes nothing for long is ended for that.
            self._asked = False
        elif self._asked:
            self.keepalive_timeout()
        else:
            self._asked = True
            self.transport.write(PING)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._lost()
        self.loop.call_later(CUTTING, self.transport.abort)

    def shutdown(self) -> None:
        # uvicorn would say good-bye once more to who does not take the last one, fail, and leave all others open.
        if not self.transport.is_closing():
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            super().connection_lost(exc)
        finally:
            self._lost()  # Whatever happens: the descriptor is closed next, and given to somebody else.

    def _cut_later(self) -> None:
        """A closed connection is there until its peer has taken what is left, however slowly it does."""
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(CLOSING, self.transport.abort)

    def _lost(self) -> None:
        if self._reader is not None:
            self._reader.lost()

    def pause_writing(self) -> None:
        self.full = True
        if self._reader is None:
            super().pause_writing()
        else:
            self._reader.paused()

    def resume_writing(self) -> None:
        self.full = False
        if self._reader is None:
            super().resume_writing()
        else:
            self._reader.resumed()
