"""The session's cookie: what it looks like over HTTPS and on this machine, and that nobody is signed in elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sora_gateway.app import Gateway
from sora_gateway.http.credentials import set_session
from sora_gateway.http.hosts import host_name, is_loopback
from sora_gateway.http.routing import Access, Call, Endpoint
from tests.between import Proxy, standing
from tests.http_calls import application, client_of
from tests.running import person, running, settings_for

ANN = "ann@example.org"
LAN = {"Host": "gateway.lan:8000"}
TRUSTING: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"]}


@asynccontextmanager
async def gateway_with_ann(tmp_path: Path, **server: Any) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient]]:
    """The gateway, and a browser that keeps no cookies."""
    async with (
        running(settings_for(tmp_path, server=server)) as gateway,
        person(gateway),
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as browser,
    ):
        yield gateway, browser


@asynccontextmanager
async def over_https(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of the proxy that ends TLS."""
    port = httpx.URL(gateway.address).port or 80
    async with (
        standing(Proxy(port)) as proxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}", trust_env=False, headers=LAN) as browser,
    ):
        yield browser


async def login_token(gateway: Gateway) -> str:
    return await gateway.accounts.new_login_link(ANN)


async def sign_in(browser: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    answer = await browser.post("/api/auth/redeem", json={"token": token}, headers=headers)
    browser.cookies.clear()
    return answer


def cookie_of(answer: httpx.Response) -> tuple[str, str, list[str]]:
    """Name, value and the attributes but for its age."""
    first, *attributes = answer.headers["set-cookie"].split("; ")
    name, _, value = first.partition("=")
    return (
        name,
        value,
        sorted(each for each in attributes if not each.lower().startswith(("max-age", "expires"))),
    )


# --- over HTTPS --------------------------------------------------------------------------------------


async def test_over_https_only_https_can_set_send_or_narrow_the_cookie(tmp_path: Path) -> None:
    async with gateway_with_ann(tmp_path, **TRUSTING) as (gateway, _), over_https(gateway) as browser:
        answer = await sign_in(browser, await login_token(gateway))
        name, _, attributes = cookie_of(answer)
        assert (name, attributes) == ("__Host-sid", ["HttpOnly", "Path=/", "SameSite=lax", "Secure"])


async def test_over_https_a_planted_sid_is_no_session(tmp_path: Path) -> None:
    async with gateway_with_ann(tmp_path, **TRUSTING) as (gateway, local), over_https(gateway) as browser:
        _, token, _ = cookie_of(await sign_in(browser, await login_token(gateway)))
        statuses = {
            cookie: (await browser.get("/api/auth/me", headers={"Cookie": cookie})).status_code
            for cookie in (f"__Host-sid={token}", f"sid={token}", f"sid={token}; __Host-sid=other")
        }
        assert list(statuses.values()) == [200, 401, 401]
        # And the other way round, on this machine.
        headers = {"Cookie": f"__Host-sid={token}"}
        assert (await local.get("/api/auth/me", headers=headers)).status_code == 401


async def test_over_https_a_websocket_reads_the_same_cookie(tmp_path: Path) -> None:
    async with gateway_with_ann(tmp_path, **TRUSTING) as (gateway, _), over_https(gateway) as browser:
        _, token, _ = cookie_of(await sign_in(browser, await login_token(gateway)))
        address = f"ws://127.0.0.1:{browser.base_url.port}/ws"
        page = {"Origin": f"https://127.0.0.1:{browser.base_url.port}"}
        async with connect(
            address, additional_headers={**page, "Cookie": f"__Host-sid={token}"}, proxy=None
        ) as socket:
            assert json.loads(await socket.recv())["type"] == "ready"
        # With a planted one it is as without any: the first message has to bring a credential.
        async with connect(
            address, additional_headers={**page, "Cookie": f"sid={token}"}, proxy=None
        ) as socket:
            await socket.send('{"type": "subscribe", "all": true}')
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_signing_out_takes_away_the_cookie_that_was_set(tmp_path: Path) -> None:
    async with gateway_with_ann(tmp_path, **TRUSTING) as (gateway, _), over_https(gateway) as browser:
        _, token, _ = cookie_of(await sign_in(browser, await login_token(gateway)))
        headers = {"Cookie": f"__Host-sid={token}", "Sec-Fetch-Site": "same-origin"}
        ended = await browser.post("/api/auth/logout", headers=headers)
        morsel = SimpleCookie(ended.headers["set-cookie"])["__Host-sid"]
        # Without Secure a browser would not take a cookie of that name at all.
        assert (morsel.value, morsel["max-age"], morsel["secure"], morsel["path"]) == ("", "0", True, "/")


# --- over plain HTTP ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "127.8.8.8", "[::1]:8000", "LOCALHOST"])
async def test_on_this_machine_plain_http_will_do(tmp_path: Path, host: str) -> None:
    async with gateway_with_ann(tmp_path) as (gateway, browser):
        answer = await sign_in(browser, await login_token(gateway), Host=host)
        name, _, attributes = cookie_of(answer)
        assert (name, attributes) == ("sid", ["HttpOnly", "Path=/", "SameSite=lax"])


@pytest.mark.parametrize(
    "host", ["gateway.lan", "192.168.1.5:8000", "localhost.evil.test", "127.0.0.1.evil.test", "[fe80::1]"]
)
async def test_elsewhere_plain_http_signs_nobody_in_and_uses_nothing_up(tmp_path: Path, host: str) -> None:
    async with gateway_with_ann(tmp_path) as (gateway, browser):
        token = await login_token(gateway)
        refused = await sign_in(browser, token, Host=host)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insecure_connection")
        assert "set-cookie" not in refused.headers
        message = refused.json()["error"]["message"]
        assert all(way in message for way in ("https://", "server.trusted_proxies", "server.allow_insecure"))
        # The link was not used up by it.
        assert (await sign_in(browser, token)).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://videos.example.org", "https://localhost.evil.test", "null", "http://["]
)
async def test_a_page_from_elsewhere_is_elsewhere_whatever_host_a_proxy_puts_in(
    tmp_path: Path, origin: str
) -> None:
    async with gateway_with_ann(tmp_path) as (gateway, browser):
        token = await login_token(gateway)
        refused = await sign_in(browser, token, Host="127.0.0.1:8000", Origin=origin)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insecure_connection")
        here = await sign_in(browser, token, Host="127.0.0.1:8000", Origin="http://127.0.0.1:8000")
        assert here.status_code == 200


