"""Jobs, attempts and assets as rows. Two small functions convert between a row and the frozen Job."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sora_gateway.core.asset import StoredFile
from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.job import Event, FilesFound, FilesRemoved, Job, JobId, State
from sora_gateway.core.money import Movement
from sora_gateway.core.operation import Operation
from sora_gateway.core.principal import Principal
from sora_gateway.core.retention import Removal
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import NotFound
from sora_gateway.store import audit, events, ledger, removed_files, webhook_deliveries
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import ONE_OF, Readers, one_of
from sora_gateway.store.writer import Transaction

COLUMNS = tuple(f.name for f in fields(Job))
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"  # noqa: S608 - names of our own dataclass
_INSERT = f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_values = attrgetter(*COLUMNS)
UNFINISHED = "state NOT IN ('completed', 'failed', 'cancelled')"
VISIBLE = "(? OR owner = ? OR visibility = 'team')"
"""What :func:`scope` gives the parameters for: who may see the job."""
_FLAGS = frozenset({"progress_estimated", "overdue", "cancel_requested"})


class Stale(Exception):
    """Somebody else wrote the job meanwhile: a bug, because only its watcher may."""


class ExternalIdTaken(Exception):
    """Another job of this upstream has the id already: it proves nothing about this create."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A create that is about to leave."""

    id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of the latest create."""

    outcome: str
    external_id: str | None = None
    http_status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What *event* makes of *before*."""

    before: Job
    after: Job
    event: Event
    movement: Movement


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of the visible jobs to list. *after* is the id of the last one of the page before."""

    limit: int = 50
    after: str | None = None
    ascending: bool = False
    states: tuple[State, ...] = ()
    owner: str | None = None
    """Only this person's; None for everything that may be seen."""
    team: bool = False
    """Only what the whole team may see."""
    tags: tuple[str, ...] = ()
    """Only those that have all of them."""
    batch_id: str | None = None
    text: str = ""
    """Only those whose prompt has it; Latin letters in either case."""
    since: float | None = None
    """Only those that were asked for then or later, in epoch seconds."""
    until: float | None = None
    """Only those that were asked for before."""
    models: tuple[str, ...] = ()
    """Only those of one of these models."""
    person: str | None = None
    """Only those of whoever has this id; beside *owner* both count."""
    made_from: str | None = None
    """Only those that were made from the job of this id: retries, remixes, edits, extensions."""


def job_of(row: sqlite3.Row | Mapping[str, Any]) -> Job:
    values: dict[str, Any] = dict(row)
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    values["state"] = State(values["state"])
    values["operation"] = Operation(values["operation"])
    values["visibility"] = Visibility(values["visibility"])
    values["lane"] = Lane(values["lane"])
    if (because := values["files_removed_because"]) is not None:
        values["files_removed_because"] = Removal(because)
    return Job(**values)


# --- writing (on the writer's transaction) -----------------------------------------------------------


def insert(tx: Transaction, job: Job, inputs: tuple[StoredFile, ...] = ()) -> None:
    """Writes a new job and what it is made from; :mod:`.accepting` does what belongs to it."""
    tx.execute(_INSERT, _values(job))
    _insert_assets(tx, job.id, inputs)


def made(tx: Transaction, made_id: str) -> list[Job]:
    """What an earlier sending of a request made: the job of that id, or all of that batch."""
    rows = tx.execute(f"{_SELECT} WHERE id = ? OR batch_id = ? ORDER BY id", (made_id, made_id)).fetchall()
    assert rows, "a job outlives its claims"
    return [job_of(row) for row in rows]


def _insert_assets(tx: Transaction, job_id: JobId, assets: tuple[StoredFile, ...]) -> None:
    for asset in assets:
        tx.execute(
            "INSERT OR REPLACE INTO assets (job_id, variant, path, media_type, size, sha256) VALUES (?, ?, ?, ?, ?, ?)",
            (job_id, asset.variant, asset.path, asset.media_type, asset.size, asset.sha256),
        )


