"""People as identity providers know them: (issuer, subject), never an address, says whose account it is."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace

from sora_gateway.core.principal import Role
from sora_gateway.errors import AccountExists, IdentityTaken, LastSignIn, NotAdmitted, NotFound
from sora_gateway.store import accounts, audit, links
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """*email* is the verified address that the provider named when it was linked; nobody is found by it."""

    id: str
    issuer: str
    subject: str
    user_id: str
    email: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Owner:
    user_id: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """Why somebody unknown may come in: *role* is what their address's domain makes them (None: nothing), *invitation*
    the hash of an invitation's token, which counts first. An invited person begins with *invited_balance* credits."""

    role: Role | None
    invitation: str | None
    invited_balance: int


_COLUMNS = ", ".join(field.name for field in fields(IdentityRecord))


def admit(tx: Transaction, identity: IdentityRecord, admission: Admission, entry: AuditEntry) -> str:
    """Makes a person, whose id *identity* has, and links it to them; returns whose it is: somebody else's if it was
    linked in the meantime.

    Raises:
        AccountExists: the address has an account; whoever owns it can link the identity to it themselves.
        NotAdmitted: neither the domain nor an invitation lets them in.
    """
    owner = _owner(tx, identity)
    if owner is not None:
        return owner
    if accounts.is_taken(tx, identity.email):
        raise AccountExists(
            f"There is an account with the address {identity.email} already; sign in to it, and link the provider there."
        )
    role, balance = _admitted(tx, identity, admission)
    accounts.create_user(
        tx, identity.user_id, identity.email, role, None, balance, identity.created_at, entry
    )
    _insert(tx, identity)
    return identity.user_id


def _admitted(tx: Transaction, identity: IdentityRecord, admission: Admission) -> tuple[Role, int]:
    """What they become, and with how many credits. An invitation is used up by the same transaction."""
    if admission.invitation is not None:
        invited = links.use_invitation(tx, admission.invitation, identity.email, identity.created_at)
        if invited is not None:
            return invited, admission.invited_balance
    if admission.role is not None:
        return admission.role, 0
    if admission.invitation is not None:
        raise NotAdmitted(
            f"The invitation was used already, has expired, or is not for {identity.email}; ask for a new one."
        )
    raise NotAdmitted(f"{identity.email} has no account here; ask an administrator for an invitation.")


def link(tx: Transaction, identity: IdentityRecord, entry: AuditEntry) -> None:
    """Links it to the account that it names; once more changes nothing.

    Raises:
        IdentityTaken: it belongs to another account.
    """
    owner = _owner(tx, identity)
    if owner is not None and owner != identity.user_id:
        raise IdentityTaken("This identity belongs to another account here; unlink it there first.")
    if owner is None:
        _insert(tx, identity)
        audit.write(tx, entry)


def unlink(tx: Transaction, identity_id: str, user_id: str, entry: AuditEntry) -> None:
    """Raises:
    NotFound: the person has no such identity.
    LastSignIn: without it, and without a password, they could not sign in any more.
    """
    row = tx.one(
        "SELECT i.issuer, i.email, u.password_hash IS NOT NULL AS has_password,"
        " (SELECT count(*) FROM identities WHERE user_id = u.id) AS identities"
        " FROM identities i JOIN users u ON u.id = i.user_id WHERE i.id = ? AND i.user_id = ?",
        (identity_id, user_id),
    )
    if row is None:
        raise NotFound("There is no such identity.")
    if not row["has_password"] and row["identities"] == 1:
        raise LastSignIn("This is your only way to sign in; set a password or link another identity first.")
    tx.execute("DELETE FROM identities WHERE id = ?", (identity_id,))
    audit.write(tx, replace(entry, detail=f"{row['email']} at {row['issuer']}"))


def _owner(tx: Transaction, identity: IdentityRecord) -> str | None:
    row = tx.one(
        "SELECT user_id FROM identities WHERE issuer = ? AND subject = ?", (identity.issuer, identity.subject)
    )
    return str(row["user_id"]) if row is not None else None


def _insert(tx: Transaction, identity: IdentityRecord) -> None:
    tx.execute(
        f"INSERT INTO identities ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own names
        astuple(identity),
    )


async def owner(readers: Readers, issuer: str, subject: str) -> Owner | None:
    """Whose identity it is."""
    row = await readers.one(
        "SELECT u.id, u.disabled_at IS NOT NULL AS disabled FROM identities i JOIN users u ON u.id = i.user_id"
        " WHERE i.issuer = ? AND i.subject = ?",
        (issuer, subject),
    )
    return Owner(row["id"], bool(row["disabled"])) if row is not None else None


async def of_person(readers: Readers, user_id: str) -> list[IdentityRecord]:
    """A person's identities, oldest first."""
    rows = await readers.all(
        f"SELECT {_COLUMNS} FROM identities WHERE user_id = ? ORDER BY created_at, id",  # noqa: S608 - our own names
        (user_id,),
    )
    return [IdentityRecord(**dict(row)) for row in rows]
