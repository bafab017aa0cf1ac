"""Durable updates of jobs through the store, beside plain sqlite3 with one update per commit.

Both sides have the same schema, pragmas (``synchronous=FULL``), rows and disk, in files of their own. Two kinds:

* *saves*: what the supervisor does at every look at an upstream. Ours is :meth:`Store.save` of an observed progress,
  everything included: the changed columns, the public state as JSON, the event row, and being told on the loop. The
  reference updates the job's row and inserts an event row in one commit; its texts are made beforehand.
* *rows*: one UPDATE of one row, as a unit of work (:meth:`Store.run`), and as a statement that commits by itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sora_gateway.bench.report import Goal, Report, machine, median_ratio, parser, positive, spread
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.job import Accepted, Claimed, Event, ExternalId, Job, JobId, Observed, advance
from sora_gateway.core.messages import StoredEvent, stored_state
from sora_gateway.core.money import Movement
from sora_gateway.entropy import SystemEntropy
from sora_gateway.places import shipped
from sora_gateway.store import Store
from sora_gateway.store.jobs import Answered, Intent
from sora_gateway.store.schema import prepare
from sora_gateway.store.writer import PRAGMAS, Transaction

CALLERS = 100
NOW = 1_800_000_000.0
OWNER = "user_bench"

_UPDATE_JOB = "UPDATE jobs SET version = ?, progress = ? WHERE id = ? AND version = ?"
_INSERT_EVENT = (
    "INSERT INTO events (job_id, owner, job_seq, step, payload, at, final) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_ROW = "UPDATE jobs SET progress = ? WHERE id = ?"

T = TypeVar("T")
Change = tuple[Job, Job, Event]
_CHANCE = SystemEntropy()


@dataclass(slots=True)
class Series:
    """What each round measured of one kind of update: updates per second, and seconds of a lone one."""

    raw: list[float] = field(default_factory=list)
    shared: list[float] = field(default_factory=list)
    raw_alone: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    def goals(self, kind: str) -> list[Goal]:
        return [
            Goal(f"{kind}: {CALLERS} callers / raw, updates per second", median_ratio(self.shared, self.raw), 4.0, at_least=True),
            Goal(f"{kind}: a lone caller / raw, median latency", median_ratio(self.alone, self.raw_alone), 2.0),
        ]  # fmt: skip

    def notes(self, kind: str) -> list[str]:
        """A busy disk flatters whoever syncs less; the best round of each side is the comparison without neighbours."""
        return [
            f"{kind}, raw sqlite3      {spread(self.raw, unit='/s')}, one takes {spread(self.raw_alone, 1e6, ' us')}",
            f"{kind}, {CALLERS} callers      {spread(self.shared, unit='/s')}",
            f"{kind}, a lone caller    {spread(self.alone, 1e6, ' us')}",
            f"{kind}, best rounds      {max(self.shared) / max(self.raw):.2f} x the updates, "
            f"{min(self.alone) / min(self.raw_alone):.2f} x the latency",
        ]

    def samples(self, kind: str) -> dict[str, Sequence[float]]:
        return {
            f"{kind}_raw_per_s": self.raw,
            f"{kind}_shared_per_s": self.shared,
            f"{kind}_raw_alone_s": self.raw_alone,
            f"{kind}_alone_s": self.alone,
        }


def main(args: Sequence[str]) -> int:
    made = parser("store", "Measure durable updates through the store.", rounds=15)
    made.add_argument("--updates", type=positive, default=2000, metavar="N",
                      help=f"updates per round by {CALLERS} callers; a fifth of it for the others (default 2000)")  # fmt: skip
    options = made.parse_args(args)
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench-store-") as name:
        report = run_on_our_loop(measure(Path(name), options.rounds, options.updates))
    return report.finish(options.json)


def run_on_our_loop(work: Coroutine[Any, Any, T]) -> T:
    """On the loop that the product has."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def measure(directory: Path, rounds: int, updates: int) -> Report:
    """Every side once per round, in a new order each time."""
    each, fewer = max(1, updates // CALLERS), max(1, updates // 5)
    cohorts = await _populate(directory / "saves.db", rounds + 1)
    for copy in ("raw-saves.db", "rows.db", "raw-rows.db"):
        shutil.copyfile(directory / "saves.db", directory / copy)
    saves, rows, syncs = Series(), Series(), list[float]()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(directory / "saves.db", _told))
        second = await stack.enter_async_context(Store(directory / "rows.db", _told))
        bench = _Saves(store, cohorts, 98.0 / (rounds * (each + fewer) + 1))
        raw = _Raw(directory / "raw-saves.db", cohorts)
        plain = _Rows(second, cohorts[0])
        raw_plain = _Raw(directory / "raw-rows.db", cohorts)
        stack.callback(raw.close)
        stack.callback(raw_plain.close)
        order: list[Callable[[], Awaitable[None]]] = [
            lambda: bench.shared(saves, each),
            lambda: bench.alone(saves, fewer),
            lambda: raw.saves(saves, fewer),
            lambda: plain.shared(rows, each),
            lambda: plain.alone(rows, fewer),
            lambda: raw_plain.rows(rows, fewer),
        ]
        for _ in range(rounds):
            order.sort(key=lambda _: _CHANCE.fraction())
            for side in order:
                await side()
            syncs.append(_sync(directory / "sync", 50))
    return _report(directory, rounds, updates, saves, rows, syncs)


