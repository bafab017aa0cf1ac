"""Who presents a token, and how tokens come and go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from sora_gateway.accounts.address import is_address, normal_address
from sora_gateway.accounts.tokens import digest, is_api_key, is_mistyped, new_api_key
from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import FOR_PROGRAMS, Principal, Role, Scope
from sora_gateway.core.reference import has_controls
from sora_gateway.entropy import Entropy
from sora_gateway.errors import AccountDisabled, GatewayError, InvalidRequest, NotAuthenticated
from sora_gateway.store import Store, audit
from sora_gateway.store.accounts import KeyRecord
from sora_gateway.store.links import Kind, LinkRecord
from sora_gateway.store.sessions import SessionRecord

log = logging.getLogger(__name__)

SESSION_LIFETIME = 30 * 86400.0
SESSION_IDLE = 7 * 86400.0
"""Seconds without a request after which a session has ended."""
LINK_LIFETIME = 3600.0
RESET_LIFETIME = 86400.0
INVITATION_LIFETIME = 7 * 86400.0
TOUCH_INTERVAL = 60.0
SESSION_TOUCH_INTERVAL = 3600.0
MAX_KEY_NAME = 100
MAX_USER_AGENT = 256
NOBODY_YET = Actor("")
"""Who redeems a link, until it is known; its address and request id go along."""


class Authenticator:
    """Sessions, API keys and one-time links. Only hashes are looked up and stored, by an index: the time an
    answer takes says nothing about how near a guess was."""

    def __init__(
        self, store: Store, clock: Clock, entropy: Entropy, starting_balance: Callable[[], int] = lambda: 0
    ) -> None:
        """*starting_balance* says how many credits the first administrator has, who is made by a link."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._starting_balance = starting_balance
        self.revoked: Callable[[str], None] = lambda _user_id: None
        """Called with a person's id after the commit of whatever takes rights from them or their credentials: open
        connections have to be looked at again."""
        self._touched: dict[str, float] = {}
        self._touches: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Waits for what is still being written."""
        if self._touches:
            await asyncio.wait(self._touches)

    # --- who is it -------------------------------------------------------------------------------

    async def by_bearer(self, token: str) -> Principal | None:
        """Whose API key or session token this is; None if it is nobody's (any more)."""
        if not is_api_key(token):
            return await self.by_session(token)
        if is_mistyped(token):
            return None
        found = await self._store.people.by_key(digest(token), self._clock.now())
        if found is None:
            return None
        principal, last_used_at = found
        self._touch(principal, last_used_at or 0.0, TOUCH_INTERVAL)
        return principal

    async def by_session(self, token: str) -> Principal | None:
        """Whose session this is; None if it has ended, or the person is disabled."""
        found = await self._store.people.by_session(digest(token), self._clock.now(), SESSION_IDLE)
        if found is None:
            return None
        principal, seen_at = found
        self._touch(principal, seen_at, SESSION_TOUCH_INTERVAL)
        return principal

    async def renewed(self, principal: Principal) -> Principal | None:
        """The same principal with today's role; None once the credential is revoked, expired or disabled."""
        now = self._clock.now()
        if principal.via == "session":
            found = await self._store.people.by_session(principal.credential, now, SESSION_IDLE)
            return found[0] if found else None
        return await self._store.people.by_key_id(principal.credential, now)

    def _touch(self, principal: Principal, last: float, interval: float) -> None:
        """Notes the use of a credential, at most once in *interval* and never in the way of the request."""
        now = self._clock.now()
        # The second look is for the time until the note is stored, or if the disk is full and it never is.
        if now - max(last, self._touched.get(principal.credential, 0.0)) < interval:
            return
        self._touched[principal.credential] = now
        task = asyncio.create_task(self._note_use(principal, now), name="note the use of a credential")
        self._touches.add(task)
        task.add_done_callback(self._touches.discard)

    async def _note_use(self, principal: Principal, at: float) -> None:
        people = self._store.people
        touch = people.touch_session if principal.via == "session" else people.touch_key
        try:
            await touch(principal.credential, at)
        except GatewayError as error:
            log.warning(
                "the use of a %s of %s could not be noted: %s",
                principal.via,
                principal.user_id,
                error.message,
            )

    # --- one-time links --------------------------------------------------------------------------

    async def new_login_link(self, email: str | None, by: Actor | None = None) -> str:
        """The token of a one-time link that signs *email* in within an hour; None makes the first administrator.

        Raises:
            NotFound: nobody has the address.
        """
        user_id = None if email is None else (await self._store.people.by_email(email)).id
        token, _ = await self._new_link("admin" if user_id is None else "login", LINK_LIFETIME, by, user_id)
        return token

    async def new_reset_link(self, email: str, by: Actor) -> str:
        """The token of a one-time link by which *email* sets a new password within a day.

        Raises:
            NotFound: nobody has the address.
        """
        user_id = (await self._store.people.by_email(email)).id
        token, _ = await self._new_link("reset", RESET_LIFETIME, by, user_id)
        return token

    async def new_invitation(
        self, email: str | None, role: Role, by: Actor, lifetime: float = INVITATION_LIFETIME
    ) -> tuple[str, LinkRecord]:
        """The token of an invitation, and what is kept of it: for one address, or with None for whoever has it.

        Raises:
            InvalidRequest: *email* is no address.
        """
        if email is not None:
            email = checked_address(email)
        return await self._new_link("invite", lifetime, by, None, email, role)

    async def _new_link(
        self,
        kind: Kind,
        lifetime: float,
        by: Actor | None,
        user_id: str | None,
        email: str | None = None,
        role: Role | None = None,
    ) -> tuple[str, LinkRecord]:
        token, now = self._entropy.token(), self._clock.now()
        link = LinkRecord(
            id=self._entropy.new_id("link"),
            kind=kind,
            created_by="command line" if by is None else by.name,
            created_at=now,
            expires_at=now + lifetime,
            user_id=user_id,
            email=email,
            role=role,
        )
        detail = f"{role} for {email or 'anybody'}" if kind == "invite" else ""
        entry = None if by is None else audit.entry(by, now, f"link.{kind}", user_id or link.id, detail)
        await self._store.people.create_link(digest(token), link, entry)
        return token, link

    async def redeem(self, token: str, by: Actor = NOBODY_YET, user_agent: str = "") -> tuple[Principal, str]:
        """Uses a one-time link up: who is signed in by it, and the token of their new session.

        Raises:
            NotAuthenticated: the link was used, has expired, or never was one.
        """
        # The first administrator's link makes somebody; with any other the id is nobody's.
        session, session_token = self._session(self._entropy.new_id("user"), SESSION_LIFETIME, by, user_agent)
        if not await self._store.people.redeem_login(
            digest(token), self._starting_balance(), session, digest(session_token), by
        ):
            raise NotAuthenticated("This sign-in link was used already or has expired; ask for a new one.")
        principal = await self.by_session(session_token)
        if principal is None:  # disabled, or another password, between the two
            raise NotAuthenticated("The session has ended already; ask for a new link.")
        return principal, session_token

    # --- sessions --------------------------------------------------------------------------------

    async def new_session(
        self,
        user_id: str,
        lifetime: float = SESSION_LIFETIME,
        *,
        by: Actor = NOBODY_YET,
        user_agent: str = "",
        how: str = "",
        proven: str | None = None,
    ) -> str:
        """The token of a new session for somebody who has just proved who they are; it ends after *lifetime* seconds.

        *by* has the address that they came from, *how* says by what they did, for the audit log, which has it only
        then. *proven* is the hash that their password was found to match.

        Raises:
            AccountDisabled: they are disabled, or their password was replaced meanwhile.
        """
        session, token = self._session(user_id, lifetime, by, user_agent)
        actor = replace(by, name=user_id)
        entry = audit.entry(actor, session.created_at, "session.create", session.id, how) if how else None
        if not await self._store.people.create_session(digest(token), session, entry, proven):
            raise AccountDisabled("This account is disabled, or its password was changed at this moment.")
        return token

    def _session(
        self, user_id: str, lifetime: float, by: Actor, user_agent: str
    ) -> tuple[SessionRecord, str]:
        """A session that begins now, and its token; nothing is stored."""
        now = self._clock.now()
        session = SessionRecord(
            self._entropy.new_id("session"), user_id, now, now, now, now + lifetime,
            by.address, user_agent[:MAX_USER_AGENT],
        )  # fmt: skip
        return session, self._entropy.token()

    async def sessions(self, principal: Principal) -> list[tuple[SessionRecord, bool]]:
        """The person's, newest first, and whether *principal* came by it."""
        found = await self._store.people.sessions(principal.user_id, self._clock.now(), SESSION_IDLE)
        return [(record, token_hash == principal.credential) for token_hash, record in found]

    async def logout(self, principal: Principal, by: Actor) -> None:
        """Ends the session that *principal* came by; an API key has none and stays."""
        if principal.via == "session":
            entry = audit.entry(by, self._clock.now(), "session.end", principal.user_id, "signed out")
            await self._store.people.end_session(principal.credential, entry)
            self.revoked(principal.user_id)

    async def end_session(self, token: str) -> None:
        """Ends the session of that token, if there is one: a browser that signs in anew leaves none behind."""
        user_id = await self._store.people.end_session(digest(token))
        if user_id is not None:
            self.revoked(user_id)

    async def end_own_session(self, principal: Principal, session_id: str, by: Actor) -> None:
        """Raises NotFound unless the session is there and the person's."""
        entry = audit.entry(by, self._clock.now(), "session.end", session_id)
        await self._store.people.end_own_session(session_id, principal.user_id, entry)
        self.revoked(principal.user_id)

    async def logout_everywhere(self, principal: Principal, by: Actor) -> None:
        """Ends every session of the person, that of *principal* too; API keys stay."""
        entry = audit.entry(by, self._clock.now(), "session.end_all", principal.user_id)
        await self._store.people.end_sessions(principal.user_id, entry)
        self.revoked(principal.user_id)

    async def end_other_sessions(self, principal: Principal, by: Actor) -> None:
        """Ends every session of the person but that of *principal*; for a key, all of them."""
        kept = principal.credential if principal.via == "session" else ""
        entry = audit.entry(by, self._clock.now(), "session.end_all", principal.user_id, "all but their own")
        await self._store.people.end_sessions(principal.user_id, entry, but=kept)
        self.revoked(principal.user_id)

    # --- API keys --------------------------------------------------------------------------------

    async def create_key(
        self,
        user_id: str,
        name: str,
        scopes: frozenset[Scope] = FOR_PROGRAMS,
        expires_at: float | None = None,
        by: Actor | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new key for a person: its text, which is not kept and cannot be had again, and its record.

        Raises:
            InvalidRequest: *name* is empty, longer than 100 characters or steers what shows it, there is no scope, or *expires_at* is over.
        """
        name = name.strip()
        if not 1 <= len(name) <= MAX_KEY_NAME:
            raise InvalidRequest(f"The name of a key has 1 to {MAX_KEY_NAME} characters.", param="name")
        if has_controls(name):
            raise InvalidRequest("The name of a key has no control characters.", param="name")
        now = self._clock.now()
        if not scopes:
            raise InvalidRequest("A key needs at least one scope.", param="scopes")
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest("The key would have expired already.", param="expiresAt")
        key = new_api_key(self._entropy)
        record = KeyRecord(
            id=self._entropy.new_id("key"),
            user_id=user_id,
            name=name,
            prefix=key.prefix,
            created_at=now,
            last_used_at=None,
            revoked_at=None,
            scopes=scopes,
            expires_at=expires_at,
        )
        detail = f"{name}: {' '.join(sorted(scopes))}"
        entry = None if by is None else audit.entry(by, now, "key.create", record.id, detail)
        await self._store.people.create_key(record, digest(key.text), entry)
        return key.text, record

    async def keys(self, user_id: str) -> list[KeyRecord]:
        """A person's keys that are in use, newest first."""
        return await self._store.people.keys(user_id)

    async def revoke_key(self, user_id: str | None, key_id: str, by: Actor | None = None) -> None:
        """Raises NotFound unless the key is in use and, with *user_id*, belongs to the person."""
        now = self._clock.now()
        entry = None if by is None else audit.entry(by, now, "key.revoke", key_id)
        self.revoked(await self._store.people.revoke_key(key_id, user_id, now, entry))


def checked_address(email: str) -> str:
    """*email* as it is stored. Raises InvalidRequest if it is no address."""
    address = normal_address(email)
    if not is_address(address):
        raise InvalidRequest(f"{email[:100]!r} is not an e-mail address.", param="email")
    return address
