"""Links that work once. Only the hash of what is in them is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sora_gateway.core.principal import Role
from sora_gateway.store import accounts
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


def create(tx: Transaction, token_hash: str, link: LinkRecord) -> None:
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


def redeem_login(
    tx: Transaction, token_hash: str, new_user_id: str, starting_balance: int, at: float
) -> str | None:
    """The id of the person that the link signs in, or None if it is no good (any more).

    The first administrator's link is dead once there is an administrator.
    """
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
    accounts.create_user(tx, new_user_id, FIRST_ADMIN, "admin", None, starting_balance, at)
    return new_user_id
