"""Signing in by an address and a password: who gets in, what strangers learn, and how often they may try."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import threading
import time
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from sora_gateway.accounts import passwords as module
from sora_gateway.accounts.address import normal_address
from sora_gateway.accounts.attempts import Attempts
from sora_gateway.accounts.passwords import COMMON, Passwords
from sora_gateway.app import Gateway
from sora_gateway.errors import InvalidRequest, StartupError, TooManyRequests, Unavailable
from sora_gateway.store.audit import AuditEntry
from tests.canaries import MARK
from tests.fakes import ManualClock
from tests.people import ANN, OTHER, PASSWORD, LaterClock, actions, add, browser, code, hashed, login, told
from tests.running import running, settings_for

NOBODY = "nobody@example.org"


# --- getting in --------------------------------------------------------------------------------------


async def test_a_password_signs_a_browser_in_by_a_cookie_that_scripts_never_see(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway, User_Agent="Paper/1") as page:
        await add(gateway)
        answer = await login(page)
        assert answer.json()["user"] == {"id": "user_ann", "email": ANN, "role": "member"}
        assert answer.json()["token"] is None
        cookie = SimpleCookie(answer.headers["set-cookie"])["sid"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
        me = (await page.get("/api/auth/me")).json()
        assert me | {"token": None} == answer.json()
        assert (me["via"], me["hasPassword"]) == ("session", True)
        assert me["scopes"] == ["account", "admin", "videos:read", "videos:write"]
        assert me["freshUntil"] < me["expiresAt"]
        (session,) = (await page.get("/api/auth/sessions")).json()["sessions"]
        assert (session["address"], session["userAgent"]) == ("127.0.0.1", "Paper/1")
        assert await actions(gateway, session["id"]) == ["session.create"]


async def test_a_program_gets_a_token_and_no_cookie(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        answer = await login(page, session="bearer")
        assert "set-cookie" not in answer.headers
        bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert (await page.get("/api/auth/me", headers=bearer)).json()["user"]["email"] == ANN
        assert (await page.post("/api/auth/logout", headers=bearer)).status_code == 204
        assert (await page.get("/api/auth/me", headers=bearer)).status_code == 401


async def test_every_sign_in_is_a_new_session_and_ends_the_one_that_the_browser_had(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        # Somebody else's, planted in this browser before the sign-in.
        await add(gateway, "eve@example.org")
        planted = (await login(page, "eve@example.org", session="bearer")).json()["token"]
        page.cookies.set("sid", planted, domain="127.0.0.1")
        tokens = [planted]
        for _ in range(2):
            answer = await login(page)
            tokens.append(SimpleCookie(answer.headers["set-cookie"])["sid"].value)
        assert len(set(tokens)) == 3
        known = [await gateway.accounts.by_session(token) for token in tokens]
        assert [principal and principal.email for principal in known] == [None, None, ANN]


async def test_an_address_means_the_same_in_every_case(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway, "Ann@Example.org")
        for email in ("ann@example.org", " ANN@EXAMPLE.ORG ", "Ann@Example.org"):
            assert (await login(page, email)).json()["user"]["id"] == "user_Ann", email


@pytest.mark.parametrize(
    "email", ["J\u030cane@example.org", "\u01f0ane@example.org", "j\u030cANE@example.org"]
)
async def test_an_address_is_found_again_however_its_letters_are_composed(email: str, tmp_path: Path) -> None:
    """A small letter that has a composed form where its capital has none."""
    settings = settings_for(tmp_path, accounts={"registration": "open"})
    async with running(settings) as gateway, browser(gateway) as page:
        wish = {"email": "J\u030cane@example.org", "password": PASSWORD}
        assert (await page.post("/api/auth/register", json=wish)).status_code == 204
        assert (await login(page, email)).status_code == 200
        assert normal_address(normal_address(email)) == normal_address(email)


async def test_a_password_that_was_hashed_otherwise_is_hashed_anew_at_the_next_sign_in(
    tmp_path: Path,
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    async with (
        running(settings_for(tmp_path)) as gateway,
        browser(gateway) as page,
        browser(gateway) as other,
    ):
        await add(gateway, stored=old)
        assert (await login(page)).status_code == 200
        record = await gateway.store.people.password_by_email(ANN)
        assert record is not None
        assert record.stored is not None
        assert record.stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert (await login(other)).status_code == 200
        assert (await page.get("/api/auth/me")).status_code == 200


async def test_over_plain_http_from_elsewhere_nothing_is_even_tried(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        browser(gateway, Host="videos.example.org") as page,
    ):
        await add(gateway)
        for wish in ({}, {"session": "bearer"}):
            answer = await login(page, **wish)
            assert code(answer) == (403, "insecure_connection")
            assert "set-cookie" not in answer.headers


async def test_what_is_no_session_opens_nothing(tmp_path: Path) -> None:
    """Tampered with, of another gateway, or made for something else."""
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        good = (await login(page, session="bearer")).json()["token"]
        link = await gateway.accounts.new_login_link(ANN)
        for token in (good[:-1], good + "x", good.swapcase(), link, "0" * 43, "eyJhbGciOiJub25lIn0.e30."):
            for headers in ({"Cookie": f"sid={token}"}, {"Authorization": f"Bearer {token}"}):
                assert (await page.get("/api/auth/me", headers=headers)).status_code == 401


# --- what strangers learn ----------------------------------------------------------------------------


async def test_who_does_not_exist_and_a_wrong_password_get_the_same_answer(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        await gateway.store.people.create_user("user_bob", "bob@example.org", "member", None, 0, 0.0)
        await add(gateway, "dan@example.org")
        await gateway.store.people.disable_user("dan@example.org", 1.0)
        answers = [
            await login(page, email, f"wrong {MARK}")
            for email in (ANN, NOBODY, "bob@example.org", "dan@example.org", "no address at all")
        ]
        answers += [await login(page, email, "short") for email in (ANN, NOBODY)]
        assert {told(answer) for answer in answers} == {
            (401, "not_authenticated", "The address or the password is not right.")
        }
        kept = {"x-request-id", "date", "content-length"}
        assert len({tuple(set(answer.headers) - kept) for answer in answers}) == 1
        # Only who knows the password is told that it is of no use.
        assert code(await login(page, "dan@example.org")) == (403, "account_disabled")


async def test_who_does_not_exist_costs_one_comparison_of_the_same_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    verify = module._verify

    def counted(prepared: bytes, stored: str) -> bool:
        compared.append(stored)
        return verify(prepared, stored)

    monkeypatch.setattr(module, "_verify", counted)
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        for email in (ANN, NOBODY):
            await login(page, email, f"wrong {MARK}")
    assert len(compared) == 2
    parameters = {stored.rpartition("$")[0].rpartition("$")[0] for stored in compared}
    assert parameters == {"$argon2id$v=19$m=19456,t=2,p=1"}
    assert len(set(map(len, compared))) == 1


async def test_who_does_not_exist_takes_as_long_as_a_wrong_password(tmp_path: Path) -> None:
    """By the processor's time of this process, in turns: what else the machine does is not in it."""
    rounds = 24

    async def cost(page: httpx.AsyncClient, email: str) -> float:
        began = time.process_time()
        assert (await login(page, email, f"wrong {MARK}")).status_code == 401
        return time.process_time() - began

    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        for number in range(rounds):
            await add(gateway, f"known{number}@example.org")
        await cost(page, "warm@example.org")
        known, unknown = [], []
        for number in range(rounds):
            for _ in range(2):
                known.append(await cost(page, f"known{number}@example.org"))
                unknown.append(await cost(page, f"nobody{number}@example.org"))
    # Without the few that a collection of garbage fell into.
    means = [statistics.mean(sorted(each)[2:-2]) for each in (known, unknown)]
    assert abs(means[0] - means[1]) / max(means) < 0.1, means


