"""Settings that an administrator has changed while the gateway ran, by the names that the configuration has for them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """*changed_by* is a person's id."""

    key: str
    value: Value
    changed_at: float
    changed_by: str


def change(tx: Transaction, key: str, value: Value | None, entry: AuditEntry) -> None:
    """*value* counts from now on; None forgets what was changed before."""
    if value is None:
        tx.execute("DELETE FROM settings WHERE key = ?", (key,))
    else:
        tx.execute(
            "INSERT INTO settings (key, value, changed_at, changed_by) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at,"
            " changed_by = excluded.changed_by",
            (key, json.dumps(value), entry.at, entry.actor),
        )
    audit.write(tx, entry)


async def changed(readers: Readers) -> list[ChangedSetting]:
    rows = await readers.all("SELECT key, value, changed_at, changed_by FROM settings ORDER BY key")
    return [ChangedSetting(**{**dict(row), "value": json.loads(row["value"])}) for row in rows]
