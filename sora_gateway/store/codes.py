"""Redeem codes: credits, or a plan for some days, for whoever has the code. Only its hash is stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

from sora_gateway.core.plans import DEFAULT
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import audit, ledger, plans
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.plans import Held
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


def redeem(
    tx: Transaction, code_hash: str, user_id: str, entry: AuditEntry, known: Collection[str]
) -> tuple[CodeRecord, Held]:
    """What the code was worth to *user_id*, who may use it once, and the plan that they have now; *entry* gets the
    code's id as its target. *known* are the plans that there are.

    Raises:
        NotFound: it is none, was used up, has expired or was revoked.
        Conflict: they have redeemed it before, or its plan would take a better one from them, or nothing comes of it.
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
    held = plans.held_by(tx, user_id)
    if code.plan is not None:
        held = _prolonged(held, code, entry.at, known)
        plans.assign(tx, user_id, held.plan, held.until)
    audit.write(tx, replace(entry, target=code.id))
    return code, held


def _prolonged(held: Held, code: CodeRecord, now: float, known: Collection[str]) -> Held:
    """The plan that *code* brings to whoever has *held*: more days of the same, or one in place of the default."""
    if code.plan not in known:
        raise Conflict("The plan that this code was for is not there any more; ask an administrator.")
    in_force = held.plan not in (None, DEFAULT) and held.plan in known
    if not in_force or (held.until is not None and held.until <= now):
        return Held(code.plan, None if code.plan_days is None else now + code.plan_days * DAY)
    if held.plan != code.plan:
        # Plans have no order, so which of two is the better one is not for the gateway to say.
        raise Conflict(
            f"You have the plan {held.plan}, and this code is for {code.plan}. Redeem it when yours has ended,"
            " or ask an administrator."
        )
    if held.until is None and not code.credits:
        raise Conflict("You have this plan already, for good; the code stays as it is.")
    if held.until is None or code.plan_days is None:
        return Held(held.plan, None)
    return Held(held.plan, held.until + code.plan_days * DAY)


async def all_of_them(readers: Readers) -> list[CodeRecord]:
    rows = await readers.all(f"SELECT {_COLUMNS} FROM codes ORDER BY created_at DESC, id")  # noqa: S608
    return [CodeRecord(**dict(row)) for row in rows]
