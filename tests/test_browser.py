"""What browsers are kept from and told, on every route: generated from the route table, over a real port."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sora_gateway.app import Gateway
from sora_gateway.http.middleware import CONTENT_SECURITY_POLICY
from sora_gateway.http.origin import SAFE_METHODS
from sora_gateway.http.routing import Endpoint
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.between import Proxy, standing
from tests.listening import peer_of
from tests.running import Person, person, running, settings_for

TABLE = table(System(0.0, list))
UNSAFE = [endpoint for endpoint in TABLE if endpoint.method not in SAFE_METHODS]
SAFE = [endpoint for endpoint in TABLE if endpoint.method in SAFE_METHODS]
STREAMS = [endpoint for endpoint in SAFE if "text/event-stream" in endpoint.produces]
APP = "https://app.example.org"
EVIL = "https://evil.example"


def path_of(endpoint: Endpoint) -> str:
    return endpoint.template.replace("{", "").replace("}", "")


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.template}"


@dataclass
class Signed:
    """Root, an administrator, with a browser's cookie and with a key; Bob with a key."""

    gateway: Gateway
    data: Path
    cookie: str
    root: Person
    bob: Person
    http: httpx.AsyncClient
    """Keeps no cookies, brings nothing by itself."""

    @property
    def port(self) -> int:
        return httpx.URL(self.gateway.address).port or 80

    async def send(self, endpoint: Endpoint, **options: Any) -> httpx.Response:
        async with self.http.stream(endpoint.method, path_of(endpoint), **options) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                await answer.aread()
        self.http.cookies.clear()
        return answer

    async def handshake(self, path: str = "/ws", **headers: str) -> httpx.Response | None:
        """The HTTP answer that refuses it, None if it opens."""
        try:
            async with connect(
                f"ws://127.0.0.1:{self.port}{path}", additional_headers=headers, proxy=None
            ) as socket:
                assert json.loads(await socket.recv())["type"] == "ready"
        except InvalidStatus as refused:
            answer = refused.response
            return httpx.Response(
                answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body)
            )
        return None


@asynccontextmanager
async def signed(tmp_path: Path, **server: Any) -> AsyncIterator[Signed]:
    async with (
        running(settings_for(tmp_path, server=server)) as gateway,
        person(gateway, "root", "admin", credits=1000) as root,
        person(gateway, "bob") as bob,
        httpx.AsyncClient(base_url=gateway.address, trust_env=False) as http,
    ):
        _, token = await gateway.accounts.redeem(await gateway.accounts.new_login_link("root@example.org"))
        yield Signed(gateway, tmp_path, f"sid={token}", root, bob, http)


def refusal(answer: httpx.Response | None) -> tuple[int, str]:
    assert answer is not None, "it was not refused"
    return answer.status_code, answer.json()["error"]["code"]


def stored(data: Path) -> str:
    """A digest of everything in the database but when somebody was last seen."""
    digest = sha256()
    with closing(sqlite3.connect(f"file:{data / 'gateway.db'}?mode=ro", uri=True)) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in sorted(tables):
            columns = {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
            kept = ", ".join(sorted(columns - {"seen_at", "last_used_at"}))
            rows = sorted(map(repr, database.execute(f"SELECT {kept} FROM {name}")))
            digest.update(repr((name, rows)).encode())
    return digest.hexdigest()


# --- other sites' pages --------------------------------------------------------------------------------

FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
    "a neighbour": {"Sec-Fetch-Site": "same-site"},
    "another site that claims our origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://HOST"},
    "an older browser on another site": {"Origin": EVIL},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a sandboxed page": {"Origin": "null"},
    "a name that begins like ours": {"Origin": "http://HOST.evil.example"},
}


def foreign(kind: str, gateway: Gateway) -> dict[str, str]:
    host = gateway.address.removeprefix("http://")
    return {name: value.replace("HOST", host) for name, value in FOREIGN[kind].items()}


