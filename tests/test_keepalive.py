"""Every WebSocket is asked for a sign of life, all of them by one sweep; who gives none is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from sora_gateway.http import server
from sora_gateway.http.keepalive import PLACES, Keepalive
from tests.listening import Peer, listening, peer_of
from tests.live import until
from tests.raw_websocket import PONG, TEXT, frame

INTERVAL = 0.2
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PING = b"\x89\x00"
NOT_THERE = b"\x88\x18" + (1011).to_bytes(2) + b"keepalive ping timeout"


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    """The raw end of an open WebSocket that echoes."""
    monkeypatch.setattr(server, "PING_INTERVAL", INTERVAL)

    async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    async with listening(echo) as port, peer_of(port) as there:
        await there.send(HANDSHAKE)
        await there.reader.readuntil(b"\r\n\r\n")
        yield there


async def test_who_does_not_answer_is_told_that_it_is_over(peer: Peer) -> None:
    async with asyncio.timeout(5):
        assert await peer.reader.read() == PING + NOT_THERE


@pytest.mark.parametrize(
    "answer",
    [frame(PONG), frame(PONG, b"more"), frame(PONG) + frame(PONG), frame(TEXT, b"hi")],
    ids=["a pong", "a pong that says something", "two pongs", "a message"],
)
async def test_any_sign_of_life_is_one(peer: Peer, answer: bytes) -> None:
    echoed = b"\x81\x02hi" if answer == frame(TEXT, b"hi") else b""
    async with asyncio.timeout(5):
        for _ in range(4):
            assert await peer.reader.readexactly(2) == PING
            await peer.send(answer)
            assert await peer.reader.readexactly(len(echoed)) == echoed


async def test_six_bytes_that_look_like_an_answer_may_be_in_the_middle_of_a_message(peer: Peer) -> None:
    # Masked so that what is left of "to be" looks like it.
    text, mask = b"ab to be", bytes((0, 0, 0x8A ^ ord(" "), 0x80 ^ ord("t")))
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
    assert masked[2:4] == frame(PONG)[:2]
    assert len(masked[2:]) == len(frame(PONG))
    async with asyncio.timeout(5):
        await peer.send(bytes((0x81, 0x80 | len(text))) + mask + masked[:2])
        assert await peer.reader.readexactly(2) == PING
        await peer.send(masked[2:])
        assert await peer.reader.readexactly(2 + len(text)) == bytes((0x81, len(text))) + text


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
