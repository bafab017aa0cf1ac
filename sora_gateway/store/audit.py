"""The audit log: who did what to what, written in the transaction of the doing, and never changed."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any

from sora_gateway.core.actor import Actor
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """*actor* is a person's id or ``command line``; *detail* is for people and holds no secrets. *address* is the
    client's, *request_id* that of the answer; both are empty where nobody came over HTTP."""

    at: float
    actor: str
    action: str
    target: str
    detail: str = ""
    address: str = ""
    request_id: str = ""


def entry(by: Actor, at: float, action: str, target: str, detail: str = "") -> AuditEntry:
    """What *by* does, for the transaction that does it."""
    return AuditEntry(at, by.name, action, target, detail, by.address, by.request_id)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of the log. *id* counts up; *email* is the actor's address, None if it is no person's id."""

    id: int
    entry: AuditEntry
    email: str | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines are wanted, newest first. *actor* is an id or an address, *action* a beginning (``user.``),
    *since* and *until* are moments, *before* is the id of the last line of the page before."""

    limit: int
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None


_COLUMNS = ", ".join(field.name for field in fields(AuditEntry))


def write(tx: Transaction, written: AuditEntry) -> None:
    tx.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(written))  # noqa: S608 - our own names


async def of_target(readers: Readers, target: str) -> list[AuditEntry]:
    """What was done to *target*, oldest first."""
    rows = await readers.all(
        f"SELECT {_COLUMNS} FROM audit WHERE target = ? ORDER BY id",  # noqa: S608 - our own names
        (target,),
    )
    return [AuditEntry(**dict(row)) for row in rows]


_CONDITIONS = {
    "actor": "(a.actor = :actor OR lower(u.email) = lower(:actor))",
    "action": "substr(a.action, 1, length(:action)) = :action",
    "target": "a.target = :target",
    "since": "a.at >= :since",
    "until": "a.at < :until",
    "before": "a.id < :before",
}


async def page(readers: Readers, wanted: AuditFilter) -> tuple[list[Recorded], bool]:
    """The newest lines that fit, and whether there are more."""
    values = {name: getattr(wanted, name) for name in _CONDITIONS}
    conditions = [text for name, text in _CONDITIONS.items() if values[name] is not None]
    columns = ", ".join(f"a.{field.name}" for field in fields(AuditEntry))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await readers.all(
        f"SELECT a.id, u.email, {columns} FROM audit a LEFT JOIN users u ON u.id = a.actor {where}"  # noqa: S608 - our own names
        " ORDER BY a.id DESC LIMIT :rows",
        values | {"rows": wanted.limit + 1},
    )
    found = [_recorded(dict(row)) for row in rows[: wanted.limit]]
    return found, len(rows) > wanted.limit


def _recorded(row: dict[str, Any]) -> Recorded:
    return Recorded(row.pop("id"), email=row.pop("email"), entry=AuditEntry(**row))
