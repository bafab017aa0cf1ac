"""People who make their own accounts, and the first administrator whom the configuration names."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import Role
from sora_gateway.errors import AccountExists, NotAdmitted
from sora_gateway.store import accounts, audit, links
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Registration:
    """*invitation* is the hash of its token, None without one. An invited person begins with *invited_balance*
    credits, anybody else with none."""

    user_id: str
    email: str
    password_hash: str
    invitation: str | None
    invited_balance: int


def register(tx: Transaction, wish: Registration, by: Actor, at: float) -> None:
    """Makes the account. Without an invitation an address that has one already is left alone in silence: strangers do
    not learn whose addresses are known. Whoever was invited is told.

    Raises:
        AccountExists: the invited address has an account; the invitation stays good.
        NotAdmitted: the invitation was used, has expired, or is for another address.
    """
    taken = accounts.is_taken(tx, wish.email)
    if taken and wish.invitation is None:
        return
    if taken:
        raise AccountExists(f"There is an account with the address {wish.email} already; sign in to it.")
    role: Role | None = "member"
    if wish.invitation is not None:
        role = links.use_invitation(tx, wish.invitation, wish.email, at)
    if role is None:
        raise NotAdmitted(
            f"The invitation was used already, has expired, or is not for {wish.email}; ask for a new one."
        )
    invited = wish.invitation is not None
    entry = audit.entry(
        Actor(wish.user_id, by.address, by.request_id),
        at,
        "user.register",
        wish.user_id,
        f"{role}, {'invited' if invited else 'open registration'}",
    )
    balance = wish.invited_balance if invited else 0
    accounts.create_user(tx, wish.user_id, wish.email, role, wish.password_hash, balance, at, entry)


def first_administrator(
    tx: Transaction, user_id: str, email: str, password_hash: str, starting_balance: int, at: float
) -> bool:
    """Makes the administrator that the configuration names, unless there is one; False if the address is somebody's
    who is none (any more): who may administer is not decided by a setting from another time."""
    if accounts.there_is_an_admin(tx):
        return True
    if accounts.is_taken(tx, email):
        return False
    entry = audit.entry(Actor("configuration"), at, "user.create", user_id, "first administrator")
    accounts.create_user(tx, user_id, email, "admin", password_hash, starting_balance, at, entry)
    return True
