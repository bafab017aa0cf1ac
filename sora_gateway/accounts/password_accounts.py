"""People who sign in with an address and a password: registering, signing in, a new password, a forgotten one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from sora_gateway.accounts.address import normal_address
from sora_gateway.accounts.attempts import Attempts
from sora_gateway.accounts.authenticator import Authenticator, checked_address
from sora_gateway.accounts.passwords import Passwords
from sora_gateway.accounts.tokens import digest
from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import FRESH, Principal, Role
from sora_gateway.entropy import Entropy
from sora_gateway.errors import (
    AccountDisabled,
    Conflict,
    FreshLoginNeeded,
    GatewayError,
    InvalidRequest,
    NotAdmitted,
    NotAuthenticated,
    NotFound,
    StartupError,
    WrongPassword,
)
from sora_gateway.store import Store, audit
from sora_gateway.store.passwords import PasswordRecord, Renewal
from sora_gateway.store.registration import Registration

log = logging.getLogger(__name__)

Mode = Literal["closed", "invite", "open"]
REFUSED = "The address or the password is not right."
"""The whole answer, whether or not there is such an account."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Where somebody comes from. *by* has no name yet unless they are signed in."""

    by: Actor
    user_agent: str = ""


class PasswordAccounts:
    """Whatever a stranger can ask for is counted by their address first, and hashes passwords at most once."""

    def __init__(
        self,
        store: Store,
        authenticator: Authenticator,
        passwords: Passwords,
        attempts: Attempts,
        clock: Clock,
        entropy: Entropy,
        registration: Callable[[], Mode],
        starting_balance: Callable[[], int],
    ) -> None:
        """*registration* says who may register at this moment, *starting_balance* what new people begin with."""
        self._store = store
        self._people = store.people
        self._authenticator = authenticator
        self._passwords = passwords
        self._attempts = attempts
        self._clock = clock
        self._entropy = entropy
        self._registration = registration
        self._starting_balance = starting_balance
        self._notes: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Waits for what is still being written."""
        if self._notes:
            await asyncio.wait(self._notes)

    @property
    def registration(self) -> Mode:
        """Who may make an account at this moment."""
        return self._registration()

    def count(self, visit: Visit) -> None:
        """Counts an attempt of a stranger by something else than a password, such as a link. Raises TooManyRequests."""
        self._attempts.take(visit.by.address)

    async def sign_in(self, email: str, password: str, visit: Visit) -> str:
        """The token of a new session.

        Somebody who does not exist, or has no password, costs the same work and gets the same answer as a wrong
        password.

        Raises:
            NotAuthenticated: the address or the password is wrong.
            AccountDisabled: both are right, and the person is disabled.
            TooManyRequests: too many attempts from there, or wrong ones at that account, whether or not this one is.
            Unavailable: too many others are signing in.
        """
        self.count(visit)
        address = normal_address(email)
        record = await self._people.password_by_email(address, email.strip())
        await self._prove(record, address, password, visit, NotAuthenticated(REFUSED))
        assert record is not None
        assert record.stored is not None
        if record.disabled:
            raise AccountDisabled("This account is disabled; ask an administrator.")
        proven = await self._rehashed(record, record.stored, password)
        return await self._authenticator.new_session(
            record.user_id, by=visit.by, user_agent=visit.user_agent, how="password", proven=proven
        )

    async def _prove(
        self, record: PasswordRecord | None, address: str, password: str, visit: Visit, refusal: GatewayError
    ) -> None:
        """Returns if *password* is the person's; raises TooManyRequests or *refusal*."""
        stored = record.stored if record is not None else None
        async with self._attempts.at(address) as attempt:
            attempt.right = await self._passwords.verify(password, stored)
            if attempt.right:
                return
            whose = record.user_id if record is not None else "nobody"
            log.info(
                "a wrong password for %s came from %s, %d in a row",
                whose, visit.by.address, attempt.failures + 1,
            )  # fmt: skip
            if attempt.locks and record is not None:
                self._note_lock(record.user_id, visit.by)
        raise refusal

    def _note_lock(self, user_id: str, by: Actor) -> None:
        """In the audit log, and not in the way of the answer: how long that takes must not tell who exists."""
        task = asyncio.create_task(self._write_lock(user_id, by), name="note that an account is locked")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_lock(self, user_id: str, by: Actor) -> None:
        entry = audit.entry(
            replace(by, name="somebody"),
            self._clock.now(),
            "user.lock",
            user_id,
            "six wrong passwords in a row",
        )
        try:
            await self._store.audit(entry)
        except GatewayError as error:
            log.warning("the lock of %s could not be noted: %s", user_id, error.message)

    async def _rehashed(self, record: PasswordRecord, stored: str, password: str) -> str:
        """The hash that is stored now: a new one, if the old one was made with other parameters than today's."""
        renewed = await self._passwords.renewed(password, stored)
        if renewed is None:
            return stored
        await self._people.rehash_password(record.user_id, stored, renewed)
        return renewed

    # --- accounts --------------------------------------------------------------------------------

    async def register(self, email: str, password: str, invitation: str | None, visit: Visit) -> None:
        """Makes an account; whoever has it signs in then. Without an invitation nothing says whether there was one
        with that address already, and then nothing is done.

        Raises:
            NotFound: nobody registers here.
            NotAdmitted: an invitation is needed, or this one is no good.
            AccountExists: whoever was invited has an account already.
            InvalidRequest: no address or one of this machine, or a bad password.
            TooManyRequests, Unavailable: as for :meth:`sign_in`.
        """
        mode = self.registration
        if mode == "closed":
            raise NotFound("There is nothing at this address.")
        self.count(visit)
        address = checked_address(email)
        if address.endswith("@localhost"):
            # The first administrator's and the command line's own: whoever had them first would be them.
            raise InvalidRequest("Addresses of this machine are its operator's; take another.", param="email")
        if invitation is not None:
            # Looked for before the work of a hash; used up only with the account.
            if not await self._people.is_invitation(digest(invitation), self._clock.now()):
                raise NotAdmitted("The invitation was used already or has expired; ask for a new one.")
        elif mode == "invite":
            raise NotAdmitted("An account needs an invitation here; ask an administrator for one.")
        wish = Registration(
            self._entropy.new_id("user"),
            address,
            await self._passwords.hash(password, address),
            None if invitation is None else digest(invitation),
            self._starting_balance(),
        )
        await self._people.register(wish, visit.by, self._clock.now())

    async def reset(self, token: str, password: str, visit: Visit) -> None:
        """Sets the password of the person for whom the link was made, and ends all their sessions and links.

        Raises:
            NotAuthenticated: the link was used, has expired, or never was one.
            InvalidRequest: a bad password; the link stays good.
            TooManyRequests, Unavailable: as for :meth:`sign_in`.
        """
        self.count(visit)
        no_good = NotAuthenticated("This link was used already or has expired; ask for a new one.")
        email = await self._people.reset_address(digest(token), self._clock.now())
        if email is None:
            raise no_good
        hashed = await self._passwords.hash(password, email)
        user_id = await self._people.reset_password(digest(token), hashed, self._clock.now(), visit.by)
        if user_id is None:
            raise no_good
        self._attempts.forgive(normal_address(email))
        self._authenticator.revoked(user_id)

    async def has_password(self, principal: Principal) -> bool:
        record = await self._people.password_of(principal.user_id)
        return record is not None and record.stored is not None

    async def change(self, principal: Principal, current: str | None, new: str, visit: Visit) -> str | None:
        """Sets a new password, ends all other sessions and pending links, and gives this session a new token, which is
        returned; None for an API key.

        Raises:
            WrongPassword: *current* is not the password.
            FreshLoginNeeded: there is none yet, and the sign-in is too long ago to set the first one.
            InvalidRequest: *current* is missing, or *new* is a bad password.
            Conflict: it was changed at the same moment, or the session was ended.
            TooManyRequests, Unavailable: as for :meth:`sign_in`.
        """
        self.count(visit)
        record = await self._people.password_of(principal.user_id)
        if record is None:
            raise NotAuthenticated("Sign in again.")
        if record.stored is None:
            self._check_fresh(principal)
        elif current is None:
            raise InvalidRequest("Say the password that you have now, too.", param="current")
        else:
            wrong = WrongPassword("The password that you have now is another one.")
            await self._prove(record, normal_address(record.email), current, visit, wrong)
        try:
            hashed = await self._passwords.hash(new, record.email)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, param="new") from None
        now, token, renewal = self._clock.now(), None, None
        if principal.via == "session":
            token = self._entropy.token()
            renewal = Renewal(principal.credential, digest(token), self._entropy.new_id("session"))
        entry = audit.entry(visit.by, now, "user.set_password", principal.user_id)
        if not await self._people.replace_password(record, hashed, now, entry, renewal):
            raise Conflict(
                "The password was changed, or this session ended, at the same moment; look whether that was you."
            )
        self._authenticator.revoked(principal.user_id)
        return token

    def _check_fresh(self, principal: Principal) -> None:
        if principal.via != "session" or self._clock.now() - principal.authenticated_at > FRESH:
            raise FreshLoginNeeded(
                "Sign in again first: a first password is set within a quarter of an hour after a sign-in."
            )

    async def add(self, email: str, role: Role, password: str | None, by: Actor) -> str:
        """The id of somebody whom an administrator adds; without a password they need a link.

        Raises:
            Conflict: the address is taken.
            InvalidRequest: no address, or a bad password.
        """
        address, user_id, now = checked_address(email), self._entropy.new_id("user"), self._clock.now()
        hashed = None if password is None else await self._passwords.hash(password, address)
        entry = audit.entry(by, now, "user.create", user_id, f"{role} {address}")
        await self._people.create_user(user_id, address, role, hashed, self._starting_balance(), now, entry)
        return user_id

    async def first_administrator(self, email: str, password: str) -> None:
        """Makes the administrator that the configuration names, if there is none.

        Raises:
            StartupError: the password is weak, or the address is none.
        """
        if await self._people.has_admin():
            return
        try:
            address = checked_address(email)
            hashed = await self._passwords.hash(password, address)
        except InvalidRequest as error:
            key = "admin_email" if error.param == "email" else "admin_password"
            raise StartupError(f"The setting accounts.{key} cannot be used: {error.message}") from None
        made = await self._people.make_first_admin(
            self._entropy.new_id("user"), address, hashed, self._starting_balance(), self._clock.now()
        )
        if not made:
            log.warning(
                "accounts.admin_email is the address of somebody who is no administrator, and nothing was changed; "
                "use the command line's user and key commands"
            )
