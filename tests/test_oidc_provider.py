"""One provider, asked over a real socket: what it is told, and how it can be slow, broken or somewhere else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from sora_gateway.accounts.oidc_provider import Provider, ProviderConfig
from sora_gateway.errors import GatewayError, ProviderFailed, ProviderUnavailable, SignInExpired
from sora_gateway.upstream.client import HttpClient
from tests.fake_provider import CLIENT, SECRET, FakeProvider, fake_provider
from tests.fakes import ManualClock
from tests.lab import closing, unused_port
from tests.raw_server import Handler, Received, Wire

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
REDIRECT = "http://127.0.0.1:1/callback"
DESCRIPTION = "/.well-known/openid-configuration"


@dataclass
class Asked:
    fake: FakeProvider
    provider: Provider
    clock: ManualClock
    client: HttpClient
    page: httpx.AsyncClient
    """The browser's."""

    def fresh(self, patience: float = 5.0, **changes: Any) -> Provider:
        """Somebody who knows nothing of it yet."""
        return Provider(replace(self.provider.config, **changes), self.client, self.clock, patience)

    async def code(self, provider: Provider | None = None) -> tuple[str, str | None]:
        """The code that a browser brings, and the issuer that it names."""
        url = await (provider or self.provider).authorization_url(
            redirect_uri=REDIRECT, state="s", nonce="n", challenge=CHALLENGE
        )
        back = dict(parse_qsl(urlsplit((await self.page.get(url)).headers["location"]).query))
        return back["code"], back.get("iss")

    async def subject(self, provider: Provider | None = None) -> str:
        provider = provider or self.provider
        code, issuer = await self.code(provider)
        return await self.redeem(code, issuer, provider)

    async def redeem(self, code: str, issuer: str | None = None, provider: Provider | None = None) -> str:
        found = await (provider or self.provider).exchange(
            code, verifier=VERIFIER, redirect_uri=REDIRECT, nonce="n", answered_as=issuer
        )
        return found.subject


@asynccontextmanager
async def asked() -> AsyncIterator[Asked]:
    clock, client = ManualClock(), HttpClient()
    async with fake_provider(clock) as fake, httpx.AsyncClient(trust_env=False, timeout=60) as page:
        config = ProviderConfig("lab", "The lab", fake.url, CLIENT, SECRET)
        yield Asked(fake, Provider(config, client, clock, patience=60), clock, client, page)
    await client.aclose()


async def test_a_code_becomes_a_person_once() -> None:
    async with asked() as it:
        code, _ = await it.code()
        assert await it.redeem(code) == "248289"
        with pytest.raises(SignInExpired):
            await it.redeem(code)


async def test_the_secret_goes_in_the_header_or_in_the_body_as_the_provider_likes_it() -> None:
    async with asked() as it:
        for methods, in_the_header in (
            (None, True),
            (["client_secret_basic", "client_secret_post"], True),
            (["client_secret_post"], False),
            (["private_key_jwt"], True),
            ("client_secret_post", True),
        ):
            it.fake.metadata = {"token_endpoint_auth_methods_supported": methods}
            assert await it.subject(it.fresh()) == "248289", methods
            assert ("authorization" in it.fake.requests[-2].headers or "authorization" in it.fake.requests[-1].headers) == in_the_header, methods  # fmt: skip
        # Without one there is none: the fake wants it, and says so.
        with pytest.raises(ProviderFailed):
            await it.subject(it.fresh(client_secret=""))


async def test_a_provider_that_names_itself_in_its_answers_is_held_to_it() -> None:
    async with asked() as it:
        it.fake.answer = {"iss": it.fake.url}
        assert await it.subject() == "248289"
        it.fake.metadata = {"authorization_response_iss_parameter_supported": True}
        assert await it.subject(it.fresh()) == "248289"


async def hangs(_: Received, wire: Wire) -> None:
    await wire.hang()


async def drips(_: Received, wire: Wire) -> None:
    await wire.drip(closing(200, {"keys": []}), 0.05)


async def resets(_: Received, wire: Wire) -> None:
    wire.reset()


def answers(status: int, body: bytes | dict[str, object] = b"", **headers: str) -> Handler:
    async def answer(_: Received, wire: Wire) -> None:
        await wire.send(closing(status, body, headers))

    return answer


