"""The audit log, as administrators read it: who did what to what, from where, newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sora_gateway.app import Gateway
from sora_gateway.core.actor import COMMAND_LINE, Actor
from sora_gateway.store import audit
from tests.running import Json, Person, person, running, settings_for

PATH = "/api/admin/audit"


@asynccontextmanager
async def a_log(directory: Path) -> AsyncIterator[tuple[Gateway, Person]]:
    """Five entries of three actors, ten seconds apart."""
    async with running(settings_for(directory)) as gateway, person(gateway, "root", "admin") as root:
        # What signing in and keys have written so far is of today.
        root_, ann = Actor("user_root", "203.0.113.7", "req-1"), Actor("user_ann", "203.0.113.8", "req-2")
        for number, (by, action, target) in enumerate(
            [
                (root_, "upstream.pause", "upstream lab"),
                (root_, "job.adopt", "video_1"),
                (ann, "key.create", "key_1"),
                (COMMAND_LINE, "job.give_up", "video_2"),
                (root_, "job.pay_again", "video_1"),
            ]
        ):
            await gateway.store.audit(audit.entry(by, 1000.0 + 10 * number, action, target))
        yield gateway, root


async def read(root: Person, **query: Any) -> list[Json]:
    answer = await root.get(PATH, params={"until": "2000-01-01T00:00:00Z"} | query)
    assert answer.status_code == 200, answer.text
    entries: list[Json] = answer.json()["entries"]
    return entries


async def test_the_newest_comes_first_with_who_and_from_where(tmp_path: Path) -> None:
    async with a_log(tmp_path) as (_, root):
        entries = await read(root)
        assert [entry["action"] for entry in entries] == [
            "job.pay_again", "job.give_up", "key.create", "job.adopt", "upstream.pause"
        ]  # fmt: skip
        newest = entries[0]
        assert newest["email"] == "root@example.org"
        assert (newest["address"], newest["requestId"]) == ("203.0.113.7", "req-1")
        assert newest["at"].startswith("1970-01-01T00:17:20")
        assert (entries[1]["actor"], entries[1]["email"]) == ("command line", None)


async def test_it_is_searched_by_actor_action_target_and_time(tmp_path: Path) -> None:
    async with a_log(tmp_path) as (_, root):

        async def found(**query: Any) -> list[str]:
            return [entry["action"] for entry in await read(root, **query)]

        by_root = ["job.pay_again", "job.adopt", "upstream.pause"]
        assert await found(actor="user_root") == by_root
        assert await found(actor="ROOT@example.org") == by_root
        assert await found(actor="command line") == ["job.give_up"]
        assert await found(action="job.") == ["job.pay_again", "job.give_up", "job.adopt"]
        assert await found(action="job.adopt") == ["job.adopt"]
        assert await found(action="%") == []
        assert await found(target="video_1") == ["job.pay_again", "job.adopt"]
        assert await found(since="1970-01-01T00:17:10Z", until="1970-01-01T00:17:20Z") == ["job.give_up"]
        assert await found(actor="user_root", target="video_1", action="job.p") == ["job.pay_again"]


async def test_a_page_goes_on_where_the_last_one_ended_although_more_was_written(tmp_path: Path) -> None:
    async with a_log(tmp_path) as (gateway, root):
        seen: list[str] = []
        after: dict[str, int] = {}
        while True:
            page = (await root.get(PATH, params={"limit": 2, "until": "2000-01-01T00:00:00Z"} | after)).json()
            seen += [entry["action"] for entry in page["entries"]]
            if not page["hasMore"]:
                break
            after = {"after": page["entries"][-1]["id"]}
            await gateway.store.audit(audit.entry(COMMAND_LINE, 5000.0, "later", "x"))
        assert seen == ["job.pay_again", "job.give_up", "key.create", "job.adopt", "upstream.pause"]


async def test_what_is_no_filter_is_refused(tmp_path: Path) -> None:
    async with a_log(tmp_path) as (_, root):
        for query in ({"who": "x"}, {"limit": 0}, {"limit": 201}, {"since": "yesterday"}, {"after": 0}):
            answer = await root.get(PATH, params=query)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, next(iter(query)))
        # A time without its zone is somebody's guess.
        assert (await root.get(PATH, params={"since": "2026-01-01T00:00:00"})).status_code == 400


async def test_a_change_by_http_has_the_clients_address_and_the_answers_id(tmp_path: Path) -> None:
    async with a_log(tmp_path) as (_, root):
        answer = await root.http.post("/api/admin/upstreams/simulator/pause")
        (entry,) = (
            await root.get(PATH, params={"action": "upstream.", "since": "2000-01-01T00:00:00Z"})
        ).json()["entries"]
        assert (entry["address"], entry["requestId"]) == ("127.0.0.1", answer.headers["x-request-id"])
