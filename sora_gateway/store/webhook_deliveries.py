"""The outbox of webhooks: what endpoints are to be told, written with the change itself, and what became of it.

Nothing is written down before a try, so one that a crash cuts off is made again: at least once, never lost.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sora_gateway.core.job import Job
from sora_gateway.core.webhooks import DeliveryStatus, event_of, message_id
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store.readers import ONE_OF, Readers, one_of
from sora_gateway.store.writer import Transaction

DISABLED = "The webhook was disabled."


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One message to one endpoint. *seq* counts up over all of them; *job_id* is None for a test; *note* says why
    it was given up where no try does; *tries* counts those since it was last asked for, for the *round*-th time;
    *next_at* is None unless it is pending."""

    seq: int
    id: str
    webhook_id: str
    job_id: str | None
    type: str
    created_at: float
    status: DeliveryStatus
    note: str
    tries: int
    round: int
    next_at: float | None


@dataclass(frozen=True, slots=True)
class TryRecord:
    """One try: when it began, the seconds that it took, and what came of it."""

    at: float
    duration: float
    http_status: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, and what is known of its endpoint."""

    delivery: DeliveryRecord
    owner: str
    failing: bool
    """Whether the endpoint's last try failed."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a try leads to. *disable* is the reason for which the endpoint is told nothing any more, and *url* the
    address that was tried: an endpoint that has another one by now is left alone."""

    made: TryRecord
    status: DeliveryStatus
    url: str
    next_at: float | None = None
    disable: str = ""
    failing_limit: float = 0.0
    """Seconds without a success after which a delivery that is given up disables the endpoint; 0: never."""


_NAMES = tuple(field.name for field in fields(DeliveryRecord))
_SELECT = f"SELECT {', '.join(f'd.{name}' for name in _NAMES)} FROM webhook_deliveries d"  # noqa: S608 - our own names
_TRY = ", ".join(field.name for field in fields(TryRecord))


# --- writing (on the writer's transaction) -----------------------------------------------------------


def queue(tx: Transaction, job: Job, at: float) -> None:
    """Puts the end of *job* up for every endpoint that is to be told of it."""
    told = event_of(job.state)
    rows = tx.execute(
        "SELECT w.id, w.events FROM webhooks w JOIN users u ON u.id = w.owner"
        " WHERE w.enabled AND u.disabled_at IS NULL AND (w.owner = ? OR (w.everybody AND u.role = 'admin'))",
        (job.owner,),
    ).fetchall()
    wanted = [row["id"] for row in rows if told in row["events"].split()]
    if not wanted:
        return
    epoch = tx.one("SELECT value FROM meta WHERE key = 'epoch'")
    assert epoch is not None
    for webhook_id in wanted:
        id = message_id(epoch["value"], webhook_id, job.id, job.version)
        _insert(tx, id, webhook_id, job.id, told, at)


def _insert(tx: Transaction, id: str, webhook_id: str, job_id: str | None, type: str, at: float) -> None:
    tx.execute(
        "INSERT OR IGNORE INTO webhook_deliveries"
        " (id, webhook_id, job_id, type, created_at, status, note, tries, round, next_at)"
        " VALUES (?, ?, ?, ?, ?, 'pending', '', 0, 1, ?)",
        (id, webhook_id, job_id, type, at, at),
    )


def insert_test(tx: Transaction, tested: DeliveryRecord, conclusion: Conclusion) -> DeliveryRecord | None:
    """Writes a test down with its end; None when the endpoint is gone."""
    if tx.one("SELECT 1 FROM webhooks WHERE id = ?", (tested.webhook_id,)) is None:
        return None
    _insert(tx, tested.id, tested.webhook_id, None, tested.type, tested.created_at)
    row = tx.one(f"{_SELECT} WHERE d.id = ?", (tested.id,))
    assert row is not None
    conclude(tx, _record(dict(row)), conclusion)
    row = tx.one(f"{_SELECT} WHERE d.id = ?", (tested.id,))
    return _record(dict(row)) if row is not None else None


def conclude(tx: Transaction, delivery: DeliveryRecord, conclusion: Conclusion) -> None:
    """Writes a try down, and what follows from it."""
    made, seq = conclusion.made, delivery.seq
    if tx.one("SELECT 1 FROM webhook_deliveries WHERE seq = ?", (seq,)) is None:
        return  # The endpoint was deleted meanwhile.
    tx.execute(
        f"INSERT INTO webhook_tries (delivery, {_TRY}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - our own names
        (seq, made.at, made.duration, made.http_status, made.error),
    )
    # Who asked for it again meanwhile gets another try; who disabled the endpoint gets none.
    tx.execute(
        "UPDATE webhook_deliveries SET status = ?, tries = tries + 1, next_at = ?"
        " WHERE seq = ? AND round = ? AND status = 'pending'",
        (conclusion.status, conclusion.next_at, seq, delivery.round),
    )
    _judge(tx, delivery, conclusion)


def _judge(tx: Transaction, delivery: DeliveryRecord, conclusion: Conclusion) -> None:
    """What the try says about its endpoint, if that has the same address still."""
    at, webhook = conclusion.made.at, (delivery.webhook_id, conclusion.url)
    if conclusion.status is DeliveryStatus.DELIVERED:
        tx.execute("UPDATE webhooks SET failing_since = NULL WHERE id = ? AND url = ?", webhook)
        return
    if delivery.job_id is not None:
        tx.execute(
            "UPDATE webhooks SET failing_since = coalesce(failing_since, ?) WHERE id = ? AND url = ?",
            (at, *webhook),
        )
    row = tx.one("SELECT failing_since FROM webhooks WHERE id = ? AND url = ? AND enabled", webhook)
    if row is None:
        return
    reason, limit, since = conclusion.disable, conclusion.failing_limit, row["failing_since"]
    if not reason and conclusion.status is DeliveryStatus.GIVEN_UP and limit and since is not None:
        # A single message is tried for three days; that others failed as well is known when one is given up.
        reason = f"Every try has failed for {limit / 86400:.3g} days." if at - since >= limit else ""
    if reason:
        tx.execute(
            "UPDATE webhooks SET enabled = 0, disabled_reason = ?, changed_at = ? WHERE id = ?",
            (reason, at, delivery.webhook_id),
        )
        drop_pending(tx, delivery.webhook_id)


def drop_pending(tx: Transaction, webhook_id: str) -> None:
    """A disabled endpoint is told nothing, not even later: what is old by then, its owner can have sent again."""
    tx.execute(
        "UPDATE webhook_deliveries SET status = 'given_up', note = ?, next_at = NULL"
        " WHERE webhook_id = ? AND status = 'pending'",
        (DISABLED, webhook_id),
    )


def give_up(tx: Transaction, delivery: DeliveryRecord, note: str) -> None:
    """Ends a delivery without a try."""
    tx.execute(
        "UPDATE webhook_deliveries SET status = 'given_up', note = ?, next_at = NULL WHERE seq = ? AND round = ?"
        " AND status = 'pending'",
        (note, delivery.seq, delivery.round),
    )


def replay(tx: Transaction, delivery_id: str, owner: str, at: float) -> DeliveryRecord:
    """Has it sent again, and tried as often as a new one. Raises NotFound; Conflict for a disabled endpoint."""
    row = tx.one(
        f"{_SELECT} JOIN webhooks w ON w.id = d.webhook_id WHERE d.id = ? AND w.owner = ?",
        (delivery_id, owner),
    )
    if row is None:
        raise NotFound("There is no such delivery.")
    if tx.one("SELECT 1 FROM webhooks WHERE id = ? AND enabled", (row["webhook_id"],)) is None:
        raise Conflict("The webhook is disabled; enable it first.")
    tx.execute(
        "UPDATE webhook_deliveries SET status = 'pending', note = '', tries = 0, round = round + 1, next_at = ?"
        " WHERE seq = ?",
        (at, row["seq"]),
    )
    return _record(dict(tx.execute(f"{_SELECT} WHERE d.seq = ?", (row["seq"],)).fetchone()))


def remove_of(tx: Transaction, webhook_id: str) -> None:
    """Everything that an endpoint was, or was to be, told."""
    tx.execute(
        "DELETE FROM webhook_tries WHERE delivery IN (SELECT seq FROM webhook_deliveries WHERE webhook_id = ?)",
        (webhook_id,),
    )
    tx.execute("DELETE FROM webhook_deliveries WHERE webhook_id = ?", (webhook_id,))


def prune(tx: Transaction, before: float, limit: int) -> int:
    """Forgets what was to be told *before* that moment, *limit* deliveries at most; how many it were."""
    chosen = "SELECT seq FROM webhook_deliveries WHERE created_at < ? ORDER BY created_at LIMIT ?"
    tx.execute(f"DELETE FROM webhook_tries WHERE delivery IN ({chosen})", (before, limit))  # noqa: S608
    return tx.execute(f"DELETE FROM webhook_deliveries WHERE seq IN ({chosen})", (before, limit)).rowcount  # noqa: S608


# --- reading -----------------------------------------------------------------------------------------


async def due(readers: Readers, now: float, each: int) -> list[Due]:
    """What is to be tried now, the longest waiting first, and of no endpoint more than *each*: one that has a
    thousand waiting hides nobody else's."""
    columns = ", ".join(_NAMES)
    rows = await readers.all(
        f"SELECT {', '.join(f'd.{name}' for name in _NAMES)}, w.owner, w.failing_since IS NOT NULL AS failing FROM ("  # noqa: S608
        f"SELECT {columns}, row_number() OVER (PARTITION BY webhook_id ORDER BY next_at, seq) AS place"
        " FROM webhook_deliveries WHERE status = 'pending' AND next_at <= ?) d"
        " JOIN webhooks w ON w.id = d.webhook_id WHERE place <= ? ORDER BY d.next_at, d.seq",
        (now, each),
    )
    return [
        Due(_record({name: row[name] for name in _NAMES}), owner=row["owner"], failing=bool(row["failing"]))
        for row in rows
    ]


