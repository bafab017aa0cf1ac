"""Who may make an account: nobody, whoever was invited, or everybody; and what strangers learn of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.accounts.authenticator import INVITATION_LIFETIME
from sora_gateway.app import Gateway
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.principal import Role
from sora_gateway.settings import Settings
from tests.canaries import MARK
from tests.people import ANN, OTHER, PASSWORD, LaterClock, actions, add, browser, code, login, told
from tests.running import running, settings_for

NEW = "new@example.org"


def registering(tmp_path: Path, mode: str) -> Settings:
    return settings_for(tmp_path, accounts={"registration": mode}, credits={"starting_balance": 50})


async def register(page: httpx.AsyncClient, email: str = NEW, **more: Any) -> httpx.Response:
    return await page.post("/api/auth/register", json={"email": email, "password": PASSWORD} | more)


async def invited(gateway: Gateway, email: str | None = None, role: Role = "member") -> dict[str, str]:
    token, _ = await gateway.accounts.new_invitation(email, role, COMMAND_LINE)
    return {"invitation": token}


async def test_where_nobody_registers_there_is_nothing(tmp_path: Path) -> None:
    async with running(registering(tmp_path, "closed")) as gateway, browser(gateway) as page:
        for wish in ({}, await invited(gateway)):
            assert code(await register(page, **wish)) == (404, "not_found")
        assert await gateway.store.people.users() == []


async def test_an_invitation_makes_one_account_with_its_role_and_the_starting_balance(tmp_path: Path) -> None:
    async with running(registering(tmp_path, "invite")) as gateway, browser(gateway) as page:
        assert code(await register(page)) == (403, "not_admitted")
        invitation = await invited(gateway, role="viewer")
        assert (await register(page, " New@Example.ORG", **invitation)).status_code == 204
        (user,) = await gateway.store.people.users()
        assert (user.email, user.role, user.available) == (NEW, "viewer", 50)
        assert await actions(gateway, user.id) == ["user.register"]
        # It signs nobody in by itself.
        assert (await page.get("/api/auth/me")).status_code == 401
        assert (await login(page, NEW)).json()["user"]["role"] == "viewer"
        assert code(await register(page, "second@example.org", **invitation)) == (403, "not_admitted")


async def test_an_invitation_for_one_address_is_for_no_other(tmp_path: Path) -> None:
    clock = LaterClock()
    async with running(registering(tmp_path, "invite"), clock) as gateway, browser(gateway) as page:
        invitation = await invited(gateway, "New@example.org")
        assert code(await register(page, "other@example.org", **invitation)) == (403, "not_admitted")
        assert (await register(page, NEW, **invitation)).status_code == 204
        late = await invited(gateway)
        clock.ahead = INVITATION_LIFETIME + 1
        for wish in (late, {"invitation": f"none {MARK}"}):
            assert code(await register(page, "other@example.org", **wish)) == (403, "not_admitted")
        login_link = {"invitation": await gateway.accounts.new_login_link(NEW)}
        assert code(await register(page, "other@example.org", **login_link)) == (403, "not_admitted")


async def test_who_registers_without_an_invitation_is_a_member_without_credits(tmp_path: Path) -> None:
    async with running(registering(tmp_path, "open")) as gateway, browser(gateway) as page:
        assert (await register(page)).status_code == 204
        assert (await login(page, NEW)).status_code == 200
        invitation = await invited(gateway, role="viewer")
        assert (await register(page, "invited@example.org", **invitation)).status_code == 204
        users = await gateway.store.people.users()
        assert {(user.email, user.role, user.available) for user in users} == {
            (NEW, "member", 0), ("invited@example.org", "viewer", 50),
        }  # fmt: skip


async def test_a_stranger_does_not_learn_whose_addresses_are_known(tmp_path: Path) -> None:
    """The answer for an address that has an account is that for a new one, and the account stays as it is."""
    async with running(registering(tmp_path, "open")) as gateway, browser(gateway) as page:
        await add(gateway)
        answers = [await register(page, email, password=OTHER) for email in (ANN, "ANN@example.org", NEW)]
        assert {(answer.status_code, answer.content) for answer in answers} == {(204, b"")}
        assert len({tuple(set(answer.headers)) for answer in answers}) == 1
        assert len(await gateway.store.people.users()) == 2
        assert code(await login(page, ANN, OTHER)) == (401, "not_authenticated")
        assert (await login(page)).status_code == 200
        # Whoever was invited is trusted with it, and keeps the invitation.
        invitation = await invited(gateway)
        assert code(await register(page, ANN, **invitation)) == (409, "account_exists")
        assert (await register(page, "other@example.org", **invitation)).status_code == 204


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "two@at@example.org"}, "email"),
        ({"email": "es\x1b[31mc@example.org"}, "email"),
        ({"email": "admin@localhost"}, "email"),
        ({"email": " Local@LocalHost"}, "email"),
        ({"password": "seven77"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "password1"}, "password"),
        ({"password": NEW}, "password"),
        ({"role": "admin"}, "role"),
    ],
)
async def test_what_cannot_be_an_account_is_refused_and_uses_no_invitation_up(
    wish: dict[str, str], param: str, tmp_path: Path
) -> None:
    async with running(registering(tmp_path, "invite")) as gateway, browser(gateway) as page:
        invitation = await invited(gateway)
        refused = await register(page, **(invitation | wish))
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
        assert (await register(page, **invitation)).status_code == 204


async def test_every_character_counts_in_every_script_up_to_128(tmp_path: Path) -> None:
    async with running(registering(tmp_path, "open")) as gateway, browser(gateway) as page:
        password = f"密碼 Grüße 🚣 {MARK}".ljust(128, "x")
        assert len(password) == 128
        assert (await register(page, password=password)).status_code == 204
        assert told(await login(page, NEW, password[:-1] + "y"))[0] == 401
        assert (await login(page, NEW, password)).status_code == 200
