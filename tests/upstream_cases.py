"""What the upstream tests share: an adapter aimed at a scripted server, and one order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sora_gateway.clock import Clock
from sora_gateway.upstream.adapter import CreateOrder
from sora_gateway.upstream.addresses import AddressGuard
from sora_gateway.upstream.client import ASGIApp, HttpClient
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import PROFILES, Profile

KEY = "sk-our-own-secret-key-0123456789"
MAX_FILE = 1 << 20
ORDER = CreateOrder("attempt_1", "a paper boat in the rain", "sora-2", 8, "1280x720")


@asynccontextmanager
async def talking_to(
    url: str,
    profile: str | Profile = "openai",
    *,
    app: ASGIApp | None = None,
    clock: Clock | None = None,
    guard: AddressGuard | None = None,
) -> AsyncIterator[OpenAIAdapter]:
    """An adapter for the length of the block; *url* without ``/v1``."""
    adapter = OpenAIAdapter(
        "lab",
        f"{url}/v1",
        KEY,
        PROFILES[profile] if isinstance(profile, str) else profile,
        HttpClient(app),
        max_file=MAX_FILE,
        clock=clock,
        guard=guard,
    )
    try:
        yield adapter
    finally:
        await adapter.aclose()
