"""The audit log: who did what to what, written in the transaction of the doing, and never changed."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """*actor* is a person's id or ``command line``; *detail* is for people and holds no secrets."""

    at: float
    actor: str
    action: str
    target: str
    detail: str = ""


def write(tx: Transaction, entry: AuditEntry) -> None:
    tx.execute("INSERT INTO audit (at, actor, action, target, detail) VALUES (?, ?, ?, ?, ?)", astuple(entry))


async def of_target(readers: Readers, target: str) -> list[AuditEntry]:
    """What was done to *target*, oldest first."""
    rows = await readers.all(
        "SELECT at, actor, action, target, detail FROM audit WHERE target = ? ORDER BY id", (target,)
    )
    return [AuditEntry(**dict(row)) for row in rows]
