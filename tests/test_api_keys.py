"""Keys for programs: what they are for, until when, and that they are what they look like."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.accounts.tokens import checksum, digest, is_api_key, is_mistyped, new_api_key
from sora_gateway.cli import main
from sora_gateway.core.principal import EVERYTHING, FOR_PROGRAMS, Scope
from sora_gateway.entropy import SystemEntropy
from sora_gateway.store.accounts import KeyRecord
from tests.people import ANN, LaterClock, actions, add, browser, code
from tests.running import Person, person, running, settings_for


async def make(who: httpx.AsyncClient, **wish: Any) -> httpx.Response:
    return await who.post("/api/keys", json={"name": "ci"} | wish)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def works(ann: Person, key: str) -> bool:
    return (await ann.get("/api/video/tasks", headers=bearer(key))).status_code == 200


# --- what they are for -------------------------------------------------------------------------------


async def test_a_key_is_for_videos_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        made = (await make(ann.http)).json()
        assert (made["scopes"], made["expiresAt"]) == (["videos:read", "videos:write"], None)
        only = (await make(ann.http, scopes=["videos:read"])).json()
        assert only["scopes"] == ["videos:read"]
        refused = await ann.http.post(
            "/api/video/tasks", json={"prompt": "a boat"}, headers=bearer(only["key"])
        )
        assert code(refused) == (403, "scope_missing")
        listed = {key["id"]: key for key in (await ann.get("/api/keys")).json()["keys"]}
        assert listed[only["id"]]["scopes"] == ["videos:read"]
        assert only["key"].startswith(listed[only["id"]]["prefix"])
        assert only["key"] not in str(listed)
        assert (await gateway.store.audited(only["id"]))[0].detail == "ci: videos:read"


async def test_a_key_makes_none_that_can_do_more_or_lasts_longer_than_itself(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        person(gateway, "root", "admin") as root,
    ):
        mother = (await make(ann.http, scopes=["account", "videos:read"], expiresIn=3600)).json()
        headers = bearer(mother["key"])

        async def daughter(**wish: Any) -> httpx.Response:
            return await ann.http.post("/api/keys", json={"name": "daughter"} | wish, headers=headers)

        assert code(await daughter(scopes=["videos:write"])) == (403, "scope_missing")
        assert code(await daughter(scopes=["videos:read", "admin"])) == (403, "scope_missing")
        for wish in ({}, {"expiresIn": 86400}, {"scopes": ["account"]}):
            made = (await daughter(**wish)).json()
            assert made["expiresAt"] == mother["expiresAt"]
            assert set(made["scopes"]) <= set(mother["scopes"])
        assert (await daughter(expiresIn=60)).json()["expiresAt"] < mother["expiresAt"]
        # A key for videos makes none at all.
        headers = bearer((await make(ann.http)).json()["key"])
        assert code(await daughter()) == (403, "scope_missing")
        # And for administrating, whatever the credential is for, only an administrator makes one.
        assert code(await make(ann.http, scopes=["admin"])) == (403, "forbidden")
        assert (await make(root.http, scopes=["admin"])).json()["scopes"] == ["admin"]


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["videos:everything"]}, "scopes[0]"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2999-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresIn": 0}, "expiresIn"),
        ({"expiresIn": 11 * 365 * 86400}, "expiresIn"),
        ({"expiresIn": 60, "expiresAt": "2030-01-01T00:00:00Z"}, "expiresIn"),
        ({"name": ""}, "name"),
        # It is shown in lists and in the audit log.
        ({"name": "x\x1b[2J"}, "name"),
        ({"name": "\u202egnitset"}, "name"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(wish: dict[str, Any], param: str, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        refused = await make(ann.http, **wish)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
        assert len(await gateway.store.people.keys("user_ann")) == 1


# --- until when --------------------------------------------------------------------------------------


async def test_a_key_ends_by_itself_and_its_use_is_shown(tmp_path: Path) -> None:
    clock = LaterClock()
    async with running(settings_for(tmp_path), clock) as gateway, person(gateway) as ann:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        by_date = (await make(ann.http, expiresAt=tomorrow.isoformat())).json()
        by_time = (await make(ann.http, expiresIn=3600)).json()
        assert by_date["expiresAt"][:16] == tomorrow.isoformat()[:16]
        assert by_time["lastUsedAt"] is None
        assert [await works(ann, key["key"]) for key in (by_date, by_time)] == [True, True]
        await gateway.accounts.close()
        listed = {key["id"]: key for key in (await ann.get("/api/keys")).json()["keys"]}
        assert listed[by_time["id"]]["lastUsedAt"] is not None
        clock.ahead = 3601
        assert [await works(ann, key["key"]) for key in (by_date, by_time)] == [True, False]
        clock.ahead = 86401
        assert [await works(ann, key["key"]) for key in (by_date, by_time)] == [False, False]


async def test_a_revoked_key_is_nobodys_with_the_next_request(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        person(gateway, "bob") as bob,
    ):
        key = (await make(ann.http)).json()
        people: list[str] = []
        gateway.accounts.revoked = people.append
        assert code(await bob.http.delete(f"/api/keys/{key['id']}")) == (404, "not_found")
        assert people == []
        assert (await ann.http.delete(f"/api/keys/{key['id']}")).status_code == 204
        assert people == ["user_ann"]
        assert not await works(ann, key["key"])
        assert await actions(gateway, key["id"]) == ["key.create", "key.revoke"]


# --- what they look like -----------------------------------------------------------------------------


def test_a_key_ends_in_a_checksum_by_which_scanners_know_it() -> None:
    key = new_api_key(SystemEntropy()).text
    assert re.fullmatch(r"sgw_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}", key)
    assert key[-6:] == checksum(key[:-6])
    # The published check value of CRC-32, in base 62.
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    assert (
        sum(digits.index(digit) * 62**place for place, digit in enumerate(checksum("123456789")[::-1]))
        == 0xCBF43926
    )


@given(st.integers(0, 52), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_key_with_a_wrong_character_is_known_to_be_none_without_a_look(
    position: int, character: str
) -> None:
    key = new_api_key(SystemEntropy()).text
    typed = key[:position] + character + key[position + 1 :]
    assert is_mistyped(typed) == (typed != key)


@given(st.text(max_size=60))
def test_any_text_may_be_presented(text: str) -> None:
    assert not is_mistyped("sgw_" + text[:40])
    assert is_api_key("sgw_" + text)


async def test_keys_from_before_there_were_checksums_work_on(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        old = f"sgw_{SystemEntropy().token()}"
        record = KeyRecord("key_old", "user_ann", "old", old[:10], 0.0, None, None, EVERYTHING)
        await gateway.store.people.create_key(record, digest(old))
        assert await works(ann, old)


# --- on the command line -----------------------------------------------------------------------------


def test_the_command_line_makes_keys_for_a_purpose_and_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["user", "create", ANN]) == 0
    capsys.readouterr()
    options = ["--scope", "videos:read", "--scope", "account", "--expires", "30"]
    assert main(["key", "create", "--user", ANN, "--name", "ci", *options]) == 0
    key = capsys.readouterr().out.strip()
    assert not is_mistyped(key)
    assert main(["key", "list"]) == 0
    listed = capsys.readouterr().out
    assert "account, videos:read" in listed
    month = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    assert f"expires {month}" in listed
    assert key not in listed
    with pytest.raises(SystemExit):
        main(["key", "create", "--user", ANN, "--scope", "everything"])


def test_the_command_line_knows_every_scope() -> None:
    from sora_gateway.cli.people import SCOPES

    assert set(SCOPES) == set(Scope)
    assert set(Scope) > FOR_PROGRAMS


def test_the_command_line_prints_links_to_sign_in_to_be_invited_and_to_set_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["user", "create", ANN]) == 0
    capsys.readouterr()
    for command, kind in (
        (["link", ANN], "login"),
        (["reset", ANN], "reset"),
        (["invite"], "invite"),
        (["invite", "new@example.org", "--role", "viewer"], "invite"),
    ):
        assert main(["user", *command]) == 0
        assert re.fullmatch(rf"http://127\.0\.0\.1:8000/#{kind}=[\w-]{{43}}\n", capsys.readouterr().out)
    for name, value, address in (
        ("ROOT_PATH", "/lab", r"http://127\.0\.0\.1:8000/lab"),
        ("PUBLIC_URL", "https://videos.example.org/lab", r"https://videos\.example\.org/lab"),
    ):
        monkeypatch.setenv(f"SORA_GATEWAY_SERVER__{name}", value)
        assert main(["user", "link", ANN]) == 0
        assert re.fullmatch(rf"{address}/#login=[\w-]{{43}}\n", capsys.readouterr().out)
    assert main(["user", "invite", ANN]) == 1
    assert "already a person" in capsys.readouterr().err
    assert main(["user", "disable", ANN]) == 0
    assert main(["user", "reset", ANN]) == 1
    assert main(["user", "enable", ANN]) == 0
    assert main(["user", "reset", ANN]) == 0


async def test_a_session_makes_keys_in_a_browser(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway:
        await add(gateway)
        async with browser(gateway, ANN) as page:
            made = await make(page, scopes=["account"], expiresIn=60)
            assert made.status_code == 201
            assert made.json()["scopes"] == ["account"]
