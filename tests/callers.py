"""Everybody who asks: what they bring, and which column of the table of rights is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sora_gateway.core.principal import EVERYTHING, Role, Scope
from tests.belongings import House, Whose
from tests.matrix import Right, Row

Options = dict[str, Any]
"""Of httpx: what a request of somebody's has that another's has not."""

FOR_ALL_BUT_ADMINISTRATING = EVERYTHING - {Scope.ADMIN}


@dataclass(frozen=True)
class Caller:
    """Somebody and how they come. Without a *user* they are nobody, whatever they bring."""

    name: str
    bring: Callable[[], Awaitable[Options]]
    user: str = ""
    role: Role = "member"
    scopes: frozenset[Scope] = EVERYTHING
    by_session: bool = False
    in_address: bool = False
    """What they bring is a parameter of the address: where there is none such, it is a mistake."""

    @property
    def sees_all(self) -> bool:
        return self.role == "admin" and Scope.ADMIN in self.scopes

    def column(self, row: Row, whose: Whose | None) -> str:
        """What they are to a thing, in the words of ``tests/matrix.py``; *whose* is None where it is about none."""
        if not self.user:
            return "nobody"
        if row.right is Right.ADMINISTER and self.role != "admin":
            return "member"  # what their key is for makes no difference
        if row.needs is not None and row.needs not in self.scopes:
            return "other scope"
        there = whose not in (Whose.GONE, Whose.NOBODYS)
        if there and whose is not None and self.user == "user_ann":
            return "owner"
        if there and self.sees_all:
            return "admin"
        role = "viewer" if self.role == "viewer" else "member"
        return f"team's {role}" if whose is Whose.TEAM else role


def by_key(key: str) -> Callable[[], Awaitable[Options]]:
    async def bring() -> Options:
        return {"headers": {"Authorization": f"Bearer {key}"}}

    return bring


def by_session(token: str) -> Callable[[], Awaitable[Options]]:
    async def bring() -> Options:
        return {"headers": {"Cookie": f"sid={token}", "Sec-Fetch-Site": "same-origin"}}

    return bring


async def _nothing() -> Options:
    return {}


async def owner(house: House) -> list[Caller]:
    """Ann, with a key and in front of a browser."""
    return await _both(house, "ann", "member")


async def administrator(house: House) -> list[Caller]:
    return await _both(house, "root", "admin")


async def others(house: House) -> list[Caller]:
    """Those who see what is theirs and what is shown to them."""
    key, _ = await house.team.gateway.accounts.create_key("user_root", "videos", FOR_ALL_BUT_ADMINISTRATING)
    return [
        *await _both(house, "bob", "member"),
        *await _both(house, "vic", "viewer"),
        Caller(
            "root by a key that is not for administrating", by_key(key), "user_root", "admin", FOR_ALL_BUT_ADMINISTRATING
        ),
    ]  # fmt: skip


async def narrow(house: House) -> list[Caller]:
    """Keys for one thing each, of Ann and of an administrator."""
    roles: dict[str, Role] = {"user_ann": "member", "user_root": "admin"}
    found = []
    for user, role in roles.items():
        for scope in Scope:
            key, _ = await house.team.gateway.accounts.create_key(user, scope, frozenset({scope}))
            found.append(Caller(f"{user} by a key for {scope}", by_key(key), user, role, frozenset({scope})))
    return found


async def nobodies(house: House) -> list[Caller]:
    """Who brings nothing, something that is no good, something that is no good any more, or something that is good
    for something else."""
    accounts, ann = house.team.gateway.accounts, house.team.ann
    revoked, record = await accounts.create_key("user_ann", "revoked", EVERYTHING)
    await accounts.revoke_key("user_ann", record.id)
    wish = {"name": "expired", "scopes": sorted(FOR_ALL_BUT_ADMINISTRATING), "expiresIn": 1}
    expired = (await ann.http.post("/api/keys", json=wish)).json()["key"]
    ended = await accounts.new_session("user_ann")
    await accounts.end_session(ended)
    disabled = await _disabled_administrator(house)
    token = await house.share_token()
    await asyncio.sleep(0.05)  # two seconds and a half of this gateway
    return [
        Caller("a stranger", _nothing),
        Caller("a key that is none", by_key("sgw_nonsense")),
        Caller("Ann's key and a letter", by_key(ann.key + "x")),
        Caller("Ann's key as a cookie", by_session(ann.key)),
        Caller("Ann's revoked key", by_key(revoked)),
        Caller("Ann's expired key", by_key(expired)),
        Caller("Ann's ended session", by_session(ended)),
        Caller("Ann's ended session as a bearer", by_key(ended)),
        Caller("a disabled administrator's key", by_key(disabled[0])),
        Caller("a disabled administrator's session", by_session(disabled[1])),
        Caller("who has a share link, by its token", by_key(token)),
        Caller("who has a share link, by its token as a cookie", by_session(token)),
        Caller("who has a share link, by its token as a ticket", _parameter(token), in_address=True),
        Caller("Ann's ticket as a key", lambda: _ticket_as_key(house)),
    ]


async def with_tickets(house: House) -> tuple[Caller, Caller]:
    """Who has tickets of Ann's, a new one for each request: what they are on a stream, and elsewhere."""

    async def bring() -> Options:
        return {"params": {"ticket": await house.ticket(house.team.ann)}}

    name, looks = "who has a ticket", frozenset({Scope.READ})
    return Caller(name, bring, "user_ann", scopes=looks), Caller(name, bring, in_address=True)


# --- what they bring ---------------------------------------------------------------------------------


async def _both(house: House, name: str, role: Role) -> list[Caller]:
    """Somebody by a key and by a session, which is a new one each time: what they do may end it."""

    async def in_a_browser() -> Options:
        return await by_session(await house.team.gateway.accounts.new_session(f"user_{name}"))()

    key = getattr(house.team, name).key
    return [
        Caller(name, by_key(key), f"user_{name}", role),
        Caller(f"{name} in a browser", in_a_browser, f"user_{name}", role, by_session=True),
    ]


async def _disabled_administrator(house: House) -> tuple[str, str]:
    gateway = house.team.gateway
    await gateway.store.people.create_user("user_dan", "dan@example.org", "admin", None, 100, 0.0)
    key, _ = await gateway.accounts.create_key("user_dan", "all", EVERYTHING)
    session = await gateway.accounts.new_session("user_dan")
    await gateway.store.people.disable_user("dan@example.org", 0.0)
    return key, session


def _parameter(token: str) -> Callable[[], Awaitable[Options]]:
    async def bring() -> Options:
        return {"params": {"ticket": token}}

    return bring


async def _ticket_as_key(house: House) -> Options:
    return await by_key(await house.ticket(house.team.ann))()
