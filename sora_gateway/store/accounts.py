"""People and their API keys. Secrets arrive here already hashed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields

from sora_gateway.core.principal import FOR_PROGRAMS, Principal, Role, Scope
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import audit, ledger
from sora_gateway.store.audit import AuditEntry
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
    has_password: bool


@dataclass(frozen=True, slots=True)
class KeyRecord:
    id: str
    user_id: str
    name: str
    prefix: str
    created_at: float
    last_used_at: float | None
    revoked_at: float | None
    scopes: frozenset[Scope] = FOR_PROGRAMS
    expires_at: float | None = None


BY_ADDRESS = "WHERE lower(email) = lower(?) ORDER BY email <> ? LIMIT 1"
"""An address means the same in upper and lower case; whoever has it letter by letter comes first, should two differ
in nothing else from a time when that was possible."""

# --- writing -----------------------------------------------------------------------------------------


def create_user(
    tx: Transaction,
    user_id: str,
    email: str,
    role: Role,
    password_hash: str | None,
    starting_balance: int,
    at: float,
    entry: AuditEntry | None = None,
) -> None:
    """A new person, with their starting balance as the first entry in the books.

    Raises:
        Conflict: the address is taken.
    """
    if is_taken(tx, email):
        raise Conflict(f"There is already a person with the address {email}.")
    tx.execute(
        "INSERT INTO users (id, email, role, password_hash, available, held, created_at) VALUES (?, ?, ?, ?, 0, 0, ?)",
        (user_id, email, role, password_hash, at),
    )
    if starting_balance:
        ledger.grant(tx, user_id, starting_balance, "starting balance", at)
    if entry is not None:
        audit.write(tx, entry)


def is_taken(tx: Transaction, email: str) -> bool:
    """Whether somebody has the address, in whatever case it was written."""
    return tx.one("SELECT 1 FROM users WHERE lower(email) = lower(?)", (email,)) is not None


def disable_user(tx: Transaction, email: str, at: float, entry: AuditEntry | None = None) -> None:
    """Ends the person's sessions and links, their keys stop working.

    Raises:
        NotFound: nobody has the address.
        Conflict: they are the only administrator.
    """
    user_id = user_id_of(tx, email)
    administered = there_is_an_admin(tx)
    tx.execute("UPDATE users SET disabled_at = ? WHERE id = ?", (at, user_id))
    if administered:
        check_admin_remains(tx)
    tx.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
    # Those for them, and those that they made for others.
    tx.execute("DELETE FROM one_time_links WHERE ? IN (user_id, created_by)", (user_id,))
    if entry is not None:
        audit.write(tx, entry)


def enable_user(tx: Transaction, email: str, entry: AuditEntry) -> None:
    """Raises NotFound for an unknown address; the person's keys work again."""
    tx.execute("UPDATE users SET disabled_at = NULL WHERE id = ?", (user_id_of(tx, email),))
    audit.write(tx, entry)


def create_key(tx: Transaction, key: KeyRecord, key_hash: str, entry: AuditEntry | None = None) -> None:
    tx.execute(
        "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, created_at, scopes, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.id, key.user_id, key.name, key.prefix, key_hash, key.created_at, " ".join(sorted(key.scopes)),
            key.expires_at,
        ),
    )  # fmt: skip
    if entry is not None:
        audit.write(tx, entry)


def revoke_key(
    tx: Transaction, key_id: str, user_id: str | None, at: float, entry: AuditEntry | None = None
) -> str:
    """The id of whose key it was. Raises NotFound unless the key exists, is in use and, with *user_id*, belongs to
    that person."""
    row = tx.one(
        "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL AND (? IS NULL OR user_id = ?)"
        " RETURNING user_id",
        (at, key_id, user_id, user_id),
    )
    if row is None:
        raise NotFound("There is no such key.")
    if entry is not None:
        audit.write(tx, entry)
    return str(row["user_id"])


def touch_key(tx: Transaction, key_id: str, at: float) -> None:
    tx.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (at, key_id))


