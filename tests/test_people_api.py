"""Signing in and out, keys, and what the process says of itself, over a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import httpx

from sora_gateway.app import Gateway
from tests.described import as_described, description
from tests.running import person, running, settings_for


@asynccontextmanager
async def browser(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Keeps cookies, and says where a request comes from as browsers do."""
    async with httpx.AsyncClient(
        base_url=gateway.address,
        headers={"Sec-Fetch-Site": "same-origin", "Origin": gateway.address},
        trust_env=False,
        event_hooks={"response": [as_described]},
    ) as client:
        yield client


async def test_the_first_link_makes_an_administrator_and_signs_the_browser_in(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        token = await gateway.accounts.new_login_link(None)
        answer = await page.post("/api/auth/redeem", json={"token": token})
        assert answer.json()["user"]["role"] == "admin"
        assert answer.json()["simulator"] is True
        cookie = SimpleCookie(answer.headers["set-cookie"])["sid"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
        assert int(cookie["max-age"]) == 30 * 86400
        assert not cookie["secure"]  # plain HTTP on this machine
        assert not cookie["domain"]
        assert (await page.get("/api/auth/me")).json() | {"token": None} == answer.json()
        # The link is used up, and so is every other of its kind.
        again = await page.post("/api/auth/redeem", json={"token": token})
        assert (again.status_code, again.json()["error"]["code"]) == (401, "not_authenticated")


async def test_signing_out_ends_the_session_here_and_there(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway), browser(gateway) as page:
        token = await gateway.accounts.new_login_link("ann@example.org")
        await page.post("/api/auth/redeem", json={"token": token})
        stolen = page.cookies["sid"]
        answer = await page.post("/api/auth/logout")
        assert answer.status_code == 204
        assert "sid" not in page.cookies
        page.cookies.set("sid", stolen)
        ended = await page.get("/api/auth/me")
        assert ended.json()["error"]["message"] == "Your session has ended; sign in again."


async def test_a_cookie_counts_only_when_our_own_page_asks(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway), browser(gateway) as page:
        token = await gateway.accounts.new_login_link("ann@example.org")
        await page.post("/api/auth/redeem", json={"token": token})
        wish = {"prompt": "a boat"}
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        ):
            answer = await page.post("/api/video/tasks", json=wish, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_origin"), headers
        assert await gateway.store.kept_jobs() == set()
        assert (await page.post("/api/video/tasks", json=wish)).status_code == 202


async def test_a_key_is_shown_once_works_at_once_and_can_be_revoked(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        made = await ann.http.post("/api/keys", json={"name": " laptop "})
        assert made.status_code == 201
        key = made.json()
        assert key["name"] == "laptop"
        assert key["key"].startswith(key["prefix"])
        listed = await ann.get("/api/keys")
        assert [each["name"] for each in listed.json()["keys"]] == ["laptop", "test"]
        assert key["key"] not in listed.text
        headers = {"Authorization": f"Bearer {key['key']}"}
        assert (await ann.get("/api/auth/me", headers=headers)).json()["user"]["email"] == "ann@example.org"
        assert (await ann.http.delete(f"/api/keys/{key['id']}")).status_code == 204
        dead = await ann.get("/api/auth/me", headers=headers)
        assert (dead.status_code, dead.headers["www-authenticate"]) == (401, "Bearer")
        assert (await ann.http.delete(f"/api/keys/{key['id']}")).status_code == 404
        for name in ("", " ", "x" * 101):
            refused = await ann.http.post("/api/keys", json={"name": name})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "name"), name


async def test_the_process_says_that_it_lives_serves_and_what_it_offers(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        health = (await page.get("/health")).json()
        assert (health["status"], health["phase"]) == ("ok", "serving")
        assert health["uptime"] >= 0
        assert set(health) == {"status", "phase", "uptime"}
        assert (await page.get("/ready")).json() == {"ready": True}
        served = (await page.get("/openapi.json")).json()
        assert served["paths"] == description()["paths"]
        assert served["components"] == description()["components"]


async def test_every_answer_has_a_request_id_and_a_sane_one_is_kept(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        for path in ("/health", "/", "/nothing", "/api/auth/me", "/v1/videos", "/v1/nothing"):
            made = (await page.get(path)).headers["x-request-id"]
            assert made.startswith("req_")
            kept = await page.get(path, headers={"X-Request-Id": "trace-1.a"})
            assert kept.headers["x-request-id"] == "trace-1.a", path
            replaced = await page.get(path, headers={"X-Request-Id": "a b\tc"})
            assert replaced.headers["x-request-id"].startswith("req_"), path