# --- how often ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [ANN, NOBODY])
async def test_the_sixth_wrong_password_locks_for_a_second_and_then_for_twice_as_long(
    email: str, tmp_path: Path
) -> None:
    clock = LaterClock()
    async with running(settings_for(tmp_path), clock) as gateway, browser(gateway) as page:
        await add(gateway)
        for _ in range(5):
            assert code(await login(page, email, f"wrong {MARK}")) == (401, "not_authenticated")
        for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
            locked = await login(page, email, f"wrong {MARK}")
            assert code(locked) == (429, "rate_limited")
            assert locked.headers["retry-after"] == str(seconds)
            # The right one is not even tried.
            assert code(await login(page, email)) == (429, "rate_limited")
            clock.ahead += seconds
        assert (await login(page, email)).status_code == (200 if email == ANN else 429)


async def test_somebody_elses_lock_is_not_mine_and_mine_holds_in_every_spelling(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path), LaterClock()) as gateway, browser(gateway) as page:
        await add(gateway)
        await add(gateway, "bob@example.org")
        for email in ("ann@example.org", "ANN@example.org", " Ann@Example.Org") * 2:
            await login(page, email, f"wrong {MARK}")
        assert code(await login(page)) == (429, "rate_limited")
        assert (await login(page, "bob@example.org")).status_code == 200


