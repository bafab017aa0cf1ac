"""People, sessions, one-time links and API keys. Secrets arrive here already hashed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sora_gateway.core.principal import Principal, Role
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import ledger
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class UserRecord:
    id: str
    email: str
    role: Role
    available: int
    held: int
    created_at: float
    disabled_at: float | None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    id: str
    user_id: str
    name: str
    prefix: str
    created_at: float
    last_used_at: float | None
    revoked_at: float | None


# --- writing -----------------------------------------------------------------------------------------


def create_user(
    tx: Transaction,
    user_id: str,
    email: str,
    role: Role,
    password_hash: str | None,
    starting_balance: int,
    at: float,
) -> None:
    """A new person, with their starting balance as the first entry in the books.

    Raises:
        Conflict: the address is taken.
    """
    try:
        tx.execute(
            "INSERT INTO users (id, email, role, password_hash, available, held, created_at) VALUES (?, ?, ?, ?, 0, 0, ?)",
            (user_id, email, role, password_hash, at),
        )
    except sqlite3.IntegrityError:
        raise Conflict(f"There is already a person with the address {email}.") from None
    if starting_balance:
        ledger.grant(tx, user_id, starting_balance, "starting balance", at)


def set_password(tx: Transaction, email: str, password_hash: str) -> None:
    """Raises NotFound for an unknown address; ends the person's sessions."""
    user_id = _user_id(tx, email)
    tx.execute("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user_id))
    tx.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))


def disable_user(tx: Transaction, email: str, at: float) -> None:
    """Raises NotFound for an unknown address; ends the person's sessions, their keys stop working."""
    user_id = _user_id(tx, email)
    tx.execute("UPDATE users SET disabled_at = ? WHERE id = ?", (at, user_id))
    tx.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))


def create_session(tx: Transaction, token_hash: str, user_id: str, at: float, expires_at: float) -> None:
    tx.execute("DELETE FROM sessions WHERE expires_at < ?", (at,))
    tx.execute(
        "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
        (token_hash, user_id, at, expires_at),
    )


def end_session(tx: Transaction, token_hash: str) -> None:
    tx.execute("DELETE FROM sessions WHERE token_hash = ?", (token_hash,))


def create_link(tx: Transaction, token_hash: str, email: str | None, expires_at: float) -> None:
    """A one-time link for *email*, or for the first administrator. Raises NotFound for an unknown address."""
    user_id = _user_id(tx, email) if email is not None else None
    if user_id is None:
        tx.execute("DELETE FROM login_links WHERE user_id IS NULL")
    tx.execute(
        "INSERT INTO login_links (token_hash, user_id, expires_at) VALUES (?, ?, ?)",
        (token_hash, user_id, expires_at),
    )


def redeem_link(
    tx: Transaction, token_hash: str, new_user_id: str, starting_balance: int, at: float
) -> str | None:
    """The id of the person that the link signs in, or None if it is no good (any more).

    The first administrator's link is dead once there is an administrator.
    """
    row = tx.one("DELETE FROM login_links WHERE token_hash = ? RETURNING user_id, expires_at", (token_hash,))
    if row is None or row["expires_at"] < at:
        return None
    if row["user_id"] is not None:
        enabled = tx.one("SELECT id FROM users WHERE id = ? AND disabled_at IS NULL", (row["user_id"],))
        return enabled["id"] if enabled else None
    if tx.one("SELECT 1 FROM users WHERE role = 'admin'") is not None:
        return None
    create_user(tx, new_user_id, "admin@localhost", "admin", None, starting_balance, at)
    return new_user_id


def create_key(tx: Transaction, key: KeyRecord, key_hash: str) -> None:
    tx.execute(
        "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (key.id, key.user_id, key.name, key.prefix, key_hash, key.created_at),
    )


def revoke_key(tx: Transaction, key_id: str, user_id: str | None, at: float) -> None:
    """Raises NotFound unless the key exists, is in use and, with *user_id*, belongs to that person."""
    cursor = tx.execute(
        "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL AND (? IS NULL OR user_id = ?)",
        (at, key_id, user_id, user_id),
    )
    if cursor.rowcount != 1:
        raise NotFound("There is no such key.")


def touch_key(tx: Transaction, key_id: str, at: float) -> None:
    tx.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (at, key_id))


def _user_id(tx: Transaction, email: str) -> str:
    row = tx.one("SELECT id FROM users WHERE email = ?", (email,))
    if row is None:
        raise NotFound(f"There is no person with the address {email}.")
    return str(row["id"])


# --- reading -----------------------------------------------------------------------------------------

_USERS = "SELECT id, email, role, available, held, created_at, disabled_at FROM users"


async def has_admin(readers: Readers) -> bool:
    return await readers.one("SELECT 1 FROM users WHERE role = 'admin'") is not None


async def users(readers: Readers) -> list[UserRecord]:
    rows = await readers.all(f"{_USERS} ORDER BY created_at, id")
    return [UserRecord(**dict(row)) for row in rows]


async def user_by_email(readers: Readers, email: str) -> UserRecord:
    """Raises NotFound for an unknown address."""
    row = await readers.one(f"{_USERS} WHERE email = ?", (email,))
    if row is None:
        raise NotFound(f"There is no person with the address {email}.")
    return UserRecord(**dict(row))


async def principal_by_session(readers: Readers, token_hash: str, now: float) -> Principal | None:
    row = await readers.one(
        "SELECT u.id, u.email, u.role FROM sessions s JOIN users u ON u.id = s.user_id"
        " WHERE s.token_hash = ? AND s.expires_at > ? AND u.disabled_at IS NULL",
        (token_hash, now),
    )
    return Principal(row["id"], row["email"], row["role"], "session", token_hash) if row else None


async def principal_by_key(readers: Readers, key_hash: str) -> tuple[Principal, float | None] | None:
    """Who the key belongs to, and when it was last marked as used."""
    row = await readers.one(
        "SELECT u.id, u.email, u.role, k.id AS key_id, k.last_used_at FROM api_keys k JOIN users u ON u.id = k.user_id"
        " WHERE k.key_hash = ? AND k.revoked_at IS NULL AND u.disabled_at IS NULL",
        (key_hash,),
    )
    if row is None:
        return None
    return Principal(row["id"], row["email"], row["role"], "key", row["key_id"]), row["last_used_at"]


async def principal_by_key_id(readers: Readers, key_id: str) -> Principal | None:
    """Whose key goes by this id; None once it is revoked or the person disabled."""
    row = await readers.one(
        "SELECT u.id, u.email, u.role FROM api_keys k JOIN users u ON u.id = k.user_id"
        " WHERE k.id = ? AND k.revoked_at IS NULL AND u.disabled_at IS NULL",
        (key_id,),
    )
    return Principal(row["id"], row["email"], row["role"], "key", key_id) if row else None


async def keys(readers: Readers, user_id: str | None) -> list[KeyRecord]:
    """Keys in use, newest first: one person's, or everybody's."""
    rows = await readers.all(
        "SELECT id, user_id, name, prefix, created_at, last_used_at, revoked_at FROM api_keys"
        " WHERE revoked_at IS NULL AND (? IS NULL OR user_id = ?) ORDER BY created_at DESC, id",
        (user_id, user_id),
    )
    return [KeyRecord(**dict(row)) for row in rows]
