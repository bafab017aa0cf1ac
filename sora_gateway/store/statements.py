"""What the books tell people: statements, usage, and holds that nobody has decided on."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.store.ledger import Kind
from sora_gateway.store.readers import Readers


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the ledger with whose it is; *model* is that of its job."""

    id: int
    user_id: str
    email: str
    kind: Kind
    available: int
    held: int
    at: float
    job_id: str | None
    note: str
    actor: str
    price_version: str
    model: str | None


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which entries are wanted, newest first: of one person (*owner*), of one kind, between two moments; *before* is
    the id of the last one seen."""

    limit: int
    owner: str | None = None
    before: int | None = None
    kind: Kind | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class LedgerPage:
    lines: list[Line]
    has_more: bool


_LINES = (
    "SELECT l.id, l.user_id, u.email, l.kind, l.available, l.held, l.at, l.job_id, l.note, l.actor, l.price_version, j.model"
    " FROM ledger l JOIN users u ON u.id = l.user_id LEFT JOIN jobs j ON j.id = l.job_id"
)


_CONDITIONS = {
    "owner": "l.user_id = :owner",
    "before": "l.id < :before",
    "kind": "l.kind = :kind",
    "since": "l.at >= :since",
    "until": "l.at < :until",
}


async def page(readers: Readers, wanted: LedgerFilter) -> LedgerPage:
    values = {name: getattr(wanted, name) for name in _CONDITIONS}
    conditions = [text for name, text in _CONDITIONS.items() if values[name] is not None]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await readers.all(
        f"{_LINES} {where} ORDER BY l.id DESC LIMIT :rows", values | {"rows": wanted.limit + 1}
    )
    return LedgerPage([Line(**dict(row)) for row in rows[: wanted.limit]], len(rows) > wanted.limit)


async def lines(readers: Readers, user_id: str | None, after: int, limit: int) -> list[Line]:
    rows = await readers.all(
        f"{_LINES} WHERE (? IS NULL OR l.user_id = ?) AND l.id > ? ORDER BY l.id LIMIT ?",
        (user_id, user_id, after, limit),
    )
    return [Line(**dict(row)) for row in rows]


async def of_job(readers: Readers, job_id: str) -> list[Line]:
    rows = await readers.all(f"{_LINES} WHERE l.job_id = ? ORDER BY l.id", (job_id,))
    return [Line(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one person asked of one model on one day (UTC, ``2026-11-22``). *settled* and *held* are credits,
    *cost* is the sum of what upstreams said that they took, None if none did."""

    user_id: str
    email: str
    model: str
    day: str
    videos: int
    completed: int
    failed: int
    seconds: int
    settled: int
    held: int
    cost: float | None


async def usage(readers: Readers, user_id: str | None, since: float, until: float) -> list[Usage]:
    rows = await readers.all(
        "SELECT j.owner AS user_id, u.email, j.model, strftime('%Y-%m-%d', j.created_at, 'unixepoch') AS day,"
        " count(*) AS videos, sum(j.state = 'completed') AS completed, sum(j.state = 'failed') AS failed,"
        " sum(CASE WHEN j.state = 'completed' THEN coalesce(j.extended_by, j.seconds) ELSE 0 END) AS seconds,"
        " sum(CASE WHEN l.kind = 'settle' THEN j.credits ELSE 0 END) AS settled,"
        " sum(CASE WHEN l.kind IS NULL THEN j.credits ELSE 0 END) AS held, sum(j.cost) AS cost"
        " FROM jobs j JOIN users u ON u.id = j.owner"
        " LEFT JOIN ledger l ON l.job_id = j.id AND l.kind IN ('settle', 'release')"
        " WHERE (? IS NULL OR j.owner = ?) AND j.created_at >= ? AND j.created_at < ?"
        " GROUP BY j.owner, j.model, day ORDER BY day DESC, u.email, j.model",
        (user_id, user_id, since, until),
    )
    return [Usage(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Dispute:
    """An ended job that is neither settled nor released: an administrator decides."""

    job_id: str
    owner: str
    email: str
    model: str
    upstream: str
    external_id: str | None
    credits: int
    error_code: str | None
    error_message: str | None
    finished_at: float


async def disputes(readers: Readers) -> list[Dispute]:
    rows = await readers.all(
        "SELECT j.id AS job_id, j.owner, u.email, j.model, j.upstream, j.external_id, j.credits, j.error_code,"
        " j.error_message, j.finished_at FROM jobs j JOIN users u ON u.id = j.owner"
        " WHERE j.state = 'failed'"
        " AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.job_id = j.id AND l.kind IN ('settle', 'release'))"
        " ORDER BY j.finished_at, j.id"
    )
    return [Dispute(**dict(row)) for row in rows]
