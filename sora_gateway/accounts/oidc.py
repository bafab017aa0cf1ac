"""Signing in with an identity provider: OpenID Connect's authorization code flow, with state, nonce and PKCE.

The browser that begins is the only one that can finish: what has to be remembered goes along in a sealed cookie, for
ten minutes, and serves once. Whose account it is follows from (issuer, subject); an address is only looked at
when somebody is new.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sora_gateway.accounts.address import normal_address
from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.accounts.oidc_provider import Http, Provider, ProviderConfig
from sora_gateway.accounts.oidc_tokens import Assertion
from sora_gateway.accounts.password_accounts import Visit
from sora_gateway.accounts.tokens import digest
from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import Principal
from sora_gateway.entropy import Entropy
from sora_gateway.errors import (
    AccountDisabled,
    AddressNotVerified,
    NotAuthenticated,
    NotFound,
    SignInExpired,
    SignInRefused,
)
from sora_gateway.store import Store, audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.identities import Admission, IdentityRecord

LIFETIME = 600.0
"""Seconds that somebody may take at the provider."""
REMEMBERED = 10_000
"""Finished sign-ins that are known again; the provider takes each of its codes once anyway."""

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
"""Domains of Google's own, whose accounts belong to no organisation."""
_NOT_ITS_BROWSER = "This sign-in was begun in another browser, more than ten minutes ago, or was finished already; begin it again."