async def test_guesses_at_once_are_no_more_than_guesses_in_a_row(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path), LaterClock()) as gateway, browser(gateway) as page:
        await add(gateway)
        answers = await asyncio.gather(*(login(page, ANN, f"wrong {MARK}") for _ in range(30)))
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 25


async def test_a_locked_account_is_in_the_audit_log_and_failures_only_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sora_gateway")
    async with running(settings_for(tmp_path), LaterClock()) as gateway, browser(gateway) as page:
        await add(gateway)
        for email in (ANN, NOBODY):
            for _ in range(6):
                await login(page, email, f"wrong {MARK}")
        # It is written after the answer: who does not exist must not be answered faster.
        entries: list[AuditEntry] = []
        async with asyncio.timeout(10):
            while not entries:
                await asyncio.sleep(0.01)
                entries = await gateway.store.audited("user_ann")
        (entry,) = entries
        assert (entry.action, entry.actor, entry.address) == ("user.lock", "somebody", "127.0.0.1")
    lines = [record.getMessage() for record in caplog.records if "wrong password" in record.getMessage()]
    assert len(lines) == 12
    assert lines[0] == "a wrong password for user_ann came from 127.0.0.1, 1 in a row"
    assert lines[-1] == "a wrong password for nobody came from 127.0.0.1, 6 in a row"
    assert NOBODY not in caplog.text, "what was typed there may be a password"


async def test_one_client_has_ten_attempts_a_minute_whatever_it_tries(tmp_path: Path) -> None:
    clock = LaterClock()
    settings = settings_for(
        tmp_path, accounts={"attempts_per_minute": 10}, server={"trusted_proxies": ["127.0.0.1"]}
    )
    attempts = {
        "/api/auth/login": {"email": NOBODY, "password": f"wrong {MARK}"},
        "/api/auth/register": {"email": NOBODY, "password": PASSWORD},
        "/api/auth/reset": {"token": f"none {MARK}", "password": PASSWORD},
        "/api/auth/redeem": {"token": f"none {MARK}"},
    }
    async with (
        running(settings, clock) as gateway,
        browser(gateway, X_Forwarded_For="192.0.2.1") as page,
        browser(gateway, X_Forwarded_For="192.0.2.2") as other,
        browser(gateway, X_Forwarded_For="2001:db8::1") as six,
    ):
        await add(gateway)
        for _ in range(2):
            for path, body in attempts.items():
                assert (await page.post(path, json=body)).status_code in (401, 403)
        assert (await login(page)).status_code == 200
        change = {"current": f"wrong {MARK}", "new": OTHER}
        assert (await page.post("/api/auth/password", json=change)).status_code == 403
        for path, body in {**attempts, "/api/auth/password": change}.items():
            refused = await page.post(path, json=body)
            assert code(refused) == (429, "rate_limited")
            assert 0 < int(refused.headers["retry-after"]) <= 60
        assert (await login(other)).status_code == 200
        # Whoever has one address of an IPv6 network has all of them.
        for number in range(10):
            neighbour = {"X-Forwarded-For": f"2001:db8::{number:x}"}
            answer = await six.post("/api/auth/redeem", json={"token": "none"}, headers=neighbour)
            assert answer.status_code == 401
        assert code(await login(six)) == (429, "rate_limited")
        clock.ahead = 60
        assert (await login(page)).status_code == 200
        assert (await login(six)).status_code == 200


async def test_an_address_of_ipv4_is_the_same_client_in_either_notation() -> None:
    attempts = Attempts(ManualClock(), per_minute=2)
    attempts.take("192.0.2.1")
    attempts.take("::ffff:192.0.2.1")
    attempts.take("unix")
    with pytest.raises(TooManyRequests):
        attempts.take("192.0.2.1")


