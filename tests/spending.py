"""A gateway where videos cost credits, for tests that never wait for one: its clock stands where the test puts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.people import LaterClock
from tests.running import Json, Person, person, running, settings_for

HOUR, DAY = 3600.0, 86400.0
NOVEMBER = 1_795_305_600.0
"""22 November 2026, 00:00 UTC."""


class StandingClock(LaterClock):
    """Begins in November, so that a month does not end by chance while a test runs."""

    def __init__(self) -> None:
        super().__init__()
        self._now = NOVEMBER


@dataclass
class Till:
    """Ann pays, Root administers."""

    ann: Person
    root: Person
    clock: StandingClock

    async def admin(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        """What Root is answered."""
        answer = await self.root.http.request(method, f"/api/admin/{path}", json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def put_plan(self, name: str = "default", **limits: Any) -> Json:
        return dict(await self.admin("PUT", f"plans/{name}", **(limits or {"priority": "normal"})))

    async def balance(self) -> tuple[int, int]:
        """What Ann has: available and held."""
        answer = await self.ann.get("/api/credits")
        assert answer.status_code == 200, answer.text
        return answer.json()["available"], answer.json()["held"]

    async def order(self, path: str = "/api/video/tasks", **wish: Any) -> httpx.Response:
        """What Ann is answered who asks for a video."""
        return await self.ann.http.post(path, json={"prompt": "a paper boat"} | wish)

    async def entries(self) -> list[Json]:
        """Ann's ledger, newest first."""
        return list((await self.ann.get("/api/credits/ledger")).json()["entries"])


@asynccontextmanager
async def till(data_dir: Path, *, balance: int = 100, **sections: Any) -> AsyncIterator[Till]:
    """A video costs 2 credits and 1 for each second unless *sections* say otherwise; simulated ones take an hour."""
    sections = {
        "credits": {"enabled": True},
        "pricing": {"per_video": 2, "per_second": 1},
        "simulator": {"duration": HOUR},
    } | sections
    clock = StandingClock()
    async with (
        running(settings_for(data_dir, **sections), clock) as gateway,
        person(gateway, "ann", credits=balance) as ann,
        person(gateway, "root", "admin") as root,
    ):
        yield Till(ann, root, clock)
