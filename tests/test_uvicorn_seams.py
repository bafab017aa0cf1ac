"""What our own protocols rely on in uvicorn, which it promises nobody; and that every line behaves the same.

When an upgrade of uvicorn fails here, read its ``websockets_sansio_impl.py`` and ``h11_impl.py`` again beside
``http/websocket_protocol.py`` and ``http/guarded_h11.py``: the sentence says where.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sora_gateway.realtime.line import DIRECT, Line
from sora_gateway.realtime.plain import PlainLine
from tests.fake_line import FakeLine, FakeSocketLine
from tests.listening import listening, peer_of
from tests.live import until

SOCKET = {
    "handle_connect": "event", "send": "message", "run_asgi": "", "send_receive_event_to_app": "",
    "handle_cont": "event", "handle_close": "event", "handle_parser_exception": "", "keepalive_timeout": "", "shutdown": "",
    "start_keepalive": "", "stop_keepalive": "", "handle_events": "", "data_received": "data",
    "connection_lost": "exc", "pause_writing": "", "resume_writing": "", "send_500_response": "", "receive": "",
}  # fmt: skip
STREAM = {
    "connection_made": "transport", "data_received": "data", "connection_lost": "exc", "send_400_response": "msg",
    "on_response_complete": "", "pause_writing": "", "resume_writing": "", "timeout_keep_alive_handler": "",
}  # fmt: skip
SOCKETS_OWN = (
    "self.queue", "self.writable", "self.conn", "self.read_paused", "self.close_sent", "self.close_timer",
    "self.disconnected", "self.handshake_complete", "self.initial_response", "self.curr_msg_data_type", "self.frames",
)  # fmt: skip


def test_it_is_the_version_that_was_read() -> None:
    assert uvicorn.__version__.startswith("0.54."), "read the two protocols of the new uvicorn beside ours"


@pytest.mark.parametrize(("protocol", "methods"), [(WebSocketsSansIOProtocol, SOCKET), (H11Protocol, STREAM)])
def test_what_is_overridden_or_called_is_there(protocol: type, methods: dict[str, str]) -> None:
    for name, arguments in methods.items():
        found = [each for each in inspect.signature(getattr(protocol, name)).parameters if each != "self"]
        assert found == arguments.split(), (
            f"{protocol.__name__}.{name} takes {found}: look at who overrides it"
        )


def test_what_an_attached_connection_drops_is_what_uvicorn_keeps_it_in() -> None:
    begins = inspect.getsource(WebSocketsSansIOProtocol.__init__)
    for name in SOCKETS_OWN:
        assert name in begins, f"{name} is not there any more: look at WebSocketProtocol.attach and end"
    assert "message_event.set" in inspect.getsource(H11Protocol.connection_lost)
    assert "self.disconnected" in inspect.getsource(RequestResponseCycle.__init__), "look at GuardedH11.end"


def test_the_task_is_made_after_the_scope_and_runs_later() -> None:
    source = inspect.getsource(WebSocketsSansIOProtocol.handle_connect)
    assert source.index("self.scope") < source.index("create_task(self.run_asgi())"), (
        "WebSocketProtocol.handle_connect puts the line into the scope before the task looks at it"
    )


# --- one contract for every line -----------------------------------------------------------------------


class Recorder:
    """A reader that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self.flow: list[str] = []
        self.lost_times = 0

    def received(self, text: str | None) -> None:
        self.heard.append(text)

    def paused(self) -> None:
        self.flow.append("paused")

    def resumed(self) -> None:
        self.flow.append("resumed")

    def lost(self) -> None:
        self.lost_times += 1


@dataclass
class Ends:
    """A line and its peer: *take* reads all that comes from now on, *leave* hangs up, *finish* ends the ASGI task."""

    line: Line
    take: Callable[[], Any]
    leave: Callable[[], Any]
    finish: Callable[[], Any] = lambda: None


@asynccontextmanager
async def fake() -> AsyncIterator[Ends]:
    line = FakeLine()
    yield Ends(line, line.take, line.cut)


@asynccontextmanager
async def fake_socket() -> AsyncIterator[Ends]:
    line = FakeSocketLine(8192)
    yield Ends(line, line.take, line.cut)
    line.cut()


