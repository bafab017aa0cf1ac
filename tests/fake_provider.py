"""An identity provider on a real socket, which does what it should unless a test tells it to lie.

Its keys are made when it is first used. Whoever comes to its authorization endpoint is :attr:`FakeProvider.person`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from sora_gateway.clock import Clock
from tests.canaries import MARK
from tests.lab import closing
from tests.raw_server import Handler, Received, Wire, serving_raw

CLIENT, SECRET = "gateway", f"{MARK}: with % and +"


@cache
def rsa_key(name: str) -> RSAKey:
    """One for each name, in every test of the run: making them takes a while."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@cache
def ec_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name})


@dataclass
class FakeProvider:
    clock: Clock
    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "248289", "email": "Dora@Example.org", "email_verified": True}
    )
    """The claims of whoever signs in."""
    key: RSAKey | ECKey = field(default_factory=lambda: rsa_key("first"))
    algorithm: str = "RS256"
    published: list[RSAKey | ECKey] = field(default_factory=lambda: [rsa_key("first")])
    metadata: dict[str, Any] = field(default_factory=dict)
    """What its description says differently; None leaves it out."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What its ID tokens say differently; None leaves it out."""
    header: dict[str, Any] = field(default_factory=dict)
    """The same for the tokens' header."""
    answer: dict[str, Any] = field(default_factory=dict)
    """The same for what it sends the browser back with."""
    token: Callable[[str], str] = field(default=lambda token: token)
    """What it makes of a token before it gives it away."""
    scripts: dict[str, Handler] = field(default_factory=dict)
    """Path -> what is answered there instead."""
    requests: list[Received] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def asked(self, path: str) -> int:
        """How often it was asked for *path*."""
        return sum(urlsplit(request.target).path == path for request in self.requests)

    async def handle(self, request: Received, wire: Wire) -> None:
        self.requests.append(request)
        path = urlsplit(request.target).path
        if path in self.scripts:
            await self.scripts[path](request, wire)
            return
        known = {
            "/.well-known/openid-configuration": self._description,
            "/keys": self._keys,
            "/authorize": self._authorize,
            "/token": self._token,
        }
        await wire.send(known[path](request) if path in known else closing(404))

    def _description(self, _: Received) -> bytes:
        described = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return closing(200, _without_none(described | self.metadata))

    def _keys(self, _: Received) -> bytes:
        return closing(200, {"keys": [key.as_dict(private=False) for key in self.published]})

    def _authorize(self, request: Received) -> bytes:
        """Signs its person in without a question, and sends the browser back."""
        asked = _query(urlsplit(request.target).query)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "email"}
        code = f"{MARK}-code-{len(self.codes)}"
        self.codes[code] = asked
        answer = _without_none({"code": code, "state": asked["state"]} | self.answer)
        return closing(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})

    def _token(self, request: Received) -> bytes:
        asked = _query(request.body.decode())
        if _client(request, asked) != (CLIENT, SECRET):
            return closing(401, {"error": "invalid_client"})
        begun = self.codes.pop(asked["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest())
        if (
            begun is None
            or begun["redirect_uri"] != asked["redirect_uri"]
            or begun["code_challenge"] != challenge.decode().rstrip("=")
        ):
            return closing(400, {"error": "invalid_grant"})
        return closing(200, {"id_token": self.token(self.id_token(begun["nonce"])), "token_type": "Bearer"})

    def id_token(self, nonce: str) -> str:
        now = int(self.clock.now())
        claims = {
            "iss": self.url, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 300,
            **self.person, **self.claims,
        }  # fmt: skip
        return signed(claims, self.key, {"alg": self.algorithm, "kid": self.key.kid} | self.header)


def signed(claims: dict[str, Any], key: RSAKey | ECKey | OctKey, header: dict[str, Any]) -> str:
    """A token with *claims*; what is None is left out of it and of *header*."""
    header = _without_none(header)
    return jws.serialize_compact(
        header, json.dumps(_without_none(claims)), key, registry=_lax(str(header["alg"]))
    )


def unsigned(token: str) -> str:
    """The same claims with ``alg`` none."""
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}."


def signed_with_the_public_key(token: str) -> str:
    """The same claims with HS256, the published key being the secret."""
    pem = rsa_key("first").as_pem(private=False)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return signed(claims, OctKey.import_key(base64.b64encode(pem)), {"alg": "HS256", "kid": "first"})


def _lax(algorithm: str) -> jws.JWSRegistry:
    return jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _query(text: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(text, strict_parsing=True).items()}


def _client(request: Received, asked: dict[str, str]) -> tuple[str, str]:
    """Who asks for a token: by the header, or in the body."""
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("Basic "):
        return asked.get("client_id", ""), asked.get("client_secret", "")
    name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    pair = _query(f"name={name}&secret={secret}")
    return pair["name"], pair["secret"]


@asynccontextmanager
async def fake_provider(clock: Clock) -> AsyncIterator[FakeProvider]:
    provider = FakeProvider(clock)
    async with serving_raw(provider.handle) as server:
        provider.url = server.url
        yield provider


def honest(provider: FakeProvider) -> None:
    """Ends every lie."""
    fresh = replace(
        FakeProvider(provider.clock), url=provider.url, requests=provider.requests, codes=provider.codes
    )
    vars(provider).update(vars(fresh))
