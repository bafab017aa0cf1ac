"""Ids: what a body names, ids of hostile upstreams, ids that are none, and that all of them look the same from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.store.readers import Readers
from tests.belongings import OF, Whose, house
from tests.callers import others
from tests.lab import Lab, lab_settings, says
from tests.matrix import MATRIX, ONE_JOB, SECRET, Right, Thing
from tests.raw_server import serving_raw
from tests.running import Person, person, running
from tests.team import ask, team

# --- ids in bodies -----------------------------------------------------------------------------------

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "POST /v1/videos/edits": ("video", {"json": {"prompt": "a", "video": {"id": "{id}"}}}),
    "POST /v1/videos/edits by a form": (
        "video", {"files": {"prompt": (None, "a"), "video[id]": (None, "{id}")}}
    ),
    "POST /v1/videos/extensions": (
        "video", {"json": {"prompt": "a", "seconds": 4, "video": {"id": "{id}"}}}
    ),
    "POST /v1/videos/extensions by a form": (
        "video", {"data": {"prompt": "a", "seconds": "4", "video[id]": "{id}"}}
    ),
    "POST /v1/videos with a character": (
        "character", {"json": {"prompt": "a", "characters": [{"id": "{id}"}]}}
    ),
    "POST /v1/videos with a character in a form": (
        "character", {"data": {"prompt": "a", "characters[][id]": "{id}"}}
    ),
    "POST /v1/videos with an image": (
        "image", {"json": {"prompt": "a", "input_reference": {"file_id": "{id}"}}}
    ),
    "POST /v1/videos with an image in a form": (
        "image", {"data": {"prompt": "a", "input_reference[file_id]": "{id}"}}
    ),
    "POST /api/video/tasks with an image": (
        "image", {"json": {"prompt": "a", "inputReference": {"imageId": "{id}"}}}
    ),
    "POST /api/video/tasks with an image in a form": (
        "image", {"data": {"prompt": "a", "inputReference[imageId]": "{id}"}}
    ),
    "POST /api/references/preview": ("image", {"json": {"imageId": "{id}", "size": "64x64"}}),
}  # fmt: skip
"""What a body names, by kind, and how; beyond what the rows of the matrix have."""


def naming(value: Any, id: str) -> Any:
    """*value* with *id* in its places."""
    if isinstance(value, dict):
        return {name: naming(item, id) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(naming(item, id) for item in value)
    return id if value == "{id}" else value


async def test_what_a_body_names_is_mine_too(tmp_path: Path) -> None:
    """What is somebody else's is told of in the very words in which what is nobody's is."""
    nobodys = {"video": "video_", "character": "char_", "image": "ref_"}
    async with team(tmp_path) as all:
        done = await all.video("done")
        ids = {
            "video": done["videoId"],
            "character": (await ask(all.ann.http, "POST /v1/videos/characters")).json()["id"],
            "image": (await ask(all.ann.http, "POST /api/references")).json()["id"],
        }
        paid = len(all.lab.orders)
        for route, (kind, body) in BODIES.items():
            path = route.split(" ")[1]
            nobody = await all.bob.http.post(path, **naming(body, nobodys[kind] + "0" * 32))
            assert nobody.status_code in (400, 404), route
            for id in (ids[kind], done["externalVideoId"]):
                answer = await all.bob.http.post(path, **naming(body, id))
                assert answer.status_code == nobody.status_code, route
                told, expected = answer.json()["error"], nobody.json()["error"]
                assert told | {"requestId": ""} == expected | {"requestId": ""}, route
                assert (await all.vic.http.post(path, **naming(body, id))).status_code == 403, route
        assert len(all.lab.orders) == paid
        assert (await all.gateway.store.people.by_email("bob@example.org")).available == 100
        for route, (kind, body) in BODIES.items():
            assert (await all.ann.http.post(route.split(" ")[1], **naming(body, ids[kind]))).is_success, route


# --- ids that an upstream gave -----------------------------------------------------------------------


@asynccontextmanager
async def two_upstreams(data_dir: Path, id: str) -> AsyncIterator[tuple[Person, Person, Person, Person]]:
    """Ann's video at one and Bob's at another, both of which call it *id*; and Vic, who may look, and Root."""
    one, two = Lab(creates=[says(200, {"id": id})]), Lab(creates=[says(200, {"id": id})])
    async with serving_raw(one.handle) as first, serving_raw(two.handle) as second:
        settings = lab_settings(data_dir, first.url)
        twin = settings.upstreams["lab"].model_copy(
            update={"base_url": f"{second.url}/v1", "models": {"other": "other"}}
        )
        settings = settings.model_copy(update={"upstreams": settings.upstreams | {"twin": twin}})
        async with (
            running(settings) as gateway,
            person(gateway, "ann", credits=50) as ann,
            person(gateway, "bob", credits=50) as bob,
            person(gateway, "vic", "viewer") as vic,
            person(gateway, "root", "admin") as root,
        ):
            await bob.comes_to((await bob.make("Bob's", model="other"))["videoId"], "processing")
            await ann.comes_to((await ann.make("Ann's"))["videoId"], "processing")
            yield ann, bob, vic, root


async def show(who: Person, visibility: str) -> None:
    (task,) = (await who.get("/api/video/tasks?scope=mine")).json()["tasks"]
    wish = {"visibility": visibility}
    assert (await who.http.post(f"/api/video/tasks/{task['videoId']}/visibility", json=wish)).is_success


async def test_an_external_id_that_two_upstreams_use_means_mine(tmp_path: Path) -> None:
    """Mine, else the only one that I see; who sees several has to say which."""
    looks = [
        route
        for route, row in ONE_JOB.items()
        if row.right is Right.LOOK and not route.endswith(("content", "archive"))
    ]
    async with two_upstreams(tmp_path, "ext-1") as (ann, bob, vic, root):
        shown: dict[str, tuple[str | None, ...]] = {
            "": ("Ann's", "Bob's", None, None),
            "Bob": ("Ann's", "Bob's", "Bob's", None),
            "Bob and Ann": ("Ann's", "Bob's", None, None),
        }
        for who_shows, seen in shown.items():
            for who in (ann, bob):
                name = "Ann" if who is ann else "Bob"
                await show(who, "team" if name in who_shows else "private")
            for who, prompt in zip((ann, bob, vic, root), seen, strict=True):
                for route in looks:
                    answer = await ask(who.http, route, "ext-1")
                    assert answer.status_code == (404 if prompt is None else 200), (
                        who_shows,
                        who.user_id,
                        route,
                    )
                    for other in {"Ann's", "Bob's"} - {prompt}:
                        assert other not in answer.text, (who_shows, who.user_id, route)
                async with who.live() as live:
                    await live.say(type="subscribe", externalVideoId="ext-1")
                    told = await live.next()
                    assert [task["prompt"] for task in told.get("tasks", [])] == ([prompt] if prompt else [])


async def test_an_upstream_that_uses_our_id_of_another_persons_video_gains_nothing(tmp_path: Path) -> None:
    """On every route Bob reaches his own video by it, whose external id it is, and Ann and Root hers, whose id it is."""
    async with team(tmp_path) as all:
        hers = await all.video("running")
        all.lab.creates = [says(200, {"id": hers["videoId"]})]
        his = await all.bob.comes_to((await all.bob.make("Bob's"))["videoId"], "processing")
        assert his["externalVideoId"] == hers["videoId"]
        for who in (all.ann, all.root):  # our own id comes first
            assert (await who.task(hers["videoId"]))["prompt"] == SECRET
        assert (await all.bob.task(hers["videoId"]))["videoId"] == his["videoId"]
        async with all.bob.live() as live:
            for topic in ("videoId", "externalVideoId"):
                await live.say(type="subscribe", **{topic: hers["videoId"]})
                while (told := await live.next())["type"] == "update":
                    assert told["videoId"] == his["videoId"]
                assert told["tasks"][0]["videoId"] == his["videoId"]
        before = await all.ann.task(hers["videoId"])
        for route in ONE_JOB:
            answer = await ask(all.bob.http, route, hers["videoId"])
            assert SECRET not in answer.text, route
            assert answer.status_code < 500, route
        after = await all.ann.task(hers["videoId"])
        names = ("stage", "visibility", "cancelRequested")
        assert [after[name] for name in names] == [before[name] for name in names]
        assert (await all.vic.get(f"/api/video/tasks/{hers['videoId']}")).status_code == 404


async def test_an_upstream_that_gives_two_people_one_id_shows_neither_the_others(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        hers = await all.video("running")
        all.lab.creates = [says(200, {"id": hers["externalVideoId"]})]
        his = await all.bob.comes_to((await all.bob.make("Bob's"))["videoId"], "unknown")
        assert his["externalVideoId"] is None
        for route in ONE_JOB:
            answer = await ask(all.bob.http, route, hers["externalVideoId"])
            assert answer.status_code == 404, route
            assert SECRET not in answer.text, route


# --- ids that are none -------------------------------------------------------------------------------

STRANGE = (
    "%2e%2e", "..%2f..%2fkeys", "%2e%2e%2fapi%2fkeys", "%00", "video_%00", "%0d%0aX-A:%20b", "%20", "*", "%25", "_" * 36,
    "null", "0", "-1", "1e9", "'%20OR%201=1%20--", "%22;--", "%F0%9F%8E%AC", "%ff%fe", "a" * 513, "a" * 8000, "video_", "{id}",
    "%E2%80%AEoediv",
)  # fmt: skip
"""As they stand in an address."""


@pytest.mark.parametrize("who", ["ann", "bob", "root"])
async def test_an_id_that_is_none_finds_nothing_whatever_is_in_it(who: str, tmp_path: Path) -> None:
    routes = [route for route, row in MATRIX.items() if row.thing is not None and "{id}" in route]
    async with team(tmp_path) as all:
        hers = await all.video("done")
        caller: Person = getattr(all, who)
        near = (hers["videoId"].upper(), hers["videoId"] + "%20", hers["videoId"] + "%00", hers["videoId"][:-1],
                "%20" + hers["externalVideoId"], hers["externalVideoId"] + "%2f")  # fmt: skip
        for id in (*STRANGE, *near):
            for route in routes:
                answer = await ask(caller.http, route, id)
                # With a slash in it, it is another address.
                assert answer.status_code in ((404, 405) if "%2f" in id else (404,)), (route, id, answer.text)
                assert SECRET not in answer.text, (route, id)
        assert (await all.ann.task(hers["videoId"]))["stage"] == "completed"


# --- what is hidden and what is not there ------------------------------------------------------------


async def test_what_is_hidden_takes_the_same_looks_into_the_store_as_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words are the same (``tests/test_owners.py``), and so is the work: no clock tells them apart."""
    read: list[str] = []
    ask_the_store = Readers.all

    async def noted(
        readers: Readers, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[Any]:
        read.append(sql)
        return await ask_the_store(readers, sql, parameters)

    async with house(tmp_path) as all:
        # What is told of the ends of videos is read by others than whoever asks.
        for webhook in (await all.team.ann.get("/api/webhooks")).json()["webhooks"]:
            await all.team.ann.http.patch(f"/api/webhooks/{webhook['id']}", json={"enabled": False})
        for row_kind in ("running",):
            for whose in (Whose.PRIVATE, Whose.TEAM):
                id = all.kept[Thing.JOB, whose, row_kind].ids[0]
                await all.team.ann.http.post(f"/api/video/tasks/{id}/cancel")
                await all.team.ann.comes_to(id, "cancelled")
        callers = [caller for caller in await others(all) if not caller.by_session]
        monkeypatch.setattr(Readers, "all", noted)
        for caller in callers:
            for route, row in MATRIX.items():
                if row.thing is None:
                    continue
                reads = {}
                hidden = [whose for whose in OF[row.thing] if whose is not Whose.TEAM]
                for whose in hidden:
                    for number in (0, 1):
                        ids = all.target(row, whose).ids
                        read.clear()
                        answer = await ask(
                            all.http, route, ids[number % len(ids)], {"share": "x"}, **await caller.bring()
                        )
                        assert answer.status_code in (403, 404), route
                        reads[whose, number] = tuple(read)
                assert len(set(reads.values())) == 1, (caller.name, route, reads)
                assert any(reads.values()) or row.right is not Right.LOOK, "they are noted"
