"""Who presents a token, and how tokens come and go."""

from __future__ import annotations

import asyncio
import logging

from sora_gateway.accounts.tokens import digest, is_api_key, new_api_key
from sora_gateway.clock import Clock
from sora_gateway.core.principal import Principal
from sora_gateway.entropy import Entropy
from sora_gateway.errors import GatewayError, InvalidRequest, NotAuthenticated
from sora_gateway.store import Store
from sora_gateway.store.accounts import KeyRecord

log = logging.getLogger(__name__)

SESSION_LIFETIME = 30 * 86400.0
LINK_LIFETIME = 3600.0
TOUCH_INTERVAL = 60.0
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
        found = await self._store.principal_by_key(digest(token))
        if found is None:
            return None
        principal, last_used_at = found
        self._touch(principal.credential, last_used_at)
        return principal

    async def by_session(self, token: str) -> Principal | None:
        """Whose session this is; None if it has ended, or the person is disabled."""
        return await self._store.principal_by_session(digest(token), self._clock.now())

    async def renewed(self, principal: Principal) -> Principal | None:
        """The same principal with today's role; None once the credential is revoked, expired or disabled."""
        if principal.via == "session":
            return await self._store.principal_by_session(principal.credential, self._clock.now())
        return await self._store.principal_by_key_id(principal.credential)

    def _touch(self, key_id: str, last_used_at: float | None) -> None:
        """Notes the use of a key, at most once a minute and never in the way of the request."""
        now = self._clock.now()
        # The second look is for the time until the note is stored, or if the disk is full and it never is.
        if now - max(last_used_at or 0.0, self._touched.get(key_id, 0.0)) < TOUCH_INTERVAL:
            return
        self._touched[key_id] = now
        task = asyncio.create_task(self._note_use(key_id, now), name=f"note the use of {key_id}")
        self._touches.add(task)
        task.add_done_callback(self._touches.discard)

    async def _note_use(self, key_id: str, at: float) -> None:
        try:
            await self._store.touch_key(key_id, at)
        except GatewayError as error:
            log.warning("the use of %s could not be noted: %s", key_id, error.message)

    # --- sessions --------------------------------------------------------------------------------

    async def new_login_link(self, email: str | None) -> str:
        """The token of a one-time link that signs *email* in within an hour; None makes the first administrator.

        Raises:
            NotFound: nobody has the address.
        """
        token = self._entropy.token()
        await self._store.create_link(digest(token), email, self._clock.now() + LINK_LIFETIME)
        return token

    async def redeem(self, token: str) -> tuple[Principal, str]:
        """Uses a one-time link up: who is signed in by it, and the token of their new session.

        Raises:
            NotAuthenticated: the link was used, has expired, or never was one.
        """
        now = self._clock.now()
        user_id = await self._store.redeem_link(
            digest(token), self._entropy.new_id("user"), self._starting_balance, now
        )
        if user_id is None:
            raise NotAuthenticated("This sign-in link was used already or has expired; ask for a new one.")
        session = self._entropy.token()
        await self._store.create_session(digest(session), user_id, now, now + SESSION_LIFETIME)
        principal = await self.by_session(session)
        if principal is None:  # disabled between the two
            raise NotAuthenticated("This account is disabled.")
        return principal, session

    async def logout(self, principal: Principal) -> None:
        """Ends the session that *principal* came by; an API key has none and stays."""
        if principal.via == "session":
            await self._store.end_session(principal.credential)

    # --- API keys --------------------------------------------------------------------------------

    async def create_key(self, user_id: str, name: str) -> tuple[str, KeyRecord]:
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
        )
        await self._store.create_key(record, digest(key.text))
        return key.text, record

    async def keys(self, user_id: str) -> list[KeyRecord]:
        """A person's keys that are in use, newest first."""
        return await self._store.keys(user_id)

    async def revoke_key(self, user_id: str, key_id: str) -> None:
        """Raises NotFound unless the key is in use and belongs to the person."""
        await self._store.revoke_key(key_id, user_id, self._clock.now())
