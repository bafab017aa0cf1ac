"""Our side of ``bench fanout``: a whole gateway whose store commits changes of jobs when it is told to.

``python -m sora_gateway.bench.fanout_gateway DIRECTORY JOBS``. From the commit on everything is as when serving: the
writer's thread hands the events to the hub on the event loop, the hub to the connections. The changes of one command
are one transaction, as those are that one look at an upstream's list finds.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from sora_gateway.app import Gateway, opened
from sora_gateway.bench.fanout_serving import obey
from sora_gateway.bench.store import OWNER, run_on_our_loop
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.job import Accepted, Claimed, ExternalId, Job, JobId, Observed, advance
from sora_gateway.core.money import Movement
from sora_gateway.descriptors import raise_limit
from sora_gateway.entropy import SystemEntropy
from sora_gateway.serving import settle_collector
from sora_gateway.settings import load_settings
from sora_gateway.store.jobs import Answered, Intent, save
from sora_gateway.store.writer import Transaction

STEP = 0.01
"""Percent by which each event moves a job on."""
_CHANCE = SystemEntropy()


class Changes:
    """The jobs, ``one`` that all clients follow and the ``keyed`` ones, and what changes them."""

    def __init__(self, gateway: Gateway, one: Job, keyed: list[Job]) -> None:
        self._store = gateway.store
        self._jobs = {"one": [one], "keyed": keyed}

    async def publish(self, on: str, first: int, count: int) -> int:
        """When they were committed: all of the writer's thread is the store's affair, and the way to the event loop and
        everything behind it comes after it."""
        await self._store.run(lambda tx: self._save(tx, on, first, count))
        return time.time_ns() - round((time.monotonic() - self._store.measured.at) * 1e9)

    def _save(self, tx: Transaction, on: str, first: int, count: int) -> None:
        jobs = self._jobs[on]
        for number in range(first, first + count):
            for at, before in enumerate(jobs):
                event = Observed(time.time(), before.progress + STEP, upstream_status="in_progress")
                jobs[at] = advance(before, event)
                assert jobs[at].version == number
                save(tx, before, jobs[at], event, Movement.KEEP)


async def _serve(directory: Path, jobs: int) -> None:
    settings = load_settings(
        data_dir=directory,
        server={"port": 0, "max_connections": 0},
        realtime={"connections": 0, "per_person": 0, "per_address": 0},
        log={"level": "error"},
    )
    async with opened(settings) as gateway:
        await gateway.store.people.create_user(OWNER, "bench@example.test", "member", None, 0, time.time())
        key, _ = await gateway.accounts.create_key(OWNER, "bench")
        one, *keyed = await asyncio.gather(*(working_job(gateway, number) for number in range(jobs + 1)))
        hello = {
            "port": int(gateway.address.rpartition(":")[2]),
            "key": key,
            "writer": await gateway.store.run(lambda _: threading.get_native_id()),
            "jobs": [one.id, *(job.id for job in keyed)],
            "version": one.version,
        }
        settle_collector()
        await obey(hello, {"publish": Changes(gateway, one, keyed).publish}, lambda _: None)


async def working_job(gateway: Gateway, number: int) -> Job:
    """A job that its upstream has accepted."""
    now = time.time()
    made = Job(
        JobId(time_ordered("video", now, _CHANCE.new_id("video"))), OWNER,
        "A lighthouse at dusk, waves in slow motion. " * 5, "sora-2", "lab", "sora-2", 8, "1280x720", now,
    )  # fmt: skip
    await gateway.store.accept(made)
    claimed, accepted = Claimed(now), Accepted(now, ExternalId(f"video_{number:024x}"))
    sent = advance(made, claimed)
    await gateway.store.save(made, sent, claimed, Movement.KEEP, Intent(f"attempt_{made.id}"))
    working = advance(sent, accepted)
    receipt = Answered("receipt", accepted.external_id)
    await gateway.store.save(sent, working, accepted, Movement.KEEP, receipt)
    return working


if __name__ == "__main__":
    raise_limit()
    run_on_our_loop(_serve(Path(sys.argv[1]), int(sys.argv[2])))
