"""Where somebody is signed in, and how it ends: one by one, everywhere, by a new password, by an administrator."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sora_gateway.accounts.authenticator import RESET_LIFETIME
from sora_gateway.accounts.passwords import Passwords
from sora_gateway.app import Gateway
from sora_gateway.control import call
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.principal import EVERYTHING, FRESH
from sora_gateway.places import DataDirectory
from sora_gateway.store import audit
from tests.canaries import MARK
from tests.people import ANN, OTHER, PASSWORD, LaterClock, actions, add, browser, code, hashed, login, told
from tests.running import person, running, settings_for


async def signed_in(page: httpx.AsyncClient) -> bool:
    answer = await page.get("/api/auth/me")
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def noted(gateway: Gateway) -> list[str]:
    """Whose open connections were asked to be looked at again, from now on."""
    people: list[str] = []
    gateway.accounts.revoked = people.append
    return people


# --- one by one --------------------------------------------------------------------------------------


async def test_people_see_where_they_are_signed_in_and_end_what_they_like(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        await add(gateway, "bob@example.org")
        async with (
            browser(gateway, ANN, User_Agent="Phone/1") as phone,
            browser(gateway, ANN, User_Agent="Desk/" + "1" * 400) as desk,
            browser(gateway, "bob@example.org") as bob,
        ):
            people = noted(gateway)
            listed = (await desk.get("/api/auth/sessions")).json()["sessions"]
            assert [(each["userAgent"][:7], each["current"]) for each in listed] == [
                ("Desk/11", True), ("Phone/1", False),
            ]  # fmt: skip
            assert len(listed[0]["userAgent"]) == 256
            other = f"/api/auth/sessions/{listed[1]['id']}"
            assert code(await bob.delete(other)) == (404, "not_found")
            assert people == []
            assert (await desk.delete(other)).status_code == 204
            assert people == ["user_ann"]
            assert [await signed_in(page) for page in (phone, desk, bob)] == [False, True, True]
            assert code(await desk.delete(other)) == (404, "not_found")
            assert await actions(gateway, listed[1]["id"]) == ["session.create", "session.end"]
            # An id opens nothing.
            thief = {"Cookie": f"sid={listed[0]['id']}"}
            async with browser(gateway, **thief) as nobody:
                assert not await signed_in(nobody)


async def test_all_other_sessions_end_at_once_and_the_one_that_asks_stays(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        await add(gateway, "bob@example.org")
        async with (
            browser(gateway, ANN) as phone,
            browser(gateway, ANN) as desk,
            browser(gateway, "bob@example.org") as bob,
        ):
            people = noted(gateway)
            assert (await desk.delete("/api/auth/sessions")).status_code == 204
            assert people == ["user_ann"]
            assert [await signed_in(page) for page in (phone, desk, bob)] == [False, True, True]
            assert (await actions(gateway, "user_ann"))[-1] == "session.end_all"
            # A key has no session that could stay.
            key = (await desk.post("/api/keys", json={"name": "all", "scopes": ["account"]})).json()["key"]
            async with browser(gateway, Authorization=f"Bearer {key}") as program:
                assert (await program.delete("/api/auth/sessions")).status_code == 204
            assert [await signed_in(page) for page in (desk, bob)] == [False, True]


async def test_signing_out_ends_the_session_wherever_its_token_is(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        async with browser(gateway, ANN) as page, browser(gateway, ANN) as other:
            people, stolen = noted(gateway), page.cookies["sid"]
            assert (await page.post("/api/auth/logout")).status_code == 204
            assert "sid" not in page.cookies
            page.cookies.set("sid", stolen)
            assert [await signed_in(each) for each in (page, other)] == [False, True]
            assert people == ["user_ann"]
            assert (await actions(gateway, "user_ann"))[-1] == "session.end"


async def test_signing_out_everywhere_ends_every_session_and_no_key(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        await add(gateway, "bob@example.org")
        key, _ = await gateway.accounts.create_key("user_ann", "ci", EVERYTHING)
        async with (
            browser(gateway, ANN) as page,
            browser(gateway, ANN) as other,
            browser(gateway, "bob@example.org") as bob,
            browser(gateway, Authorization=f"Bearer {key}") as program,
        ):
            people = noted(gateway)
            assert (await page.post("/api/auth/logout-everywhere")).status_code == 204
            assert [await signed_in(each) for each in (page, other, bob, program)] == [
                False,
                False,
                True,
                True,
            ]
            assert people == ["user_ann"]
            assert (await actions(gateway, "user_ann"))[-1] == "session.end_all"


async def test_an_ended_session_is_not_listed(tmp_path: Path) -> None:
    clock = LaterClock()
    async with running(settings_for(tmp_path), clock) as gateway:
        await add(gateway)
        async with browser(gateway, ANN), browser(gateway) as late:
            clock.ahead = 8 * 86400
            await login(late)
            assert len((await late.get("/api/auth/sessions")).json()["sessions"]) == 1


# --- a new password ----------------------------------------------------------------------------------


async def test_a_new_password_ends_the_other_sessions_and_gives_this_one_a_new_token(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        link = await gateway.accounts.new_login_link(ANN)
        async with browser(gateway, ANN) as page, browser(gateway, ANN) as other, browser(gateway) as late:
            people, before = noted(gateway), page.cookies["sid"]
            (current, _) = (await page.get("/api/auth/sessions")).json()["sessions"][::-1]
            answer = await page.post("/api/auth/password", json={"current": PASSWORD, "new": OTHER})
            assert (answer.status_code, answer.json()) == (200, {"token": None})
            after = SimpleCookie(answer.headers["set-cookie"])["sid"].value
            assert after != before
            assert [await signed_in(each) for each in (page, other)] == [True, False]
            assert await gateway.accounts.by_session(before) is None
            (only,) = (await page.get("/api/auth/sessions")).json()["sessions"]
            assert only["id"] != current["id"]
            assert people == ["user_ann"]
            assert await actions(gateway, "user_ann") == ["user.set_password"]
            assert code(await login(late)) == (401, "not_authenticated")
            assert (await login(late, ANN, OTHER)).status_code == 200
            # A link that was made before opens nothing any more.
            assert (await late.post("/api/auth/redeem", json={"token": link})).status_code == 401


async def test_a_program_is_told_its_new_token(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        token = (await login(page, session="bearer")).json()["token"]
        wish = {"current": PASSWORD, "new": OTHER}
        answer = await page.post(
            "/api/auth/password", json=wish, headers={"Authorization": f"Bearer {token}"}
        )
        assert "set-cookie" not in answer.headers
        assert await gateway.accounts.by_session(token) is None
        assert await gateway.accounts.by_session(answer.json()["token"]) is not None


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"new": OTHER}, (400, "invalid_request")),
        ({"current": f"wrong {MARK}", "new": OTHER}, (403, "wrong_password")),
        ({"current": PASSWORD, "new": "short"}, (400, "invalid_request")),
        ({"current": PASSWORD, "new": "password1"}, (400, "invalid_request")),
        ({"current": PASSWORD, "new": ANN}, (400, "invalid_request")),
    ],
)
async def test_a_new_password_needs_the_old_one_and_has_to_be_a_good_one(
    wish: dict[str, str], expected: tuple[int, str], tmp_path: Path
) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        async with browser(gateway, ANN) as page, browser(gateway) as other:
            people = noted(gateway)
            refused = await page.post("/api/auth/password", json=wish)
            assert code(refused) == expected
            if expected[0] == 400:
                assert refused.json()["error"]["param"] == ("new" if "current" in wish else "current")
            assert await signed_in(page)
            assert people == []
            assert (await login(other)).status_code == 200


async def test_guessing_the_old_password_in_an_open_browser_is_throttled_too(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path), LaterClock()) as gateway:
        await add(gateway)
        async with browser(gateway, ANN) as page:
            for _ in range(5):
                await page.post("/api/auth/password", json={"current": f"wrong {MARK}", "new": OTHER})
            for guess in (f"wrong {MARK}", PASSWORD):
                answer = await page.post("/api/auth/password", json={"current": guess, "new": OTHER})
                assert code(answer) == (429, "rate_limited")


async def test_a_first_password_is_set_by_a_session_that_has_just_begun(tmp_path: Path) -> None:
    clock = LaterClock()
    async with (
        running(settings_for(tmp_path), clock) as gateway,
        person(gateway) as ann,  # without a password, by a key
        browser(gateway) as page,
    ):
        link = {"token": await gateway.accounts.new_login_link(ANN)}
        assert (await page.post("/api/auth/redeem", json=link)).json()["hasPassword"] is False
        assert code(await ann.http.post("/api/auth/password", json={"new": OTHER})) == (
            403,
            "fresh_login_needed",
        )
        clock.ahead = FRESH + 5
        me = (await page.get("/api/auth/me")).json()
        assert me["freshUntil"] is None
        assert code(await page.post("/api/auth/password", json={"new": OTHER})) == (403, "fresh_login_needed")
        link = {"token": await gateway.accounts.new_login_link(ANN)}
        await page.post("/api/auth/redeem", json=link)
        assert (await page.post("/api/auth/password", json={"new": OTHER})).status_code == 200
        assert (await page.get("/api/auth/me")).json()["hasPassword"] is True
        # The second one needs the first.
        assert code(await page.post("/api/auth/password", json={"new": PASSWORD})) == (400, "invalid_request")


async def test_two_new_passwords_at_once_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        async with browser(gateway, ANN) as page:
            read = gateway.store.people.password_of

            async def outdated(user_id: str) -> object:
                record = await read(user_id)
                await gateway.store.people.set_password(ANN, hashed(OTHER))
                return record

            monkeypatch.setattr(gateway.store.people, "password_of", outdated)
            answer = await page.post("/api/auth/password", json={"current": PASSWORD, "new": f"third {MARK}"})
            assert code(answer) == (409, "conflict")


async def test_who_is_signed_out_while_a_new_password_is_hashed_sets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await gateway.store.people.create_user("user_ann", ANN, "member", None, 0, 0.0)
        link = await gateway.accounts.new_login_link(ANN)
        assert (await page.post("/api/auth/redeem", json={"token": link})).status_code == 200
        done = audit.entry(COMMAND_LINE, 0.0, "session.end_all", "user_ann")
        hashing = Passwords.hash

        async def meanwhile(self: Passwords, password: str, address: str = "") -> str:
            await gateway.store.people.end_sessions("user_ann", done)
            return await hashing(self, password, address)

        monkeypatch.setattr(Passwords, "hash", meanwhile)
        answer = await page.post("/api/auth/password", json={"new": PASSWORD})
        assert code(answer) == (409, "conflict")
        assert not await signed_in(page)
        assert (await login(page)).status_code == 401


# --- a forgotten password ----------------------------------------------------------------------------


async def test_a_reset_link_sets_a_password_once_and_ends_everything(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path), LaterClock()) as gateway:
        await add(gateway)
        token = await gateway.accounts.new_reset_link(ANN, COMMAND_LINE)
        second = await gateway.accounts.new_reset_link(ANN, COMMAND_LINE)
        async with browser(gateway, ANN) as page, browser(gateway) as anywhere:
            for _ in range(6):
                await login(anywhere, ANN, f"wrong {MARK}")
            people = noted(gateway)
            for weak in ("short", "password1", ANN):
                refused = await anywhere.post("/api/auth/reset", json={"token": token, "password": weak})
                assert (refused.status_code, refused.json()["error"]["param"]) == (400, "password"), weak
            assert await signed_in(page)
            wish = {"token": token, "password": OTHER}
            assert (await anywhere.post("/api/auth/reset", json=wish)).status_code == 204
            assert people == ["user_ann"]
            assert not await signed_in(page)
            assert (await actions(gateway, "user_ann"))[-1] == "user.reset_password"
            assert (await login(anywhere, ANN, OTHER)).status_code == 200, "the lock is gone"
            for used in (token, second, f"none {MARK}"):
                again = await anywhere.post("/api/auth/reset", json={"token": used, "password": PASSWORD})
                assert told(again) == (
                    401, "not_authenticated", "This link was used already or has expired; ask for a new one."
                )  # fmt: skip
            # It is for nothing else.
            third = await gateway.accounts.new_reset_link(ANN, COMMAND_LINE)
            assert (await anywhere.post("/api/auth/redeem", json={"token": third})).status_code == 401
            login_link = await gateway.accounts.new_login_link(ANN)
            wrong = await anywhere.post("/api/auth/reset", json={"token": login_link, "password": PASSWORD})
            assert wrong.status_code == 401


async def test_a_sign_in_link_that_is_used_beside_a_new_password_leaves_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds a stolen link uses it up in the moment in which its person sets a new password."""
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        link = await gateway.accounts.new_login_link(ANN)
        redeem = gateway.store.people.redeem_login

        async def beside(*arguments: Any) -> Any:
            redeemed = await redeem(*arguments)
            await gateway.store.people.set_password(ANN, hashed(OTHER))
            return redeemed

        monkeypatch.setattr(gateway.store.people, "redeem_login", beside)
        assert code(await page.post("/api/auth/redeem", json={"token": link})) == (401, "not_authenticated")
        assert await gateway.store.people.sessions("user_ann", 0.0, 1e12) == []


