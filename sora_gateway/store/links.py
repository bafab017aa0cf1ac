"""Links that work once. Only the hash of what is in them is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import Role
from sora_gateway.store import accounts, audit, sessions
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.sessions import SessionRecord
from sora_gateway.store.writer import Transaction

Kind = Literal["admin", "login", "invite", "reset"]
FIRST_ADMIN = "admin@localhost"


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """*user_id* is who signs in (``login``) or gets a new password (``reset``); *email* (None for anybody's) and
    *role* are what an ``invite`` makes; ``admin`` makes the first administrator."""

    id: str
    kind: Kind
    created_by: str
    created_at: float
    expires_at: float
    user_id: str | None = None
    email: str | None = None
    role: Role | None = None


def create(tx: Transaction, token_hash: str, link: LinkRecord, entry: AuditEntry | None = None) -> None:
    tx.execute("DELETE FROM one_time_links WHERE expires_at < ?", (link.created_at,))
    if link.kind == "admin":
        tx.execute("DELETE FROM one_time_links WHERE kind = 'admin'")
    tx.execute(
        "INSERT INTO one_time_links (token_hash, id, kind, user_id, email, role, created_by, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            token_hash, link.id, link.kind, link.user_id, link.email, link.role, link.created_by, link.created_at,
            link.expires_at,
        ),
    )  # fmt: skip
    if entry is not None:
        audit.write(tx, entry)


def redeem_login(
    tx: Transaction,
    token_hash: str,
    starting_balance: int,
    session: SessionRecord,
    session_hash: str,
    by: Actor,
) -> bool:
    """Uses the link up and makes *session*, all but whose it is, theirs whom it signs in; False if it is no good (any
    more). At once: whatever ends a person's links and sessions finds the one or the other.

    The first administrator's link makes the person that *session* names. It is dead once there is an administrator.
    """
    user_id = _whose(tx, token_hash, session.user_id, starting_balance, session.created_at, by)
    if user_id is None:
        return False
    actor = Actor(user_id, by.address, by.request_id)
    entry = audit.entry(actor, session.created_at, "session.create", session.id, "a one-time link")
    return sessions.create(tx, session_hash, replace(session, user_id=user_id), entry)


def _whose(
    tx: Transaction, token_hash: str, new_user_id: str, starting_balance: int, at: float, by: Actor
) -> str | None:
    row = tx.one(
        "DELETE FROM one_time_links WHERE token_hash = ? AND kind IN ('admin', 'login') RETURNING user_id, expires_at",
        (token_hash,),
    )
    if row is None or row["expires_at"] < at:
        return None
    if row["user_id"] is not None:
        enabled = tx.one("SELECT id FROM users WHERE id = ? AND disabled_at IS NULL", (row["user_id"],))
        return enabled["id"] if enabled else None
    if accounts.there_is_an_admin(tx):
        return None
    made = audit.entry(
        Actor(new_user_id, by.address, by.request_id), at, "user.create", new_user_id, "first administrator"
    )
    accounts.create_user(tx, new_user_id, FIRST_ADMIN, "admin", None, starting_balance, at, made)
    return new_user_id


def use_invitation(tx: Transaction, token_hash: str, email: str, at: float) -> Role | None:
    """The role that an invitation makes of *email*, and uses it up; None if it is no good, or for somebody else."""
    row = tx.one(
        "DELETE FROM one_time_links WHERE token_hash = ? AND kind = 'invite' AND expires_at > ?"
        " AND (email IS NULL OR lower(email) = lower(?)) RETURNING role",
        (token_hash, at, email),
    )
    if row is None:
        return None
    role: Role = row["role"] or "member"
    return role


def use_reset(tx: Transaction, token_hash: str, at: float) -> str | None:
    """The id of the person whose password may be set, and uses the link up; None if it is no good."""
    row = tx.one(
        "DELETE FROM one_time_links WHERE token_hash = ? AND kind = 'reset' AND expires_at > ? RETURNING user_id",
        (token_hash, at),
    )
    return None if row is None else str(row["user_id"])


def end_all(tx: Transaction, user_id: str) -> None:
    """Nobody signs in as the person, or sets their password, by a link that was made before."""
    tx.execute("DELETE FROM one_time_links WHERE user_id = ?", (user_id,))


async def is_invitation(readers: Readers, token_hash: str, now: float) -> bool:
    """Whether there is such an invitation that has not expired."""
    row = await readers.one(
        "SELECT 1 FROM one_time_links WHERE token_hash = ? AND kind = 'invite' AND expires_at > ?",
        (token_hash, now),
    )
    return row is not None


async def reset_address(readers: Readers, token_hash: str, now: float) -> str | None:
    """Whose password the link sets; None if it is no good."""
    row = await readers.one(
        "SELECT u.email FROM one_time_links l JOIN users u ON u.id = l.user_id"
        " WHERE l.token_hash = ? AND l.kind = 'reset' AND l.expires_at > ?",
        (token_hash, now),
    )
    return None if row is None else str(row["email"])
