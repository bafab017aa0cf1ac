"""Who presents a token, and how tokens come and go."""

from __future__ import annotations

import asyncio
import logging

from sora_gateway.accounts.tokens import digest, is_api_key, new_api_key
from sora_gateway.clock import Clock
from sora_gateway.core.principal import FOR_PROGRAMS, Principal, Scope
from sora_gateway.entropy import Entropy
from sora_gateway.errors import GatewayError, InvalidRequest, NotAuthenticated
from sora_gateway.store import Store
from sora_gateway.store.accounts import KeyRecord
from sora_gateway.store.links import LinkRecord
from sora_gateway.store.sessions import SessionRecord

log = logging.getLogger(__name__)

SESSION_LIFETIME = 30 * 86400.0
SESSION_IDLE = 7 * 86400.0
"""Seconds without a request after which a session has ended."""
LINK_LIFETIME = 3600.0
TOUCH_INTERVAL = 60.0
SESSION_TOUCH_INTERVAL = 3600.0
MAX_KEY_NAME = 100


class Authenticator:
    """Sessions, API keys and one-time links. Only hashes are looked up and stored, by an index: the time an
    answer takes says nothing about how near a guess was."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy, starting_balance: int = 0) -> None:
        """*starting_balance* are the credits of the first administrator, who is made by a link."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._starting_balance = starting_balance
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

    # --- sessions --------------------------------------------------------------------------------

    async def new_login_link(self, email: str | None) -> str:
        """The token of a one-time link that signs *email* in within an hour; None makes the first administrator.

        Raises:
            NotFound: nobody has the address.
        """
        token = self._entropy.token()
        now = self._clock.now()
        user_id = None if email is None else (await self._store.people.by_email(email)).id
        link = LinkRecord(
            id=self._entropy.new_id("link"),
            kind="admin" if user_id is None else "login",
            created_by="command line",
            created_at=now,
            expires_at=now + LINK_LIFETIME,
            user_id=user_id,
        )
        await self._store.people.create_link(digest(token), link)
        return token

    async def redeem(self, token: str) -> tuple[Principal, str]:
        """Uses a one-time link up: who is signed in by it, and the token of their new session.

        Raises:
            NotAuthenticated: the link was used, has expired, or never was one.
        """
        now = self._clock.now()
        user_id = await self._store.people.redeem_login(
            digest(token), self._entropy.new_id("user"), self._starting_balance, now
        )
        if user_id is None:
            raise NotAuthenticated("This sign-in link was used already or has expired; ask for a new one.")
        session = await self.new_session(user_id)
        principal = await self.by_session(session)
        if principal is None:  # disabled between the two
            raise NotAuthenticated("This account is disabled.")
        return principal, session

    async def new_session(self, user_id: str, lifetime: float = SESSION_LIFETIME) -> str:
        """The token of a new session for somebody who has just proved who they are; it ends after *lifetime* seconds."""
        token, now = self._entropy.token(), self._clock.now()
        session = SessionRecord(self._entropy.new_id("session"), user_id, now, now, now, now + lifetime)
        await self._store.people.create_session(digest(token), session)
        return token

    async def logout(self, principal: Principal) -> None:
        """Ends the session that *principal* came by; an API key has none and stays."""
        if principal.via == "session":
            await self._store.people.end_session(principal.credential)

    # --- API keys --------------------------------------------------------------------------------

    async def create_key(
        self,
        user_id: str,
        name: str,
        scopes: frozenset[Scope] = FOR_PROGRAMS,
        expires_at: float | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new key for a person: its text, which is not kept and cannot be had again, and its record.

        Raises:
            InvalidRequest: *name* is empty or longer than 100 characters.
        """
        name = name.strip()
        if not 1 <= len(name) <= MAX_KEY_NAME:
            raise InvalidRequest(f"The name of a key has 1 to {MAX_KEY_NAME} characters.", param="name")
        key = new_api_key(self._entropy)
        record = KeyRecord(
            id=self._entropy.new_id("key"),
            user_id=user_id,
            name=name,
            prefix=key.prefix,
            created_at=self._clock.now(),
            last_used_at=None,
            revoked_at=None,
            scopes=scopes,
            expires_at=expires_at,
        )
        await self._store.people.create_key(record, digest(key.text))
        return key.text, record

    async def keys(self, user_id: str) -> list[KeyRecord]:
        """A person's keys that are in use, newest first."""
        return await self._store.people.keys(user_id)

    async def revoke_key(self, user_id: str, key_id: str) -> None:
        """Raises NotFound unless the key is in use and belongs to the person."""
        await self._store.people.revoke_key(key_id, user_id, self._clock.now())
