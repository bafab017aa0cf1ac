"""A disk that is full, or fails, under a running gateway: nothing new is taken, everything can be read, and it goes
on by itself when there is room again."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from sora_gateway.store.writer import Transaction
from tests.killing import House, kill_house
from tests.running import person, running, settings_for
from tests.verdict import verdict

PROMPT = {"prompt": "a lighthouse in the fog " * 200}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with kill_house(tmp_path) as house:
        yield house


def no_room(tx: Transaction) -> None:
    """From here on the database cannot grow, which SQLite reports as it reports a full disk."""
    pages = tx.connection.execute("PRAGMA page_count").fetchone()[0]
    tx.connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


def room_again(tx: Transaction) -> None:
    tx.connection.execute("PRAGMA max_page_count = 1000000").fetchall()


async def refused(http: httpx.AsyncClient) -> httpx.Response:
    """The first create that is refused; a few may still find a free page."""
    for _ in range(50):
        response = await http.post("/api/video/tasks", json=PROMPT)
        if response.status_code != 202:
            return response
    raise AssertionError("the disk is never full")


async def test_on_a_full_disk_nothing_is_taken_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        before = await ann.make("a boat [[fault:duration=1]]")
        await gateway.store.run(no_room)
        answer = await refused(ann.http)
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] == "storage_full"
        assert "free some space" in answer.json()["error"]["message"]
        # Looking goes on: at one video, at what happened to it, and at all of them.
        one = f"/api/video/tasks/{before['videoId']}"
        for path in (one, f"{one}/events", "/api/video/tasks", "/v1/videos", "/api/video/stats", "/health"):
            assert (await ann.get(path)).status_code == 200, path

        await gateway.store.run(room_again)
        after = await ann.make("a second boat")
        # What was learned meanwhile was kept until it could be stored.
        for task in (before, after):
            await comes_to_its_end(ann.http, task["videoId"])


async def test_a_disk_that_fails_under_the_real_process_is_survived_too(house: House) -> None:
    """A limit on the size of files makes the writes of another process fail, whoever runs this."""
    place = house.place("failing")
    async with place.gateway() as (gateway, client):
        made = await client.make("failing [[fault:duration=1]]")
        written = (place.data / "gateway.db-wal").stat().st_size
        _, most = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (written, most))
        answer = await refused(client.http)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_failed")
        assert "retry-after" in answer.headers
        assert len(await client.tasks()) >= 1

        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert made is not None
        await comes_to_its_end(client.http, made)
        assert await client.make("a second boat") is not None
        assert await gateway.told(signal.SIGTERM) == 0
        assert "Traceback" not in gateway.complaints
    seen = await verdict(place, "failing", made)
    assert (seen.ends, seen.creates, seen.broken) == (["completed"], 1, [])


async def comes_to_its_end(http: httpx.AsyncClient, video_id: str) -> None:
    async with asyncio.timeout(15):
        while True:
            task = (await http.get(f"/api/video/tasks/{video_id}")).json()
            if task["status"] == "completed":
                return
            assert task["status"] in ("queued", "processing"), task
            await asyncio.sleep(0.05)
