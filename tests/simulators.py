"""A simulator to talk to, in process or on a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sora_gateway.upstream.simulator import SimulatorOptions, SimulatorState, build_simulator
from tests.fakes import CountingEntropy, ManualClock
from tests.servers import serving

CLIP = SimulatorOptions(duration=100.0, sigma=0.0, render="clip", directives=True)


@dataclass
class Lab:
    """One running simulator, a client of it, and the hand on its clock."""

    state: SimulatorState
    client: httpx.AsyncClient
    clock: ManualClock

    async def create(self, prompt: str = "a paper boat", **fields: Any) -> dict[str, Any]:
        answer = await self.client.post("/v1/videos", json={"prompt": prompt, **fields})
        assert answer.status_code == 200, answer.text
        video: dict[str, Any] = answer.json()
        return video

    async def get(self, video_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/videos/{video_id}")
        assert answer.status_code == 200, answer.text
        video: dict[str, Any] = answer.json()
        return video

    async def finished(self, prompt: str = "a paper boat", **fields: Any) -> str:
        """The id of a job that has run its time."""
        video = await self.create(prompt, **fields)
        await self.clock.advance(100.0)
        return str(video["id"])

    async def content(self, video_id: str, **options: Any) -> httpx.Response:
        return await self.client.get(f"/v1/videos/{video_id}/content", **options)


@asynccontextmanager
async def in_process(
    directory: Path,
    options: SimulatorOptions = CLIP,
    clock: ManualClock | None = None,
    entropy: CountingEntropy | None = None,
) -> AsyncIterator[Lab]:
    clock = clock or ManualClock()
    state = SimulatorState(directory, clock, entropy or CountingEntropy(), options)
    transport = httpx.ASGITransport(build_simulator(state))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        yield Lab(state, client, clock)
    await state.aclose()


@asynccontextmanager
async def on_a_socket(directory: Path, options: SimulatorOptions = CLIP) -> AsyncIterator[Lab]:
    clock = ManualClock()
    state = SimulatorState(directory, clock, CountingEntropy(), options)
    async with (
        serving(build_simulator(state)) as base,
        httpx.AsyncClient(base_url=base, trust_env=False) as client,
    ):
        yield Lab(state, client, clock)