def _report(
    directory: Path, rounds: int, updates: int, saves: Series, rows: Series, syncs: list[float]
) -> Report:
    kind = filesystem(directory)
    warning = [f"WARNING: {kind} has no disk behind it; nothing here says anything about durable updates"]
    return Report(
        title=f"bench store: {rounds} rounds of {updates} updates, {machine()}",
        notes=[
            *(warning if kind in ("tmpfs", "ramfs") else []),
            f"{kind}; fdatasync of 4 KiB takes {spread(syncs, 1e6, ' us')}",
            *saves.notes("saves"),
            *rows.notes("rows"),
        ],
        goals=[*saves.goals("saves"), *rows.goals("rows")],
        samples=saves.samples("saves") | rows.samples("rows") | {"fdatasync_s": syncs},
    )


def _told(events: list[StoredEvent]) -> None:
    """Nobody is watching."""


# --- ours --------------------------------------------------------------------------------------------


async def _populate(database: Path, cohorts: int) -> list[list[Job]]:
    """A new database with jobs in progress: one for every caller, others in each round.

    A real job changes some twenty times and then another one does; one that changes for ever would have
    pages of the event log's index to itself.
    """
    prepare(database, shipped("migrations"), NOW, "0" * 16)
    jobs = []
    async with Store(database, _told) as store:
        await store.people.create_user(OWNER, "bench@example.test", "member", None, 0, NOW)
        for number in range(CALLERS * cohorts):
            made = NOW + number
            job = Job(
                JobId(time_ordered("video", made, _CHANCE.new_id("video"))), OWNER,
                "A lighthouse at dusk, waves in slow motion. " * 5, "sora-2", "lab", "wan-2.2", 8, "1280x720", made,
            )  # fmt: skip
            await store.accept(job)
            claimed, accepted = Claimed(NOW), Accepted(NOW, ExternalId(f"video_{number:024x}"))
            sent = advance(job, claimed)
            await store.save(job, sent, claimed, Movement.KEEP, Intent(f"attempt_{job.id}"))
            working = advance(sent, accepted)
            await store.save(
                sent, working, accepted, Movement.KEEP, Answered("receipt", accepted.external_id)
            )
            jobs.append(working)
    return [jobs[start : start + CALLERS] for start in range(0, len(jobs), CALLERS)]


class _Saves:
    """The last cohort is the lone caller's, the others take turns."""

    def __init__(self, store: Store, cohorts: list[list[Job]], step: float) -> None:
        self._store = store
        self._next = iter(cohorts)
        self._lone = cohorts[-1][0]
        self._step = step

    async def shared(self, series: Series, each: int) -> None:
        changes = [self._changes(job, each) for job in next(self._next)]
        began = time.perf_counter()
        await asyncio.gather(*map(self._caller, changes))
        series.shared.append(CALLERS * each / (time.perf_counter() - began))

    async def _caller(self, changes: list[Change]) -> None:
        for before, after, event in changes:
            await self._store.save(before, after, event, Movement.KEEP)

    async def alone(self, series: Series, count: int) -> None:
        took = []
        changes = self._changes(self._lone, count)
        for before, after, event in changes:
            began = time.perf_counter()
            await self._store.save(before, after, event, Movement.KEEP)
            took.append(time.perf_counter() - began)
        series.alone.append(statistics.median(took))
        self._lone = changes[-1][1]

    def _changes(self, job: Job, count: int) -> list[Change]:
        """The next *count* changes of *job*; its progress moves on by a step each time."""
        changes: list[Change] = []
        for _ in range(count):
            event = Observed(NOW, job.progress + self._step, upstream_status="in_progress")
            after = advance(job, event)
            assert after is not job
            changes.append((job, after, event))
            job = after
        return changes


