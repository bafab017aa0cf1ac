"""A gateway's store and hub, with followers who come, go and are cut off at any moment, while jobs go on, the event log
is trimmed, the process restarts, and a backup is put in the place of the database."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from sora_gateway.clock import SystemClock
from sora_gateway.core import job as j
from sora_gateway.core.job import ExternalId, Job
from sora_gateway.core.messages import Cursor, StoredEvent
from sora_gateway.core.principal import Principal
from sora_gateway.core.visibility import Visibility
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.live import Live, RealtimeLimits
from tests.fake_line import FakeLine
from tests.fakes import settle
from tests.followers import Follower, How, SocketFollower, StreamFollower
from tests.gateways import count_real_work
from tests.jobs import NOW, make_job, walk
from tests.live import urls_of
from tests.stores import ADA, BEN, EPOCH, ROOT, open_store
from tests.transcripts import BrokenPromise, History, Verifier, promise

OWNERS = (ADA, BEN)


class NobodysCredentials:
    """Everybody stays who they are."""

    async def by_bearer(self, token: str) -> Principal | None:
        return None

    async def by_session(self, token: str) -> Principal | None:
        return None

    async def renewed(self, principal: Principal) -> Principal | None:
        return principal


@dataclass(frozen=True)
class Plan:
    """How large, and how rough. *high* is how much a line takes before it asks for a pause, in bytes."""

    followers: int
    events: int
    merges: bool = True
    high: int = 64 * 1024
    replay: int = 1000
    patience: float = 10.0
    trims: bool = True
    restarts: bool = True
    teams: bool = True


@dataclass
class World:
    """Use :func:`world`."""

    directory: Path
    plan: Plan
    chance: random.Random
    jobs: dict[str, Job] = field(default_factory=dict)
    followers: list[Follower] = field(default_factory=list)
    history: History = field(default_factory=History)
    epoch: str = EPOCH
    restarts: int = 0
    _live: Live | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _backup: tuple[dict[str, Job], list[StoredEvent]] | None = None

    @property
    def live(self) -> Live:
        assert self._live is not None
        return self._live

    @property
    def committed(self) -> list[StoredEvent]:
        return self.history.events[self.epoch]

    # --- the process -------------------------------------------------------------------------------

    async def start(self) -> None:
        hub = Hub(self.epoch, urls_of)
        committed = self.history.events.setdefault(self.epoch, [])

        def on_commit(events: list[StoredEvent]) -> None:
            committed.extend(events)
            # To the hub every event is final when nothing may be merged.
            hub.publish(events if self.plan.merges else [replace(event, final=True) for event in events])
            for event in events:
                if event.step == "visibility" and not event.team:
                    self._must_hear_nothing_more(event)

        store = await self._stack.enter_async_context(open_store(self.directory, on_commit))
        count_real_work(self._stack, store)
        assert store.epoch == self.epoch
        limits = RealtimeLimits(
            replay=self.plan.replay, messages_per_second=1 << 30, send_timeout=self.plan.patience
        )
        self._live = Live(store, hub, NobodysCredentials(), SystemClock(), lambda: limits)
        self._sealed: list[tuple[FakeLine, int]] = []

    async def stop(self, *, killed: bool) -> None:
        """*killed*: nobody is told anything, the connections are just gone."""
        if not killed:
            await self.live.hub.close()
            await asyncio.sleep(0)
        late = 0
        for follower in self.followers:
            if follower.line is not None:
                follower.line.collect()
                late += follower.line.too_late
            follower.cut_off(0 if killed else 1 << 20)
        await settle()
        statistics = self.live.hub.statistics()
        await self._stack.aclose()
        self._stack = AsyncExitStack()
        promise(not late, "something was said behind the close")
        assert (statistics.connections, statistics.subscriptions) == (0, 0), "a connection was not ended"
        for line, written in self._sealed:
            promise(line.written == written, "a stranger was told of what became private")
        self._sealed.clear()

    async def restart(self) -> None:
        """By itself, killed, or as another database that was put in its place."""
        self.restarts += 1
        await self.stop(killed=self.chance.random() < 0.5)
        database, backup = self.directory / "gateway.db", self.directory / "backup.db"
        if self._backup is None:
            shutil.copy(database, backup)
            self._backup = dict(self.jobs), list(self.committed)
        elif self.chance.random() < 0.4:
            self._restore(database, backup)
        await self.start()

    def _restore(self, database: Path, backup: Path) -> None:
        assert self._backup is not None
        for left in self.directory.glob("gateway.db*"):
            left.unlink()
        shutil.copy(backup, database)
        trimmed = self.history.trimmed.get(EPOCH, 0)
        self.epoch = f"{self.restarts:016x}"
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (self.epoch,))
        jobs, events = self._backup
        self.jobs, self.history.events[self.epoch] = dict(jobs), list(events)
        self.history.trimmed[self.epoch] = trimmed

    # --- what happens ------------------------------------------------------------------------------

    async def new_job(self) -> Job:
        job = make_job(owner=self.chance.choice(OWNERS).user_id)
        await self.live.store.accept(job)
        self.jobs[job.id] = job
        return job

    async def go_on(self, job: Job) -> None:
        """One more change of *job*, any that may come."""
        chance = self.chance
        change: j.Event
        if job.ended:
            change = j.Deleted(NOW)
        elif self.plan.teams and chance.random() < 0.1:
            other = Visibility.PRIVATE if job.visibility is Visibility.TEAM else Visibility.TEAM
            change = j.VisibilityChanged(NOW, other)
        elif job.state is j.State.QUEUED:
            change = j.Claimed(NOW)
        elif job.state is j.State.SUBMITTING:
            change = j.Accepted(NOW, ExternalId(external_id_of(job.id)))
        elif job.state is j.State.STORING:
            change = j.Stored(NOW)
        elif chance.random() < 0.15:
            change = chance.choice([j.UpstreamCompleted(NOW), j.UpstreamFailed(NOW, "x", "No.")])
        elif job.state is j.State.PROCESSING and chance.random() < 0.3:
            await self._goes_on_fast(job)
            return
        else:
            change = j.Waiting(NOW, f"wait {chance.random()} " + "x" * chance.choice([0, 0, 300]))
        self.jobs[job.id] = await walk(self.live.store, job, change)

    async def _goes_on_fast(self, job: Job) -> None:
        """Several changes before anybody was told of the first."""
        saved = []
        for number in range(4):
            change = j.Waiting(NOW, f"fast {number} {self.chance.random()}")
            saved.append(walk(self.live.store, job, change))
            job = j.advance(job, change)
        self.jobs[job.id] = (await asyncio.gather(*saved))[-1]

    async def trim(self) -> None:
        """The log loses its oldest events."""
        until = self.chance.randint(0, len(self.committed))
        await self.live.store.run(
            lambda tx: tx.execute("DELETE FROM events WHERE seq <= ?", (until,)).rowcount
        )
        self.history.trimmed[self.epoch] = max(until, self.history.trimmed.get(self.epoch, 0))

    # --- who follows -------------------------------------------------------------------------------

    def comes(
        self, job: Job | None = None, how: How | None = None, kind: type[Follower] | None = None
    ) -> Follower:
        """Somebody new, who follows a job that there is or will be, or everything."""
        chance = self.chance
        ways: tuple[How, ...] = ("id", "external", "all")
        by: How = chance.choice(ways) if how is None else how
        kind = kind or (SocketFollower if chance.random() < 0.7 else StreamFollower)
        job = job or chance.choice([each for each in self.jobs.values() if each.deleted_at is None])
        owner = next(person for person in OWNERS if person.user_id == job.owner)
        administrator = chance.random() < 0.2 and by != "external"
        since = Cursor(self.epoch, chance.choice([0, len(self.committed)])) if chance.random() < 0.5 else None
        high = chance.choice([512, 2048, self.plan.high]) if self.plan.merges else self.plan.high
        follower = kind(ROOT if administrator else owner, by, job.id, external_id_of(job.id), since, high)
        follower.wants_steps = by != "all" and chance.random() < 0.2
        self.followers.append(follower)
        return follower

    async def act(self, follower: Follower) -> None:
        """Anything that a client, or the network, may do."""
        chance = self.chance
        if follower.line is None:
            await follower.connect(self.live)
            return
        what = chance.random()
        if what < 0.55:
            follower.read()
        elif what < 0.7:
            follower.read(chance.randint(0, 400))
        elif what < 0.8:
            follower.cut_off(chance.randint(0, 2000))
        elif what < 0.83:
            follower.leave()
        elif isinstance(follower, SocketFollower) and follower.how != "external" and what < 0.9:
            chance.choice([follower.ask_again, follower.stop])()

    def _must_hear_nothing_more(self, event: StoredEvent) -> None:
        """A job became private: who followed it as a stranger is told nothing from this moment on."""
        for follower in self.followers:
            if follower.line is None or not follower.attached or follower.principal.sees_all:
                continue
            if follower.principal.user_id != event.owner and follower.how == "all":
                follower.line.collect()
                self._sealed.append((follower.line, follower.line.written))

    # --- the end -----------------------------------------------------------------------------------

    async def comes_to_rest(self) -> None:
        """Nothing happens any more, and everybody comes back and reads everything."""
        for follower in self.followers:
            follower.refused = False
        for turn in range(600):
            before = sum(len(follower.transcript) for follower in self.followers)
            for follower in self.followers:
                if follower.line is None and (turn == 0 or not _has_seen_the_end(follower)):
                    await follower.connect(self.live)
            await settle()
            for follower in self.followers:
                follower.read()
            await settle()
            if before == sum(len(follower.transcript) for follower in self.followers):
                return
        raise BrokenPromise("somebody comes back for ever, or never gets all of it")

    def verify(self) -> None:
        """Raises BrokenPromise."""
        self.history.replay, self.history.merges = self.plan.replay, self.plan.merges
        gone = frozenset(job.id for job in self.jobs.values() if job.deleted_at is not None)
        for number, follower in enumerate(self.followers):
            try:
                self._verify(follower, gone)
            except AssertionError as error:
                error.add_note(
                    f"follower {number}: {type(follower).__name__} by {follower.how} "
                    f"of {follower.job_id}, {follower.principal.user_id}"
                )
                raise

    def _verify(self, follower: Follower, gone: frozenset[str]) -> None:
        may_see = self.plan.teams and follower.how == "all"
        verifier = Verifier(self.history, self.epoch, follower.follows, lambda _event: may_see)
        verifier.read(follower.transcript)
        if follower.how == "all" or self._is_there(follower, gone):
            verifier.ended(deleted=gone)

    def _is_there(self, follower: Follower, gone: frozenset[str]) -> bool:
        """Whether there is, in this database, what it follows."""
        job = self.jobs.get(follower.job_id)
        if job is None or job.id in gone:
            return False
        return follower.how == "id" or job.external_id is not None


def _has_seen_the_end(follower: Follower) -> bool:
    """There is nothing to come back for."""
    last = follower.transcript[-1] if follower.transcript else None
    return follower.refused or getattr(last, "message", {}).get("type") == "nothing more"


def external_id_of(job_id: str) -> str:
    """Known before the upstream has said it, for who awaits it."""
    return f"ext-{job_id}"


@asynccontextmanager
async def world(directory: Path, plan: Plan, seed: int) -> AsyncIterator[World]:
    """A world in an empty *directory*, which has lived through *plan* and come to rest."""
    there = World(directory, plan, random.Random(seed))
    await there.start()
    try:
        yield there
    finally:
        await there.stop(killed=True)


async def live_through(there: World) -> None:
    """The plan's events, with everything else between them."""
    plan, chance = there.plan, there.chance
    for _ in range(3):
        await there.new_job()
    made = len(there.committed)
    while made < plan.events:
        before = len(there.committed)
        open_jobs = [job for job in there.jobs.values() if job.deleted_at is None]
        for _ in range(chance.randint(1, 4)):
            job = chance.choice(open_jobs)
            if chance.random() < 0.1 or len(open_jobs) < 3:
                await there.new_job()
            elif there.jobs[job.id].deleted_at is None and (not job.ended or chance.random() < 0.1):
                await there.go_on(there.jobs[job.id])
        made += len(there.committed) - before
        while len(there.followers) < plan.followers * min(1.0, 2 * made / plan.events):
            there.comes()
        for follower in chance.sample(
            there.followers, min(len(there.followers), max(4, plan.followers // 12))
        ):
            await there.act(follower)
            for _ in range(chance.choice([0, 0, 1, 3])):
                await asyncio.sleep(0)
        if plan.trims and chance.random() < 0.03:
            await there.trim()
        if plan.restarts and chance.random() < 0.02:
            await there.restart()
    await there.comes_to_rest()
