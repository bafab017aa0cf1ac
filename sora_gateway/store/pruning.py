"""Forgetting what has been kept long enough, a slice at a time: no write transaction is long."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sora_gateway.store.readers import ONE_OF, one_of
from sora_gateway.store.writer import Transaction

TRIMMED = "events_trimmed"
"""The key in ``meta`` of the highest sequence number that was trimmed: no older cursor can be honoured."""


@dataclass(frozen=True, slots=True)
class Slice:
    """How many rows went, and where to go on; None when nothing older is left."""

    removed: int
    reached: int | None


def events(tx: Transaction, before: float, after: int, limit: int) -> Slice:
    """Looks at *limit* events beyond the number *after*, and removes those of ended jobs that are older than *before*.

    Events were written in the order of their numbers, so the first younger one is the end. In the same transaction
    the log says how far it is not whole any more, or a cursor from between would be honoured with gaps; that never goes
    back, whatever earlier numbers go later because their jobs went on for longer.
    """
    # CROSS JOIN: by number, and not by job.
    rows = tx.execute(
        "SELECT e.seq, e.job_id, e.at, j.finished_at IS NOT NULL AS ended FROM events e CROSS JOIN jobs j ON j.id = e.job_id"
        " WHERE e.seq > ? ORDER BY e.seq LIMIT ?",
        (after, limit),
    ).fetchall()
    old = [row for row in rows if row["at"] < before]
    going = _from_their_beginning(tx, rows, before)
    if going:
        tx.execute(f"DELETE FROM events WHERE seq IN {ONE_OF}", (one_of(going),))  # noqa: S608
        tx.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            " WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)",
            (TRIMMED, str(going[-1])),
        )
    more = len(rows) == limit and len(old) == len(rows)
    return Slice(len(going), rows[-1]["seq"] if more else None)


def _from_their_beginning(tx: Transaction, rows: Sequence[sqlite3.Row], before: float) -> list[int]:
    """The numbers of those of *rows* that go: before them nothing of their jobs stays, so a job's steps have no gap.
    Something stays where the clock was set back in between, or where the job had not ended when an earlier slice was
    looked at."""
    first = dict(
        tx.execute(
            "SELECT value, (SELECT min(seq) FROM events WHERE job_id = value) FROM json_each(?)",
            (one_of({row["job_id"] for row in rows}),),
        ).fetchall()
    )
    stay = {row["job_id"] for row in rows if not row["ended"]}
    going = []
    seen: set[str] = set()
    for row in rows:
        job_id = row["job_id"]
        if row["at"] >= before or (job_id not in seen and first[job_id] != row["seq"]):
            stay.add(job_id)
        seen.add(job_id)
        if job_id not in stay:
            going.append(row["seq"])
    return going


def audit(tx: Transaction, before: float, limit: int) -> int:
    """Removes the oldest lines of the audit log, *limit* at most, that are older than *before*; how many they were."""
    oldest = tx.execute("SELECT id, at FROM audit ORDER BY id LIMIT ?", (limit,)).fetchall()
    going = [row["id"] for row in oldest if row["at"] < before]
    tx.execute(f"DELETE FROM audit WHERE id IN {ONE_OF}", (one_of(going),))  # noqa: S608
    return len(going)


_EXPIRING = ("sessions", "one_time_links", "share_links")
"""Tables whose rows are worth nothing from their ``expires_at`` on."""


def expired(tx: Transaction, now: float, limit: int) -> int:
    """Removes sessions and links that have ended, of each kind *limit* at most; how many they were.

    Sessions and one-time links are also removed where new ones are made; here it does not take somebody to sign in.
    """
    return sum(
        tx.execute(
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE expires_at < ? LIMIT ?)",  # noqa: S608
            (now, limit),
        ).rowcount
        for table in _EXPIRING
    )


def vacuum(tx: Transaction, pages: int) -> None:
    """Gives *pages* free pages back to the disk, in a database that was made for it."""
    for _ in range(pages):
        # One at a time: the driver ends the statement with its first step, which is one page.
        tx.execute("PRAGMA incremental_vacuum(1)")