class _Rows:
    def __init__(self, store: Store, jobs: list[Job]) -> None:
        self._store = store
        self._ids = [job.id for job in jobs]

    async def shared(self, series: Series, each: int) -> None:
        began = time.perf_counter()
        await asyncio.gather(*(self._caller(job_id, each) for job_id in self._ids))
        series.shared.append(CALLERS * each / (time.perf_counter() - began))

    async def _caller(self, job_id: JobId, each: int) -> None:
        for _ in range(each):
            await self._store.run(_row_update(job_id))

    async def alone(self, series: Series, count: int) -> None:
        took = []
        for _ in range(count):
            began = time.perf_counter()
            await self._store.run(_row_update(self._ids[0]))
            took.append(time.perf_counter() - began)
        series.alone.append(statistics.median(took))


def _row_update(job_id: JobId) -> Callable[[Transaction], object]:
    # SQLite leaves a page alone when nothing in it changes, so every update brings a number of its own.
    parameters = (_CHANCE.fraction() * 98, job_id)
    return lambda tx: tx.execute(_UPDATE_ROW, parameters)


# --- the reference -----------------------------------------------------------------------------------


class _Raw:
    """sqlite3 and nothing else: one connection with the product's pragmas, one update per commit."""

    def __init__(self, database: Path, cohorts: list[list[Job]]) -> None:
        self._connection = sqlite3.connect(database, isolation_level=None)
        for pragma in PRAGMAS:
            self._connection.execute(pragma).fetchall()
        self._jobs = cohorts[0]
        self._next = iter(cohorts)
        self.close = self._connection.close

    async def saves(self, series: Series, count: int) -> None:
        self._jobs = next(self._next)
        self._versions = [job.version for job in self._jobs]
        self._measure(series, [self._save(number % CALLERS) for number in range(count)])

    async def rows(self, series: Series, count: int) -> None:
        ids = [job.id for job in self._jobs]
        self._measure(
            series,
            [((_UPDATE_ROW, (_CHANCE.fraction() * 98, ids[number % CALLERS])),) for number in range(count)],
        )

    def _save(self, number: int) -> tuple[tuple[str, tuple[object, ...]], ...]:
        job, version, progress = self._jobs[number], self._versions[number], _CHANCE.fraction() * 98
        self._versions[number] += 1
        _, payload = stored_state(job, Observed(NOW, progress), NOW)
        return (
            ("BEGIN IMMEDIATE", ()),
            (_UPDATE_JOB, (version + 1, progress, job.id, version)),
            (_INSERT_EVENT, (job.id, OWNER, version + 1, "progress", payload, NOW, False)),
            ("COMMIT", ()),
        )

    def _measure(self, series: Series, updates: Sequence[Sequence[tuple[str, tuple[object, ...]]]]) -> None:
        execute, took = self._connection.execute, []
        for statements in updates:
            began = time.perf_counter()
            for sql, parameters in statements:
                execute(sql, parameters)
            took.append(time.perf_counter() - began)
        series.raw.append(len(took) / sum(took))
        series.raw_alone.append(statistics.median(took))


# --- the disk ----------------------------------------------------------------------------------------


def _sync(path: Path, count: int) -> float:
    """Median seconds that 4 KiB take to the disk: what one commit by itself cannot be faster than."""
    took = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            file.write(os.urandom(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def filesystem(path: Path) -> str:
    """The type of the file system that *path* lies on, ``unknown`` where /proc does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    resolved, best, kind = path.resolve(), -1, "unknown"
    for line in lines:
        left, _, right = line.partition(" - ")
        mounted = Path(left.split()[4])
        if resolved.is_relative_to(mounted) and len(mounted.parts) >= best:
            best, kind = len(mounted.parts), right.split()[0]
    return kind
