"""Backups of a gateway that is busy: each of them, put back, keeps every promise, and pays nothing twice.

One real gateway on a real upstream process; people ask, cancel, delete, and give each other credits without a pause while
backups are made, one after the other. ``make kill-test`` makes twenty of them, an ordinary run three.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from sora_gateway.backup.making import make
from sora_gateway.clock import SystemClock
from sora_gateway.places import DataDirectory
from tests.backups import complaints, put_back, whole
from tests.killing import kill_house
from tests.processes import Client, LoggingUpstream, Place

AT_ONCE = 6
"""People who are at it at the same time."""
BETWEEN = 0.05
"""Seconds that each of them waits: the upstream has to come along."""
QUICK = """requests_per_minute = 0
max_creating = 6
[limits]
per_person = 0
per_key = 0
per_address = 0
creates_per_person = 0
"""
MARK = "under load"


@asynccontextmanager
async def busy(client: Client) -> AsyncIterator[Counter[str]]:
    """What was done so far, while more of it is."""
    done: Counter[str] = Counter()
    numbers = itertools.count(1)

    async def somebody(chance: random.Random) -> None:
        while True:
            act = chance.choice(["make", "make", "cancel", "delete", "grant"])
            if act == "make":
                job_id = await client.make(
                    f"boat {next(numbers)} {MARK} [[fault:duration={chance.uniform(0, 1):.2f}]]"
                )
                assert job_id is not None
            elif act == "grant":
                wish = {"email": "ann@example.org", "amount": 50, "note": MARK}
                answer = await client.http.post("/api/admin/credits/grant", json=wish)
                assert answer.status_code in (200, 201), answer.text
            else:
                tasks = await client.tasks()
                if not tasks:
                    continue
                one = f"/api/video/tasks/{chance.choice(tasks)['videoId']}"
                answer = await (
                    client.http.post(f"{one}/cancel") if act == "cancel" else client.http.delete(one)
                )
                # It may have ended, or not ended, or be gone by now.
                act = act if answer.status_code < 300 else "too late"
            done[act] += 1
            await asyncio.sleep(BETWEEN)

    people = [asyncio.create_task(somebody(random.Random(number))) for number in range(AT_ONCE)]
    try:
        yield done
    finally:
        for each in people:
            each.cancel("the load is over")
        for ended in await asyncio.gather(*people, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended


def quick(place: Place) -> Place:
    """The upstream's table is the last one of the configuration."""
    with (place.root / "config.toml").open("a", encoding="utf-8") as config:
        config.write(QUICK)
    return place


def jobs_of(data: Path) -> dict[str, str]:
    """State by prompt."""
    with closing(sqlite3.connect(data / "gateway.db")) as connection:
        return dict(connection.execute("SELECT prompt, state FROM jobs").fetchall())


def paid(upstream: LoggingUpstream) -> Counter[str]:
    """How often each prompt was paid for, ever."""
    return Counter(create["prompt"] for create in upstream.creates(MARK))


async def settled(place: Place) -> None:
    """Returns when nothing of the gateway on *place* moves any more but what waits for a person."""
    moving = {"queued", "submitting", "processing", "storing", "cancelling"}
    async with asyncio.timeout(60):
        while True:
            states = set((await asyncio.to_thread(jobs_of, place.data)).values())
            if not states & moving:
                return
            await asyncio.sleep(0.1)


async def makes_one_more(place: Place, client: Client) -> None:
    """Returns when a new job, which stands behind everything that is older, has been paid for and is done."""
    prompt = f"the last boat {MARK}"
    assert await client.make(prompt) is not None
    async with asyncio.timeout(60):
        while True:
            if (await asyncio.to_thread(jobs_of, place.data))[prompt] == "completed":
                return
            await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
async def test_a_backup_under_load_is_restored_to_a_gateway_that_keeps_every_promise(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    number = 20 if request.config.getoption("--kills") == "full" else 3
    async with kill_house(tmp_path) as house:
        place = quick(house.place("busy"))
        kept = tmp_path / "kept"
        states: Counter[str] = Counter()
        async with place.gateway() as (_, client), busy(client) as done:
            for turn in range(1, 10 * number + 1):
                before = sum(done.values())
                async with asyncio.timeout(20):
                    while sum(done.values()) < before + 30:  # noqa: ASYNC110 - six people count, one waits
                        await asyncio.sleep(0.02)
                made = await asyncio.to_thread(
                    make, DataDirectory(place.data), kept, SystemClock().now(), "0.0.test"
                )
                assert await asyncio.to_thread(complaints, made.path) == [], f"backup {turn} of {number}"
                assert made.manifest.missing == ()
                fresh = tmp_path / f"restored-{turn}" / "data"
                await asyncio.to_thread(put_back, made.path, fresh)
                assert await asyncio.to_thread(whole, fresh) == [], f"restore {turn} of {number}"
                states.update(jobs_of(fresh).values())
                # A machine that has much else to do sends so few that a moment may find none waiting.
                if turn >= number and states["unknown"]:
                    break
        assert {"make", "cancel", "delete", "grant"} <= set(done)
        assert not states["queued"] + states["submitting"], "whatever may have been sent is in doubt"
        assert states["unknown"] > 0

        # The old gateway ends everything that it had; then the first of its backups takes over.
        async with place.gateway():
            await settled(place)
        once = paid(house.upstream)
        first = Place(tmp_path / "restored-1", house.upstream, house.key)
        shutil.copy(place.root / "config.toml", first.root / "config.toml")
        async with first.gateway() as (_, client):
            await makes_one_more(first, client)
        again = paid(house.upstream)
        assert max(again.values()) == 1, "nothing was paid for twice"
        assert again.total() == once.total() + 1
        assert await asyncio.to_thread(whole, first.data) == []
