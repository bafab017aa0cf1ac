"""Peers that send frames which say nothing, as many as they can: cut off before they hold the event loop or memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.frames import Frame

from sora_gateway.http.websocket_protocol import WebSocketProtocol
from tests.live import live_gateway
from tests.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawSocket,
    frame,
    handshake,
    raw_socket,
    text,
    word,
)

ASK = b'{"type":"ping"}'
FLOODS: dict[str, bytes] = {
    "pings": frame(PING) * 2000,
    "pongs that nobody asked for": frame(PONG) * 2000,
    "fragments without content": frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 2000,
    "fragments of a byte": frame(TEXT, fin=False) + frame(CONTINUATION, b" ", fin=False) * 2000,
    "messages": text(ASK) * 2000,
}


@dataclass
class Target:
    port: int
    key: str

    async def greet(self, peer: RawSocket) -> None:
        authorization = f"Authorization: Bearer {self.key}"
        await peer.send(handshake(authorization))
        status, _ = await peer.head()
        assert status == 101
        assert await until_word(peer, "ready")


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    async with live_gateway(tmp_path) as gateway:
        yield Target(gateway.port, await gateway.key())


async def until_word(peer: RawSocket, wanted: str) -> bool:
    """Whether it comes, whatever comes before it."""
    while (said := await peer.said()) is not None:
        if word(*said) == wanted:
            return True
    return False


async def end_of(peer: RawSocket) -> str:
    while (said := await peer.said()) is not None:
        if said[0] == CLOSE:
            return word(*said)
    return "no close"


@pytest.mark.parametrize("flood", FLOODS)
async def test_who_floods_it_with_frames_is_cut_off(target: Target, flood: str) -> None:
    async with raw_socket(target.port) as peer:
        await target.greet(peer)
        await peer.send(FLOODS[flood])
        assert await end_of(peer) == "CLOSE:4003"


@pytest.mark.parametrize("flood", FLOODS)
async def test_so_is_who_has_not_said_who_they_are(target: Target, flood: str) -> None:
    async with raw_socket(target.port) as peer:
        await peer.send(handshake())
        await peer.head()
        await peer.send(FLOODS[flood])
        assert await end_of(peer) == "CLOSE:4003"


async def test_so_is_who_floods_it_behind_a_close(target: Target) -> None:
    async with raw_socket(target.port) as peer:
        await target.greet(peer)
        await peer.send(frame(BINARY))
        assert await end_of(peer) == "CLOSE:1008"
        await peer.send(frame(PING) * 2000)
        # Long before the ten seconds in which it could have answered the close.
        await peer.rest()


async def test_fragments_without_content_are_not_kept(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, kept = WebSocketProtocol.handle_cont, []

    def counting(protocol: WebSocketProtocol, event: Frame) -> None:
        taken(protocol, event)
        kept.append(len(protocol.frames))

    monkeypatch.setattr(WebSocketProtocol, "handle_cont", counting)
    async with raw_socket(target.port) as peer:
        await target.greet(peer)
        await peer.send(text(ASK[:5], *[b""] * 300, ASK[5:]))
        assert await until_word(peer, "pong")
    assert max(kept) == 1
