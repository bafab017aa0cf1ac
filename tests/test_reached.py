"""How the gateway is reached: whose word on the client counts, which names it goes by, and what an address never has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sora_gateway.errors import StartupError
from sora_gateway.http.server import GatewayServer
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from sora_gateway.settings import load_settings
from tests.listening import peer_of
from tests.running import person, running, settings_for


async def who_is_it(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what the gateway takes for the client and the scheme."""
    await JSONResponse([scope["client"][0], scope["scheme"]])(scope, receive, send)


@asynccontextmanager
async def told(*trusted: str, host: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    server = GatewayServer(trusted_proxies=trusted)
    port = await server.start(who_is_it, host, 0)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        await server.stop(grace=0.3)


# --- proxies -----------------------------------------------------------------------------------------

SPOOF = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize("trusted", [(), ("192.0.2.1",), ("10.0.0.0/8", "::1")])
async def test_what_a_stranger_forwards_counts_for_nothing(
    trusted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # another program's setting, which uvicorn would read
    async with told(*trusted) as client:
        others = {
            "X-Real-IP": "198.51.100.9",
            "Forwarded": "for=198.51.100.9;proto=https",
            "X-Forwarded-Host": "a",
        }
        assert (await client.get("/", headers=SPOOF | others)).json() == ["127.0.0.1", "http"]


@pytest.mark.parametrize("trusted", [("127.0.0.1",), ("127.0.0.0/8",)])
async def test_a_trusted_proxy_says_who_came_and_how(trusted: tuple[str, ...]) -> None:
    async with told(*trusted) as client:
        assert (await client.get("/", headers=SPOOF)).json() == ["198.51.100.9", "https"]
        assert (await client.get("/")).json() == ["127.0.0.1", "http"]


async def test_on_a_socket_for_both_kinds_of_address_an_ipv4_proxy_is_still_known() -> None:
    async with told("127.0.0.1", host="::") as client:
        assert (await client.get("/", headers=SPOOF)).json() == ["198.51.100.9", "https"]


@pytest.mark.parametrize(
    ("forwarded", "client_address"),
    [
        ("198.51.100.9", "198.51.100.9"),
        # A client's own claim stands to the left of what our proxy has seen.
        ("10.9.9.9, 198.51.100.9", "198.51.100.9"),
        ("127.0.0.1, 198.51.100.9", "198.51.100.9"),
        # Two proxies of ours, one behind the other.
        ("198.51.100.9, 127.0.0.2", "198.51.100.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
    ],
)
async def test_only_the_last_address_that_is_no_proxy_of_ours_counts(
    forwarded: str, client_address: str
) -> None:
    async with told("127.0.0.0/8") as client:
        answer = await client.get("/", headers={"X-Forwarded-For": forwarded})
        assert answer.json()[0] == client_address


@pytest.mark.parametrize("scheme", ["javascript", "HTTPS", "https, http", ""])
async def test_a_scheme_that_is_none_changes_nothing(scheme: str) -> None:
    async with told("127.0.0.1") as client:
        assert (await client.get("/", headers={"X-Forwarded-Proto": scheme})).json() == ["127.0.0.1", "http"]


# --- hosts -------------------------------------------------------------------------------------------


async def test_only_its_own_names_are_answered(tmp_path: Path) -> None:
    server = {"public_url": "https://videos.team.test:8443", "allowed_hosts": ["gateway.lan", "192.0.2.7"]}
    async with (
        running(settings_for(tmp_path, server=server)) as gateway,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as client,
    ):
        for host in (
            "videos.team.test",
            "VIDEOS.team.test.:443",
            "gateway.lan:8000",
            "192.0.2.7",
            "localhost",
        ):
            assert (await client.get("/api/auth/me", headers={"Host": host})).status_code == 401, host
        for host in ("evil.test", "videos.team.test.evil.test", "team.test", "192.0.2.8", "[::2]"):
            for path in ("/", "/health", "/api/auth/me", "/nothing"):
                answer = await client.get(path, headers={"Host": host})
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_host"), host
                assert host not in answer.text
                assert answer.headers["x-content-type-options"] == "nosniff"
        # HTTP/1.0 may come without any.
        async with peer_of(httpx.URL(gateway.address).port or 80) as peer:
            await peer.send(b"GET /health HTTP/1.0\r\n\r\n")
            assert (await peer.response())[0] == 400


async def test_a_handshake_for_another_name_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, server={"allowed_hosts": ["gateway.lan"]})
    async with running(settings) as gateway, person(gateway) as ann:
        port = httpx.URL(gateway.address).port
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"ws://evil.test:{port}/ws", host="127.0.0.1", port=port, proxy=None,
                additional_headers={"Authorization": f"Bearer {ann.key}"},
            )  # fmt: skip
        assert refused.value.response.status_code == 400
        assert json.loads(refused.value.response.body)["error"]["code"] == "unknown_host"


async def test_without_a_setting_every_name_is_answered(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as client,
    ):
        assert (await client.get("/health", headers={"Host": "anything.test"})).status_code == 200


# --- addresses ---------------------------------------------------------------------------------------

SENT = [
    "api_key=x",
    "key=x",
    "token=x",
    "access_token=x",
    "API_KEY=x",
    "limit=3&key=",
    "q=sgw_abc",
    "%6bey=x",
]


async def test_a_key_in_an_address_is_refused_on_every_route_and_told_what_to_do(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as client,
    ):
        for endpoint in table(System(0.0, list)):
            path = endpoint.template.replace("{", "").replace("}", "")
            answer = await client.request(endpoint.method, path, params={"api_key": ann.key})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "credential_in_url"), path
            assert ann.key not in answer.text
        for query in SENT:
            # Also of somebody who has sent a good one as well.
            answer = await ann.get(f"/api/auth/me?{query}")
            assert answer.json()["error"]["code"] == "credential_in_url", query
            assert "Authorization: Bearer" in answer.json()["error"]["message"]


