"""The event log: appended in the transaction of the change, read for replay.

One writer means that sequence order is commit order: whoever has seen ``seq`` misses nothing below it.
AUTOINCREMENT means that a number is never used twice, also after trimming.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import cast

from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.job import Event, Job, State
from sora_gateway.core.visibility import Visibility
from sora_gateway.store.pruning import TRIMMED
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

_COLUMNS = "seq, job_id, e.owner, job_seq, step, payload, at, final, visibility = 'team' AS team"


def append(tx: Transaction, job: Job, event: Event | None, at: float) -> None:
    """Writes what *event* changed and puts it up for telling; None is the accept itself."""
    from sora_gateway.core.steps import stored_state  # pydantic models, which a start without jobs needs not

    step, payload = stored_state(job, event, at, _variants(tx, job))
    cursor = tx.execute(
        "INSERT INTO events (job_id, owner, job_seq, step, payload, at, final) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (job.id, job.owner, job.version, step, payload, at, job.ended),
    )
    assert cursor.lastrowid is not None
    tx.events.append(
        StoredEvent(
            cursor.lastrowid,
            job.id,
            job.owner,
            job.version,
            step,
            payload,
            at,
            job.ended,
            team=job.visibility is Visibility.TEAM,
        )
    )


def _variants(tx: Transaction, job: Job) -> list[str]:
    """The files that readers of a completed job's event are offered."""
    if job.state is not State.COMPLETED:
        return []
    rows = tx.execute(
        "SELECT variant FROM assets WHERE job_id = ? AND variant NOT IN ('reference', 'source') ORDER BY variant",
        (job.id,),
    )
    return [row["variant"] for row in rows]


@dataclass(frozen=True, slots=True)
class EventScope:
    """Whose events: one job's; one owner's and those of what the team sees; or with neither everybody's (an
    administrator's "all")."""

    job_id: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened after a sequence number. Incomplete means: take a snapshot instead."""

    events: list[StoredEvent]
    complete: bool


async def head(readers: Readers) -> int:
    """The last sequence number given out, 0 for an empty log."""
    row = await readers.one("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    return row["seq"] if row else 0


async def oldest(readers: Readers) -> int:
    """The first sequence number from which the log is whole, 0 for an empty log. Trimming leaves the events of jobs that
    are still being made, so what is still there may begin before that."""
    row = await readers.one("SELECT min(seq) AS seq FROM events")
    first = (row["seq"] or 0) if row else 0
    trimmed = await readers.one("SELECT value FROM meta WHERE key = ?", (TRIMMED,))
    return max(first, int(trimmed["value"]) + 1) if trimmed and first else first


async def after(readers: Readers, scope: EventScope, seq: int, limit: int) -> Replay:
    """Events of *scope* with a greater number than *seq*, at most *limit*; who sees what is decided by today's rights."""
    where, arguments = ["seq > ?"], [cast(object, seq)]
    if scope.job_id is not None:
        where.append("job_id = ?")
        arguments.append(scope.job_id)
    if scope.owner is not None:
        where.append("(e.owner = ? OR visibility = 'team')")
        arguments.append(scope.owner)
    rows = await readers.all(
        f"SELECT {_COLUMNS} FROM events e JOIN jobs ON jobs.id = job_id"  # noqa: S608
        f" WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?",
        (*arguments, limit + 1),
    )
    return Replay([_event(row) for row in rows[:limit]], complete=len(rows) <= limit)


async def newest_of(readers: Readers, job_id: str, count: int) -> list[StoredEvent]:
    """The last *count* events of a job, oldest first."""
    rows = await readers.all(
        f"SELECT {_COLUMNS} FROM events e JOIN jobs ON jobs.id = job_id"  # noqa: S608
        " WHERE job_id = ? ORDER BY seq DESC LIMIT ?",
        (job_id, count),
    )
    return [_event(row) for row in reversed(rows)]


def _event(row: sqlite3.Row) -> StoredEvent:
    return StoredEvent(**{**dict(row), **{flag: bool(row[flag]) for flag in ("final", "team")}})
