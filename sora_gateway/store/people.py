"""People as everybody else sees the store's part of them: ``store.people``."""

from __future__ import annotations

from sora_gateway.core.principal import Principal, Role
from sora_gateway.store import accounts, identities, links, sessions
from sora_gateway.store.accounts import KeyRecord, UserRecord
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.identities import Admission, IdentityRecord, Owner
from sora_gateway.store.links import LinkRecord
from sora_gateway.store.readers import Readers
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
    ) -> None:
        """Raises Conflict if the address is taken."""
        await self._writer.run(
            lambda tx: accounts.create_user(tx, user_id, email, role, password_hash, starting_balance, at)
        )

    async def set_password(self, email: str, password_hash: str) -> None:
        """Ends the person's sessions. Raises NotFound."""
        await self._writer.run(lambda tx: accounts.set_password(tx, email, password_hash))

    async def disable_user(self, email: str, at: float) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: accounts.disable_user(tx, email, at))

    # --- sessions and links ----------------------------------------------------------------------

    async def create_session(self, token_hash: str, session: SessionRecord) -> None:
        await self._writer.run(lambda tx: sessions.create(tx, token_hash, session))

    async def end_session(self, token_hash: str) -> None:
        await self._writer.run(lambda tx: sessions.end(tx, token_hash))

    async def touch_session(self, token_hash: str, at: float) -> None:
        await self._writer.run(lambda tx: sessions.touch(tx, token_hash, at))

    async def by_session(self, token_hash: str, now: float, idle: float) -> tuple[Principal, float] | None:
        """Whose session it is, and when it was last seen."""
        return await sessions.principal(self._readers, token_hash, now, idle)

    async def create_link(self, token_hash: str, link: LinkRecord) -> None:
        await self._writer.run(lambda tx: links.create(tx, token_hash, link))

    async def redeem_login(
        self, token_hash: str, new_user_id: str, starting_balance: int, at: float
    ) -> str | None:
        """The id of the person that the link signs in, or None."""
        return await self._writer.run(
            lambda tx: links.redeem_login(tx, token_hash, new_user_id, starting_balance, at)
        )

    # --- API keys --------------------------------------------------------------------------------

    async def by_key(self, key_hash: str, now: float) -> tuple[Principal, float | None] | None:
        """Whose key it is, and when it was last marked as used."""
        return await accounts.principal_by_key(self._readers, key_hash, now)

    async def by_key_id(self, key_id: str, now: float) -> Principal | None:
        return await accounts.principal_by_key_id(self._readers, key_id, now)

    async def create_key(self, key: KeyRecord, key_hash: str) -> None:
        await self._writer.run(lambda tx: accounts.create_key(tx, key, key_hash))

    async def revoke_key(self, key_id: str, user_id: str | None, at: float) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: accounts.revoke_key(tx, key_id, user_id, at))

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
