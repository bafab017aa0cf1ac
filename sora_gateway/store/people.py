"""People as everybody else sees the store's part of them: ``store.people``."""

from __future__ import annotations

from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import Principal, Role
from sora_gateway.store import accounts, identities, links, passwords, registration, sessions
from sora_gateway.store.accounts import KeyRecord, UserRecord
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.identities import Admission, IdentityRecord, Owner
from sora_gateway.store.links import LinkRecord
from sora_gateway.store.passwords import PasswordRecord, Renewal
from sora_gateway.store.readers import Readers
from sora_gateway.store.registration import Registration
from sora_gateway.store.sessions import SessionRecord
from sora_gateway.store.writer import Writer


class People:
    """Accounts, sessions, one-time links and API keys."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    # --- accounts --------------------------------------------------------------------------------

    async def has_admin(self) -> bool:
        return await accounts.has_admin(self._readers)

    async def users(self) -> list[UserRecord]:
        return await accounts.users(self._readers)

    async def by_email(self, email: str) -> UserRecord:
        """Raises NotFound for an unknown address."""
        return await accounts.user_by_email(self._readers, email)

    async def create_user(
        self,
        user_id: str,
        email: str,
        role: Role,
        password_hash: str | None,
        starting_balance: int,
        at: float,
        entry: AuditEntry | None = None,
    ) -> None:
        """Raises Conflict if the address is taken."""
        await self._writer.run(
            lambda tx: accounts.create_user(
                tx, user_id, email, role, password_hash, starting_balance, at, entry
            )
        )

    async def register(self, wish: Registration, by: Actor, at: float) -> None:
        """Raises AccountExists or NotAdmitted."""
        await self._writer.run(lambda tx: registration.register(tx, wish, by, at))

    async def make_first_admin(
        self, user_id: str, email: str, password_hash: str, starting_balance: int, at: float
    ) -> bool:
        """Whether there is an administrator now."""
        return await self._writer.run(
            lambda tx: registration.first_administrator(
                tx, user_id, email, password_hash, starting_balance, at
            )
        )

    async def disable_user(self, email: str, at: float, entry: AuditEntry | None = None) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: accounts.disable_user(tx, email, at, entry))

    async def enable_user(self, email: str, entry: AuditEntry) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: accounts.enable_user(tx, email, entry))

    # --- passwords -------------------------------------------------------------------------------

    async def password_by_email(self, email: str, typed: str = "") -> PasswordRecord | None:
        """Of whoever has the address *email*, first whoever has it letter by letter as *typed*."""
        return await passwords.by_email(self._readers, email, typed)

    async def password_of(self, user_id: str) -> PasswordRecord | None:
        return await passwords.by_id(self._readers, user_id)

    async def set_password(self, email: str, password_hash: str, entry: AuditEntry | None = None) -> None:
        """Ends the person's sessions and links. Raises NotFound."""
        await self._writer.run(lambda tx: passwords.put(tx, email, password_hash, entry))

    async def replace_password(
        self, record: PasswordRecord, after: str, at: float, entry: AuditEntry, renewal: Renewal | None
    ) -> bool:
        """Ends the person's links and other sessions; False if the password is not the one of *record* any more, or
        the session to renew has ended."""
        return await self._writer.run(
            lambda tx: passwords.replace(tx, record.user_id, record.stored, after, at, entry, renewal)
        )

    async def rehash_password(self, user_id: str, before: str, after: str) -> None:
        await self._writer.run(lambda tx: passwords.rehash(tx, user_id, before, after))

    async def reset_password(self, token_hash: str, password_hash: str, at: float, by: Actor) -> str | None:
        """Whose password it is that the link has set; None if the link is no good. Ends sessions and links."""
        return await self._writer.run(lambda tx: passwords.reset(tx, token_hash, password_hash, at, by))

    # --- sessions and links ----------------------------------------------------------------------

    async def create_session(
        self,
        token_hash: str,
        session: SessionRecord,
        entry: AuditEntry | None = None,
        proven: str | None = None,
    ) -> bool:
        """False for somebody who is disabled, or whose password has another hash than *proven*."""
        return await self._writer.run(lambda tx: sessions.create(tx, token_hash, session, entry, proven))

    async def end_session(self, token_hash: str, entry: AuditEntry | None = None) -> str | None:
        """The id of whose it was, None if it had ended."""
        return await self._writer.run(lambda tx: sessions.end(tx, token_hash, entry))

    async def end_own_session(self, session_id: str, user_id: str, entry: AuditEntry) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: sessions.end_one(tx, session_id, user_id, entry))

    async def end_sessions(self, user_id: str, entry: AuditEntry, but: str = "") -> None:
        """All that the person has, except the one with the token hash *but*."""
        await self._writer.run(lambda tx: sessions.end_all(tx, user_id, but=but, entry=entry))

    async def touch_session(self, token_hash: str, at: float) -> None:
        await self._writer.run(lambda tx: sessions.touch(tx, token_hash, at))

    async def by_session(self, token_hash: str, now: float, idle: float) -> tuple[Principal, float] | None:
        """Whose session it is, and when it was last seen."""
        return await sessions.principal(self._readers, token_hash, now, idle)

    async def sessions(self, user_id: str, now: float, idle: float) -> list[tuple[str, SessionRecord]]:
        """A person's sessions, newest first, each with its token's hash."""
        return await sessions.of_person(self._readers, user_id, now, idle)

    async def create_link(self, token_hash: str, link: LinkRecord, entry: AuditEntry | None = None) -> None:
        await self._writer.run(lambda tx: links.create(tx, token_hash, link, entry))

    async def is_invitation(self, token_hash: str, now: float) -> bool:
        return await links.is_invitation(self._readers, token_hash, now)

    async def reset_address(self, token_hash: str, now: float) -> str | None:
        """The address of the person whose password the link sets; None if it is no good."""
        return await links.reset_address(self._readers, token_hash, now)

    async def redeem_login(
        self, token_hash: str, starting_balance: int, session: SessionRecord, session_hash: str, by: Actor
    ) -> bool:
        """Whether the link was good, and there is a session now."""
        return await self._writer.run(
            lambda tx: links.redeem_login(tx, token_hash, starting_balance, session, session_hash, by)
        )

    # --- API keys --------------------------------------------------------------------------------

    async def by_key(self, key_hash: str, now: float) -> tuple[Principal, float | None] | None:
        """Whose key it is, and when it was last marked as used."""
        return await accounts.principal_by_key(self._readers, key_hash, now)

    async def by_key_id(self, key_id: str, now: float) -> Principal | None:
        return await accounts.principal_by_key_id(self._readers, key_id, now)

    async def create_key(self, key: KeyRecord, key_hash: str, entry: AuditEntry | None = None) -> None:
        await self._writer.run(lambda tx: accounts.create_key(tx, key, key_hash, entry))

    async def revoke_key(
        self, key_id: str, user_id: str | None, at: float, entry: AuditEntry | None = None
    ) -> str:
        """The id of whose key it was. Raises NotFound."""
        return await self._writer.run(lambda tx: accounts.revoke_key(tx, key_id, user_id, at, entry))

    async def touch_key(self, key_id: str, at: float) -> None:
        await self._writer.run(lambda tx: accounts.touch_key(tx, key_id, at))

    async def keys(self, user_id: str | None) -> list[KeyRecord]:
        """Those that are not revoked, newest first."""
        return await accounts.keys(self._readers, user_id)

    # --- identities at providers -----------------------------------------------------------------

    async def identity_owner(self, issuer: str, subject: str) -> Owner | None:
        """Whose identity it is."""
        return await identities.owner(self._readers, issuer, subject)

    async def admit(self, identity: IdentityRecord, admission: Admission, entry: AuditEntry) -> str:
        """Whose identity it is now. Raises AccountExists or NotAdmitted."""
        return await self._writer.run(lambda tx: identities.admit(tx, identity, admission, entry))

    async def link_identity(self, identity: IdentityRecord, entry: AuditEntry) -> None:
        """Raises IdentityTaken."""
        await self._writer.run(lambda tx: identities.link(tx, identity, entry))

    async def unlink_identity(self, identity_id: str, user_id: str, entry: AuditEntry) -> None:
        """Raises NotFound or LastSignIn."""
        await self._writer.run(lambda tx: identities.unlink(tx, identity_id, user_id, entry))

    async def identities(self, user_id: str) -> list[IdentityRecord]:
        """A person's, oldest first."""
        return await identities.of_person(self._readers, user_id)
