"""What an administrator changes by a browser needs a sign-in of the last quarter of an hour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from sora_gateway.app import Gateway
from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import EVERYTHING, FRESH
from sora_gateway.http.routing import Access
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.described import as_described
from tests.running import person, running, settings_for
from tests.team import MATRIX, ask

PAUSE = "/api/admin/upstreams/simulator/pause"


class LaterClock(SystemClock):
    """The system's clock, as many seconds ahead as a test wants."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@asynccontextmanager
async def signed_in(gateway: Gateway, email: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with a session that began just now."""
    async with httpx.AsyncClient(
        base_url=gateway.address,
        headers={"Sec-Fetch-Site": "same-origin"},
        trust_env=False,
        event_hooks={"response": [as_described]},
    ) as browser:
        token = await gateway.accounts.new_login_link(email)
        assert (await browser.post("/api/auth/redeem", json={"token": token})).status_code == 200
        yield browser


async def test_a_session_administers_for_a_quarter_of_an_hour_and_then_only_looks(tmp_path: Path) -> None:
    clock = LaterClock()
    async with (
        running(settings_for(tmp_path), clock) as gateway,
        person(gateway, "root", "admin"),
        signed_in(gateway, "root@example.org") as browser,
    ):
        clock.ahead = FRESH - 5
        assert (await browser.post(PAUSE)).status_code == 200
        clock.ahead = FRESH + 5
        refused = await browser.post(PAUSE)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (403, "fresh_login_needed")
        assert "15 minutes" in error["message"]
        assert "sora-gateway user link root@example.org" in error["message"]
        assert (await browser.get("/api/admin/upstreams")).status_code == 200
        assert (await browser.get("/api/auth/me")).status_code == 200
        # Signing in once more is all that is asked for.
        token = await gateway.accounts.new_login_link("root@example.org")
        await browser.post("/api/auth/redeem", json={"token": token})
        assert (await browser.post(PAUSE)).status_code == 200


async def test_it_holds_for_every_route_that_changes_what_is_an_administrators(tmp_path: Path) -> None:
    changing = {
        f"{endpoint.method} {endpoint.template}"
        for endpoint in table(System(0.0, list))
        if endpoint.access is Access.ADMIN and endpoint.method != "GET"
    }
    assert len(changing) > 5
    clock = LaterClock()
    async with (
        running(settings_for(tmp_path), clock) as gateway,
        person(gateway, "root", "admin"),
        person(gateway, "ann"),
        signed_in(gateway, "root@example.org") as browser,
        signed_in(gateway, "ann@example.org") as anns,
    ):
        clock.ahead = FRESH + 5
        before = await gateway.store.people.users()
        for route in changing:
            answer = await ask(browser, route)
            assert answer.json()["error"]["code"] == "fresh_login_needed", route
            # Whoever is no administrator is not told that there is anything to sign in for.
            assert (await ask(anns, route)).status_code == 404, route
        for route in MATRIX:
            if route.startswith("GET /api/admin/"):
                assert (await ask(browser, route)).status_code in (200, 404), route
        assert await gateway.store.people.users() == before


async def test_a_program_with_the_scope_needs_no_sign_in(tmp_path: Path) -> None:
    clock = LaterClock()
    async with running(settings_for(tmp_path), clock) as gateway, person(gateway, "root", "admin") as root:
        clock.ahead = 365 * 86400.0
        key, _ = await gateway.accounts.create_key("user_root", "deploy", EVERYTHING)
        headers = {"Authorization": f"Bearer {key}"}
        assert (await root.http.post(PAUSE, headers=headers)).status_code == 200


async def test_a_key_for_administrating_is_not_the_way_around_it(tmp_path: Path) -> None:
    clock = LaterClock()
    async with (
        running(settings_for(tmp_path), clock) as gateway,
        person(gateway, "root", "admin"),
        signed_in(gateway, "root@example.org") as browser,
    ):
        wish = {"name": "deploy", "scopes": ["admin"]}
        assert (await browser.post("/api/keys", json=wish)).status_code == 201
        clock.ahead = FRESH + 5
        refused = await browser.post("/api/keys", json=wish)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "fresh_login_needed")
        assert (await browser.post("/api/keys", json={"name": "videos"})).status_code == 201
