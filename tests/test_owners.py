"""What is mine is mine, on every route: a matrix over the route table. Live: ``tests/test_owners_live.py``.

A route that is added without a row in ``tests/team.py`` fails the first test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.lab import Lab, lab_settings, says
from tests.raw_server import serving_raw
from tests.running import Person, person, running
from tests.team import BLACK, MATRIX, ONE_JOB, SECRET, Kind, ask, client, team


def test_every_route_has_a_row() -> None:
    routes = {f"{endpoint.method} {endpoint.template}" for endpoint in table(System(0.0, list))}
    assert routes == set(MATRIX)
    one = (
        Kind.JOB,
        Kind.FILE,
        Kind.KEY,
        Kind.SESSION,
        Kind.IDENTITY,
        Kind.IMAGE,
        Kind.CHARACTER,
        Kind.SHARED,
    )
    for route, row in MATRIX.items():
        assert ("{id}" in route) == (row.kind in one) or row.kind is Kind.ADMIN, route


# --- the matrix --------------------------------------------------------------------------------------


async def test_nobody_without_a_good_credential_gets_anything(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        done = await all.video("done")
        gone = await all.gateway.accounts.create_key("user_ann", "revoked")
        await all.gateway.accounts.revoke_key("user_ann", gone[1].id)
        async with person(all.gateway, "dan") as dan:
            await all.gateway.store.people.disable_user("dan@example.org", 0.0)
        for key in (None, gone[0], dan.key, "sk-nonsense", all.ann.key + "x"):
            async with client(all.gateway, key) as nobody:
                for route, row in MATRIX.items():
                    answer = await ask(nobody, route, done["videoId"])
                    expected = {Kind.OPEN: row.status, Kind.FILE: 404}.get(row.kind, 401)
                    assert answer.status_code == expected, (route, key)
                    assert SECRET not in answer.text, route
                    assert done["externalVideoId"] not in answer.text, route


async def test_another_persons_video_is_not_there(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        videos = {kind: await all.video(kind) for kind in ("done", "ended", "running")}
        for who in (all.bob, all.vic):
            for route, row in ONE_JOB.items():
                video = videos[row.job]
                for id, other in (
                    (video["videoId"], video["externalVideoId"]),
                    (video["externalVideoId"], video["videoId"]),
                ):
                    answer = await ask(who.http, route, id)
                    assert answer.status_code == (row.viewer if who is all.vic else 404), (route, id)
                    assert SECRET not in answer.text, route
                    assert other not in answer.text, route
        for kind, video in videos.items():
            after = await all.ann.task(video["videoId"])
            assert after["seq"] == video["seq"] or kind == "running", "somebody else changed it"
            assert not after["cancelRequested"]


async def test_another_persons_saved_image_is_not_there_until_it_is_the_teams(tmp_path: Path) -> None:
    routes = {route: row for route, row in MATRIX.items() if row.kind is Kind.IMAGE}
    async with team(tmp_path) as all:
        for library in ("personal", "team"):
            wish = {"imageUrl": BLACK, "name": SECRET, "library": library}
            image = (await all.ann.http.post("/api/references", json=wish)).json()
            for who in (all.bob, all.vic):
                for route, row in routes.items():
                    answer = await ask(who.http, route, image["id"])
                    hidden = row.viewer if who is all.vic else 404
                    seen = 403 if route.startswith("DELETE") else row.status
                    assert answer.status_code == (hidden if library == "personal" else seen), (route, library)
                    assert library == "team" or SECRET not in answer.text, route
                listed = (await who.get("/api/references")).text
                assert (image["id"] in listed) == (library == "team")
            for who in (all.root, all.ann):
                assert image["id"] in (await who.get("/api/references")).text
                for route, row in routes.items():
                    if who is all.ann or not route.startswith("DELETE"):
                        assert (await ask(who.http, route, image["id"])).status_code == row.status, route


async def test_another_persons_character_is_not_there(tmp_path: Path) -> None:
    routes = {route: row for route, row in MATRIX.items() if row.kind is Kind.CHARACTER}
    async with team(tmp_path) as all:
        character = (await ask(all.ann.http, "POST /v1/videos/characters")).json()
        for route, row in routes.items():
            for who in (all.bob, all.vic):
                for id in (character["id"], "ext-1"):
                    answer = await ask(who.http, route, id)
                    assert answer.status_code == (row.viewer if who is all.vic else 404), route
                    assert SECRET not in answer.text, route
            for who in (all.ann, all.root):
                assert (await ask(who.http, route, character["id"])).status_code == row.status, route


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


async def test_lists_have_only_what_is_mine(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("running")
        assert (await ask(all.ann.http, "POST /api/references")).status_code == 201
        for route, row in MATRIX.items():
            if row.kind is not Kind.MINE or route == "GET /api/events/stream":
                continue
            for who in (all.bob, all.vic):
                answer = await ask(who.http, route)
                assert answer.status_code == row.status, route
                for secret in (SECRET, video["videoId"], video["externalVideoId"], "user_ann"):
                    assert secret not in answer.text, route
        for who, number in ((all.bob, 0), (all.vic, 0), (all.ann, 1), (all.root, 1)):
            assert (await who.get("/api/video/stats")).json()["counts"].get("processing", 0) == number
            assert len((await who.get("/api/video/tasks")).json()["tasks"]) == number
            assert len((await who.get("/v1/videos")).json()["data"]) == number
            # A page that begins after somebody else's video would tell that it exists.
            page = await who.get(f"/api/video/tasks?after={video['videoId']}")
            assert page.status_code == (200 if number else 404)


@pytest.mark.parametrize("name", ["ann", "root"])
async def test_its_owner_and_an_administrator_reach_it_by_either_id(name: str, tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        who: Person = getattr(all, name)
        done = await all.video("done")
        for route, row in ONE_JOB.items():
            for id_name in ("videoId", "externalVideoId"):
                video = done if row.job == "done" else await all.video(row.job)
                answer = await ask(who.http, route, video[id_name])
                assert answer.status_code == row.status, (route, id_name, answer.text)


async def test_what_everybody_shares_everybody_sees(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for route, row in MATRIX.items():
            if row.kind is Kind.SHARED:
                answers = [await ask(who.http, route) for who in (all.ann, all.bob, all.vic, all.root)]
                assert [answer.status_code for answer in answers] == [row.status] * 4, route
                assert len({answer.text for answer in answers}) == 1, route


async def test_what_is_for_administrators_is_not_there_for_anybody_else(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for route, row in MATRIX.items():
            if row.kind is Kind.ADMIN:
                for who in (all.ann, all.bob, all.vic):
                    assert (await ask(who.http, route)).status_code == 404, route
                answer = await ask(all.root.http, route)
                assert answer.status_code == row.status, (route, answer.text)


async def test_who_may_only_look_makes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for route, row in MATRIX.items():
            if row.kind is Kind.MAKE:
                assert (await ask(all.vic.http, route)).status_code == row.viewer, route
        assert all.lab.orders == []


async def test_another_persons_key_cannot_be_revoked_or_seen(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        (key,) = (await all.ann.get("/api/keys")).json()["keys"]
        for who in (all.bob, all.vic, all.root):
            assert (await ask(who.http, "DELETE /api/keys/{id}", key["id"])).status_code == 404
            assert key["id"] not in (await who.get("/api/keys")).text
        assert (await ask(all.ann.http, "DELETE /api/keys/{id}", key["id"])).status_code == 204
        assert (await all.ann.get("/api/auth/me")).status_code == 401


async def test_another_persons_sign_in_cannot_be_ended_or_seen(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        token = await all.gateway.accounts.new_session("user_ann")
        (session,) = (await all.ann.get("/api/auth/sessions")).json()["sessions"]
        for who in (all.bob, all.vic, all.root):
            assert (await ask(who.http, "DELETE /api/auth/sessions/{id}", session["id"])).status_code == 404
            assert session["id"] not in (await who.get("/api/auth/sessions")).text
        assert await all.gateway.accounts.by_session(token) is not None
        assert (await ask(all.ann.http, "DELETE /api/auth/sessions/{id}", session["id"])).status_code == 204
        assert await all.gateway.accounts.by_session(token) is None


# --- ids that collide --------------------------------------------------------------------------------


async def test_an_external_id_that_two_upstreams_use_means_mine(tmp_path: Path) -> None:
    one, two = Lab(creates=[says(200, {"id": "ext-1"})]), Lab(creates=[says(200, {"id": "ext-1"})])
    async with serving_raw(one.handle) as first, serving_raw(two.handle) as second:
        settings = lab_settings(tmp_path, first.url)
        twin = settings.upstreams["lab"].model_copy(
            update={"base_url": f"{second.url}/v1", "models": {"other": "other"}}
        )
        settings = settings.model_copy(update={"upstreams": settings.upstreams | {"twin": twin}})
        async with (
            running(settings) as gateway,
            person(gateway, "ann", credits=50) as ann,
            person(gateway, "bob", credits=50) as bob,
            person(gateway, "root", "admin") as root,
        ):
            his = await bob.comes_to((await bob.make("Bob's", model="other"))["videoId"], "processing")
            hers = await ann.comes_to((await ann.make("Ann's"))["videoId"], "processing")
            for path in ("/api/video/tasks/ext-1", "/v1/videos/ext-1"):
                assert (await ann.get(path)).json()["prompt"] == "Ann's"
                assert (await bob.get(path)).json()["prompt"] == "Bob's"
                # Who sees both has to say which.
                assert (await root.get(path)).status_code == 404
            assert (await root.task(his["videoId"]))["prompt"] == "Bob's"
            assert (await root.task(hers["videoId"]))["prompt"] == "Ann's"


async def test_an_upstream_that_uses_our_id_of_another_persons_video_gains_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        hers = await all.video("running")
        all.lab.creates = [says(200, {"id": hers["videoId"]})]
        his = await all.bob.comes_to((await all.bob.make("Bob's"))["videoId"], "processing")
        assert his["externalVideoId"] == hers["videoId"]
        assert (await all.bob.task(hers["videoId"]))["videoId"] == his["videoId"]
        for who in (all.ann, all.root):  # our own id comes first
            assert (await who.task(hers["videoId"]))["prompt"] == SECRET
