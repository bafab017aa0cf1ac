"""A database that was restored from a backup: what it must not take for granted any more.

The gateway that wrote it may have run on after the backup was taken. So its log gets a new name, nobody is signed in by
what may have been revoked since, and the moment of the restore is kept: of a create from before it nobody here knows
what followed.
"""

from __future__ import annotations

from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

_MOMENT = "restored_at"


def begin_anew(tx: Transaction, epoch: str, entry: AuditEntry, *, last_word: bool) -> int:
    """Gives the event log the name *epoch* and ends every session and one-time link; returns how many sessions.

    *last_word* says that nothing was done after the backup: then creates of before are what they seem.
    """
    tx.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
    ended = tx.execute("DELETE FROM sessions").rowcount
    tx.execute("DELETE FROM one_time_links")
    if not last_word:
        # On a clock that is behind, what was sent before is still before.
        row = tx.one("SELECT max(submitted_at) AS latest FROM jobs")
        latest = (row["latest"] if row else None) or 0.0
        tx.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_MOMENT, repr(max(entry.at, latest))),
        )
    audit.write(tx, entry)
    return ended


async def moment(readers: Readers) -> float:
    """When the database was restored last, 0 if it never was."""
    row = await readers.one("SELECT value FROM meta WHERE key = ?", (_MOMENT,))
    return float(row["value"]) if row else 0.0
