"""What an administrator changes while the gateway runs holds at once, within the bounds of the configuration."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sora_gateway.app import Gateway
from sora_gateway.cli import main
from sora_gateway.cli.operate import operate
from sora_gateway.runtime_settings import CHANGEABLE
from sora_gateway.store import Store
from tests.running import Json, Person, person, running, settings_for

PATH = "/api/admin/settings"


@dataclass
class Place:
    gateway: Gateway
    root: Person
    ann: Person

    async def change(self, **changes: Any) -> dict[str, Json]:
        """Keys with ``__`` for the dot."""
        wanted = {key.replace("__", "."): value for key, value in changes.items()}
        answer = await self.root.http.patch(PATH, json=wanted)
        assert answer.status_code == 200, answer.text
        return {each["key"]: each for each in answer.json()["settings"]}

    async def settings(self) -> dict[str, Json]:
        return {each["key"]: each for each in (await self.root.get(PATH)).json()["settings"]}


@asynccontextmanager
async def a_place(directory: Path, **sections: Any) -> AsyncIterator[Place]:
    async with (
        running(settings_for(directory, **sections)) as gateway,
        person(gateway, "root", "admin") as root,
        person(gateway, "ann") as ann,
    ):
        yield Place(gateway, root, ann)


async def refused_prompt(ann: Person, length: int) -> bool:
    answer = await ann.http.post("/api/video/tasks", json={"prompt": "x" * length})
    assert answer.status_code in (202, 400), answer.text
    return answer.status_code == 400


async def test_every_key_says_its_value_its_bounds_and_where_it_comes_from(tmp_path: Path) -> None:
    async with a_place(tmp_path, jobs={"max_prompt": 500}) as place:
        told = await place.settings()
        assert set(told) == set(CHANGEABLE)
        prompt = told["jobs.max_prompt"]
        assert (prompt["value"], prompt["configured"], prompt["default"]) == (500, 500, 32000)
        assert (prompt["source"], prompt["type"], prompt["minimum"]) == ("configuration", "integer", 0)
        lifetime = told["media.url_lifetime"]
        assert (lifetime["source"], lifetime["type"], lifetime["above"]) == ("default", "number", 0)
        assert (lifetime["maximum"], prompt["maximum"]) == (365 * 86400, None)
        assert all(each["description"] for each in told.values())


async def test_the_longest_prompt_changes_with_the_next_request_and_comes_back(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        assert not await refused_prompt(place.ann, 100)
        changed = (await place.change(jobs__max_prompt=50))["jobs.max_prompt"]
        assert (changed["value"], changed["source"], changed["configured"]) == (50, "changed", 32000)
        assert (changed["changedBy"], changed["changedAt"] is not None) == ("user_root", True)
        assert await refused_prompt(place.ann, 100)
        back = (await place.change(jobs__max_prompt=None))["jobs.max_prompt"]
        assert (back["value"], back["source"], back["changedAt"]) == (32000, "default", None)
        assert not await refused_prompt(place.ann, 100)


async def test_a_signed_address_lives_as_long_as_is_said_now(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        video = await place.ann.comes_to((await place.ann.make())["videoId"], "completed")

        async def expires() -> int:
            url = (await place.ann.http.post(f"/api/video/tasks/{video['videoId']}/refresh-url")).json()[
                "videoUrl"
            ]
            return int(parse_qs(urlsplit(url).query)["expires"][0])

        before = await expires()
        await place.change(media__url_lifetime=10 * 3600)
        assert await expires() - before > 8 * 3600


async def test_a_new_connection_follows_as_many_topics_as_is_said_now(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        videos = [(await place.ann.make())["videoId"] for _ in range(2)]
        async with place.ann.live() as before:
            await place.change(realtime__topics=1)
            async with place.ann.live() as after:
                for live, expected in ((before, "subscribed"), (after, "error")):
                    for video in videos:
                        await live.say(type="subscribe", videoId=video)
                    answers: list[str] = []
                    while len(answers) < 2:
                        kind = (await live.next())["type"]
                        answers += [kind] if kind in ("subscribed", "error") else []
                    assert answers == ["subscribed", expected]


async def test_it_is_in_force_after_a_restart_too(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        await place.change(jobs__max_prompt=50, media__max_references=3)
    async with a_place(tmp_path) as place:
        assert await refused_prompt(place.ann, 100)
        told = await place.settings()
        assert (told["media.max_references"]["value"], told["media.url_lifetime"]["source"]) == (3, "default")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"jobs.max_prompt": -1}, "jobs.max_prompt"),
        ({"jobs.max_prompt": "100"}, "jobs.max_prompt"),
        ({"jobs.max_prompt": True}, "jobs.max_prompt"),
        ({"jobs.max_prompt": 1.5}, "jobs.max_prompt"),
        ({"media.url_lifetime": 0}, "media.url_lifetime"),
        ({"media.url_lifetime": [1]}, "media.url_lifetime"),
        ({"media.url_lifetime": 1e300}, "media.url_lifetime"),
        ({"credits.starting_balance": 1 << 63}, "credits.starting_balance"),
        ({"jobs.final_limit": 1}, "jobs.final_limit"),
        ({"server.allow_insecure": True}, "server.allow_insecure"),
        ({"jobs_max_prompt": 1}, "jobs_max_prompt"),
        ({"media.max_references": 5, "jobs.max_prompt": -1}, "jobs.max_prompt"),
    ],
)
async def test_what_cannot_be_is_refused_whole(changes: Json, param: str, tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        before = await place.settings()
        answer = await place.root.http.patch(PATH, json=changes)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (400, param), error
        assert await place.settings() == before
        assert await place.gateway.store.changed_settings() == []


async def test_every_change_is_in_the_audit_log_with_before_and_after(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        await place.change(jobs__max_prompt=50)
        await place.change(jobs__max_prompt=60)
        await place.change(jobs__max_prompt=None)
        entries = await place.gateway.store.audited("jobs.max_prompt")
        assert [(each.action, each.detail) for each in entries] == [
            ("setting.change", "32000 -> 50"),
            ("setting.change", "50 -> 60"),
            ("setting.reset", "60 -> 32000"),
        ]
        assert {(each.actor, each.address) for each in entries} == {("user_root", "127.0.0.1")}
        assert all(each.request_id for each in entries)


async def test_what_an_upgrade_has_made_impossible_is_told_of_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_place(tmp_path) as place:
        await place.change(jobs__max_prompt=50, media__max_references=3)
        await _write(place.gateway.store, "media.max_references", "-3")
        await _write(place.gateway.store, "jobs.of_old", "1")
    with caplog.at_level(logging.WARNING):
        async with a_place(tmp_path) as place:
            told = await place.settings()
            assert (told["jobs.max_prompt"]["value"], told["media.max_references"]["value"]) == (50, 200)
    ignored = [record.getMessage() for record in caplog.records if "is ignored" in record.getMessage()]
    assert [message.split(" is ignored")[0] for message in ignored] == [
        "the changed setting jobs.of_old",
        "the changed setting media.max_references",
    ]


async def test_new_people_begin_with_what_is_said_now_however_they_come(tmp_path: Path) -> None:
    async with a_place(tmp_path, credits={"starting_balance": 1}) as place:
        await place.change(credits__starting_balance=5)
        added = await place.root.http.post("/api/admin/users", json={"email": "cleo@example.org"})
        assert added.json()["available"] == 5
        invitation = (await place.root.http.post("/api/admin/invitations", json={})).json()["token"]
        wish = {"email": "dan@example.org", "password": "seven paper boats", "invitation": invitation}
        assert (await place.ann.http.post("/api/auth/register", json=wish)).status_code == 204
        assert (await place.gateway.store.people.by_email("dan@example.org")).available == 5
        settings = settings_for(tmp_path, credits={"starting_balance": 1})
        person_ = {"role": "member", "password": None}
        await asyncio.to_thread(operate, settings, "user.create", email="eve@example.org", **person_)
    # Without a running gateway as well.
    await asyncio.to_thread(operate, settings, "user.create", email="flo@example.org", **person_)
    async with a_place(tmp_path) as place:
        for name in ("eve", "flo"):
            assert (await place.gateway.store.people.by_email(f"{name}@example.org")).available == 5


async def test_config_show_says_what_is_in_force_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with a_place(tmp_path) as place:
        show = ["config", "show", "--data-dir", str(tmp_path)]
        assert await asyncio.to_thread(main, show) == 0
        assert "In force instead" not in capsys.readouterr().out
        await place.change(jobs__max_prompt=50, accounts__registration="closed")
        assert await asyncio.to_thread(main, show) == 0
        told = capsys.readouterr().out
    assert "# jobs.max_prompt = 50  # root@example.org, 20" in told
    assert '# accounts.registration = "closed"  # root@example.org, 20' in told
    # It is the configuration still, with comments.
    assert tomllib.loads(told)["jobs"]["max_prompt"] == 32000


async def _write(store: Store, key: str, value: str) -> None:
    await store.run(
        lambda tx: tx.execute("INSERT OR REPLACE INTO settings VALUES (?, ?, 1.0, 'user_root')", (key, value))
    )
