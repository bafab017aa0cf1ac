"""People as administrators see and change them. Nobody is deleted: their videos and their books stay."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, fields

from sora_gateway.core.actor import Actor
from sora_gateway.core.plans import DEFAULT
from sora_gateway.core.principal import Role
from sora_gateway.errors import NotFound
from sora_gateway.store import accounts, audit
from sora_gateway.store.accounts import UserRecord
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.links import LinkRecord
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction, Writer


@dataclass(frozen=True, slots=True)
class Resident:
    """A person, with the number of keys and sessions that work now and of linked identities. *last_seen_at* is None
    for somebody who was never here, or whose sessions are all gone."""

    user: UserRecord
    keys: int
    sessions: int
    identities: int
    last_seen_at: float | None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Who is wanted, newest first. *text* is a part of the address, *plan* the name of what they were given (``default``
    for those without), *after* the last person of the page before."""

    limit: int
    text: str | None = None
    role: Role | None = None
    disabled: bool | None = None
    after: str | None = None
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and for how many seconds a session may rest."""

    now: float
    idle: float


@dataclass(frozen=True, slots=True)
class Headcount:
    """So many people there are, so many of them disabled; of the others, so many have the default plan."""

    everybody: int
    disabled: int
    without_plan: int


# --- reading -----------------------------------------------------------------------------------------

_RESIDENTS = f"""
    SELECT {accounts.USER_COLUMNS},
      (SELECT count(*) FROM api_keys k WHERE k.user_id = users.id AND k.revoked_at IS NULL
         AND (k.expires_at IS NULL OR k.expires_at > :now)) AS keys,
      (SELECT count(*) FROM sessions s WHERE s.user_id = users.id AND s.expires_at > :now
         AND s.seen_at > :now - :idle) AS sessions,
      (SELECT count(*) FROM identities i WHERE i.user_id = users.id) AS identities,
      max(ifnull((SELECT max(s.seen_at) FROM sessions s WHERE s.user_id = users.id), 0),
          ifnull((SELECT max(k.last_used_at) FROM api_keys k WHERE k.user_id = users.id), 0)) AS last_seen_at
    FROM users"""  # noqa: S608 - our own names

_PLAN = f"iif(plan IS NULL OR plan_until <= :now, '{DEFAULT}', plan)"

_CONDITIONS = {
    "text": "instr(lower(email), lower(:text)) > 0",
    "role": "role = :role",
    "disabled": "(disabled_at IS NOT NULL) = :disabled",
    "plan": f"{_PLAN} = :plan",
    "after": "(created_at, id) < (SELECT created_at, id FROM users WHERE id = :after)",
}


async def page(readers: Readers, wanted: UserFilter, at: Moment) -> tuple[list[Resident], bool]:
    """The newest people who fit, and whether there are more."""
    values = {name: getattr(wanted, name) for name in _CONDITIONS}
    conditions = [text for name, text in _CONDITIONS.items() if values[name] is not None]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await readers.all(
        f"{_RESIDENTS} {where} ORDER BY created_at DESC, id DESC LIMIT :rows",
        values | asdict(at) | {"rows": wanted.limit + 1},
    )
    return [_resident(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit


async def headcount(readers: Readers, now: float) -> Headcount:
    (row,) = await readers.all(
        "SELECT count(*) AS everybody, count(disabled_at) AS disabled,"  # noqa: S608 - our own names
        f" count(*) FILTER (WHERE disabled_at IS NULL AND {_PLAN} = '{DEFAULT}') AS without_plan FROM users",
        {"now": now},
    )
    return Headcount(**dict(row))


async def resident(readers: Readers, user_id: str, at: Moment) -> Resident:
    """Raises NotFound."""
    rows = await readers.all(f"{_RESIDENTS} WHERE id = :id", asdict(at) | {"id": user_id})
    if not rows:
        raise NotFound("There is no such person.")
    return _resident(rows[0])


def _resident(row: sqlite3.Row) -> Resident:
    return Resident(
        accounts.user_of(row), row["keys"], row["sessions"], row["identities"], row["last_seen_at"] or None
    )


_LINK = ", ".join(field.name for field in fields(LinkRecord))


async def invitations(readers: Readers, now: float) -> list[LinkRecord]:
    """Those that are still good, newest first."""
    rows = await readers.all(
        f"SELECT {_LINK} FROM one_time_links WHERE kind = 'invite' AND expires_at > ? ORDER BY created_at DESC, id",  # noqa: S608
        (now,),
    )
    return [LinkRecord(**dict(row)) for row in rows]


# --- writing -----------------------------------------------------------------------------------------


def change(
    tx: Transaction, user_id: str, role: Role | None, disabled: bool | None, by: Actor, at: float
) -> None:
    """Sets what is not None. Whoever is disabled has no sessions and no links any more; what a person who administers
    no more had made for others to come in by is gone too.

    Raises:
        NotFound: there is no such person.
        Conflict: nobody would be left who can administer.
    """
    row = tx.one("SELECT role, disabled_at FROM users WHERE id = ?", (user_id,))
    if row is None:
        raise NotFound("There is no such person.")
    administers = row["role"] == "admin" and row["disabled_at"] is None
    if role is not None and role != row["role"]:
        tx.execute("UPDATE users SET role = ? WHERE id = ?", (role, user_id))
        audit.write(tx, audit.entry(by, at, "user.role", user_id, f"{row['role']} -> {role}"))
    if disabled is not None and disabled != (row["disabled_at"] is not None):
        tx.execute("UPDATE users SET disabled_at = ? WHERE id = ?", (at if disabled else None, user_id))
        audit.write(tx, audit.entry(by, at, "user.disable" if disabled else "user.enable", user_id))
        if disabled:
            end_access(tx, user_id)
    if administers and (role not in (None, "admin") or disabled):
        tx.execute("DELETE FROM one_time_links WHERE created_by = ?", (user_id,))
        accounts.check_admin_remains(tx)


def end_access(tx: Transaction, user_id: str) -> None:
    """Ends the person's sessions, and the links by which they could sign in or set a password."""
    tx.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
    tx.execute("DELETE FROM one_time_links WHERE user_id = ?", (user_id,))