async def next_due(readers: Readers, now: float) -> float | None:
    """When the next delivery is to be tried that is not to be tried yet."""
    row = await readers.one(
        "SELECT min(next_at) AS moment FROM webhook_deliveries WHERE status = 'pending' AND next_at > ?",
        (now,),
    )
    return row["moment"] if row else None


async def page(
    readers: Readers, webhook_id: str, status: str | None, after: str | None, limit: int
) -> tuple[list[DeliveryRecord], bool]:
    """An endpoint's deliveries, newest first, and whether more follow; *after* is the last one of the page before."""
    where, arguments = ["d.webhook_id = ?"], [webhook_id]
    if status is not None:
        where.append("d.status = ?")
        arguments.append(status)
    if after is not None:
        where.append("d.seq < (SELECT seq FROM webhook_deliveries WHERE id = ? AND webhook_id = ?)")
        arguments += [after, webhook_id]
    rows = await readers.all(
        f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY d.seq DESC LIMIT ?", (*arguments, limit + 1)
    )
    return [_record(dict(row)) for row in rows[:limit]], len(rows) > limit


async def find(readers: Readers, delivery_id: str, owner: str) -> DeliveryRecord:
    """Raises NotFound unless it is to an endpoint of *owner*'s."""
    row = await readers.one(
        f"{_SELECT} JOIN webhooks w ON w.id = d.webhook_id WHERE d.id = ? AND w.owner = ?",
        (delivery_id, owner),
    )
    if row is None:
        raise NotFound("There is no such delivery.")
    return _record(dict(row))


async def tries_of(readers: Readers, deliveries: list[DeliveryRecord]) -> dict[int, list[TryRecord]]:
    """The tries of each, oldest first, by *seq*."""
    rows = await readers.all(
        f"SELECT delivery, {_TRY} FROM webhook_tries WHERE delivery IN {ONE_OF} ORDER BY id",  # noqa: S608
        (one_of(str(each.seq) for each in deliveries),),
    )
    found: dict[int, list[TryRecord]] = {each.seq: [] for each in deliveries}
    for row in rows:
        found[row["delivery"]].append(TryRecord(row["at"], row["duration"], row["http_status"], row["error"]))
    return found


def _record(row: dict[str, Any]) -> DeliveryRecord:
    return DeliveryRecord(**{**row, "status": DeliveryStatus(row["status"])})