async def test_a_flood_of_sign_ins_is_turned_away_before_it_takes_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two are hashed, thirty-two wait, and whoever comes then is told when to come back."""
    release = threading.Event()
    monkeypatch.setattr(module, "_verify", lambda *_: release.wait(30))
    passwords = Passwords()
    try:
        waiting = [asyncio.create_task(passwords.verify(PASSWORD, None)) for _ in range(34)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="try again in a few seconds") as refused:
            await passwords.verify(PASSWORD, None)
        assert refused.value.retry_after == 3
        # A caller who leaves frees the place of one who waits, and none that is in use.
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        again = [asyncio.create_task(passwords.verify(PASSWORD, None)) for _ in range(32)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await passwords.verify(PASSWORD, None)
        release.set()
        assert await asyncio.gather(*again) == [False] * 32
        assert not await passwords.verify(PASSWORD, None)
    finally:
        release.set()
        passwords.close()


async def test_the_rest_is_served_while_passwords_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(module, "_verify", lambda *_: not release.wait(30))
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        flood = [
            asyncio.create_task(login(page, f"nobody{number}@example.org", f"wrong {MARK}"))
            for number in range(40)
        ]
        turned_away = [await task for task in itertools.islice(asyncio.as_completed(flood), 6)]
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in turned_away} == {(503, "3")}
        assert sum(task.done() for task in flood) == 6
        assert (await page.get("/health")).status_code == 200
        release.set()
        answers = [answer.status_code for answer in await asyncio.gather(*flood)]
        assert sorted(answers) == [401] * 34 + [503] * 6


# --- passwords ---------------------------------------------------------------------------------------


async def test_what_everybody_tries_first_is_no_password() -> None:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it has no types

    common = [word for word in FREQUENCY_LISTS["passwords"][:COMMON] if len(word) >= 8]
    assert len(common) > 500
    passwords = Passwords()
    try:
        for word in (*common[:3], common[-1], common[0].upper()):
            with pytest.raises(InvalidRequest, match="everybody tries first"):
                await passwords.hash(word)
        for word in (ANN, ANN.upper(), "ann.miller"):
            with pytest.raises(InvalidRequest, match="must not be the address"):
                await passwords.hash(word, "ann.miller@example.org" if word == "ann.miller" else ANN)
    finally:
        passwords.close()


# --- the first administrator -------------------------------------------------------------------------


ADMIN = {"admin_email": "Root@example.org", "admin_password": PASSWORD}


async def test_the_configuration_can_name_the_first_administrator(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path, accounts=ADMIN)) as gateway, browser(gateway) as page:
        me = (await login(page, "root@example.org")).json()
        assert me["user"]["role"] == "admin"
        assert await actions(gateway, me["user"]["id"]) == ["user.create"]
        await gateway.store.people.set_password("root@example.org", hashed(OTHER))
    # Once there is one, the setting changes nothing, not even the password.
    async with running(settings_for(tmp_path, accounts=ADMIN)) as gateway, browser(gateway) as page:
        assert code(await login(page, "root@example.org")) == (401, "not_authenticated")
        assert (await login(page, "root@example.org", OTHER)).status_code == 200
        assert len(await gateway.store.people.users()) == 1


async def test_a_setting_makes_nobody_an_administrator_who_is_somebody_already(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway, "root@example.org")
    async with running(settings_for(tmp_path, accounts=ADMIN)) as gateway:
        assert not await gateway.store.people.has_admin()
    assert "somebody who is no administrator" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"admin_password": "password1"}, "admin_password"),
        ({"admin_password": "short"}, "admin_password"),
        ({"admin_password": "root@example.org"}, "admin_password"),
        ({"admin_email": "no address"}, "admin_email"),
    ],
)
async def test_a_weak_first_administrator_keeps_the_gateway_from_starting(
    wrong: dict[str, str], key: str, tmp_path: Path
) -> None:
    with pytest.raises(StartupError, match=rf"accounts\.{key} cannot be used"):
        async with running(settings_for(tmp_path, accounts={**ADMIN, **wrong})):
            pass


@pytest.mark.parametrize("half", ADMIN)
def test_an_administrator_needs_both_an_address_and_a_password(half: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set together"):
        settings_for(tmp_path, accounts={half: ADMIN[half]})


async def test_somebody_whose_password_changes_while_they_sign_in_gets_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        await add(gateway)
        changed = change_after_the_comparison(gateway, monkeypatch)
        assert code(await login(page)) == (403, "account_disabled")
        assert changed
        assert (await login(page, ANN, OTHER)).status_code == 200


def change_after_the_comparison(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The password is another one as soon as the old one was found to be right."""
    renewed = Passwords.renewed
    changed: list[str] = []

    async def change(self: Passwords, password: str, stored: str) -> str | None:
        if not changed:
            changed.append(stored)
            await gateway.store.people.set_password(ANN, hashed(OTHER))
        return await renewed(self, password, stored)

    monkeypatch.setattr(Passwords, "renewed", change)
    return changed