async def test_a_key_in_a_handshakes_address_is_refused(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        with pytest.raises(InvalidStatus) as refused:
            await connect(gateway.address.replace("http", "ws") + f"/ws?token={ann.key}", proxy=None)
        assert refused.value.response.status_code == 400
        assert json.loads(refused.value.response.body)["error"]["code"] == "credential_in_url"


async def test_what_is_made_for_addresses_may_stand_in_one(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as client,
    ):
        for query in ("ticket=sgw_once", "signature=abc&expires=1", "monkey=1", "since=abc"):
            assert (await client.get(f"/health?{query}")).status_code == 200, query


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("root_path", "videos", "server.root_path"),
        ("root_path", "/videos/", "server.root_path"),
        ("root_path", "/../etc", "server.root_path"),
        ("root_path", "//evil.test", "server.root_path"),
        ("public_url", "ftp://a", "server.public_url"),
        ("public_url", "https://a/?b", "server.public_url"),
        ("public_url", "https://a@b", "server.public_url"),
        ("public_url", "https://a/videos", "public_url has to end in root_path"),
        ("allowed_hosts", ["*"], "server.allowed_hosts.0"),
        ("allowed_hosts", ["a:80"], "server.allowed_hosts.0"),
        ("trusted_proxies", ["*"], "server.trusted_proxies.0"),
        ("trusted_proxies", ["proxy.test"], "server.trusted_proxies.0"),
        ("trusted_proxies", ["10.0.0.1/8"], "server.trusted_proxies.0"),
        ("cors_origins", ["*"], "server.cors_origins.0"),
        ("cors_origins", ["null"], "server.cors_origins.0"),
        ("cors_origins", ["https://a/"], "server.cors_origins.0"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(key: str, value: object, complaint: str) -> None:
    with pytest.raises(StartupError, match=complaint):
        load_settings(server={key: value})