async def test_an_operator_can_allow_it(tmp_path: Path) -> None:
    async with gateway_with_ann(tmp_path, allow_insecure=True) as (gateway, browser):
        name, token, _ = cookie_of(await sign_in(browser, await login_token(gateway), **LAN))
        assert name == "sid"
        me = await browser.get("/api/auth/me", headers={"Cookie": f"sid={token}", **LAN})
        assert me.json()["user"]["email"] == ANN


async def test_a_sign_in_that_forgets_to_ask_first_still_sets_no_cookie() -> None:
    async def forgetful(call: Call) -> Response:
        response = Response()
        set_session(call, response, "token")
        return response

    endpoint = Endpoint(
        method="POST", path="/in", handler=forgetful, summary="In", access=Access.PUBLIC, tag="people"
    )
    async with client_of(application([endpoint])) as browser:
        refused = await browser.post("/in")
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
        here = await browser.post("/in", headers={"Host": "localhost"})
        assert here.headers["set-cookie"].startswith("sid=token; ")


async def test_a_stranger_that_says_https_is_not_believed(tmp_path: Path) -> None:
    elsewhere = {"trusted_proxies": ["192.0.2.0/24"]}
    async with gateway_with_ann(tmp_path, **elsewhere) as (gateway, _), over_https(gateway) as browser:
        refused = await sign_in(browser, await login_token(gateway))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insecure_connection")
        assert "strict-transport-security" not in refused.headers


@pytest.mark.parametrize(
    ("authority", "name", "loopback"),
    [
        ("localhost", "localhost", True),
        ("Localhost.:80", "localhost", True),
        ("127.0.0.1:8000", "127.0.0.1", True),
        ("127.255.255.254", "127.255.255.254", True),
        ("[::1]", "::1", True),
        ("[0:0:0:0:0:0:0:1]:8000", "0:0:0:0:0:0:0:1", True),
        ("0.0.0.0", "0.0.0.0", False),
        ("127.1", "127.1", False),
        ("notlocalhost", "notlocalhost", False),
        ("a.localhost.test", "a.localhost.test", False),
        ("", "", False),
    ],
)
def test_which_names_are_this_machine(authority: str, name: str, loopback: bool) -> None:
    assert (host_name(authority), is_loopback(name)) == (name, loopback)
