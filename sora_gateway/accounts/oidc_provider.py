"""One identity provider: what it says of itself, its keys, and what it gives for a code."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

from sora_gateway.accounts.oidc_tokens import Assertion, Expected, Jwk, KeyUnknown, TokenRefused, verified
from sora_gateway.clock import Clock
from sora_gateway.core.principal import Role
from sora_gateway.errors import GatewayError, ProviderFailed, ProviderUnavailable, SignInExpired
from sora_gateway.upstream.client import Lost, NotSent, Reply, Request

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a provider gets for everything that one request of a person needs of it."""
KEPT = 3600.0
"""Seconds for which its description and its keys are believed; a key that it withdraws is good for so long at most."""

_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_HTTPS = re.compile(r"https://[^/?#@\\\s]+(?:[/?][^#\s]*)?", re.ASCII)
_LOOPBACK = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:[/?][^#\s]*)?", re.ASCII)
_FORM = "application/x-www-form-urlencoded"


class Http(Protocol):
    """The gateway's own client: no redirects, no proxies, bounded answers."""

    async def send(self, request: Request, *, deadline: float, fresh: bool = False) -> Reply:
        """Raises NotSent or Lost when there is no answer within *deadline* seconds; *fresh* takes no kept connection."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A provider as the operator has set it up."""

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str
    """Empty for a public client, which PKCE alone protects."""
    allowed_domains: frozenset[str] = frozenset()
    """Whose verified addresses may come without an invitation; in lower case."""
    role: Role = "member"
    """What a new person becomes."""
    google: bool = False
    """Whether an account must belong to the organisation too (claim ``hd``), as an address alone can be anybody's."""


@dataclass(frozen=True, slots=True)
class _Endpoints:
    authorization: str
    token: str
    keys: str
    posts_secret: bool
    names_itself: bool


class Provider:
    """Asks one provider. Its description and its keys are fetched when they are first needed, and kept for an hour."""

    def __init__(self, config: ProviderConfig, http: Http, clock: Clock, patience: float = PATIENCE) -> None:
        self.config = config
        self._http = http
        self._clock = clock
        self._patience = patience
        self._endpoints: tuple[float, _Endpoints] | None = None
        self._keys: tuple[float, Sequence[Jwk]] | None = None
        self._fetching = asyncio.Lock()

    async def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, challenge: str) -> str:
        """Where the browser goes to sign in there; *challenge* is PKCE's, by S256.

        Raises:
            ProviderUnavailable, ProviderFailed: it does not say where that is.
        """
        async with self._in_time():
            endpoints = await self._described()
        query = {
            "response_type": "code", "client_id": self.config.client_id, "redirect_uri": redirect_uri,
            "scope": "openid email", "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        joint = "&" if urlsplit(endpoints.authorization).query else "?"
        return f"{endpoints.authorization}{joint}{urlencode(query)}"

    async def exchange(
        self, code: str, *, verifier: str, redirect_uri: str, nonce: str, answered_as: str | None
    ) -> Assertion:
        """Who signed in there, for the *code* that the browser brought; *answered_as* is the issuer that it named.

        Raises:
            SignInExpired: the code is used up, or too old.
            ProviderUnavailable, ProviderFailed: the provider does not answer, or not in a way that proves anything.
        """
        async with self._in_time():
            endpoints = await self._described()
            # RFC 9207: an answer of one provider must not be taken for another's.
            if answered_as != self.config.issuer and (endpoints.names_itself or answered_as is not None):
                raise self._failed("the answer names another issuer")
            token = await self._redeem(endpoints, code, verifier, redirect_uri)
            return await self._verified(endpoints, token, nonce)

    # --- the code --------------------------------------------------------------------------------

    async def _redeem(self, endpoints: _Endpoints, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for the code."""
        fields = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        client, secret = self.config.client_id, self.config.client_secret
        if secret and not endpoints.posts_secret:
            pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            fields["client_id"] = client
            if secret:
                fields["client_secret"] = secret
        reply = await self._send(Request("POST", endpoints.token, headers, urlencode(fields).encode()))
        answer = self._object(reply)
        if reply.status != 200:
            if answer.get("error") == "invalid_grant":
                raise SignInExpired("The sign-in took too long or was finished already; begin it again.")
            raise self._failed(
                f"it answered HTTP {reply.status} to the code; are client_id and secret right?"
            )
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise self._failed("it gave no ID token for the code")
        return token

    async def _verified(self, endpoints: _Endpoints, token: str, nonce: str) -> Assertion:
        expected = Expected(self.config.issuer, self.config.client_id, nonce)
        try:
            keys, fresh = await self._known_keys(endpoints)
            try:
                return await self._check(token, keys, expected)
            except KeyUnknown:
                if fresh:
                    raise
                # The provider may have new ones; it is asked once.
                keys, _ = await self._known_keys(endpoints, newer_than=keys)
                return await self._check(token, keys, expected)
        except TokenRefused as error:
            raise self._failed(f"its ID token is not good: {error}") from None

    async def _check(self, token: str, keys: Sequence[Jwk], expected: Expected) -> Assertion:
        # In a thread: the first one imports cryptography, which everybody on the loop would notice.
        return await asyncio.to_thread(verified, token, keys, expected, self._clock.now())

    # --- what it says of itself ------------------------------------------------------------------

    async def _described(self) -> _Endpoints:
        async with self._fetching:
            if self._endpoints is None or self._clock.monotonic() - self._endpoints[0] > KEPT:
                self._endpoints = (self._clock.monotonic(), await self._describe())
            return self._endpoints[1]

    async def _describe(self) -> _Endpoints:
        issuer = self.config.issuer
        found = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise self._failed("it calls itself by another issuer than the configuration does")
        authorization, token, keys = (str(found.get(name)) for name in _ADDRESSES)
        if not all(_trustworthy(address, issuer) for address in (authorization, token, keys)):
            raise self._failed(f"one of its addresses ({', '.join(_ADDRESSES)}) is missing or not https")
        methods = found.get("token_endpoint_auth_methods_supported")
        methods = methods if isinstance(methods, list) else ["client_secret_basic"]
        return _Endpoints(
            authorization,
            token,
            keys,
            posts_secret="client_secret_basic" not in methods and "client_secret_post" in methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _known_keys(
        self, endpoints: _Endpoints, newer_than: Sequence[Jwk] | None = None
    ) -> tuple[Sequence[Jwk], bool]:
        """The provider's keys, and whether they were fetched just now. Others than *newer_than* that somebody else has
        fetched meanwhile are new enough."""
        async with self._fetching:
            now = self._clock.monotonic()
            if self._keys is not None and now - self._keys[0] <= KEPT and self._keys[1] is not newer_than:
                return self._keys[1], False
            keys = (await self._get(endpoints.keys)).get("keys")
            if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
                raise self._failed("its key set is none")
            self._keys = (now, keys)
            return keys, True

    async def _get(self, url: str) -> dict[str, Any]:
        reply = await self._send(Request("GET", url, {"Accept": "application/json"}))
        if reply.status != 200:
            raise self._failed(f"it answered HTTP {reply.status} at {urlsplit(url).path}")
        return self._object(reply)

    # --- the wire --------------------------------------------------------------------------------

    async def _send(self, request: Request) -> Reply:
        try:
            # A kept connection may be dead by now, and a code cannot be sent twice.
            reply = await self._http.send(request, deadline=self._patience, fresh=True)
        except (NotSent, Lost) as error:
            raise self._unavailable(str(error)) from None
        if reply.status >= 500 or reply.status == 429:
            raise self._unavailable(f"it answered HTTP {reply.status}")
        return reply

    def _object(self, reply: Reply) -> dict[str, Any]:
        try:
            found = None if reply.truncated else json.loads(reply.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._failed(f"its answer (HTTP {reply.status}) is no JSON object")
        return found

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Bounds everything that one request of a person waits for, other people's looks included."""
        try:
            async with asyncio.timeout(self._patience):
                yield
        except TimeoutError:
            raise self._unavailable(f"it took more than {self._patience:g} seconds") from None

    def _unavailable(self, reason: str) -> GatewayError:
        log.warning("the identity provider %s cannot be used now: %s", self.config.name, reason)
        return ProviderUnavailable(
            f"{self.config.label} does not answer; try again in a moment.", retry_after=30
        )

    def _failed(self, reason: str) -> GatewayError:
        log.warning("a sign-in with %s was refused: %s", self.config.name, reason)
        return ProviderFailed(
            f"{self.config.label} did not prove who you are; begin again, or ask your administrator,"
            " whose log says more."
        )


def _trustworthy(address: str, issuer: str) -> bool:
    """Whether nobody on the way can change what is there: https, or this machine where the issuer is on it."""
    if not address.isascii() or not address.isprintable():
        return False
    return bool(_HTTPS.fullmatch(address) or (_LOOPBACK.fullmatch(issuer) and _LOOPBACK.fullmatch(address)))