async def test_no_route_that_changes_something_obeys_another_page(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        before = stored(tmp_path)
        for endpoint in UNSAFE:
            for kind in FOREIGN:
                headers = {"Cookie": all.cookie} | foreign(kind, all.gateway)
                answer = await all.send(endpoint, headers=headers, json={"prompt": "a boat"})
                assert refusal(answer) == (403, "cross_origin"), (name_of(endpoint), kind)
            # A cookie without any sign of the page that asks.
            answer = await all.send(endpoint, headers={"Cookie": all.cookie}, json={"prompt": "a boat"})
            assert refusal(answer) == (403, "cross_origin"), name_of(endpoint)
        assert stored(tmp_path) == before


async def test_our_own_page_is_obeyed_in_new_browsers_and_in_old_ones(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        for own in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": all.gateway.address}):
            answer = await all.http.post(
                "/api/video/tasks", json={"prompt": "a boat"}, headers={"Cookie": all.cookie} | own
            )
            assert answer.status_code == 202, own


@pytest.mark.parametrize("kind", FOREIGN)
async def test_no_handshake_and_no_stream_opens_for_another_page(tmp_path: Path, kind: str) -> None:
    async with signed(tmp_path) as all:
        headers = {"Cookie": all.cookie} | foreign(kind, all.gateway)
        assert refusal(await all.handshake(**headers)) == (403, "cross_origin")
        made = (await all.root.make())["videoId"]
        assert len(STREAMS) == 2
        for stream in STREAMS:
            path = stream.template.replace("{id}", made)
            assert refusal(await all.http.get(path, headers=headers)) == (403, "cross_origin"), path


async def test_handshakes_and_streams_of_our_own_page_open(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        for own in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": all.gateway.address}):
            assert await all.handshake(Cookie=all.cookie, **own) is None
            [stream] = [each for each in STREAMS if "{" not in each.path]
            answer = await all.send(stream, headers={"Cookie": all.cookie} | own)
            assert answer.status_code == 200
        # Older browsers say nothing with a GET of our own page; a handshake always has its Origin.
        assert (await all.send(stream, headers={"Cookie": all.cookie})).status_code == 200
        assert refusal(await all.handshake(Cookie=all.cookie)) == (403, "cross_origin")


async def test_no_route_that_takes_json_takes_what_a_form_can_send(tmp_path: Path) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    async with signed(tmp_path) as all:
        before = stored(tmp_path)
        for endpoint in UNSAFE:
            if endpoint.request is None:
                continue
            for kind in (
                "text/plain",
                "",
                *(() if endpoint.form else ("application/x-www-form-urlencoded",)),
            ):
                headers = {"Cookie": all.cookie, **own} | ({"Content-Type": kind} if kind else {})
                answer = await all.send(endpoint, headers=headers, content=b'{"prompt":"a boat"}')
                assert refusal(answer) == (415, "unsupported_media_type"), (name_of(endpoint), kind)
        assert stored(tmp_path) == before


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        done = await all.root.comes_to((await all.root.make())["videoId"], "completed")
        # That an administrator looks at everybody's videos is written down, once an hour.
        await all.http.get("/api/video/tasks", headers={"Cookie": all.cookie})
        before = stored(tmp_path)
        for endpoint in SAFE:
            path = path_of(endpoint).replace("/tasks/id", f"/tasks/{done['videoId']}")
            for method in ("GET", "HEAD"):
                async with all.http.stream(method, path, headers={"Cookie": all.cookie}) as answer:
                    assert answer.status_code in (200, 204, 302, 400, 404), (method, path)
                assert stored(tmp_path) == before, (method, path)


# --- two credentials -----------------------------------------------------------------------------------


async def test_a_key_beside_a_cookie_is_the_only_one_that_counts(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        both = {"Cookie": all.cookie, "Authorization": f"Bearer {all.bob.key}"}
        me = await all.http.get("/api/auth/me", headers=both)
        assert me.json()["user"]["email"] == "bob@example.org"
        made = await all.http.post("/api/video/tasks", json={"prompt": "a boat"}, headers=both)
        assert (await all.bob.task(made.json()["videoId"]))["prompt"] == "a boat"


@pytest.mark.parametrize("bogus", ["Bearer sgw_wrong", "Bearer", "Basic cm9vdDpyb290", "x", ""])
async def test_a_bogus_header_beside_a_cookie_gains_nothing(tmp_path: Path, bogus: str) -> None:
    async with signed(tmp_path) as all:
        before = stored(tmp_path)
        headers = {"Cookie": all.cookie, "Authorization": bogus, "Sec-Fetch-Site": "cross-site"}
        for endpoint in UNSAFE:
            if endpoint.access.name in ("PUBLIC", "OPTIONAL"):
                continue
            answer = await all.send(endpoint, headers=headers, json={"prompt": "a boat"})
            assert refusal(answer) == (401, "invalid_api_key"), name_of(endpoint)
        assert refusal(await all.handshake(**headers)) == (401, "invalid_api_key")
        assert stored(tmp_path) == before


# --- CORS ----------------------------------------------------------------------------------------------


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def test_without_a_setting_no_other_page_may_read_anything(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        for endpoint in TABLE:
            asked = {"Origin": EVIL, "Authorization": f"Bearer {all.bob.key}"}
            assert cors(await all.send(endpoint, headers=asked)) == {}, name_of(endpoint)
            preflight = await all.http.options(path_of(endpoint), headers={"Origin": EVIL, **PREFLIGHT})
            assert (preflight.status_code, cors(preflight)) == (405, {}), name_of(endpoint)


async def test_the_pages_of_a_listed_origin_call_with_a_key_and_read_the_answers(tmp_path: Path) -> None:
    async with signed(tmp_path, cors_origins=[APP]) as all:
        for endpoint in TABLE:
            preflight = await all.http.options(path_of(endpoint), headers={"Origin": APP, **PREFLIGHT})
            allowed = cors(preflight)
            assert (preflight.status_code, allowed["access-control-allow-origin"]) == (200, APP)
            assert allowed["access-control-allow-headers"] == "authorization"
            assert "access-control-allow-credentials" not in allowed
            for key in (all.bob.key, "sgw_wrong"):
                headers = {"Origin": APP, "Authorization": f"Bearer {key}", "Sec-Fetch-Site": "cross-site"}
                answer = await all.send(endpoint, headers=headers)
                assert answer.status_code != 403 or refusal(answer)[1] != "cross_origin"
                # Errors as well: a page has to be able to tell what went wrong.
                assert cors(answer)["access-control-allow-origin"] == APP, name_of(endpoint)
                assert "access-control-allow-credentials" not in cors(answer)
                assert "Origin" in answer.headers["vary"]


async def test_a_cookie_never_counts_for_a_listed_origin_and_no_other_origin_is_let_in(
    tmp_path: Path,
) -> None:
    async with signed(tmp_path, cors_origins=[APP]) as all:
        for endpoint in UNSAFE:
            headers = {"Cookie": all.cookie, "Origin": APP, "Sec-Fetch-Site": "cross-site"}
            assert refusal(await all.send(endpoint, headers=headers)) == (403, "cross_origin"), name_of(
                endpoint
            )
        for origin in (EVIL, "null", f"{APP}.evil.example", APP.replace("https", "http"), f"{APP}:8443"):
            answer = await all.http.get("/api/models", headers={"Origin": origin})
            assert "access-control-allow-origin" not in cors(answer), origin
            preflight = await all.http.options("/api/models", headers={"Origin": origin, **PREFLIGHT})
            assert "access-control-allow-origin" not in cors(preflight), origin


# --- headers -------------------------------------------------------------------------------------------

CAREFUL = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def check(answer: httpx.Response | None, what: str, *, https: bool = False) -> None:
    assert answer is not None, what
    assert {name: answer.headers.get(name) for name in CAREFUL} == CAREFUL, what
    assert answer.headers["x-request-id"], what
    assert "server" not in answer.headers, what
    assert "x-powered-by" not in answer.headers, what
    hsts = answer.headers.get("strict-transport-security")
    assert hsts == ("max-age=31536000" if https else None), what
    policy = answer.headers["content-security-policy"]
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind.startswith(("video/", "image/")):
        return  # a file has a policy of its own, and may be kept
    assert policy == CONTENT_SECURITY_POLICY, what
    page = kind in ("text/html", "text/css", "text/javascript")
    assert answer.headers["cache-control"] == ("no-cache" if page else "no-store"), what


def test_the_policy_is_the_strict_one() -> None:
    directives = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert directives["form-action"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("https", [False, True], ids=["plain", "https"])
async def test_every_answer_has_the_careful_headers_and_says_nothing_of_the_server(
    tmp_path: Path, https: bool
) -> None:
    async with (
        signed(tmp_path, trusted_proxies=["127.0.0.1"]) as all,
        standing(Proxy(all.port, scheme="https" if https else "http")) as proxy,
    ):
        all.http.base_url = httpx.URL(f"http://127.0.0.1:{proxy.port}")
        done = await all.root.comes_to((await all.root.make())["videoId"], "completed")
        key = {"Authorization": f"Bearer {all.root.key}"}
        for endpoint in TABLE:
            for credential in ({}, key):
                check(await all.send(endpoint, headers=credential), name_of(endpoint), https=https)
        for path in (
            "/", "/js/main.js", "/nothing", "/api/nothing", done["videoUrl"], f"/api/video/tasks/{done['videoId']}",
            "/health?token=x", "/api/models?limit=x",
        ):  # fmt: skip
            for method in ("GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND"):
                check(await all.http.request(method, path, headers=key), f"{method} {path}", https=https)
        async with peer_of(proxy.port) as peer:
            await peer.send(b"POST /api/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n")
            status, headers = await peer.head()
        assert status == 413
        check(httpx.Response(status, headers=headers), "413", https=https)
        stranger = {"Cookie": "sid=x", "Origin": EVIL}
        check(await all.http.post("/api/video/tasks", headers=stranger), "403", https=https)


async def test_a_refused_handshake_has_them_too(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        refused = {
            401: await all.handshake(Authorization="Bearer sgw_wrong"),
            403: await all.handshake(Cookie=all.cookie, Origin=EVIL),
            400: await all.handshake("/ws?token=x"),
            404: await all.handshake("/nothing"),
        }
        for status, answer in refused.items():
            check(answer, str(status))
            assert answer is not None
            assert (answer.status_code, set(answer.json())) == (status, {"error"})
        check(await all.handshake("/api/models"), "a handshake where there is none")


async def test_what_only_looks_like_a_handshake_is_refused_as_carefully(tmp_path: Path) -> None:
    async with signed(tmp_path) as all:
        version = b"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        for wrong, refusal in ((b"", 400), (version, 426)):
            async with peer_of(all.port) as peer:
                await peer.send(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n", wrong)
                await peer.send(b"Connection: Upgrade\r\n\r\n")
                status, headers = await peer.head()
            assert status == refusal
            assert CAREFUL.items() <= headers.items()
            assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert "server" not in headers


async def test_what_is_refused_before_it_is_a_request_says_nothing_of_the_server_either(
    tmp_path: Path,
) -> None:
    async with signed(tmp_path) as all:
        for head in (
            b"nonsense\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            async with peer_of(all.port) as peer:
                await peer.send(head)
                answer = (await peer.until_closed()).lower()
            assert answer.startswith(b"http/1.1 400 ")
            assert b"\r\nserver:" not in answer
            assert b"x-content-type-options: nosniff" in answer
            assert b"uvicorn" not in answer
            assert b"h11" not in answer