class Seal(Protocol):
    """Signs text for a purpose of its own, so that nobody else can have made it."""

    def sign(self, text: str) -> str: ...

    def verify(self, signed: str) -> str | None:
        """The text, or None if it was not signed here for this."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sign-in is for: *next* is a path of ours to go to, *invitation* a one-time link's token, *link_to* the
    person who wants the identity for an account that is there."""

    redirect_uri: str
    next: str = "/"
    invitation: str | None = None
    link_to: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """*url* is the provider's, *cookie* what the browser keeps for :data:`LIFETIME` seconds."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Finished:
    """*session* is the token of a new session, None if an identity was linked instead."""

    next: str
    session: str | None


@dataclass(frozen=True, slots=True)
class _RoundTrip:
    provider: str
    state: str
    nonce: str
    verifier: str
    expires_at: float
    wish: Wish


class ProviderSignIn:
    """Every provider that is configured, and the way through one and back."""

    def __init__(
        self,
        providers: Sequence[ProviderConfig],
        http: Http,
        store: Store,
        accounts: Authenticator,
        seal: Seal,
        clock: Clock,
        entropy: Entropy,
        invited_balance: Callable[[], int] = lambda: 0,
    ) -> None:
        """*invited_balance* says how many credits somebody has who comes with an invitation."""
        self._providers = {config.name: Provider(config, http, clock) for config in providers}
        self._store = store
        self._accounts = accounts
        self._seal = seal
        self._clock = clock
        self._entropy = entropy
        self._invited_balance = invited_balance
        self._finished: OrderedDict[str, None] = OrderedDict()

    @property
    def providers(self) -> Sequence[ProviderConfig]:
        """In the order of the configuration."""
        return [provider.config for provider in self._providers.values()]

    async def begin(self, name: str, wish: Wish) -> Begun:
        """Sends a browser to the provider.

        Raises:
            NotFound: there is no such provider.
            ProviderUnavailable, ProviderFailed: it does not say where to go.
        """
        provider = self._provider(name)
        token = self._entropy.token
        trip = _RoundTrip(name, token(), token(), token(), self._clock.now() + LIFETIME, wish)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(trip.verifier.encode()).digest())
        url = await provider.authorization_url(
            redirect_uri=wish.redirect_uri,
            state=trip.state,
            nonce=trip.nonce,
            challenge=challenge.decode().rstrip("="),
        )
        text = json.dumps(asdict(trip), separators=(",", ":")).encode()
        return Begun(url, self._seal.sign(base64.urlsafe_b64encode(text).decode()))

    async def finish(
        self,
        name: str,
        cookie: str | None,
        answer: Mapping[str, str],
        principal: Principal | None,
        visit: Visit,
    ) -> Finished:
        """What the browser brings back: its *cookie*, and the provider's *answer* as the query of the address.
        *principal* is who is signed in in it, *visit* has where they come from.

        Raises:
            GatewayError: nobody is signed in, and nothing is linked.
        """
        provider = self._provider(name)
        trip = self._taken(name, cookie, answer.get("state", ""))
        if trip.wish.link_to is not None and (principal is None or principal.user_id != trip.wish.link_to):
            raise NotAuthenticated("Your session has ended; sign in again, and link the provider then.")
        code = answer.get("code")
        if "error" in answer or code is None:
            raise SignInRefused(
                f"{provider.config.label} did not sign you in; it was cancelled or refused there."
            )
        found = await provider.exchange(
            code,
            verifier=trip.verifier,
            redirect_uri=trip.wish.redirect_uri,
            nonce=trip.nonce,
            answered_as=answer.get("iss"),
        )
        if trip.wish.link_to is not None:
            await self._link(provider.config, found, trip.wish.link_to, visit.by)
            return Finished(trip.wish.next, None)
        user_id = await self._person(provider.config, found, trip.wish.invitation, visit.by)
        # A session that was not there before, whatever the browser has had.
        session = await self._accounts.new_session(
            user_id, by=visit.by, user_agent=visit.user_agent, how=provider.config.label
        )
        return Finished(trip.wish.next, session)

    # --- identities ------------------------------------------------------------------------------

    async def identities(self, user_id: str) -> list[IdentityRecord]:
        """A person's, oldest first."""
        return await self._store.people.identities(user_id)

    async def unlink(self, user_id: str, identity_id: str, by: Actor) -> None:
        """Raises:
        NotFound: the person has no such identity.
        LastSignIn: it is their only way in.
        """
        await self._store.people.unlink_identity(
            identity_id, user_id, self._entry(by, user_id, "identity.unlink", "")
        )

    async def _link(self, config: ProviderConfig, found: Assertion, user_id: str, by: Actor) -> None:
        identity = self._identity(config, found, user_id)
        detail = f"{identity.email or found.subject} at {config.issuer}"
        await self._store.people.link_identity(identity, self._entry(by, user_id, "identity.link", detail))

    async def _person(
        self, config: ProviderConfig, found: Assertion, invitation: str | None, by: Actor
    ) -> str:
        """Whose identity it is, or the person whom it makes."""
        owner = await self._store.people.identity_owner(config.issuer, found.subject)
        if owner is not None:
            if owner.disabled:
                raise AccountDisabled("This account is disabled; ask an administrator.")
            return owner.user_id
        if found.email is None:
            raise AddressNotVerified(
                f"{config.label} does not vouch for your e-mail address; verify it there, and begin again."
            )
        identity = self._identity(config, found, self._entropy.new_id("user"))
        admission = Admission(
            config.role if _of_an_allowed_domain(config, found) else None,
            digest(invitation) if invitation is not None else None,
            self._invited_balance(),
        )
        detail = f"{found.email} at {config.issuer}"
        entry = self._entry(by, identity.user_id, "user.register", detail)
        return await self._store.people.admit(identity, admission, entry)

    def _identity(self, config: ProviderConfig, found: Assertion, user_id: str) -> IdentityRecord:
        return IdentityRecord(
            self._entropy.new_id("identity"),
            config.issuer,
            found.subject,
            user_id,
            normal_address(found.email or ""),
            self._clock.now(),
        )

    def _entry(self, by: Actor, user_id: str, action: str, detail: str) -> AuditEntry:
        """What somebody does to their own account; from where, *by* knows."""
        who = Actor(user_id, by.address, by.request_id)
        return audit.entry(who, self._clock.now(), action, user_id, detail)

    # --- the round trip --------------------------------------------------------------------------

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise NotFound("There is no such provider.")
        return provider

    def _taken(self, name: str, cookie: str | None, state: str) -> _RoundTrip:
        """The round trip that this browser began, which is used up by this.

        Raises:
            SignInExpired: it is not its own, too old, or was finished already.
        """
        text = self._seal.verify(cookie) if cookie else None
        if text is None:
            raise SignInExpired(_NOT_ITS_BROWSER)
        trip = _read(json.loads(base64.urlsafe_b64decode(text)))
        same = hmac.compare_digest(trip.state.encode(), state.encode(errors="replace"))
        if not same or trip.provider != name or trip.expires_at <= self._clock.now():
            raise SignInExpired(_NOT_ITS_BROWSER)
        if trip.state in self._finished:
            raise SignInExpired(_NOT_ITS_BROWSER)
        self._finished[trip.state] = None
        if len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        return trip


def _read(values: dict[str, Any]) -> _RoundTrip:
    return _RoundTrip(**(values | {"wish": Wish(**values["wish"])}))


def _of_an_allowed_domain(config: ProviderConfig, found: Assertion) -> bool:
    """Whether the verified address, and with Google also the account, is of a domain that may come by itself."""
    domain = (found.email or "").rpartition("@")[2]
    if domain not in config.allowed_domains:
        return False
    if not config.google or domain in _GMAIL:
        return True
    # Anybody can make a Google account with an address of elsewhere, and keep it when the address is not theirs any more.
    return found.hosted_domain in config.allowed_domains
