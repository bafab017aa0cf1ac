"""People and programs prove who they are: one-time links, sessions, API keys, passwords."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sora_gateway.accounts.authenticator import LINK_LIFETIME, SESSION_IDLE, SESSION_LIFETIME, Authenticator
from sora_gateway.accounts.passwords import Passwords
from sora_gateway.accounts.tokens import digest
from sora_gateway.core.actor import Actor
from sora_gateway.core.principal import Principal
from sora_gateway.entropy import SystemEntropy
from sora_gateway.errors import InvalidRequest, NotAuthenticated, NotFound, StorageFull
from sora_gateway.store import Store
from tests.fakes import CountingEntropy, ManualClock
from tests.stores import ADA, BEN, open_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path, people=(ADA, BEN)) as store:
        yield store


@pytest.fixture
async def accounts(store: Store, clock: ManualClock) -> AsyncIterator[Authenticator]:
    authenticator = Authenticator(store, clock, CountingEntropy())
    yield authenticator
    await authenticator.close()


# --- one-time links and sessions ---------------------------------------------------------------------


async def test_a_link_signs_its_person_in_once(accounts: Authenticator) -> None:
    link = await accounts.new_login_link("ada@example.test")

    principal, session = await accounts.redeem(link)

    assert (principal.user_id, principal.via) == ("user_ada", "session")
    assert await accounts.by_session(session) == principal
    with pytest.raises(NotAuthenticated, match="used already or has expired"):
        await accounts.redeem(link)


async def test_a_link_is_dead_after_an_hour(accounts: Authenticator, clock: ManualClock) -> None:
    link = await accounts.new_login_link("ada@example.test")
    await clock.advance(LINK_LIFETIME + 1)
    with pytest.raises(NotAuthenticated):
        await accounts.redeem(link)


async def test_a_link_for_an_unknown_address_is_not_made(accounts: Authenticator) -> None:
    with pytest.raises(NotFound, match=r"nobody@example\.test"):
        await accounts.new_login_link("nobody@example.test")


async def test_the_first_administrator_is_made_by_a_link_without_a_person(
    store: Store, accounts: Authenticator
) -> None:
    link = await accounts.new_login_link(None)
    principal, _ = await accounts.redeem(link)
    assert principal.role == "admin"
    assert await store.people.has_admin()


async def test_a_first_administrators_link_is_dead_once_there_is_one(accounts: Authenticator) -> None:
    await accounts.redeem(await accounts.new_login_link(None))
    late = await accounts.new_login_link(None)
    with pytest.raises(NotAuthenticated):
        await accounts.redeem(late)


def whose(principal: Principal | None) -> str:
    """The person: when a session ends by itself moves on with each use of it."""
    assert principal is not None
    return principal.user_id


async def test_a_session_ends_after_thirty_days(accounts: Authenticator, clock: ManualClock) -> None:
    principal, session = await accounts.redeem(await accounts.new_login_link("ada@example.test"))
    for _ in range(29):
        await clock.advance(SESSION_LIFETIME / 30)
        assert whose(await accounts.by_session(session)) == principal.user_id
        await accounts.close()
    await clock.advance(SESSION_LIFETIME / 30)
    assert await accounts.by_session(session) is None
    assert await accounts.renewed(principal) is None


async def test_a_session_that_nobody_uses_ends_after_a_week(
    accounts: Authenticator, clock: ManualClock
) -> None:
    principal, session = await accounts.redeem(await accounts.new_login_link("ada@example.test"))
    await clock.advance(SESSION_IDLE - 1)
    assert whose(await accounts.by_session(session)) == principal.user_id
    await accounts.close()
    await clock.advance(SESSION_IDLE - 1)
    assert whose(await accounts.by_session(session)) == principal.user_id
    await accounts.close()
    await clock.advance(SESSION_IDLE + 1)
    assert await accounts.by_session(session) is None


async def test_logging_out_ends_the_session_at_the_server(accounts: Authenticator) -> None:
    principal, session = await accounts.redeem(await accounts.new_login_link("ada@example.test"))
    await accounts.logout(principal, Actor(principal.user_id))
    assert await accounts.by_session(session) is None
    assert await accounts.by_bearer(session) is None


async def test_a_disabled_person_is_nobody(store: Store, accounts: Authenticator, clock: ManualClock) -> None:
    principal, session = await accounts.redeem(await accounts.new_login_link("ada@example.test"))
    key, _ = await accounts.create_key("user_ada", "ci")
    await store.people.disable_user("ada@example.test", clock.now())
    assert await accounts.by_session(session) is None
    assert await accounts.by_bearer(key) is None
    assert await accounts.renewed(principal) is None


# --- API keys ----------------------------------------------------------------------------------------


async def test_a_program_presents_an_api_key_or_a_session_token(accounts: Authenticator) -> None:
    key, record = await accounts.create_key("user_ada", "  laptop ")
    _, session = await accounts.redeem(await accounts.new_login_link("ben@example.test"))

    by_key, by_session = await accounts.by_bearer(key), await accounts.by_bearer(session)

    assert by_key is not None
    assert (by_key.user_id, by_key.via, by_key.credential) == ("user_ada", "key", record.id)
    assert by_session is not None
    assert (by_session.user_id, by_session.via) == ("user_ben", "session")
    assert record.name == "laptop"


async def test_a_key_is_a_mark_and_256_random_bits(store: Store, clock: ManualClock) -> None:
    accounts = Authenticator(store, clock, SystemEntropy())
    first, record = await accounts.create_key("user_ada", "ci")
    second, _ = await accounts.create_key("user_ada", "ci")
    assert re.fullmatch(r"sgw_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}", first)
    assert first != second
    assert first.startswith(record.prefix)
    assert len(record.prefix) == 10


@pytest.mark.parametrize("token", ["", "sgw_", "sgw_nothing", "x" * 512, "\ud83d", "schlüssel"])
async def test_a_token_that_is_nobodys_is_nobodys(accounts: Authenticator, token: str) -> None:
    assert await accounts.by_bearer(token) is None
    assert await accounts.by_session(token) is None


async def test_an_api_key_is_no_session(accounts: Authenticator) -> None:
    key, _ = await accounts.create_key("user_ada", "ci")
    assert await accounts.by_session(key) is None


async def test_a_revoked_key_is_nobodys_at_once(accounts: Authenticator) -> None:
    key, record = await accounts.create_key("user_ada", "ci")
    principal = await accounts.by_bearer(key)
    assert principal is not None
    assert await accounts.renewed(principal) == principal

    await accounts.revoke_key("user_ada", record.id)

    assert await accounts.by_bearer(key) is None
    assert await accounts.renewed(principal) is None
    assert await accounts.keys("user_ada") == []


async def test_people_list_and_revoke_only_their_own_keys(accounts: Authenticator) -> None:
    key, record = await accounts.create_key("user_ada", "ci")
    assert await accounts.keys("user_ben") == []
    with pytest.raises(NotFound):
        await accounts.revoke_key("user_ben", record.id)
    assert await accounts.by_bearer(key) is not None


@pytest.mark.parametrize("name", ["", "   ", "n" * 101])
async def test_a_key_needs_a_name(accounts: Authenticator, name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 100 characters"):
        await accounts.create_key("user_ada", name)


async def test_the_use_of_a_key_is_noted_at_most_once_a_minute(
    accounts: Authenticator, clock: ManualClock
) -> None:
    key, _ = await accounts.create_key("user_ada", "ci")

    async def last_used() -> float | None:
        await accounts.by_bearer(key)
        await accounts.close()
        return (await accounts.keys("user_ada"))[0].last_used_at

    first = clock.now()
    assert await last_used() == first
    await clock.advance(59)
    assert await last_used() == first
    await clock.advance(1)
    assert await last_used() == first + 60


async def test_a_full_disk_does_not_stop_a_key_from_working(
    store: Store, accounts: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await accounts.create_key("user_ada", "ci")
    attempts = []

    async def full(key_id: str, at: float) -> None:
        attempts.append(key_id)
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(store.people, "touch_key", full)
    assert await accounts.by_bearer(key) is not None
    await accounts.close()
    assert await accounts.by_bearer(key) is not None
    await accounts.close()
    assert len(attempts) == 1


async def test_the_database_holds_no_secret_of_anybody(
    tmp_path: Path, store: Store, accounts: Authenticator
) -> None:
    key, _ = await accounts.create_key("user_ada", "ci")
    link = await accounts.new_login_link("ben@example.test")
    _, session = await accounts.redeem(await accounts.new_login_link("ada@example.test"))

    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()

    for secret in (key, link, session):
        assert secret not in dump
        assert digest(secret) in dump


# --- passwords ---------------------------------------------------------------------------------------


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_is_hashed_with_argon2id_and_a_salt_of_its_own(passwords: Passwords) -> None:
    one, other = await asyncio.gather(passwords.hash("correct horse"), passwords.hash("correct horse"))
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other
    assert await passwords.verify("correct horse", one)
    assert not await passwords.verify("wrong horse", one)


async def test_every_character_of_a_long_password_counts(passwords: Passwords) -> None:
    stored = await passwords.hash("密" * 127 + "x")
    assert await passwords.verify("密" * 127 + "x", stored)
    assert not await passwords.verify("密" * 127 + "y", stored)
    assert not await passwords.verify("密" * 127, stored)


async def test_the_same_letter_typed_on_another_system_is_the_same_password(passwords: Passwords) -> None:
    stored = await passwords.hash(unicodedata.normalize("NFC", "Grüße aus Köln"))
    assert await passwords.verify(unicodedata.normalize("NFD", "Grüße aus Köln"), stored)


@pytest.mark.parametrize("password", ["", "seven77", "x" * 129, "long enough \ud83d"])
async def test_a_password_that_is_too_short_too_long_or_no_text_is_refused(
    passwords: Passwords, password: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await passwords.hash(password)
    assert refused.value.param == "password"
    assert not await passwords.verify(password, "$argon2id$whatever")


async def test_a_stored_hash_that_is_none_matches_nothing(passwords: Passwords) -> None:
    assert not await passwords.verify("correct horse", "disabled")
