"""The audit log: who did what to what, written in the transaction of the doing, and never changed."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

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


_COLUMNS = ", ".join(field.name for field in fields(AuditEntry))


def write(tx: Transaction, entry: AuditEntry) -> None:
    tx.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(entry))  # noqa: S608 - our own names


async def of_target(readers: Readers, target: str) -> list[AuditEntry]:
    """What was done to *target*, oldest first."""
    rows = await readers.all(
        f"SELECT {_COLUMNS} FROM audit WHERE target = ? ORDER BY id",  # noqa: S608 - our own names
        (target,),
    )
    return [AuditEntry(**dict(row)) for row in rows]
