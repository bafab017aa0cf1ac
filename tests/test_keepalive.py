"""Every WebSocket is asked for a sign of life, all of them by one sweep; who gives none is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from sora_gateway.http import server
from sora_gateway.http.keepalive import PLACES, Keepalive
from tests.listening import Peer, listening, peer_of
from tests.live import until
from tests.raw_websocket import PONG, TEXT, frame

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PING = b"\x89\x00"
NOT_THERE = b"\x88\x18" + (1011).to_bytes(2) + b"keepalive ping timeout"


class ByHand(Keepalive):
    """The sweep comes when the test says so."""

    def sweep(self) -> None:
        for protocol in list(self._of):
            protocol.beat()

    @property
    def protocol(self) -> Any:
        """The one that there is."""
        (protocol,) = self._of
        return protocol


@pytest.fixture
async def ends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Peer, ByHand]]:
    """The raw end of an open WebSocket that echoes, and what looks after it."""
    keepalive = ByHand(interval=3600)
    monkeypatch.setattr(server, "Keepalive", lambda _interval: keepalive)

    async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    async with listening(echo) as port, peer_of(port) as peer:
        await peer.send(HANDSHAKE)
        await peer.reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(keepalive._of))
        yield peer, keepalive


async def test_who_does_not_answer_is_told_that_it_is_over(ends: tuple[Peer, ByHand]) -> None:
    peer, keepalive = ends
    keepalive.sweep()
    assert await peer.reader.readexactly(2) == PING
    keepalive.sweep()
    assert await peer.reader.read() == NOT_THERE


@pytest.mark.parametrize(
    "answer",
    [frame(PONG), frame(PONG, b"more"), frame(PONG) + frame(PONG), frame(TEXT, b"hi")],
    ids=["a pong", "a pong that says something", "two pongs", "a message"],
)
async def test_any_sign_of_life_is_one(ends: tuple[Peer, ByHand], answer: bytes) -> None:
    peer, keepalive = ends
    for _ in range(4):
        keepalive.sweep()
        assert await peer.reader.readexactly(2) == PING
        # What is asked behind it is answered when it was read.
        await peer.send(answer + frame(TEXT, b"then"))
        echoed = b"\x81\x02hi" if answer == frame(TEXT, b"hi") else b""
        assert await peer.reader.readexactly(len(echoed) + 6) == echoed + b"\x81\x04then"


async def test_the_answer_alone_is_enough(ends: tuple[Peer, ByHand]) -> None:
    peer, keepalive = ends
    for _ in range(4):
        keepalive.sweep()
        assert await peer.reader.readexactly(2) == PING
        await peer.send(frame(PONG))
        await until(lambda: not keepalive.protocol._asked)
    await peer.send(frame(TEXT, b"hi"))
    assert await peer.reader.readexactly(4) == b"\x81\x02hi"


async def test_six_bytes_that_look_like_an_answer_may_be_in_the_middle_of_a_message(
    ends: tuple[Peer, ByHand],
) -> None:
    peer, keepalive = ends
    # Masked so that what is left of "to be" looks like it.
    text, mask = b"ab to be", bytes((0, 0, 0x8A ^ ord(" "), 0x80 ^ ord("t")))
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
    assert masked[2:4] == frame(PONG)[:2]
    assert len(masked[2:]) == len(frame(PONG))
    await peer.send(bytes((0x81, 0x80 | len(text))) + mask + masked[:2])
    await until(lambda: not keepalive.protocol._careful.whole)
    keepalive.sweep()
    assert await peer.reader.readexactly(2) == PING
    await peer.send(masked[2:])
    assert await peer.reader.readexactly(2 + len(text)) == bytes((0x81, len(text))) + text


@pytest.mark.parametrize("sweeps", [0, 2])
async def test_who_is_not_listened_to_need_not_be_heard(ends: tuple[Peer, ByHand], sweeps: int) -> None:
    peer, keepalive = ends
    keepalive.sweep()
    assert await peer.reader.readexactly(2) == PING
    # As while a question is served: the answer is on its way, and lies unread.
    keepalive.protocol.hold()
    await peer.send(frame(PONG) + frame(TEXT, b"hi"))
    for _ in range(sweeps):
        keepalive.sweep()
    keepalive.protocol.go_on()
    keepalive.sweep()
    assert await peer.reader.readexactly(6) == PING + b"\x81\x02hi"


class Counting:
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


async def test_those_who_come_together_are_not_asked_together() -> None:
    keepalive = Keepalive(interval=PLACES * 0.001)
    peers = [Counting() for _ in range(3 * PLACES)]
    for peer in peers:
        keepalive.add(peer)
    most = before = 0
    while min(peer.beats for peer in peers) < 3:
        await asyncio.sleep(0)
        now = sum(peer.beats for peer in peers)
        most, before = max(most, now - before), now
    assert most == 3
    assert max(peer.beats for peer in peers) - min(peer.beats for peer in peers) <= 1


async def test_who_has_left_is_not_asked_and_nothing_goes_on_without_anybody() -> None:
    keepalive = Keepalive(interval=PLACES * 0.001)
    left, stays = Counting(), Counting()
    for peer in (left, stays):
        keepalive.add(peer)
    keepalive.discard(left)
    keepalive.discard(left)
    await until(lambda: stays.beats > 0)
    assert not left.beats
    keepalive.discard(stays)
    await until(lambda: keepalive._timer is None)
    keepalive.add(left)
    await until(lambda: left.beats > 0)
    keepalive.discard(left)


class Broken(Counting):
    def beat(self) -> None:
        super().beat()
        raise RuntimeError("a bug")


async def test_one_that_cannot_be_asked_keeps_nobody_else_from_it(caplog: pytest.LogCaptureFixture) -> None:
    keepalive = Keepalive(interval=PLACES * 0.001)
    # So many that two lie in one place, and are asked in one turn.
    peers = [Broken(), *(Counting() for _ in range(PLACES))]
    for peer in peers:
        keepalive.add(peer)
    await until(lambda: min(peer.beats for peer in peers) > 1)
    for peer in peers:
        keepalive.discard(peer)
    assert {record.getMessage() for record in caplog.records} == {
        "a WebSocket could not be asked whether it is still there"
    }