def save(
    tx: Transaction,
    before: Job,
    after: Job,
    event: Event,
    movement: Movement,
    attempt: Intent | Answered | None = None,
    assets: tuple[StoredFile, ...] = (),
    decided: AuditEntry | None = None,
) -> None:
    """Writes one change: row, attempt, assets, money, event and who decided on it, in the caller's transaction.

    Raises:
        Stale: the row is not what *before* says.
        ExternalIdTaken: the upstream's id belongs to another job.
    """
    rows = zip(COLUMNS, _values(before), _values(after), strict=True)
    changed = {name: new for name, old, new in rows if old != new}
    assignments = ", ".join(f"{name} = ?" for name in changed)
    if "external_id" in changed and _was_anothers(tx, after):
        raise ExternalIdTaken(after.external_id)
    try:
        cursor = tx.execute(
            f"UPDATE jobs SET {assignments} WHERE id = ? AND version = ?",  # noqa: S608 - our own column names
            (*changed.values(), before.id, before.version),
        )
    except sqlite3.IntegrityError as error:
        if "external_id" in changed and error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise ExternalIdTaken(after.external_id) from None
        raise
    if cursor.rowcount != 1:
        raise Stale(f"{before.id} is not at version {before.version}")
    if isinstance(attempt, Intent):
        tx.execute(
            "INSERT INTO attempts (id, job_id, number, upstream, sent_at, detail) VALUES (?, ?, ?, ?, ?, '')",
            (attempt.id, after.id, after.attempt, after.upstream, event.at),
        )
    elif attempt is not None:
        tx.execute(
            "UPDATE attempts SET outcome = ?, external_id = coalesce(?, external_id), http_status = coalesce(?, http_status),"
            " detail = CASE WHEN ? = '' THEN detail ELSE ? END, answered_at = ? WHERE job_id = ? AND number = ?",
            (
                attempt.outcome, attempt.external_id, attempt.http_status, attempt.detail, attempt.detail, event.at,
                after.id, after.attempt,
            ),
        )  # fmt: skip
    _insert_assets(tx, after.id, assets)
    if after.deleted_at is not None and before.deleted_at is None:
        tx.execute("DELETE FROM assets WHERE job_id = ?", (after.id,))
    elif isinstance(event, FilesRemoved):
        removed_files.record(tx, after.id, event)
    elif isinstance(event, FilesFound):
        removed_files.take_back(tx, after.id, assets)
    ledger.apply(tx, after, movement, event.at, decided.actor if decided is not None else "")
    events.append(tx, after, event, event.at)
    if after.ended and not before.ended and after.deleted_at is None:
        webhook_deliveries.queue(tx, after, event.at)
    if decided is not None:
        audit.write(tx, decided)


def _was_anothers(tx: Transaction, job: Job) -> bool:
    """Whether an attempt of another job was answered with this id, also one that has been paid for again since."""
    row = tx.one(
        "SELECT 1 FROM attempts WHERE upstream = ? AND external_id = ? AND job_id <> ?",
        (job.upstream, job.external_id, job.id),
    )
    return row is not None


# --- reading -----------------------------------------------------------------------------------------


async def unfinished(readers: Readers) -> list[Job]:
    """Every job that needs a watcher, oldest first."""
    return [job_of(row) for row in await readers.all(f"{_SELECT} WHERE {UNFINISHED} ORDER BY created_at, id")]


async def kept(readers: Readers) -> set[str]:
    """The ids of all jobs whose files stay: those that may still get some, and those that have any; of a failed one
    these are what it was made from, with which it can be made again. What was missed may turn up again, with the disk
    that was not there."""
    rows = await readers.all(
        f"SELECT id FROM jobs WHERE deleted_at IS NULL AND ({UNFINISHED}"  # noqa: S608 - our own words
        " OR EXISTS (SELECT 1 FROM assets WHERE job_id = jobs.id)"
        " OR EXISTS (SELECT 1 FROM removed_assets WHERE job_id = jobs.id AND because = 'missing'))"
    )
    return {row["id"] for row in rows}


async def get(readers: Readers, job_id: JobId) -> Job | None:
    """The job by our id, whoever owns it, deleted or not; for the supervisor only."""
    row = await readers.one(f"{_SELECT} WHERE id = ?", (job_id,))
    return job_of(row) if row else None


def scope(principal: Principal) -> list[Any]:
    """The parameters of :data:`VISIBLE`."""
    return [principal.sees_all, principal.user_id]


async def find(readers: Readers, text: str, principal: Principal) -> Job:
    """The job that goes by *text* among those *principal* may see: our id first, then the upstream's.

    Raises:
        NotFound: there is none, it is not theirs, or several upstreams use the id.
    """
    visible, reader = f"deleted_at IS NULL AND {VISIBLE}", scope(principal)
    rows = await readers.all(f"{_SELECT} WHERE id = ? AND {visible}", (text, *reader))
    if not rows:
        # Mine first: another upstream may have given the same id to a video that the team sees.
        order = "ORDER BY owner = ? DESC LIMIT 2"
        rows = await readers.all(
            f"{_SELECT} WHERE external_id = ? AND {visible} {order}", (text, *reader, principal.user_id)
        )
        if (
            len(rows) == 2
            and rows[0]["owner"] == principal.user_id != rows[1]["owner"]
            and not principal.sees_all
        ):
            rows = rows[:1]
    if len(rows) != 1:
        raise NotFound("There is no video by that id.")
    return job_of(rows[0])


