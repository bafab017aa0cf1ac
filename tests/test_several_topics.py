"""One connection that follows several things at once, which begin while jobs change: each event of them is told once, in
the order of its job, and none is missing; what one topic has told another does not tell again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.clock import SystemClock
from sora_gateway.core import job as j
from sora_gateway.core.job import ExternalId, Job
from sora_gateway.core.messages import StoredEvent
from sora_gateway.realtime import hub as hub_module
from sora_gateway.realtime.connection import Connection
from sora_gateway.realtime.framing import text_frame
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.live import Live, RealtimeLimits
from tests.fake_line import FakeLine, FakeSocketLine
from tests.fakes import settle
from tests.followers import NOBODY_LOOKS, messages_in, nobody_looks
from tests.gateways import count_real_work
from tests.jobs import NOW, make_job, walk
from tests.live import urls_of
from tests.stores import ADA, EPOCH, open_store
from tests.watched_world import NobodysCredentials, external_id_of

STEPS = 120


class Reader:
    """Ada, on one connection that takes about *room* bytes before it is full."""

    def __init__(self, live: Live, room: int, *, direct: bool) -> None:
        self.line = FakeSocketLine(room) if direct else FakeLine(room)
        self.told: list[dict[str, Any]] = []
        self.asked: dict[str, str | None] = {}
        """The job of each topic, None for all."""
        self._came = bytearray()
        mailbox, place = live.hub.enter(ADA), live.doors.enter("", NOBODY_LOOKS)
        self._connection = Connection(live, mailbox, place, self.line, text_frame, nobody_looks)
        self._task = asyncio.create_task(self._connection.begin())

    def ask(self, topic: dict[str, Any], job: Job | None, since: str | None) -> None:
        """Follows *topic* from *since* on, or from now on; once."""
        name = json.dumps(topic)
        if name in self.asked:
            return
        self.asked[name] = None if job is None else job.id
        self.line.say(json.dumps({"type": "subscribe"} | topic | ({"since": since} if since else {})))

    def read(self, size: int | None = None) -> bool:
        """Whether there was anything."""
        taken = self.line.take(size)
        self._came += taken
        self.told += messages_in(self._came)
        return bool(taken)

    def updates(self) -> list[dict[str, Any]]:
        return [message for message in self.told if message["type"] == "update"]

    def known(self) -> dict[str, int]:
        """How far each video had come in what was told of it."""
        tasks = [
            task for message in self.told if message["type"] == "subscribed" for task in message["tasks"]
        ]
        known: dict[str, int] = {}
        for each in [*tasks, *self.updates()]:
            known[each["videoId"]] = max(known.get(each["videoId"], 0), each["seq"])
        return known


@dataclass
class World:
    """Where *every* event has to be told: none gives way to a later one, and each topic begins with the first."""

    live: Live
    chance: random.Random
    every: bool
    committed: list[StoredEvent]
    jobs: dict[str, Job] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    changing: set[str] = field(default_factory=set)

    async def one_more(self) -> None:
        job = make_job()
        await self.live.store.accept(job)
        self.jobs[job.id] = job

    async def go_on(self, job_id: str) -> None:
        """One more change of a job, unless one is under way."""
        job = self.jobs[job_id]
        if job.ended or job.id in self.changing:
            return
        change: j.Event = j.Waiting(NOW, f"wait {self.chance.random()} " + "x" * self.chance.choice([0, 300]))
        if job.state is j.State.QUEUED:
            change = j.Claimed(NOW)
        elif job.state is j.State.SUBMITTING:
            change = j.Accepted(NOW, ExternalId(external_id_of(job.id)))
        elif self.chance.random() < 0.1:
            change = j.UpstreamFailed(NOW, "x", "No.")
        self.changing.add(job.id)
        self.jobs[job.id] = await walk(self.live.store, job, change)
        self.changing.remove(job.id)

    def connect(self) -> None:
        room = self.chance.choice([512, 4096, 65536])
        self.readers.append(Reader(self.live, room, direct=self.chance.random() < 0.6))

    def ask(self) -> None:
        reader, job = self.chance.choice(self.readers), self.chance.choice(list(self.jobs.values()))
        since = f"{EPOCH}-0" if self.every or self.chance.random() < 0.7 else None
        external = {"externalVideoId": external_id_of(job.id), "pending": True}
        topic: dict[str, Any] = self.chance.choice([{"all": True}, {"videoId": job.id}, external, external])
        reader.ask(topic, None if "all" in topic else job, since)

    async def live_through(self) -> None:
        chance, changes = self.chance, set[asyncio.Task[None]]()
        for _ in range(STEPS):
            what = chance.random()
            if what < 0.1 or len(self.jobs) < 3:
                await self.one_more()
            elif what < 0.2 or not self.readers:
                self.connect()
            elif what < 0.5:
                for job_id in chance.sample(list(self.jobs), 3):
                    changes.add(asyncio.create_task(self.go_on(job_id)))
            elif what < 0.75:
                for _ in range(chance.choice([1, 2, 3])):
                    self.ask()
            else:
                chance.choice(self.readers).read(chance.choice([None, 100, 5000]))
            for _ in range(chance.choice([0, 0, 1, 3, 10])):
                await asyncio.sleep(0)
        await asyncio.gather(*changes)
        await settle()
        while sum(reader.read() for reader in self.readers):
            await settle()

    def verify(self) -> None:
        for reader in self.readers:
            assert reader.line.ended is None
            cursors = [update["cursor"] for update in reader.updates()]
            assert len(cursors) == len(set(cursors)), "an event was told twice"
            last: dict[str, int] = {}
            for update in reader.updates():
                assert update["seq"] > last.get(update["videoId"], 0), "the past came after what followed it"
                last[update["videoId"]] = update["seq"]
            known = reader.known()
            for topic, job_id in reader.asked.items():
                if "external" in topic and job_id is not None and self.jobs[job_id].external_id is None:
                    continue  # It is awaited yet.
                for event in self.committed:
                    if event.job_id == job_id or job_id is None:
                        cursor, know = f"{EPOCH}-{event.seq}", known.get(event.job_id, 0)
                        told = cursor in cursors if self.every else know >= event.job_seq
                        assert told, f"{topic} misses {event}"


@asynccontextmanager
async def world(directory: Path, seed: int, *, every: bool) -> AsyncIterator[World]:
    hub, committed = Hub(EPOCH, urls_of), list[StoredEvent]()

    def on_commit(events: list[StoredEvent]) -> None:
        committed.extend(events)
        # To the hub every event is final when nothing may be merged.
        hub.publish([replace(event, final=True) for event in events] if every else events)

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(directory, on_commit))
        count_real_work(stack, store)
        limits = RealtimeLimits(replay=5000, messages_per_second=1 << 30, send_timeout=100)
        live = Live(store, hub, NobodysCredentials(), SystemClock(), lambda: limits)
        there = World(live, random.Random(seed), every, committed)
        try:
            yield there
        finally:
            await hub.close()
            for reader in there.readers:
                reader.line.cut()
            await settle()
        left = [hub._by_job, hub._by_owner, hub._awaiting, hub._pending, hub._newest]
        assert not any(left), "something is left behind"


@pytest.mark.parametrize("slice", [1, 5, 256])
@pytest.mark.parametrize("every", [True, False], ids=["every event", "merged"])
@pytest.mark.parametrize("seed", range(4))
async def test_several_topics_of_one_connection_tell_every_event_once(
    tmp_path: Path, slice: int, seed: int, every: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", slice)
    async with world(tmp_path, seed, every=every) as there:
        await there.live_through()
        there.verify()