async def test_a_reset_link_is_dead_after_a_day_and_once_its_person_is_disabled(tmp_path: Path) -> None:
    clock = LaterClock()
    async with running(settings_for(tmp_path), clock) as gateway, browser(gateway) as page:
        await add(gateway)
        late = await gateway.accounts.new_reset_link(ANN, COMMAND_LINE)
        clock.ahead = RESET_LIFETIME + 1
        unused = await gateway.accounts.new_reset_link(ANN, COMMAND_LINE)
        await gateway.store.people.disable_user(ANN, 1.0)
        for token in (late, unused):
            answer = await page.post("/api/auth/reset", json={"token": token, "password": OTHER})
            assert answer.status_code == 401


# --- from the command line ---------------------------------------------------------------------------


async def test_what_the_operator_takes_away_is_taken_at_once(tmp_path: Path) -> None:
    """Over the control socket of the running gateway."""
    settings = settings_for(tmp_path)
    async with running(settings) as gateway:
        await add(gateway)
        _, record = await gateway.accounts.create_key("user_ann", "ci")
        people = noted(gateway)

        async def operator(name: str, **arguments: object) -> None:
            await asyncio.to_thread(call, DataDirectory(settings.data_dir).control, name, arguments)

        async with browser(gateway, ANN) as page:
            await operator("key.revoke", key_id=record.id)
            assert people == ["user_ann"]
            await operator("user.set_password", email="ANN@example.org", password=OTHER)
            assert people == ["user_ann"] * 2
            assert not await signed_in(page)
            assert (await login(page, ANN, OTHER)).status_code == 200
            await operator("user.disable", email=ANN)
            assert people == ["user_ann"] * 3
            assert not await signed_in(page)
            await operator("user.enable", email=ANN)
            assert (await login(page, ANN, OTHER)).status_code == 200
        assert await actions(gateway, "user_ann") == ["user.set_password", "user.disable", "user.enable"]
        entry = (await gateway.store.audited(record.id))[-1]
        assert (entry.actor, entry.action) == ("command line", "key.revoke")


