"""Sessions of browsers: looked up by the hash of their token, shown to people by an id that opens nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sora_gateway.core.principal import Principal
from sora_gateway.errors import NotFound
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """Times in seconds since the epoch. *authenticated_at* is when the person last proved who they are, *address*
    and *user_agent* are those of the sign-in."""

    id: str
    user_id: str
    created_at: float
    authenticated_at: float
    seen_at: float
    expires_at: float
    address: str = ""
    user_agent: str = ""


_NAMES = tuple(field.name for field in fields(SessionRecord))
_COLUMNS = ", ".join(_NAMES)


def create(
    tx: Transaction,
    token_hash: str,
    session: SessionRecord,
    entry: AuditEntry | None = None,
    proven: str | None = None,
) -> bool:
    """Whether there is a session now: none is made for a person who is disabled, or whose password is not any more
    the one that they proved, by its hash *proven*."""
    enabled = tx.one(
        "SELECT 1 FROM users WHERE id = ? AND disabled_at IS NULL AND (? IS NULL OR password_hash = ?)",
        (session.user_id, proven, proven),
    )
    if enabled is None:
        return False
    tx.execute("DELETE FROM sessions WHERE expires_at < ?", (session.created_at,))
    tx.execute(
        f"INSERT INTO sessions (token_hash, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (token_hash, *(getattr(session, field.name) for field in fields(session))),
    )
    if entry is not None:
        audit.write(tx, entry)
    return True


def end(tx: Transaction, token_hash: str, entry: AuditEntry | None = None) -> str | None:
    """Ends it, if it is there; the id of whose it was."""
    row = tx.one("DELETE FROM sessions WHERE token_hash = ? RETURNING user_id", (token_hash,))
    if row is None:
        return None
    if entry is not None:
        audit.write(tx, entry)
    return str(row["user_id"])


def end_one(tx: Transaction, session_id: str, user_id: str, entry: AuditEntry) -> None:
    """Raises NotFound unless the session is there and the person's."""
    cursor = tx.execute("DELETE FROM sessions WHERE id = ? AND user_id = ?", (session_id, user_id))
    if cursor.rowcount != 1:
        raise NotFound("There is no such session.")
    audit.write(tx, entry)


def end_all(tx: Transaction, user_id: str, *, but: str = "", entry: AuditEntry | None = None) -> None:
    """Ends a person's sessions, except the one with the token hash *but*."""
    tx.execute("DELETE FROM sessions WHERE user_id = ? AND token_hash <> ?", (user_id, but))
    if entry is not None:
        audit.write(tx, entry)


def is_there(tx: Transaction, token_hash: str) -> bool:
    """Whether nobody has ended it."""
    return tx.one("SELECT 1 FROM sessions WHERE token_hash = ?", (token_hash,)) is not None


def renew(tx: Transaction, old_hash: str, new_hash: str, new_id: str, at: float) -> None:
    """The same session under another token and id, proven anew."""
    tx.execute(
        "UPDATE sessions SET token_hash = ?, id = ?, authenticated_at = ?, seen_at = ? WHERE token_hash = ?",
        (new_hash, new_id, at, at, old_hash),
    )


def touch(tx: Transaction, token_hash: str, at: float) -> None:
    tx.execute("UPDATE sessions SET seen_at = ? WHERE token_hash = ?", (at, token_hash))


async def principal(
    readers: Readers, token_hash: str, now: float, idle: float
) -> tuple[Principal, float] | None:
    """Whose session it is and when it was last seen; None once it has ended, rested for *idle* seconds, or the
    person is disabled."""
    row = await readers.one(
        "SELECT u.id, u.email, u.role, s.authenticated_at, s.seen_at, s.expires_at"
        " FROM sessions s JOIN users u ON u.id = s.user_id"
        " WHERE s.token_hash = ? AND s.expires_at > ? AND s.seen_at > ? AND u.disabled_at IS NULL",
        (token_hash, now, now - idle),
    )
    if row is None:
        return None
    found = Principal(
        row["id"], row["email"], row["role"], "session", token_hash,
        authenticated_at=row["authenticated_at"],
        # By itself it ends with its time or, unless it is used, with its rest.
        expires_at=min(row["expires_at"], row["seen_at"] + idle),
    )  # fmt: skip
    return found, row["seen_at"]


async def of_person(
    readers: Readers, user_id: str, now: float, idle: float
) -> list[tuple[str, SessionRecord]]:
    """A person's sessions that have not ended, newest first, each with its token's hash."""
    rows = await readers.all(
        f"SELECT token_hash, {_COLUMNS} FROM sessions WHERE user_id = ? AND expires_at > ? AND seen_at > ?"  # noqa: S608
        " ORDER BY created_at DESC, id",
        (user_id, now, now - idle),
    )
    return [(row["token_hash"], SessionRecord(**{name: row[name] for name in _NAMES})) for row in rows]
