"""Hashes of passwords: read to be compared, replaced in one transaction with everything that this ends."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core.actor import Actor
from sora_gateway.store import accounts, audit, links, sessions
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class PasswordRecord:
    """*stored* is the hash, None for somebody who signs in by other means only."""

    user_id: str
    email: str
    stored: str | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class Renewal:
    """The session that survives a new password: its token's hash now and then, and its id then."""

    old_hash: str
    new_hash: str
    new_id: str


def replace(
    tx: Transaction,
    user_id: str,
    before: str | None,
    after: str,
    at: float,
    entry: AuditEntry,
    renewal: Renewal | None = None,
) -> bool:
    """Sets a password in the place of the one whose hash is *before*, ends the person's one-time links and sessions,
    and renews the one that *renewal* names. False, and nothing done, when the password was replaced meanwhile or that
    session has ended: whoever was signed out while it was hashed sets none."""
    if renewal is not None and not sessions.is_there(tx, renewal.old_hash):
        return False
    cursor = tx.execute(
        "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash IS ?", (after, user_id, before)
    )
    if cursor.rowcount != 1:
        return False
    _end(tx, user_id, renewal.old_hash if renewal is not None else "")
    if renewal is not None:
        sessions.renew(tx, renewal.old_hash, renewal.new_hash, renewal.new_id, at)
    audit.write(tx, entry)
    return True


def put(tx: Transaction, email: str, after: str, entry: AuditEntry | None = None) -> None:
    """Sets it, whatever was there. Raises NotFound for an unknown address; ends the person's sessions and links."""
    user_id = accounts.user_id_of(tx, email)
    tx.execute("UPDATE users SET password_hash = ? WHERE id = ?", (after, user_id))
    _end(tx, user_id, "")
    if entry is not None:
        audit.write(tx, entry)


def reset(tx: Transaction, token_hash: str, after: str, at: float, by: Actor) -> str | None:
    """Sets the password of the person for whom the link was made, and uses it up; None if it is no good."""
    user_id = links.use_reset(tx, token_hash, at)
    if user_id is None:
        return None
    tx.execute("UPDATE users SET password_hash = ? WHERE id = ?", (after, user_id))
    _end(tx, user_id, "")
    audit.write(
        tx, audit.entry(Actor(user_id, by.address, by.request_id), at, "user.reset_password", user_id)
    )
    return user_id


def _end(tx: Transaction, user_id: str, kept: str) -> None:
    sessions.end_all(tx, user_id, but=kept)
    links.end_all(tx, user_id)


def rehash(tx: Transaction, user_id: str, before: str, after: str) -> None:
    """The same password, hashed as today; ends nothing."""
    tx.execute(
        "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", (after, user_id, before)
    )


_RECORD = (
    "SELECT id AS user_id, email, password_hash AS stored, disabled_at IS NOT NULL AS disabled FROM users"
)


async def by_email(readers: Readers, email: str, typed: str) -> PasswordRecord | None:
    """Whoever has the address *email*, in whatever case it is written; before them whoever has it as *typed*, letter by
    letter, from a time when addresses were kept so."""
    row = await readers.one(
        f"{_RECORD} WHERE lower(email) = lower(?) OR email = ? ORDER BY email <> ?, email <> ? LIMIT 1",
        (email, typed, typed, email),
    )
    return None if row is None else PasswordRecord(**{**dict(row), "disabled": bool(row["disabled"])})


async def by_id(readers: Readers, user_id: str) -> PasswordRecord | None:
    row = await readers.one(f"{_RECORD} WHERE id = ?", (user_id,))
    return None if row is None else PasswordRecord(**{**dict(row), "disabled": bool(row["disabled"])})