TROUBLE: dict[str, tuple[Handler, type[GatewayError]]] = {
    "hangs": (hangs, ProviderUnavailable),
    "drips": (drips, ProviderUnavailable),
    "resets": (resets, ProviderUnavailable),
    "is overloaded": (answers(503), ProviderUnavailable),
    "has had enough": (answers(429), ProviderUnavailable),
    "is not there": (answers(404), ProviderFailed),
    "sends elsewhere": (answers(302, Location="http://127.0.0.1:9/"), ProviderFailed),
    "says nothing": (answers(200), ProviderFailed),
    "shows a page": (answers(200, b"<html>"), ProviderFailed),
    "says a list": (answers(200, b"[]"), ProviderFailed),
    "nests": (answers(200, b"[" * 100_000), ProviderFailed),
    "never ends": (answers(200, b'{"a": "' + b"a" * (1 << 21) + b'"}'), ProviderFailed),
    "says something else": (answers(200, {"issuer": "x", "keys": 7, "id_token": 7}), ProviderFailed),
    "says nonsense": (answers(200, {"issuer": [], "keys": [7], "id_token": {}}), ProviderFailed),
}


@pytest.mark.parametrize("path", [DESCRIPTION, "/keys", "/token"])
async def test_whatever_a_provider_does_instead_of_answering_is_one_of_two_errors(path: str) -> None:
    async with asked() as it:
        loop = asyncio.get_running_loop()
        for what, (handler, kind) in TROUBLE.items():
            it.fake.scripts = {path: handler}
            began, ends = loop.time(), handler not in (hangs, drips)
            with pytest.raises(kind) as caught:
                await it.subject(it.fresh(patience=60 if ends else 0.4))
            assert ends or loop.time() - began < 3, what
            assert it.fake.host not in caught.value.message, what
            assert "The lab" in caught.value.message, what
        it.fake.scripts = {}
        assert await it.subject() == "248289"


async def test_nobody_waits_longer_because_others_wait_too() -> None:
    async with asked() as it:
        it.fake.scripts = {DESCRIPTION: hangs}
        provider, loop = it.fresh(patience=0.4), asyncio.get_running_loop()
        began = loop.time()
        found = await asyncio.gather(*(it.code(provider) for _ in range(20)), return_exceptions=True)
        assert loop.time() - began < 2
        assert {type(each) for each in found} == {ProviderUnavailable}


async def test_many_at_once_fetch_what_they_need_once() -> None:
    async with asked() as it:
        assert set(await asyncio.gather(*(it.subject() for _ in range(10)))) == {"248289"}
        assert (it.fake.asked(DESCRIPTION), it.fake.asked("/keys")) == (1, 1)


async def test_a_provider_that_nobody_listens_for_is_unavailable() -> None:
    async with asked() as it:
        with pytest.raises(ProviderUnavailable):
            await it.code(it.fresh(issuer=f"http://127.0.0.1:{unused_port()}"))


async def test_addresses_that_somebody_in_between_could_change_are_not_used() -> None:
    async with asked() as it:
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            for address in (
                None, "", 7, "http://id.example/x", "ftp://127.0.0.1/x", "/relative", "https://", "https:///x",
                "https://a@id.example/", "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/",
                "https://id.example/#a", "https://id.example\\@evil.example/", "https://id.example/\r\nA: b", "https://ä.example/",
            ):  # fmt: skip
                it.fake.metadata = {name: address}
                with pytest.raises(ProviderFailed):
                    await it.code(it.fresh())
        # Addresses of this machine are for an issuer of this machine.
        it.fake.metadata = {"authorization_endpoint": "https://id.example/authorize?tenant=a"}
        url = await it.fresh().authorization_url(redirect_uri=REDIRECT, state="s", nonce="n", challenge="c")
        assert url.startswith("https://id.example/authorize?tenant=a&response_type=code&")


async def test_an_issuer_is_believed_under_its_own_name_only() -> None:
    async with asked() as it:
        for name in (
            f"{it.fake.url}/",
            it.fake.url.replace("127.0.0.1", "localhost"),
            None,
            "https://accounts.google.com",
        ):
            it.fake.metadata = {"issuer": name}
            with pytest.raises(ProviderFailed):
                await it.code(it.fresh())
