"""The contract of an upstream, kept by relays that chat, in each shape of stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sora_gateway.upstream.chat_profiles import CHAT_PROFILES
from sora_gateway.upstream.chat_stream import ChatStreamAdapter
from sora_gateway.upstream.client import HttpClient
from tests.fake_chat import DONE, SHAPES, FakeChat, frame, playing, saying, until
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.upstream_cases import KEY, MAX_FILE, ORDER
from tests.upstream_contract import Clause, Upstream, clauses

BEGUN = frame("> ⌛️ 任务正在队列中，请耐心等待...\n\n")


@dataclass
class Relay:
    """A relay whose streams begin, and go on when a test says how."""

    shape: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str = ""

    async def chat(self, request: Received, wire: Wire) -> None:
        if b"7777" in request.body:
            await wire.send(answer(400, {"error": {"message": "No such model.", "code": "model_not_found"}}))
            return
        await saying(BEGUN, self.over, self.rest)(request, wire)

    async def rest(self, request: Received, wire: Wire) -> None:
        if self.failure:
            await saying(frame(f"> ❌ {self.failure}\n\n"), DONE, head=False)(request, wire)
        else:
            await playing(self.shape, head=False)(request, wire)


@asynccontextmanager
async def relayed(shape: str) -> AsyncIterator[Upstream]:
    relay = Relay(shape)
    async with serving_raw(FakeChat([relay.chat], key=KEY).handle) as server:
        profile = CHAT_PROFILES["sora2api" if shape == "sora2api" else "generic"]
        adapter = ChatStreamAdapter("lab", server.url, KEY, profile, HttpClient(), max_file=MAX_FILE)

        async def finish() -> None:
            relay.over.set()
            await until(lambda: not adapter._tasks)

        async def fail(reason: str) -> None:
            relay.failure = reason
            await finish()

        try:
            yield Upstream(adapter, finish, ORDER, cancels=False, thumbnails=False, fail=fail, streamed=True)
        finally:
            await adapter.aclose()


@clauses
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_relay_keeps_the_contract_in_every_shape(clause: Clause, shape: str) -> None:
    async with relayed(shape) as upstream:
        await clause(upstream)
