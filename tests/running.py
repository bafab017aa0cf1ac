"""A whole gateway in the test's own process, on a real port, with the embedded simulator behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from sora_gateway.app import Gateway, opened
from sora_gateway.clock import Clock
from sora_gateway.core.principal import EVERYTHING
from sora_gateway.entropy import Entropy
from sora_gateway.settings import Settings
from tests.canaries import CanaryEntropy
from tests.described import as_described

Json = dict[str, Any]


class OnlyGiven(Settings):
    """The settings of a test: what it gives and the defaults, nothing from this machine."""

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *_: Any, **__: Any) -> Any:
        return (init_settings,)


def settings_for(data_dir: Path, **sections: Any) -> Settings:
    """A quick simulator and no limits of this machine's disk, unless *sections* say otherwise."""
    simulator = {"duration": 0.4, "sigma": 0.0, "render": "clip", "directives": True} | sections.pop(
        "simulator", {}
    )
    media = {"min_free_disk": 0} | sections.pop("media", {})
    server = {"port": 0} | sections.pop("server", {})
    # A test is one client, and signs in as everybody.
    accounts = {"attempts_per_minute": 0} | sections.pop("accounts", {})
    # Tests ask more often than people would.
    limits = {"per_person": 0, "per_key": 0, "per_address": 0, "creates_per_person": 0} | sections.pop(
        "limits", {}
    )
    return OnlyGiven(
        data_dir=data_dir, server=server, accounts=accounts, limits=limits, simulator=simulator, media=media,
        **sections,
    )  # fmt: skip


@dataclass
class Person:
    """Somebody with an API key, and the ways to reach the gateway as them."""

    gateway: Gateway
    user_id: str
    key: str
    http: httpx.AsyncClient

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, **options)

    async def make(self, prompt: str = "a paper boat in the rain", **wish: Any) -> Json:
        response = await self.http.post("/api/video/tasks", json={"prompt": prompt} | wish)
        assert response.status_code == 202, response.text
        return dict(response.json())

    async def comes_to(self, video_id: str, stage: str, note: str = "") -> Json:
        """The task once it is at *stage*, with *note* in its note."""
        async with asyncio.timeout(20):
            while (task := await self.task(video_id))["stage"] != stage or note not in task["note"]:
                assert task["stage"] == stage or task["status"] not in {"completed", "failed", "cancelled"}, (
                    task
                )
                await asyncio.sleep(0.01)
        return task

    async def task(self, video_id: str) -> Json:
        response = await self.http.get(f"/api/video/tasks/{video_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    @asynccontextmanager
    async def live(self) -> AsyncIterator[Live]:
        """A WebSocket as this person."""
        address = self.gateway.address.replace("http", "ws") + "/ws"
        async with connect(address, additional_headers={"Authorization": f"Bearer {self.key}"}) as socket:
            live = Live(socket)
            assert (await live.next())["type"] == "ready"
            yield live


@dataclass
class Live:
    socket: ClientConnection

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self) -> Json:
        return dict(json.loads(await self.socket.recv()))

    async def until(self, stage: str) -> list[Json]:
        """Every message up to the update with that stage."""
        seen = [await self.next()]
        while seen[-1].get("stage") != stage:
            assert seen[-1].get("stage") not in {"completed", "failed", "cancelled"}, seen[-1]
            seen.append(await self.next())
        return seen


@asynccontextmanager
async def running(
    settings: Settings, clock: Clock | None = None, entropy: Entropy | None = None
) -> AsyncIterator[Gateway]:
    """The gateway, and at the end a look at its books: no test may leave them unbalanced."""
    async with opened(settings, clock, entropy or CanaryEntropy()) as gateway:
        yield gateway
        assert await gateway.store.credits.check() == []


@asynccontextmanager
async def person(
    gateway: Gateway, name: str = "ann", role: str = "member", credits: int = 0
) -> AsyncIterator[Person]:
    """Somebody new, or somebody who was here before a restart. What they are answered is held against the
    API's own description."""
    email, now = f"{name}@example.org", 0.0
    if email not in {user.email for user in await gateway.store.people.users()}:
        await gateway.store.people.create_user(f"user_{name}", email, role, None, credits, now)  # type: ignore[arg-type]
    key, _ = await gateway.accounts.create_key(f"user_{name}", "test", EVERYTHING)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=gateway.address, headers=headers, trust_env=False, timeout=30,
        event_hooks={"response": [as_described]},
    ) as http:  # fmt: skip
        yield Person(gateway, f"user_{name}", key, http)
