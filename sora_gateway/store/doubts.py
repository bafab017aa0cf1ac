"""Creates whose answer is missing, and whose the ids are that an upstream lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sora_gateway.core.job import ExternalId, Job
from sora_gateway.core.reconcile import Standing, Unanswered
from sora_gateway.store.jobs import COLUMNS, UNFINISHED, job_of
from sora_gateway.store.readers import Readers

AT_ONCE = 500
"""Ids in one statement: SQLite takes a few thousand parameters."""

_CLAIMANTS = """
SELECT a.id AS attempt_id, a.job_id, a.number, a.sent_at, a.outcome,
    j.owner, j.prompt, j.upstream_model, j.seconds, j.size, j.operation, j.source_external_id, j.characters,
    (SELECT group_concat(file, ' ') FROM (
        SELECT variant || ':' || sha256 AS file FROM assets
        WHERE job_id = j.id AND variant IN ('reference', 'source') ORDER BY variant
    )) AS files
FROM attempts a JOIN jobs j ON j.id = a.job_id
WHERE a.upstream IN ({marks}) AND a.external_id IS NULL AND a.sent_at >= ?
    AND coalesce(a.outcome, 'unknown') IN ('unknown', 'pay_again', 'given_up')
"""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A job whose outcome is unknown, and what its owner and its latest create are called."""

    job: Job
    email: str
    attempt_id: str
    """Empty when nothing was to be sent."""
    http_status: int | None
    """What the create was answered, if it was."""
    detail: str
    """The beginning of that answer, redacted."""


async def doubts(readers: Readers) -> list[Doubt]:
    """Every job whose outcome is unknown, oldest first."""
    columns = ", ".join(f"jobs.{name}" for name in COLUMNS)
    rows = await readers.all(
        f"SELECT {columns}, users.email, coalesce(attempts.id, '') AS attempt_id, http_status,"  # noqa: S608
        " coalesce(detail, '') AS detail FROM jobs JOIN users ON users.id = jobs.owner"
        # One that was not to be sent at all has none, when a crash came between its claim and its end.
        " LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt"
        f" WHERE state = 'unknown' AND {UNFINISHED} ORDER BY jobs.created_at, jobs.id"
    )
    return [
        Doubt(
            job_of({name: row[name] for name in COLUMNS}),
            row["email"],
            row["attempt_id"],
            row["http_status"],
            row["detail"],
        )
        for row in rows
    ]


async def unanswered(
    readers: Readers, upstreams: Sequence[str], since: float, restored_at: float = 0.0
) -> list[Unanswered]:
    """Every create that was, or may have been, sent to one of *upstreams* since then and has no id.

    Those of before *restored_at* may have been sent until then.
    """
    marks = ", ".join("?" * len(upstreams))
    rows = await readers.all(_CLAIMANTS.format(marks=marks), (*upstreams, since))
    return [_unanswered(row, restored_at) for row in rows]


def _unanswered(row: sqlite3.Row, restored_at: float) -> Unanswered:
    made_from = (row["operation"], row["source_external_id"], row["characters"], row["files"])
    return Unanswered(
        job_id=row["job_id"],
        attempt_id=row["attempt_id"],
        number=row["number"],
        owner=row["owner"],
        prompt=row["prompt"],
        model=row["upstream_model"],
        seconds=row["seconds"],
        size=row["size"],
        made_from=" ".join(str(part) for part in made_from if part),
        sent_at=row["sent_at"],
        standing=_STANDINGS.get(row["outcome"], Standing.CLOSED),
        sent_by=max(row["sent_at"], restored_at),
    )


_STANDINGS = {None: Standing.UNDER_WAY, "unknown": Standing.DOUBTFUL}


async def linked(
    readers: Readers, upstreams: Sequence[str], external_ids: Iterable[ExternalId]
) -> frozenset[ExternalId]:
    """Those of *external_ids* that a job or an attempt at one of *upstreams* has, or had."""
    found: set[ExternalId] = set()
    wanted = list(external_ids)
    names = ", ".join("?" * len(upstreams))
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        where = f"upstream IN ({names}) AND external_id IN ({', '.join('?' * len(some))})"
        rows = await readers.all(
            f"SELECT external_id FROM jobs WHERE {where} UNION SELECT external_id FROM attempts WHERE {where}",  # noqa: S608
            (*upstreams, *some, *upstreams, *some),
        )
        found.update(row["external_id"] for row in rows)
    return frozenset(found)
