"""Invitations: an administrator hands out a link, and somebody makes an account by it, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import Json, Person, person, running, settings_for
from tests.team import client
from tests.test_fresh_login import LaterClock

PATH = "/api/admin/invitations"
PASSWORD = "seven paper boats"


@asynccontextmanager
async def a_door(
    directory: Path, clock: LaterClock | None = None, **sections: Any
) -> AsyncIterator[tuple[Person, httpx.AsyncClient]]:
    """Who administers, and somebody outside."""
    async with (
        running(settings_for(directory, **sections), clock) as gateway,
        person(gateway, "root", "admin") as root,
        client(gateway) as stranger,
    ):
        yield root, stranger


async def invite(root: Person, **wish: Any) -> Json:
    answer = await root.http.post(PATH, json=wish)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def register(stranger: httpx.AsyncClient, token: str, email: str = "cleo@example.org") -> int:
    wish = {"email": email, "password": PASSWORD, "invitation": token}
    return (await stranger.post("/api/auth/register", json=wish)).status_code


async def test_an_invitation_makes_an_account_of_its_role_once(tmp_path: Path) -> None:
    async with a_door(tmp_path) as (root, stranger):
        made = await invite(root, role="viewer")
        assert made["url"] == f"{root.gateway.address}/#invite={made['token']}"
        assert await register(stranger, made["token"]) == 204
        assert await register(stranger, made["token"], "dan@example.org") == 403
        users = {user.email: user.role for user in await root.gateway.store.people.users()}
        assert users == {"root@example.org": "admin", "cleo@example.org": "viewer"}
        assert (await root.get(PATH)).json()["invitations"] == []


async def test_open_invitations_are_listed_without_their_tokens(tmp_path: Path) -> None:
    async with a_door(tmp_path) as (root, _):
        one = await invite(root, email="Cleo@example.org", role="admin", expiresIn=3600)
        two = await invite(root)
        answer = await root.get(PATH)
        listed = {each["id"]: each for each in answer.json()["invitations"]}
        assert set(listed) == {one["id"], two["id"]}
        assert listed[one["id"]]["email"] == "cleo@example.org"
        assert (listed[two["id"]]["email"], listed[two["id"]]["role"]) == (None, "member")
        assert listed[one["id"]]["createdBy"] == "user_root"
        assert all(made["token"] not in answer.text for made in (one, two))


async def test_one_for_an_address_is_for_nobody_else(tmp_path: Path) -> None:
    async with a_door(tmp_path) as (root, stranger):
        made = await invite(root, email="cleo@example.org")
        assert await register(stranger, made["token"], "dan@example.org") == 403
        assert await register(stranger, made["token"], "CLEO@example.org") == 204


async def test_one_that_is_taken_back_or_over_opens_nothing(tmp_path: Path) -> None:
    clock = LaterClock()
    async with a_door(tmp_path, clock) as (root, stranger):
        taken, over = await invite(root), await invite(root, expiresIn=60)
        assert (await root.http.delete(f"{PATH}/{taken['id']}")).status_code == 204
        assert (await root.http.delete(f"{PATH}/{taken['id']}")).status_code == 404
        clock.ahead = 61
        assert (await root.get(PATH)).json()["invitations"] == []
        for made in (taken, over):
            assert await register(stranger, made["token"]) == 403
        actions = [entry.action for entry in await root.gateway.store.audited(taken["id"])]
        assert actions == ["link.invite", "link.withdraw"]


async def test_a_reset_link_is_no_invitation_and_cannot_be_taken_back_as_one(tmp_path: Path) -> None:
    async with a_door(tmp_path) as (root, stranger):
        link = (await root.http.post("/api/admin/users/user_root/reset-link")).json()
        assert await register(stranger, link["token"]) == 403
        assert (await root.get(PATH)).json()["invitations"] == []


@pytest.mark.parametrize(
    ("wish", "status", "param"),
    [
        ({"email": "root@example.org"}, 409, None),
        ({"email": "Root@Example.org"}, 409, None),
        ({"email": "nobody"}, 400, "email"),
        ({"role": "king"}, 400, "role"),
        ({"expiresIn": 59}, 400, "expiresIn"),
        ({"expiresIn": 31 * 86400}, 400, "expiresIn"),
        ({"credits": 5}, 400, "credits"),
    ],
)
async def test_what_cannot_be_is_not_made(tmp_path: Path, wish: Json, status: int, param: str | None) -> None:
    async with a_door(tmp_path) as (root, _):
        answer = await root.http.post(PATH, json=wish)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
        assert (await root.get(PATH)).json()["invitations"] == []


async def test_who_may_register_is_changed_while_it_runs(tmp_path: Path) -> None:
    async with a_door(tmp_path, accounts={"registration": "open"}) as (root, stranger):
        made = await invite(root)
        wish = {"email": "dan@example.org", "password": PASSWORD}

        async def allow(mode: str) -> None:
            answer = await root.http.patch("/api/admin/settings", json={"accounts.registration": mode})
            assert answer.status_code == 200, answer.text

        await allow("closed")
        assert (await stranger.post("/api/auth/register", json=wish)).status_code == 404
        assert await register(stranger, made["token"]) == 404
        await allow("invite")
        assert (await stranger.post("/api/auth/register", json=wish)).status_code == 403
        assert await register(stranger, made["token"]) == 204
        await allow("open")
        assert (await stranger.post("/api/auth/register", json=wish)).status_code == 204
