"""A descriptor that the hub writes to is the connection's own until the hub has let go of it, however either side ends:
the kernel gives the number of a closed one to the next connection, or to the database."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from sora_gateway.core import job as j
from sora_gateway.realtime.flow import Flow
from sora_gateway.realtime.framing import event_chunk, text_frame
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.line import DIRECT, NONE
from tests.listening import listening, peer_of
from tests.live import until, urls_of
from tests.stores import ADA, EPOCH
from tests.test_hub import Log, processing
from tests.test_written_through import LOOPS, SOCKET, STREAM, Follower, on

BIG = 8 << 20
TOO_LONG = b"\x81\xff" + (1 << 30).to_bytes(8) + b"mask"
CLOSE = b"\x88\x82mask" + bytes(each ^ mask for each, mask in zip((1000).to_bytes(2), b"mask", strict=False))


class Serving:
    """Every connection follows everything of Ada's."""

    def __init__(self) -> None:
        self.hub = Hub(EPOCH, urls_of)
        self.log = Log()
        self.job = processing(self.log)
        self.there: list[tuple[Follower, int]] = []
        """With the inode of each one's socket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/big":
            length = [(b"content-length", b"%d" % BIG)]
            await send({"type": "http.response.start", "status": 200, "headers": length})
            await send({"type": "http.response.body", "body": bytes(BIG)})
            return
        live = scope["type"] == "websocket"
        if live:
            await receive()
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        follower = self.attached(scope["extensions"][DIRECT], live)
        if not live:
            await follower.mailbox.closed
            self.hub.leave(follower.mailbox)

    def attached(self, line: Any, live: bool) -> Follower:
        mailbox = self.hub.enter(ADA)
        follower = Follower(mailbox, Flow(mailbox, line, text_frame if live else event_chunk, 60.0), line)
        self.hub.follow(mailbox, "all")
        line.attach(follower)
        mailbox.flow()
        if mailbox.fd != NONE:
            self.there.append((follower, os.fstat(mailbox.fd).st_ino))
        return follower

    def publish(self, size: int = 10) -> None:
        """Tells something, if every descriptor is still its connection's own."""
        for follower, inode in self.there:
            if follower.mailbox.fd != NONE:
                assert os.fstat(follower.mailbox.fd).st_ino == inode
        self.job, event = self.log.change(self.job, j.Waiting(1.0, f"reason {self.log.seq} " + "x" * size))
        self.hub.publish([event])


def reset(peer: socket.socket, _follower: Follower) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


WAYS: list[Callable[[socket.socket, Follower], object]] = [
    reset,
    lambda peer, _: peer.close(),
    lambda peer, _: peer.shutdown(socket.SHUT_WR),
    lambda peer, _: peer.send(TOO_LONG),
    lambda peer, _: peer.send(CLOSE),
    lambda _, follower: follower.line.transport.close(),
    lambda _, follower: follower.line.transport.abort(),
    lambda _, follower: follower.line.shutdown(),
    lambda _, follower: follower.line.end(1012, "restarting"),
]
"""For a connection to end."""


@pytest.mark.parametrize("new_loop", LOOPS)
def test_no_descriptor_is_written_to_that_is_another_ones_by_now(new_loop: Any) -> None:
    on(new_loop, _ends_of_all_kinds())