async def page(readers: Readers, principal: Principal, wanted: Filter) -> tuple[list[Job], bool]:
    """One page of visible jobs, newest first unless *ascending*, and whether more follow.

    The order is (created_at, id), so jobs of the same moment are neither repeated nor lost between pages.

    Raises:
        NotFound: *after* names no visible job.
    """
    where, arguments = ["deleted_at IS NULL"], list[Any]()
    if wanted.owner is not None:
        where.append("owner = ?")
        arguments.append(wanted.owner)
    if wanted.states:
        where.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        arguments += wanted.states
    for tag in wanted.tags:
        where.append("EXISTS (SELECT 1 FROM job_tags WHERE job_id = jobs.id AND tag = ?)")
        arguments.append(tag)
    if wanted.batch_id is not None:
        where.append("batch_id = ?")
        arguments.append(wanted.batch_id)
    if wanted.text:
        where.append("instr(lower(prompt), lower(?)) > 0")
        arguments.append(wanted.text)
    if wanted.since is not None:
        where.append("created_at >= ?")
        arguments.append(wanted.since)
    if wanted.until is not None:
        where.append("created_at < ?")
        arguments.append(wanted.until)
    if wanted.models:
        where.append(f"model IN {ONE_OF}")
        arguments.append(one_of(wanted.models))
    if wanted.person is not None:
        where.append("owner = ?")
        arguments.append(wanted.person)
    if wanted.made_from is not None:
        where.append("(source_id = ? OR retry_of = ?)")
        arguments += [wanted.made_from] * 2
    if wanted.after is not None:
        last = await _last_of_page(readers, wanted.after, principal)
        where.append(f"(created_at, id) {'>' if wanted.ascending else '<'} (?, ?)")
        arguments += [last.created_at, last.id]
    order = "created_at, id" if wanted.ascending else "created_at DESC, id DESC"
    selects, values = list[str](), list[Any]()
    for source, own in _shelves(principal, wanted):
        selects.append(f"{_SELECT} {source} AND {' AND '.join(where)}")
        values += [*own, *arguments]
    rows = await readers.all(
        f"{' UNION ALL '.join(selects)} ORDER BY {order} LIMIT ?", (*values, wanted.limit + 1)
    )
    return [job_of(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit


def _shelves(principal: Principal, wanted: Filter) -> list[tuple[str, list[Any]]]:
    """Where the jobs lie that *principal* may see, each with an index that has them in the order of their making: so a page
    is merged from the first rows of each, however many there are. None of them has a job of another.

    One condition for all (:data:`VISIBLE`) would be a look at every job and a sort: fifty thousand take a thousand times as
    long.
    """
    if wanted.team:
        return [("INDEXED BY ix_jobs_team WHERE visibility = 'team'", [])]
    if principal.sees_all:
        return [("WHERE TRUE", [])]
    mine = ("WHERE owner = ?", [principal.user_id])
    theirs = ("INDEXED BY ix_jobs_team WHERE visibility = 'team' AND owner <> ?", [principal.user_id])
    people, me = {wanted.owner, wanted.person} - {None}, {principal.user_id}
    return [mine] * (people <= me) + [theirs] * (people != me)


async def _last_of_page(readers: Readers, text: str, principal: Principal) -> Job:
    """Where a page ended; a job that was deleted since still marks the place."""
    row = await readers.one(f"{_SELECT} WHERE id = ? AND {VISIBLE}", (text, *scope(principal)))
    return job_of(row) if row else await find(readers, text, principal)


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What became of a batch, as far as somebody may see it; *credits* are the prices of all of them."""

    created_at: float
    states: Mapping[State, int]
    credits: int


async def batch(readers: Readers, batch_id: str, principal: Principal) -> BatchSummary:
    """Raises NotFound when the caller sees none of its jobs."""
    rows = await readers.all(
        "SELECT state, count(*) AS jobs, sum(credits) AS credits, min(created_at) AS created_at FROM jobs"  # noqa: S608
        f" WHERE batch_id = ? AND deleted_at IS NULL AND {VISIBLE} GROUP BY state",
        (batch_id, *scope(principal)),
    )
    if not rows:
        raise NotFound("There is no batch by that id.")
    return BatchSummary(
        min(row["created_at"] for row in rows),
        {State(row["state"]): row["jobs"] for row in rows},
        sum(row["credits"] for row in rows),
    )


async def counts(readers: Readers, principal: Principal) -> dict[State, int]:
    """How many visible jobs are in each state."""
    rows = await readers.all(
        f"SELECT state, count(*) AS jobs FROM jobs WHERE deleted_at IS NULL AND {VISIBLE} GROUP BY state",  # noqa: S608
        scope(principal),
    )
    return {State(row["state"]): row["jobs"] for row in rows}


async def assets(readers: Readers, job_id: str) -> Mapping[str, StoredFile]:
    """The stored files of a job by variant."""
    rows = await readers.all(
        "SELECT variant, path, media_type, size, sha256 FROM assets WHERE job_id = ?", (job_id,)
    )
    return {row["variant"]: StoredFile(**dict(row)) for row in rows}


async def assets_of_many(readers: Readers, job_ids: list[JobId]) -> dict[str, list[str]]:
    """The variants that each of these jobs has stored."""
    found: dict[str, list[str]] = {}
    for row in await readers.all(
        f"SELECT job_id, variant FROM assets WHERE job_id IN {ONE_OF}",  # noqa: S608
        (one_of(job_ids),),
    ):
        found.setdefault(row["job_id"], []).append(row["variant"])
    return found


async def emails(readers: Readers, user_ids: list[str]) -> dict[str, str]:
    """The addresses of these people, by their ids."""
    rows = await readers.all(
        f"SELECT id, email FROM users WHERE id IN {ONE_OF}",  # noqa: S608
        (one_of(user_ids),),
    )
    return {row["id"]: row["email"] for row in rows}