def end_sessions(tx: Transaction, user_id: str, entry: AuditEntry) -> None:
    """All that the person has, and links that sign in. Raises NotFound."""
    if tx.one("SELECT 1 FROM users WHERE id = ?", (user_id,)) is None:
        raise NotFound("There is no such person.")
    end_access(tx, user_id)
    audit.write(tx, entry)


def withdraw(tx: Transaction, link_id: str, entry: AuditEntry) -> None:
    """Takes an invitation back. Raises NotFound if it was used, has expired, or never was one."""
    cursor = tx.execute("DELETE FROM one_time_links WHERE id = ? AND kind = 'invite'", (link_id,))
    if cursor.rowcount != 1:
        raise NotFound("There is no such invitation (any more).")
    audit.write(tx, entry)


class Administration:
    """``store.administration``."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def page(self, wanted: UserFilter, at: Moment) -> tuple[list[Resident], bool]:
        return await page(self._readers, wanted, at)

    async def headcount(self, now: float) -> Headcount:
        return await headcount(self._readers, now)

    async def resident(self, user_id: str, at: Moment) -> Resident:
        """Raises NotFound."""
        return await resident(self._readers, user_id, at)

    async def change(
        self, user_id: str, role: Role | None, disabled: bool | None, by: Actor, at: float
    ) -> None:
        """Raises NotFound, or Conflict if nobody would be left who can administer."""
        await self._writer.run(lambda tx: change(tx, user_id, role, disabled, by, at))

    async def end_sessions(self, user_id: str, entry: AuditEntry) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: end_sessions(tx, user_id, entry))

    async def invitations(self, now: float) -> list[LinkRecord]:
        """Those that are still good, newest first."""
        return await invitations(self._readers, now)

    async def withdraw(self, link_id: str, entry: AuditEntry) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: withdraw(tx, link_id, entry))
