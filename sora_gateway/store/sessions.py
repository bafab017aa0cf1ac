"""Sessions of browsers: looked up by the hash of their token, shown to people by an id that opens nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sora_gateway.core.principal import Principal
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


_COLUMNS = ", ".join(field.name for field in fields(SessionRecord))


def create(tx: Transaction, token_hash: str, session: SessionRecord) -> None:
    tx.execute("DELETE FROM sessions WHERE expires_at < ?", (session.created_at,))
    tx.execute(
        f"INSERT INTO sessions (token_hash, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (token_hash, *(getattr(session, field.name) for field in fields(session))),
    )


def end(tx: Transaction, token_hash: str) -> None:
    tx.execute("DELETE FROM sessions WHERE token_hash = ?", (token_hash,))


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
        authenticated_at=row["authenticated_at"], expires_at=row["expires_at"],
    )  # fmt: skip
    return found, row["seen_at"]