def user_id_of(tx: Transaction, email: str) -> str:
    row = tx.one(f"SELECT id FROM users {BY_ADDRESS}", (email, email))  # noqa: S608 - our own words
    if row is None:
        raise NotFound(f"There is no person with the address {email}.")
    return str(row["id"])


# --- reading -----------------------------------------------------------------------------------------

USER_COLUMNS = (
    "id, email, role, available, held, created_at, disabled_at, password_hash IS NOT NULL AS has_password"
)
_USERS = f"SELECT {USER_COLUMNS} FROM users"  # noqa: S608 - our own names


def user_of(row: sqlite3.Row) -> UserRecord:
    """A row that has :data:`USER_COLUMNS`."""
    values = {field.name: row[field.name] for field in fields(UserRecord)}
    return UserRecord(**{**values, "has_password": bool(row["has_password"])})


_ADMIN = "SELECT 1 FROM users WHERE role = 'admin' AND disabled_at IS NULL"


def there_is_an_admin(tx: Transaction) -> bool:
    """The same as :func:`has_admin`, within a transaction."""
    return tx.one(_ADMIN) is not None


def check_admin_remains(tx: Transaction) -> None:
    """For whatever takes somebody the right to administer. Raises Conflict if nobody has it any more."""
    if not there_is_an_admin(tx):
        raise Conflict("This is the only administrator who is not disabled; make somebody else one first.")


async def has_admin(readers: Readers) -> bool:
    """Whether anybody can administer; who is disabled cannot."""
    return await readers.one(_ADMIN) is not None


async def users(readers: Readers) -> list[UserRecord]:
    rows = await readers.all(f"{_USERS} ORDER BY created_at, id")
    return [user_of(row) for row in rows]


async def user_by_email(readers: Readers, email: str) -> UserRecord:
    """Raises NotFound for an unknown address."""
    row = await readers.one(f"{_USERS} {BY_ADDRESS}", (email, email))
    if row is None:
        raise NotFound(f"There is no person with the address {email}.")
    return user_of(row)


_PRINCIPAL = (
    "SELECT u.id, u.email, u.role, k.id AS key_id, k.last_used_at, k.scopes, k.expires_at"
    " FROM api_keys k JOIN users u ON u.id = k.user_id"
    " WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) AND u.disabled_at IS NULL"
)


def _principal(row: sqlite3.Row) -> Principal:
    scopes = frozenset(Scope(name) for name in row["scopes"].split())
    return Principal(
        row["id"], row["email"], row["role"], "key", row["key_id"], scopes, expires_at=row["expires_at"]
    )


async def principal_by_key(
    readers: Readers, key_hash: str, now: float
) -> tuple[Principal, float | None] | None:
    """Who the key belongs to, and when it was last marked as used."""
    row = await readers.one(f"{_PRINCIPAL} AND k.key_hash = ?", (now, key_hash))
    return (_principal(row), row["last_used_at"]) if row else None


async def principal_by_key_id(readers: Readers, key_id: str, now: float) -> Principal | None:
    """Whose key goes by this id; None once it is revoked or expired, or the person disabled."""
    row = await readers.one(f"{_PRINCIPAL} AND k.id = ?", (now, key_id))
    return _principal(row) if row else None


_KEYS = "id, user_id, name, prefix, created_at, last_used_at, revoked_at, scopes, expires_at"


async def keys(readers: Readers, user_id: str | None) -> list[KeyRecord]:
    """Keys that are not revoked, newest first: one person's, or everybody's."""
    rows = await readers.all(
        f"SELECT {_KEYS} FROM api_keys WHERE revoked_at IS NULL AND (? IS NULL OR user_id = ?)"  # noqa: S608
        " ORDER BY created_at DESC, id",
        (user_id, user_id),
    )
    return [
        KeyRecord(**{**dict(row), "scopes": frozenset(Scope(name) for name in row["scopes"].split())})
        for row in rows
    ]
