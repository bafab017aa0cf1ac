"""The hub writes to the sockets of those who take what they are given, past the server's transports.

What makes that safe is asyncio's promise that a transport whose limit is zero asks to pause as soon as it keeps one byte,
and that it says that the connection is lost before it closes the descriptor. Both loops are held to it here.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from sora_gateway.core import job as j
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.flow import Flow, Gone
from sora_gateway.realtime.framing import Form, event_chunk, text_frame
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.line import DIRECT, NONE, opened
from sora_gateway.realtime.mailbox import Mailbox
from tests.fake_line import FakeLine
from tests.listening import Peer, listening, peer_of
from tests.live import until, urls_of
from tests.stores import ADA, EPOCH
from tests.test_hub import Log, processing

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
SOCKET = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STREAM = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PING = b"\x89\x04ping"


def on(new_loop: Callable[[], asyncio.AbstractEventLoop], test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(test)


@dataclass
class Follower:
    """One connection that follows everything of Ada's."""

    mailbox: Mailbox
    flow: Flow
    line: Any
    descriptor_when_lost: bool | None = None
    """Whether the descriptor was still open when the reader was told of the loss."""
    heard: list[str | None] = field(default_factory=list)

    def received(self, text: str | None) -> None:
        self.heard.append(text)

    def paused(self) -> None:
        self.flow.paused()

    def resumed(self) -> None:
        self.flow.resumed()

    def lost(self) -> None:
        if self.descriptor_when_lost is None:
            with suppress(OSError):
                os.fstat(self.line.descriptor)
                self.descriptor_when_lost = True
        self.flow.over()
        self.mailbox.close(CloseCode.GOING_AWAY)


@asynccontextmanager
async def following(hub: Hub, request: bytes, form: Form) -> AsyncIterator[tuple[Follower, Peer]]:
    """A follower who is written to directly, and its peer, who has read the head of the answer and nothing more."""
    found: list[Follower] = []
    over = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        line, mailbox = scope["extensions"][DIRECT], hub.enter(ADA)
        follower = Follower(mailbox, Flow(mailbox, line, form, 60.0), line)
        hub.follow(mailbox, "all")
        line.attach(follower)
        mailbox.flow()
        found.append(follower)
        await over.wait()

    async with listening(app) as port:
        async with peer_of(port) as peer:
            await peer.send(request)
            await peer.head()
            await until(lambda: bool(found))
            transport: Any = peer.writer.transport
            transport.pause_reading()
            yield found[0], peer
        over.set()


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize(("request_", "form"), [(SOCKET, text_frame), (STREAM, event_chunk)])
def test_nothing_is_torn_or_overtaken_when_a_peer_takes_less_than_it_is_given(
    new_loop: Any, request_: bytes, form: Form
) -> None:
    on(new_loop, _nothing_is_torn(request_, form))


async def _nothing_is_torn(request: bytes, form: Form) -> None:
    hub, log = Hub(EPOCH, urls_of), Log()
    job = processing(log)
    async with following(hub, request, form) as (follower, peer):
        mailbox, line = follower.mailbox, follower.line
        assert mailbox.fd == line.descriptor != NONE
        # The server's own words lie between what is written past it.
        between = PING if form is text_frame else b"6\r\n: hey\n\r\n"
        pieces = 0
        while not line.full:
            job, event = log.change(job, j.Waiting(1.0, f"reason {log.seq} " + "x" * 3000))
            hub.publish([event])
            if log.seq % 7 == 0:
                line.transport.write(between)
                pieces += 1
        assert line.transport.get_write_buffer_size() > 0
        assert mailbox.fd == NONE, "from the first byte that is kept, nothing is written past it"
        for _ in range(20):
            job, event = log.change(job, j.Waiting(1.0, f"reason {log.seq}"))
            hub.publish([event])
        assert len(mailbox) == 1, "what is unread is merged"
        transport: Any = peer.writer.transport
        transport.resume_reading()
        came = b""
        while (b"reason %d" % (log.seq - 1)) not in came:
            came += await peer.reader.read(1 << 16)
        await until(lambda: mailbox.fd == line.descriptor)
        job, event = log.change(job, j.UpstreamFailed(1.0, "x", "No."))
        hub.publish([event])
        while b'"failed"' not in came or not came.endswith(form_ends(form)):
            came += await peer.reader.read(1 << 16)
    texts, others = pieces_of(came, form)
    cursors = [int(json.loads(text)["cursor"].split("-")[1]) for text in texts]
    assert cursors == sorted(set(cursors))
    assert cursors[-1] == log.seq
    assert others == pieces


def form_ends(form: Form) -> bytes:
    return b"}" if form is text_frame else b"\n\n\r\n"


def pieces_of(came: bytes, form: Form) -> tuple[list[bytes], int]:
    """The updates, and how many of the server's own words were between them. Fails if anything is torn."""
    texts, others = list[bytes](), 0
    while came:
        if form is event_chunk:
            size, _, came = came.partition(b"\r\n")
            chunk, end, came = (
                came[: int(size, 16)],
                came[int(size, 16) : int(size, 16) + 2],
                came[int(size, 16) + 2 :],
            )
            assert end == b"\r\n"
            if chunk.startswith(b": "):
                others += 1
            else:
                texts.append(chunk.partition(b"data: ")[2])
        elif came.startswith(PING):
            others, came = others + 1, came[len(PING) :]
        else:
            assert came[0] == 0x81
            at, length = (4, int.from_bytes(came[2:4])) if came[1] == 126 else (2, came[1])
            texts.append(came[at : at + length])
            came = came[at + length :]
    return texts, others


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize(("request_", "form"), [(SOCKET, text_frame), (STREAM, event_chunk)])
def test_a_descriptor_is_given_up_before_it_is_closed(new_loop: Any, request_: bytes, form: Form) -> None:
    """Or the next connection, which gets the same number, would be told what is not for it."""

    async def test() -> None:
        hub, log = Hub(EPOCH, urls_of), Log()
        job = processing(log)
        async with following(hub, request_, form) as (follower, peer):
            peer.writer.transport.abort()
            while not follower.mailbox.closed.done():
                # To a peer that has just left: the transport finds out, and says so.
                job, event = log.change(job, j.Waiting(1.0, f"reason {log.seq}"))
                hub.publish([event])
                await asyncio.sleep(0)
            assert follower.descriptor_when_lost
            assert follower.mailbox.fd == NONE

    on(new_loop, test())


async def test_nobody_waits_for_a_peer_that_was_given_up() -> None:
    hub = Hub(EPOCH, urls_of)
    line, mailbox = FakeLine(high=0), hub.enter(ADA)
    flow = Flow(mailbox, line, text_frame, 60.0)
    line.write(b"what nobody takes")
    mailbox.close(CloseCode.TOO_SLOW)
    with pytest.raises(Gone):
        await flow.drained()


async def test_a_connection_that_is_encrypted_or_over_is_not_written_past() -> None:
    class Transport(asyncio.Transport):
        def __init__(self, **extra: object) -> None:
            super().__init__(extra)
            self.limits: list[int | None] = []

        def is_closing(self) -> bool:
            return "over" in self._extra  # type: ignore[attr-defined]

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            self.limits.append(high)

    with socket.socket() as sock:
        plain = Transport(socket=sock)
        assert opened(plain) == sock.fileno()
        assert plain.limits == [0]
        assert opened(Transport(socket=sock, sslcontext=ssl.create_default_context())) == NONE
        assert opened(Transport(socket=sock, over=True)) == NONE
        assert opened(Transport()) == NONE
    assert opened(Transport(socket=sock)) == NONE