async def _ends_of_all_kinds() -> None:
    serving, chosen = Serving(), random.Random(7)
    async with listening(serving) as port:
        peers = dict[int, socket.socket]()
        try:
            for _ in range(40):
                before = len(serving.there)
                for request in (SOCKET, STREAM, SOCKET, STREAM):
                    peer = socket.create_connection(("127.0.0.1", port))
                    peers[peer.getsockname()[1]] = peer
                    peer.send(request)
                await until(lambda: len(serving.there) == before + 4)  # noqa: B023 - it is over within this turn
                for follower, _inode in serving.there[before:]:
                    peer = peers[follower.line.transport.get_extra_info("peername")[1]]
                    way = chosen.choice(WAYS)
                    if chosen.random() < 0.4:
                        while follower.mailbox.fd != NONE:
                            serving.publish(50_000)  # it takes nothing
                    way(peer, follower)
                    serving.publish()
                    if chosen.random() < 0.5:
                        await asyncio.sleep(0)
                    serving.publish()
        finally:
            for peer in peers.values():
                peer.close()
        async with asyncio.timeout(10):
            # A stream whose peer has said more is not read: that its peer is gone is noticed by writing to it.
            while any(follower.mailbox.fd != NONE for follower, _ in serving.there):
                serving.publish()
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("request_", [SOCKET, STREAM])
def test_a_descriptor_is_given_up_although_the_end_of_its_connection_fails(
    new_loop: Any, request_: bytes
) -> None:
    async def test() -> None:
        serving = Serving()
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: errors.append(context["exception"])
        )
        async with listening(serving) as port, peer_of(port) as peer:
            await peer.send(request_)
            await until(lambda: bool(serving.there))
            follower, _ = serving.there[0]

            connections = follower.line.connections

            class Broken:
                def remove(self, element: object) -> None:
                    connections.discard(element)
                    raise LookupError

                discard = remove

            follower.line.connections = Broken()
            follower.line.transport.abort()
            await until(lambda: bool(errors))
            assert isinstance(errors[0], LookupError)
            assert follower.mailbox.fd == NONE
            assert follower.mailbox.closed.done()

    on(new_loop, test())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_socket_behind_an_answer_that_nobody_has_read_yet_waits_for_it(new_loop: Any) -> None:
    """The transport asked to pause before there was a WebSocket, and asks once."""

    async def test() -> None:
        serving = Serving()
        async with listening(serving) as port, peer_of(port) as peer:
            transport: Any = peer.writer.transport
            transport.pause_reading()
            await peer.send(STREAM.replace(b"/", b"/big", 1) + SOCKET)
            await until(lambda: serving.hub.statistics().subscriptions == 1)
            serving.publish()
            transport.resume_reading()
            await peer.head()
            assert await peer.reader.readexactly(BIG) == bytes(BIG)
            assert (await peer.head())[0] == 101
            assert b"reason" in await peer.reader.readuntil(b"}")

    on(new_loop, test())


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("broken", [False, True])
def test_a_stream_whose_peer_left_before_it_began_ends_at_once(new_loop: Any, broken: bool) -> None:
    """It is gone, or was refused in the middle of its request."""
    on(new_loop, _left_early(broken))


async def _left_early(broken: bool) -> None:
    serving = Serving()
    came, answered = asyncio.Event(), asyncio.Event()
    lines: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        came.set()
        await answered.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        line = scope["extensions"][DIRECT]
        follower = serving.attached(line, live=False)
        assert follower.mailbox.closed.done()
        line.write(b"what nobody takes")
        lines.append(line)

    async with listening(app) as port, peer_of(port) as peer:
        if broken:
            await peer.send(STREAM[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
            await came.wait()
            await peer.send(b"no length\r\n")
            assert (await peer.response())[0] == 400
        else:
            await peer.send(STREAM)
            await came.wait()
            peer.writer.transport.abort()
            await asyncio.sleep(0.05)
        answered.set()
        await until(lambda: bool(lines))


@pytest.mark.parametrize("new_loop", LOOPS)
def test_stopping_tells_all_others_when_one_does_not_even_take_its_good_bye(new_loop: Any) -> None:
    async def test() -> None:
        serving = Serving()
        async with AsyncExitStack() as peers:
            async with listening(serving) as port:
                slow, other = [await peers.enter_async_context(peer_of(port)) for _ in range(2)]
                await slow.send(SOCKET)
                await until(lambda: len(serving.there) == 1)
                transport: Any = slow.writer.transport
                transport.pause_reading()
                follower, _ = serving.there[0]
                while not follower.line.full:
                    serving.publish(50_000)
                await slow.send(CLOSE)
                await until(follower.line.transport.is_closing)
                await other.send(SOCKET)
                await other.head()
                await until(lambda: len(serving.there) == 2)
            assert await other.until_closed() == b"\x88\x02" + (1012).to_bytes(2)

    on(new_loop, test())
