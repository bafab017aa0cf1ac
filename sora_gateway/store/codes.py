"""Redeem codes: credits, or a plan for some days, for whoever has the code. Only its hash is stored."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import audit, ledger, plans
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class CodeRecord:
    """*prefix* is what lists show of it; *uses_left* counts down; *plan* comes for *plan_days*."""

    id: str
    prefix: str
    credits: int
    plan: str | None
    plan_days: int | None
    uses_left: int
    note: str
    created_by: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


_NAMES = tuple(field.name for field in fields(CodeRecord))
_COLUMNS = ", ".join(_NAMES)


def create(tx: Transaction, code: CodeRecord, code_hash: str, entry: AuditEntry) -> None:
    tx.execute(
        f"INSERT INTO codes (code_hash, {_COLUMNS}) VALUES (?, {', '.join('?' * len(_NAMES))})",  # noqa: S608
        (code_hash, *(getattr(code, name) for name in _NAMES)),
    )
    audit.write(tx, entry)


def revoke(tx: Transaction, code_id: str, entry: AuditEntry) -> None:
    cursor = tx.execute(
        "UPDATE codes SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (entry.at, code_id)
    )
    if cursor.rowcount != 1:
        raise NotFound("There is no such code.")
    audit.write(tx, entry)


def redeem(tx: Transaction, code_hash: str, user_id: str, entry: AuditEntry) -> CodeRecord:
    """What the code was worth to *user_id*, who may use it once; *entry* gets the code's id as its target.

    Raises:
        NotFound: it is none, was used up, has expired or was revoked.
        Conflict: they have redeemed it before.
    """
    row = tx.one(
        f"UPDATE codes SET uses_left = uses_left - 1 WHERE code_hash = ? AND uses_left > 0 AND revoked_at IS NULL"  # noqa: S608
        f" AND (expires_at IS NULL OR expires_at > ?) RETURNING {_COLUMNS}",
        (code_hash, entry.at),
    )
    if row is None:
        raise NotFound("This code is not good (any more).")
    code = CodeRecord(**dict(row))
    if tx.one("SELECT 1 FROM redemptions WHERE code_id = ? AND user_id = ?", (code.id, user_id)) is not None:
        raise Conflict("You have redeemed this code before.")
    tx.execute(
        "INSERT INTO redemptions (code_id, user_id, at) VALUES (?, ?, ?)", (code.id, user_id, entry.at)
    )
    if code.credits:
        ledger.redeem(tx, user_id, code.credits, f"code {code.prefix}", entry.at)
    if code.plan is not None:
        until = None if code.plan_days is None else entry.at + code.plan_days * DAY
        plans.assign(tx, user_id, code.plan, until)
    audit.write(tx, replace(entry, target=code.id))
    return code


async def all_of_them(readers: Readers) -> list[CodeRecord]:
    rows = await readers.all(f"SELECT {_COLUMNS} FROM codes ORDER BY created_at DESC, id")  # noqa: S608
    return [CodeRecord(**dict(row)) for row in rows]
