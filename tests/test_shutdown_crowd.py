"""A gateway full of people is told to stop while an upstream holds the answer to a paid create: everybody hears about
it, nothing is lost or paid twice, and a second signal ends it at once. ``make kill-test`` has the full size for every
phase of the create, and the product's own patience with it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.crowd import Download, Size, crowd
from tests.holding_upstream import PHASES, holding_upstream
from tests.killing import stopping, taken
from tests.processes import CREATE_TIMEOUT, Client, Place, Program, furnish, settle_in
from tests.verdict import verdict

FILM = os.urandom(1 << 20) * 24
"""What is downloaded: more than every buffer on the way takes, and every megabyte like the others."""
FULL, SMALL = Size(500, 100, quick=10, slow=10), Size(30, 10, quick=2, slow=0)
CREATES_ALLOWED = 60.0
"""Seconds that a create may take by default, longer than a shutdown waits for it."""


@dataclass(frozen=True)
class Stopped:
    """How it went."""

    code: int
    seconds: float
    close_codes: list[int | None]
    streams: list[str]
    downloads: list[Download]
    complaints: str


class Stage:
    """A place with a film in its library."""

    def __init__(self, place: Place, film: str) -> None:
        self.place = place
        self.film = film

    @property
    def path(self) -> str:
        return f"/v1/videos/{self.film}/content"


@asynccontextmanager
async def stage(tmp_path: Path, create_timeout: float) -> AsyncIterator[Stage]:
    key = await furnish(tmp_path / "template")
    async with holding_upstream(tmp_path) as upstream:
        place = settle_in(tmp_path / "place", tmp_path / "template", key, upstream)
        config = tmp_path / "place" / "config.toml"
        text = config.read_text(encoding="utf-8")
        text = text.replace(f"create_timeout = {CREATE_TIMEOUT}", f"create_timeout = {create_timeout}")
        config.write_text(text + "[realtime]\nper_person = 0\nper_address = 0\n", encoding="utf-8")
        async with place.gateway() as (gateway, client):
            film = await client.make("a film")
            await client.task_at({"completed"})
            assert await gateway.told(signal.SIGTERM) == 0
        assert film is not None
        (path,) = (place.data / "media").glob(f"*/{film}/*.mp4")
        path.write_bytes(FILM)
        yield Stage(place, film)


async def stop_it(
    at: Stage, gateway: Program, client: Client, mark: str, size: Size, *, twice: bool = False
) -> tuple[str | None, Stopped]:
    """Tells a gateway full of people to stop when the upstream has taken the create of *mark*."""
    async with crowd(gateway.address, at.place.key, at.path, FILM, size) as people:
        made = await client.make(f"a paper boat {mark}")
        await taken(at.place, mark)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        people.leave()
        if twice:
            await stopping(client.http)
            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
        code = await gateway.ended(within=60)
        took = time.monotonic() - began
        async with asyncio.timeout(20):
            return made, Stopped(
                code, took, await people.close_codes(), await people.ends_of_streams(),
                await people.downloads(), gateway.complaints,
            )  # fmt: skip


def told_everybody(stopped: Stopped, size: Size) -> None:
    assert stopped.code == 0
    assert stopped.close_codes == [1012] * size.sockets
    assert stopped.streams == [""] * size.streams
    for word in ("Traceback", " ERROR ", " CRITICAL "):
        assert word not in stopped.complaints


async def resumed(http: httpx.AsyncClient, path: str, download: Download) -> None:
    """The rest is there, and fits."""
    headers = {"Range": f"bytes={download.size}-", "If-Range": download.etag}
    rest = await http.get(path, headers=headers)
    assert rest.status_code == 206
    assert rest.content == FILM[download.size :]


async def aftermath(at: Stage, mark: str, made: str | None, downloads: list[Download]) -> str:
    """What the next gateway on the same data makes of it: how the job ends."""
    async with at.place.gateway() as (gateway, client):
        for download in downloads:
            if not download.complete:
                await resumed(client.http, at.path, download)
        async with asyncio.timeout(15):
            while True:
                (task,) = [task for task in await client.tasks() if task["videoId"] == made]
                if task["stage"] in ("completed", "unknown"):
                    break
                await asyncio.sleep(0.05)
        assert await gateway.told(signal.SIGTERM) == 0
    seen = await verdict(at.place, mark, made)
    assert (seen.creates, seen.broken) == (1, [])
    (end,) = seen.ends
    return end


@pytest.mark.timeout(120)
@pytest.mark.parametrize("phase", PHASES)
async def test_everybody_is_sent_home_and_the_create_is_accounted_for(
    phase: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    full = request.config.getoption("--kills") == "full"
    size = FULL if full or phase == "middle" else SMALL
    async with stage(tmp_path, CREATES_ALLOWED if full else CREATE_TIMEOUT) as at:
        async with at.place.gateway() as (gateway, client):
            made, stopped = await stop_it(at, gateway, client, phase, size)
        told_everybody(stopped, size)
        complete = [download for download in stopped.downloads if download.complete]
        print(
            f"{phase}: exit {stopped.code} after {stopped.seconds:.1f} s, {len(complete)} downloads complete"
        )
        assert stopped.seconds < 30
        assert [download.size for download in complete] == [len(FILM)] * size.quick
        end = await aftermath(at, phase, made, stopped.downloads)
        assert end == ("unknown" if phase == "forever" else "completed")


@pytest.mark.timeout(120)
async def test_a_second_signal_ends_a_gateway_full_of_people_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path, CREATES_ALLOWED) as at:
        async with at.place.gateway() as (gateway, client):
            made, stopped = await stop_it(at, gateway, client, "forever", FULL, twice=True)
        told_everybody(stopped, FULL)
        print(f"exit {stopped.code} {stopped.seconds:.1f} s after the second signal")
        assert stopped.seconds < 2
        assert await aftermath(at, "forever", made, stopped.downloads) == "unknown"
