"""Signing in with a provider: whole gateways, a provider on a real socket, and browsers that go from one to the other.

What a token must say, case by case: ``tests/test_oidc_tokens.py``; a provider that is slow or broken:
``tests/test_oidc_provider.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from sora_gateway.accounts.oidc import ProviderSignIn, Wish
from sora_gateway.accounts.oidc_provider import ProviderConfig
from sora_gateway.accounts.password_accounts import Visit
from sora_gateway.accounts.tokens import digest
from sora_gateway.app import Gateway
from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import FRESH
from sora_gateway.errors import NotAdmitted
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.links import LinkRecord
from sora_gateway.upstream.client import HttpClient
from tests.canaries import MARK
from tests.fake_provider import (
    CLIENT,
    SECRET,
    FakeProvider,
    ec_key,
    fake_provider,
    honest,
    rsa_key,
    signed_with_the_public_key,
    unsigned,
)
from tests.fakes import CountingEntropy, ManualClock
from tests.running import person, running, settings_for
from tests.test_people_api import browser

LOGIN = "/api/auth/oidc/lab/login"
DORA = "dora@example.org"


@dataclass
class Place:
    """A gateway that knows one provider twice: ``lab``, and ``other``, which admits nobody by itself."""

    gateway: Gateway
    provider: FakeProvider
    clock: ManualClock

    async def newest(self, address: str) -> AuditEntry:
        """The last thing that was done to whoever has *address*."""
        return (await self.gateway.store.audited((await self.gateway.store.people.by_email(address)).id))[-1]

    async def addresses(self) -> set[str]:
        return {user.email for user in await self.gateway.store.people.users()}

    async def invite(
        self, token: str, email: str | None = None, role: Any = "member", lasts: float = 3600
    ) -> str:
        link = LinkRecord(
            f"link_{token}", "invite", "user_root", self.clock.now(), self.clock.now() + lasts, email=email, role=role
        )  # fmt: skip
        await self.gateway.store.people.create_link(digest(token), link)
        return token


@asynccontextmanager
async def a_place(data_dir: Path, **sections: Any) -> AsyncIterator[Place]:
    clock = ManualClock()
    async with fake_provider(clock) as provider:
        lab = {"issuer": provider.url, "client_id": CLIENT, "client_secret": SECRET}
        settings = settings_for(
            data_dir,
            oidc={
                "lab": lab | {"label": "The lab", "allowed_domains": ["example.org"]},
                "other": lab,
            },
            credits={"enabled": True, "starting_balance": 50},
            **sections,
        )
        async with running(settings, clock) as gateway:
            yield Place(gateway, provider, clock)


async def to_the_provider(page: httpx.AsyncClient, path: str = LOGIN) -> str:
    """Begins: the address that the provider sends the browser back to."""
    going = await page.get(path)
    assert going.status_code == 302, going.text
    return await at_the_provider(going.headers["location"])


async def at_the_provider(url: str) -> str:
    # The provider is another host to a browser, and gets none of the gateway's cookies.
    async with httpx.AsyncClient(trust_env=False) as elsewhere:
        back = await elsewhere.get(url)
    assert back.status_code == 302, back.text
    return back.headers["location"]


async def sign_in(page: httpx.AsyncClient, path: str = LOGIN) -> httpx.Response:
    return await page.get(await to_the_provider(page, path))


async def begin(page: httpx.AsyncClient, name: str = "lab", **wish: Any) -> httpx.Response:
    """What a page does that has an invitation or wants to link; the browser is back at the end."""
    begun = await page.post(f"/api/auth/oidc/{name}/login", json=wish)
    assert begun.status_code == 200, begun.text
    return await page.get(await at_the_provider(begun.json()["url"]))


def cookies_of(answer: httpx.Response) -> SimpleCookie:
    found = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        found.load(header)
    return found


def refused(answer: httpx.Response) -> str:
    """The code that the page is told, and nothing else has happened."""
    assert answer.status_code == 302, answer.text
    assert "sid" not in cookies_of(answer)
    location = urlsplit(answer.headers["location"])
    assert (location.netloc, location.path) == ("", "/"), location
    (code,) = parse_qs(location.fragment)["signInError"]
    return code


async def me(page: httpx.AsyncClient) -> Any:
    answer = await page.get("/api/auth/me")
    return answer.json()["user"] if answer.status_code == 200 else None


# --- who comes in ------------------------------------------------------------------------------------


async def test_a_person_of_an_allowed_domain_is_made_once_and_known_again(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        ways = (await page.get("/api/auth/methods")).json()
        assert ways["providers"] == [{"name": "lab", "label": "The lab"}, {"name": "other", "label": "other"}]
        done = await sign_in(page, f"{LOGIN}?{urlencode({'next': '/#/tasks'})}")
        assert (done.status_code, done.headers["location"]) == (302, "/#/tasks")
        dora = await me(page)
        assert (dora["email"], dora["role"]) == (DORA, "member")
        made = await place.gateway.store.people.by_email(DORA)
        assert made.available == 0, "credits are for those who were invited"
        entry = await place.newest(DORA)
        assert (entry.action, entry.actor, entry.address) == ("user.register", made.id, "127.0.0.1")
        (session,) = (await page.get("/api/auth/sessions")).json()["sessions"]
        (begun,) = await place.gateway.store.audited(session["id"])
        assert (begun.action, begun.actor, begun.detail) == ("session.create", made.id, "The lab")
        assert entry.request_id == done.headers["x-request-id"]
        # The address may change over there: it is the subject that counts.
        place.provider.person |= {"email": "dora@elsewhere.example", "email_verified": False}
        async with browser(place.gateway) as later:
            await sign_in(later)
            assert (await me(later))["id"] == dora["id"]
        assert await place.addresses() == {DORA}


async def test_what_the_browser_keeps_is_for_this_round_trip_only(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        going = await page.get(LOGIN)
        cookie = cookies_of(going)["oidc"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
        assert (int(cookie["max-age"]), cookie["domain"]) == (600, "")
        asked = dict(parse_qsl(urlsplit(going.headers["location"]).query))
        assert asked["redirect_uri"] == f"{place.gateway.address}/api/auth/oidc/lab/callback"
        done = await page.get(await at_the_provider(going.headers["location"]))
        assert "oidc" not in page.cookies
        assert cookies_of(done)["sid"]["samesite"] == "lax"


async def test_a_stranger_needs_an_invitation_which_is_used_up_by_coming_in(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, AsyncExitStack() as stack:
        place.provider.person = {"sub": "eve", "email": "eve@evil.example", "email_verified": True}
        page = await stack.enter_async_context(browser(place.gateway))
        for domain in ("evil.example", "sub.example.org", "example.org.evil.example", "xn--xample-9uf.org"):
            place.provider.person["email"] = f"eve@{domain}"
            assert refused(await sign_in(page)) == "not_admitted", domain
        assert await place.addresses() == set()
        # One for somebody else, one that has expired, one that never was: none of them is used up by trying.
        await place.invite("for-ann", email="ann@example.net")
        await place.invite("old", lasts=60)
        await place.clock.advance(61)
        for token in ("for-ann", "old", "never"):
            assert refused(await begin(page, invitation=token)) == "not_admitted", token
        await place.invite("for-anybody", role="viewer")
        assert (await begin(page, invitation="for-anybody", next="#/welcome")).headers[
            "location"
        ] == "/#/welcome"
        eve = await place.gateway.store.people.by_email((await me(page))["email"])
        assert (eve.role, eve.available) == ("viewer", 50)
        # It was the only one.
        place.provider.person = {"sub": "mallory", "email": "mallory@evil.example", "email_verified": True}
        other = await stack.enter_async_context(browser(place.gateway))
        assert refused(await begin(other, invitation="for-anybody")) == "not_admitted"
        place.provider.person = {"sub": "ann", "email": "Ann@Example.net", "email_verified": True}
        await begin(other, "other", invitation="for-ann")
        assert (await me(other))["email"] == "ann@example.net"


async def test_an_address_that_the_provider_does_not_vouch_for_makes_nobody(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        await place.invite("invited")
        for said in (
            {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email_verified": 1},
            {"email": None}, {"email": ""}, {"email": "dora"}, {"email": 7}, {"email": ["dora@example.org"]},
            {"email": "a@evil.example\n@example.org"}, {"email": "d ora@example.org"}, {"email": "@example.org"},
            {"email": f"{'d' * 300}@example.org"}, {"email": "dora@example.org."}, {"email": "dora@exämple.org"},
        ):  # fmt: skip
            place.provider.claims = said
            assert refused(await sign_in(page)) == "address_not_verified", said
            assert refused(await begin(page, invitation="invited")) == "address_not_verified", said
        assert await place.addresses() == set()


@pytest.mark.parametrize("password", ["$argon2id$a-hash", None])
async def test_an_account_that_exists_is_never_taken_over(tmp_path: Path, password: str | None) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        people = place.gateway.store.people
        await people.create_user("user_dora", "Dora@example.ORG", "admin", password, 0, 0.0)
        await place.invite("invited")
        assert refused(await sign_in(page)) == "account_exists"
        assert refused(await begin(page, invitation="invited")) == "account_exists"
        assert await me(page) is None
        assert await people.identities("user_dora") == []


async def test_whoever_is_disabled_stays_out(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        await sign_in(page)
        await place.gateway.store.people.disable_user(DORA, place.clock.now())
        assert refused(await sign_in(page)) == "account_disabled"
        assert await me(page) is None


async def test_two_first_sign_ins_at_once_make_one_person(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as one, browser(place.gateway) as two:
        both = await asyncio.gather(sign_in(one), sign_in(two))
        assert [answer.headers["location"] for answer in both] == ["/", "/"]
        assert (await me(one))["id"] == (await me(two))["id"]


class Unsealed:
    """What the browser keeps is not the point here."""

    def sign(self, text: str) -> str:
        return text

    def verify(self, signed: str) -> str | None:
        return signed


async def test_a_google_account_has_to_belong_to_the_organisation(tmp_path: Path) -> None:
    """Anybody can make a Google account with an address of elsewhere."""
    async with a_place(tmp_path) as place:
        client = HttpClient()
        domains = frozenset({"example.org", "gmail.com"})
        google = ProviderConfig(
            "google", "Google", place.provider.url, CLIENT, SECRET, domains, google=True
        )  # fmt: skip
        gateway = place.gateway
        flow = ProviderSignIn(
            [google], client, gateway.store, gateway.accounts, Unsealed(), place.clock,
            CountingEntropy(),
        )  # fmt: skip

        async def comes_in(**claims: Any) -> bool:
            place.provider.claims = {"sub": str(claims)} | claims
            begun = await flow.begin("google", Wish("http://127.0.0.1:1/callback"))
            answer = dict(parse_qsl(urlsplit(await at_the_provider(begun.url)).query))
            try:
                await flow.finish("google", begun.cookie, answer, None, Visit(Actor("")))
            except NotAdmitted:
                return False
            return True

        assert not await comes_in(email="a@example.org")
        assert not await comes_in(email="a@example.org", hd="evil.example")
        assert not await comes_in(email="a@evil.example", hd="example.org")
        assert not await comes_in(email="a@example.org", hd=["example.org"])
        assert await comes_in(email="a@example.org", hd="Example.org")
        assert await comes_in(email="b@gmail.com")
        await client.aclose()


# --- whose browser it is -----------------------------------------------------------------------------


async def test_only_the_browser_that_began_can_finish_and_once(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page, browser(place.gateway) as victim:
        back = await to_the_provider(page)
        # The classic trick: somebody is sent to an address with the code and state of another's sign-in.
        assert refused(await victim.get(back)) == "sign_in_expired"
        await to_the_provider(victim)
        assert refused(await victim.get(back)) == "sign_in_expired"
        assert await me(victim) is None
        assert place.provider.asked("/token") == 0
        kept = page.cookies["oidc"]
        assert (await page.get(back)).headers["location"] == "/"
        page.cookies.set("oidc", kept)
        assert refused(await page.get(back)) == "sign_in_expired", "a replay"
        assert place.provider.asked("/token") == 1


async def test_a_state_that_is_missing_wrong_old_or_not_from_here_is_refused(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:

        async def changed(**changes: str | None) -> httpx.Response:
            back = urlsplit(await to_the_provider(page))
            query = dict(parse_qsl(back.query)) | changes
            kept = {name: value for name, value in query.items() if value is not None}
            return await page.get(f"{back.path}?{urlencode(kept)}")

        assert refused(await changed(state=None)) == "sign_in_expired"
        assert refused(await changed(state="")) == "sign_in_expired"
        assert refused(await changed(state="x" * 43)) == "sign_in_expired"
        assert (
            refused(await changed(state="\udcff".encode("utf-8", "surrogatepass").decode("latin-1")))
            == "sign_in_expired"
        )
        back = await to_the_provider(page)
        assert refused(await page.get(f"{back}&state=again")) == "sign_in_expired"
        back = await to_the_provider(page)
        assert refused(await page.get(back.replace("/lab/", "/other/"))) == "sign_in_expired"
        assert refused(await page.get(back)) == "sign_in_expired", "its cookie is gone"
        for cookie in (
            "",
            "x",
            "x.y",
            f"{page.cookies.get('oidc', 'e30')}.AAAA",
            "é".encode().decode("latin-1"),
        ):
            back = await to_the_provider(page)
            page.cookies.clear()
            answer = await page.get(back, headers={b"Cookie": f"oidc={cookie}".encode()})
            assert refused(answer) == "sign_in_expired", cookie
        back = await to_the_provider(page)
        await place.clock.advance(600)
        assert refused(await page.get(back)) == "sign_in_expired"
        assert place.provider.asked("/token") == 0
        assert (await sign_in(page)).headers["location"] == "/"


async def test_a_sign_in_gives_a_new_session_whatever_the_browser_had(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        page.cookies.set("sid", "planted by somebody else")
        first = cookies_of(await sign_in(page))["sid"].value
        second = cookies_of(await sign_in(page))["sid"].value
        assert len({"planted by somebody else", first, second}) == 3
        assert await place.gateway.accounts.by_session("planted by somebody else") is None
        assert await place.gateway.accounts.by_session(first) is None, "a browser has one"
        assert await place.gateway.accounts.by_session(second) is not None


async def test_it_goes_on_at_a_path_of_ours_only(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        for path in (
            "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
            "javascript:alert(1)", "evil.example", "/\r\nSet-Cookie: a=b", "#\n", "/#\\", " /", "@evil.example",
            "/" + "a" * 512,
        ):  # fmt: skip
            for answer in (
                await page.get(LOGIN, params={"next": path}),
                await page.post(LOGIN, json={"next": path}),
            ):
                assert (answer.status_code, answer.json()["error"]["param"]) == (400, "next"), path
        for path, where in (("/", "/"), ("", "/"), ("#/a", "/#/a"), ("/?a=b%20c#d/e", "/?a=b%20c#d/e")):
            done = await sign_in(page, f"{LOGIN}?{urlencode({'next': path})}")
            assert done.headers["location"] == where


async def test_behind_a_proxy_it_comes_back_to_the_public_address_with_cookies_for_https(
    tmp_path: Path,
) -> None:
    server = {
        "public_url": "https://videos.example.org/make", "root_path": "/make", "trusted_proxies": ["127.0.0.1"],
    }  # fmt: skip
    async with a_place(tmp_path, server=server) as place:
        headers = {"Host": "videos.example.org", "X-Forwarded-Proto": "https"}
        port = urlsplit(place.gateway.address).port
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False
        ) as proxy:
            going = await proxy.get(LOGIN)
            kept = cookies_of(going)["__Host-oidc"]
            assert kept["secure"]
            back = urlsplit(await at_the_provider(going.headers["location"]))
            assert back.geturl().startswith("https://videos.example.org/make/api/auth/oidc/lab/callback?")
            done = await proxy.get(
                f"{back.path}?{back.query}", headers={"Cookie": f"__Host-oidc={kept.value}"}
            )
            assert done.headers["location"] == "/make/"
            assert "__Host-sid=" in done.headers["set-cookie"]
            assert (await proxy.get(LOGIN.replace("lab", "none"))).headers[
                "location"
            ] == "/make/#signInError=not_found"


# --- a provider that lies ----------------------------------------------------------------------------

LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"claims": {"nonce": "another's"}}, "provider_failed"),
    "no nonce": ({"claims": {"nonce": None}}, "provider_failed"),
    "another audience": ({"claims": {"aud": "another"}}, "provider_failed"),
    "several audiences, for another": ({"claims": {"aud": [CLIENT, "b"], "azp": "b"}}, "provider_failed"),
    "for another client": ({"claims": {"azp": "another"}}, "provider_failed"),
    "another issuer": ({"claims": {"iss": "https://accounts.google.com"}}, "provider_failed"),
    "expired": ({}, "provider_failed"),
    "not signed": ({"token": unsigned}, "provider_failed"),
    "signed with the public key": ({"token": signed_with_the_public_key}, "provider_failed"),
    "signed by a stranger": ({"key": rsa_key("first").__class__.generate_key(2048, {"kid": "first"})}, "provider_failed"),
    "a key that nobody knows": ({"key": rsa_key("unknown")}, "provider_failed"),
    "no token": ({"token": lambda _: ""}, "provider_failed"),
    "another issuer's answer": ({"answer": {"iss": "https://evil.example"}}, "provider_failed"),
    "no issuer, though it names it always": (
        {"metadata": {"authorization_response_iss_parameter_supported": True}}, "provider_failed",
    ),
    "a code of its own": ({"answer": {"code": "made-up"}}, "sign_in_expired"),
    "cancelled": ({"answer": {"code": None, "error": "access_denied"}}, "sign_in_refused"),
    "an error beside a code": ({"answer": {"error": "server_error"}}, "sign_in_refused"),
    "neither": ({"answer": {"code": None}}, "sign_in_refused"),
}  # fmt: skip


async def test_whatever_a_provider_says_wrongly_signs_nobody_in_and_has_a_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        for lie, (how, code) in LIES.items():
            vars(place.provider).update(how)
            await place.clock.advance(3601)  # what it was told before is forgotten
            if lie == "expired":
                place.provider.claims = {"exp": int(place.clock.now()) - 60}
            assert refused(await sign_in(page)) == code, lie
            assert await me(page) is None, lie
            assert await place.addresses() == set(), lie
            honest(place.provider)
        assert (await sign_in(page)).headers["location"] == "/"
    ours = [record for record in caplog.records if record.name.startswith("sora_gateway")]
    told = "\n".join(record.getMessage() for record in ours)
    assert not [secret for secret in (MARK, "eyJ", "Traceback", "dora") if secret in told]
    assert not [record for record in ours if record.exc_info]


async def test_a_program_is_told_in_a_sentence(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        place.provider.answer = {"error": "access_denied", "error_description": "<script>"}
        page.headers["Accept"] = "application/json"
        answer = await sign_in(page)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "sign_in_refused")
        assert "script" not in answer.text
        none = await page.get("/api/auth/oidc/none/login")
        assert (none.status_code, none.json()["error"]["message"]) == (404, "There is no such provider.")
        assert (await page.get("/api/auth/oidc/none/callback?code=a&state=b")).status_code == 404


async def test_new_keys_are_fetched_once_when_a_token_names_one_that_is_not_known(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        provider = place.provider
        await sign_in(page)
        await sign_in(page)
        assert (provider.asked("/keys"), provider.asked("/.well-known/openid-configuration")) == (1, 1)
        provider.key, provider.algorithm = ec_key("second"), "ES256"
        provider.published = [rsa_key("first"), ec_key("second")]
        assert (await sign_in(page)).headers["location"] == "/"
        assert provider.asked("/keys") == 2
        provider.key, provider.algorithm = rsa_key("never published"), "RS256"
        assert refused(await sign_in(page)) == "provider_failed"
        assert provider.asked("/keys") == 3
        # What it withdraws is good for an hour at most.
        provider.key, provider.published = rsa_key("first"), [ec_key("second")]
        assert (await sign_in(page)).headers["location"] == "/"
        await place.clock.advance(3601)
        assert refused(await sign_in(page)) == "provider_failed"


async def test_a_provider_that_is_away_can_be_tried_again(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:

        async def breaks(_: Any, wire: Any) -> None:
            wire.reset()

        for path, where in (
            ("/.well-known/openid-configuration", "going"),
            ("/keys", "back"),
            ("/token", "back"),
        ):
            place.provider.scripts = {path: breaks}
            answer = await page.get(LOGIN) if where == "going" else await sign_in(page)
            assert refused(answer) == "provider_unavailable", path
        place.provider.scripts = {}
        assert (await sign_in(page)).headers["location"] == "/"


# --- identities of an account ------------------------------------------------------------------------


async def signed_in(page: httpx.AsyncClient, gateway: Gateway, address: str) -> httpx.AsyncClient:
    token = await gateway.accounts.new_login_link(address)
    assert (await page.post("/api/auth/redeem", json={"token": token})).status_code == 200
    return page


async def test_a_signed_in_person_links_an_identity_and_signs_in_with_it(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, person(place.gateway) as ann, browser(place.gateway) as page:
        await signed_in(page, place.gateway, "ann@example.org")
        # Nobody vouches for the address, and it is of nowhere: it is not what she is known by.
        place.provider.claims = {"email_verified": False, "email": "ann@elsewhere.example"}
        assert (await begin(page, link=True, next="#/account")).headers["location"] == "/#/account"
        await begin(page, link=True)
        (identity,) = (await page.get("/api/auth/identities")).json()["identities"]
        assert (identity["provider"], identity["issuer"]) == ("other", place.provider.url)
        entry = await place.newest("ann@example.org")
        assert (entry.action, entry.actor) == ("identity.link", ann.user_id)
        async with browser(place.gateway) as fresh:
            await sign_in(fresh)
            assert (await me(fresh))["id"] == ann.user_id
        # Somebody else can neither see it, nor unlink it, nor have it too.
        async with person(place.gateway, "bob") as bob, browser(place.gateway) as his:
            await signed_in(his, place.gateway, "bob@example.org")
            assert (await his.get("/api/auth/identities")).json() == {"identities": []}
            assert (await his.delete(f"/api/auth/identities/{identity['id']}")).status_code == 404
            assert refused(await begin(his, link=True)) == "identity_taken"
            assert (await me(his))["id"] == bob.user_id


async def test_linking_takes_the_session_of_whoever_began_it(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, person(place.gateway) as ann, browser(place.gateway) as page:
        assert (await page.post(LOGIN, json={"link": True})).status_code == 401
        by_key = await ann.http.post(LOGIN, json={"link": True})
        assert (by_key.status_code, by_key.json()["error"]["code"]) == (401, "not_authenticated")
        await signed_in(page, place.gateway, "ann@example.org")
        # No other site begins it for her.
        cross = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        assert (await page.post(LOGIN, json={"link": True}, headers=cross)).status_code == 403
        async with person(place.gateway, "bob"):
            for who in ("bob@example.org", None):
                await signed_in(page, place.gateway, "ann@example.org")
                back = await at_the_provider((await page.post(LOGIN, json={"link": True})).json()["url"])
                await page.post("/api/auth/logout")
                if who is not None:
                    await signed_in(page, place.gateway, who)
                assert refused(await page.get(back)) == "not_authenticated", who
            for user in ("user_ann", "user_bob"):
                assert await place.gateway.store.people.identities(user) == []


async def test_linking_and_unlinking_need_a_sign_in_of_the_last_minutes(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        await sign_in(page)
        (identity,) = (await page.get("/api/auth/identities")).json()["identities"]
        await place.clock.advance(FRESH + 1)
        for answer in (
            await page.post(LOGIN, json={"link": True}),
            await page.delete(f"/api/auth/identities/{identity['id']}"),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "fresh_login_needed")
        await sign_in(page)  # which is one
        assert (await page.post(LOGIN, json={"link": True})).status_code == 200


async def test_who_begins_too_often_has_to_wait(tmp_path: Path) -> None:
    async with (
        a_place(tmp_path, accounts={"attempts_per_minute": 3}) as place,
        browser(place.gateway) as page,
    ):
        for _ in range(3):
            assert (await page.get(LOGIN)).headers["location"].startswith(place.provider.url)
        assert refused(await page.get(LOGIN)) == "rate_limited"
        answer = await page.post(LOGIN, json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")


async def test_where_nobody_registers_invitations_are_worth_nothing_and_domains_still_are(
    tmp_path: Path,
) -> None:
    async with (
        a_place(tmp_path, accounts={"registration": "closed"}) as place,
        browser(place.gateway) as page,
    ):
        assert (await page.get("/api/auth/methods")).json()["registration"] == "closed"
        await place.invite("anybody")
        assert refused(await begin(page, "other", invitation="anybody")) == "not_admitted"
        assert (await sign_in(page)).headers["location"] == "/"


async def test_the_last_way_in_is_not_unlinked(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, browser(place.gateway) as page:
        await sign_in(page)
        place.provider.person["sub"] = "a second one"
        await place.clock.advance(1)
        await begin(page, link=True)
        first, second = (await page.get("/api/auth/identities")).json()["identities"]
        assert first["email"] == DORA
        assert (await page.delete(f"/api/auth/identities/{second['id']}")).status_code == 204
        entry = await place.newest(DORA)
        assert (entry.action, entry.detail) == ("identity.unlink", f"{DORA} at {place.provider.url}")
        last = await page.delete(f"/api/auth/identities/{first['id']}")
        assert (last.status_code, last.json()["error"]["code"]) == (409, "last_sign_in")
        await place.gateway.store.people.set_password(DORA, "$argon2id$a-hash")
        place.provider.person["sub"] = "248289"
        assert (await sign_in(page)).headers["location"] == "/", "a new password has ended the session"
        assert (await page.delete(f"/api/auth/identities/{first['id']}")).status_code == 204
        async with browser(place.gateway) as fresh:
            place.provider.person["sub"] = "248289"
            assert refused(await sign_in(fresh)) == "account_exists"