@asynccontextmanager
async def plain() -> AsyncIterator[Ends]:
    taking = asyncio.Event()

    async def send(_data: bytes) -> None:
        await taking.wait()

    line = PlainLine(send)
    carrying = asyncio.create_task(line.carry())
    yield Ends(line, taking.set, lambda: None)
    carrying.cancel()
    with suppress(asyncio.CancelledError):
        await carrying


@asynccontextmanager
async def real(request: bytes, begin: Callable[[Send, Receive], Any]) -> AsyncIterator[Ends]:
    lines: list[Line] = []
    over = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await begin(send, receive)
        lines.append(scope["extensions"][DIRECT])
        await over.wait()

    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(listening(app))
        stack.callback(over.set)
        peer = await stack.enter_async_context(peer_of(port))
        await peer.send(request)
        await until(lambda: bool(lines))
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        transport: Any = peer.writer.transport
        yield Ends(lines[0], transport.resume_reading, transport.abort, over.set)


def websocket() -> Any:
    async def begin(send: Send, receive: Receive) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    head = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return real(head, begin)


def event_stream() -> Any:
    async def begin(send: Send, _receive: Receive) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    return real(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", begin)


@pytest.mark.parametrize("kind", [fake, fake_socket, plain, websocket, event_stream])
async def test_a_line_says_when_it_is_full_and_when_it_is_not(kind: Callable[[], Any]) -> None:
    async with kind() as ends:
        reader = Recorder()
        ends.line.attach(reader)
        assert not ends.line.full
        while not ends.line.full:
            ends.line.write(b"x" * 8192)
        assert reader.flow == ["paused"], "at once, and once"
        ends.line.write(b"more")
        assert reader.flow == ["paused"]
        for _ in range(2):
            ends.take()
        await until(lambda: not ends.line.full)
        assert reader.flow == ["paused", "resumed"]
        assert reader.lost_times == 0


@pytest.mark.parametrize("kind", [fake, fake_socket, websocket, event_stream])
@pytest.mark.parametrize("attached", ["before", "afterwards"])
async def test_a_reader_is_told_that_its_peer_is_gone(kind: Callable[[], Any], attached: str) -> None:
    async with kind() as ends:
        reader = Recorder()
        if attached == "before":
            ends.line.attach(reader)
        ends.leave()
        await until(lambda: is_gone(ends.line))
        if attached == "afterwards":
            ends.line.attach(reader)
        await until(lambda: reader.lost_times > 0)
        ends.line.write(b"to nobody")
        ends.line.end(1000, "")


@pytest.mark.parametrize("kind", [websocket, event_stream])
@pytest.mark.parametrize("attached", ["before", "afterwards"])
def test_so_it_is_on_the_loop_of_a_running_gateway(kind: Callable[[], Any], attached: str) -> None:
    uvloop.run(test_a_reader_is_told_that_its_peer_is_gone(kind, attached))


def is_gone(line: Any) -> bool:
    return bool(line.gone if isinstance(line, FakeLine) else line.transport.is_closing())


@pytest.mark.parametrize("kind", [fake, fake_socket, plain, websocket])
async def test_a_line_ends_once_and_holds_nobody_up(kind: Callable[[], Any]) -> None:
    async with kind() as ends:
        ends.line.attach(Recorder())
        ends.line.hold()
        ends.line.hold()
        ends.line.go_on()
        ends.line.end(1012, "first")
        ends.line.end(1000, "second")


async def test_the_end_of_the_asgi_task_leaves_an_attached_socket_open() -> None:
    async with websocket() as ends:
        ends.line.attach(Recorder())
        protocol: Any = ends.line
        ends.finish()
        await until(lambda: protocol.scope is None)
        assert not protocol.transport.is_closing()


async def test_an_attached_socket_keeps_nothing_of_its_handshake_and_no_dictionary() -> None:
    async with websocket() as ends:
        protocol: Any = ends.line
        request = weakref.ref(protocol.request)
        ends.line.attach(Recorder())
        ends.finish()
        await until(lambda: protocol.scope is None)
        gc.collect()
        assert request() is None, "who still has it? look at websockets' generators"
        names = {*vars(protocol), *vars(protocol.conn)}
        assert not names, "attributes that are new: give them a slot, thirty in a dictionary cost kilobytes"
