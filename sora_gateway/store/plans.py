"""Plans that an administrator made while the gateway runs, and who has which."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """*settings* is JSON with the names of ``[plans.<name>]``."""

    name: str
    settings: str
    changed_at: float


@dataclass(frozen=True, slots=True)
class Held:
    """A person's plan; None is the default one. *until* None is for ever."""

    plan: str | None
    until: float | None


def put(tx: Transaction, plan: StoredPlan, entry: AuditEntry) -> None:
    tx.execute(
        "INSERT INTO plans (name, settings, changed_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, changed_at = excluded.changed_at",
        (plan.name, plan.settings, plan.changed_at),
    )
    audit.write(tx, entry)


def remove(tx: Transaction, name: str, entry: AuditEntry, *, another: bool) -> None:
    """Raises NotFound; Conflict while somebody has it, or a code gives it, unless there is *another* of that name."""
    used = tx.one(
        "SELECT 1 FROM users WHERE plan = ? AND (plan_until IS NULL OR plan_until > ?) UNION ALL"
        " SELECT 1 FROM codes WHERE plan = ? AND revoked_at IS NULL AND uses_left > 0"
        " AND (expires_at IS NULL OR expires_at > ?)",
        (name, entry.at, name, entry.at),
    )
    if used is not None and not another:
        raise Conflict("Somebody has this plan, or a code gives it; change that first.")
    if tx.execute("DELETE FROM plans WHERE name = ?", (name,)).rowcount != 1:
        raise NotFound("There is no such plan among those that were made here.")
    audit.write(tx, entry)


def give(tx: Transaction, user_id: str, plan: str | None, until: float | None, entry: AuditEntry) -> None:
    assign(tx, user_id, plan, until)
    audit.write(tx, entry)


def assign(tx: Transaction, user_id: str, plan: str | None, until: float | None) -> None:
    tx.execute("UPDATE users SET plan = ?, plan_until = ? WHERE id = ?", (plan, until, user_id))


def held_by(tx: Transaction, user_id: str) -> Held:
    row = tx.one("SELECT plan, plan_until FROM users WHERE id = ?", (user_id,))
    return Held(row["plan"], row["plan_until"]) if row else Held(None, None)


async def stored(readers: Readers) -> list[StoredPlan]:
    rows = await readers.all("SELECT name, settings, changed_at FROM plans ORDER BY name")
    return [StoredPlan(**dict(row)) for row in rows]


async def held(readers: Readers) -> dict[str, Held]:
    """Everybody who was given a plan, by their id."""
    rows = await readers.all("SELECT id, plan, plan_until FROM users WHERE plan IS NOT NULL")
    return {row["id"]: Held(row["plan"], row["plan_until"]) for row in rows}