# --- what is open ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", ["logout", "everywhere", "one", "password", "key", "disabled", "reset", "another"]
)
async def test_whatever_is_open_ends_within_two_seconds(end: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running(settings) as gateway, browser(gateway) as page:
        await add(gateway)
        key, record = await gateway.accounts.create_key("user_ann", "ci", EVERYTHING)
        token = key if end == "key" else (await login(page, session="bearer")).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        address = gateway.address.replace("http", "ws") + "/ws"
        async with (
            connect(address, additional_headers=bearer, proxy=None) as socket,
            browser(gateway, ANN) as other,
        ):
            assert '"ready"' in str(await socket.recv())
            sessions = (await page.get("/api/auth/sessions", headers=bearer)).json()["sessions"]
            if end == "logout":
                await page.post("/api/auth/logout", headers=bearer)
            elif end == "everywhere":
                await other.post("/api/auth/logout-everywhere")
            elif end == "one":
                await other.delete(f"/api/auth/sessions/{sessions[1]['id']}")
            elif end == "password":
                await other.post("/api/auth/password", json={"current": PASSWORD, "new": OTHER})
            elif end == "key":
                await other.delete(f"/api/keys/{record.id}")
            elif end == "another":
                # The same browser signs in as somebody else.
                page.cookies.set("sid", token, domain="127.0.0.1")
                await add(gateway, "eve@example.org")
                assert (await login(page, "eve@example.org")).status_code == 200
                page.cookies.clear()
            elif end == "disabled":
                control = DataDirectory(settings.data_dir).control
                await asyncio.to_thread(call, control, "user.disable", {"email": ANN})
            else:
                link = await gateway.accounts.new_reset_link(ANN, COMMAND_LINE)
                await page.post("/api/auth/reset", json={"token": link, "password": OTHER})
            async with asyncio.timeout(2):
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
        assert (await page.get("/api/auth/me", headers=bearer)).status_code == 401
