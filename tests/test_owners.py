"""What is mine is mine, on every route: a matrix over the route table, the event streams and the WebSocket.

A route that is added without a row here fails the first test.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sora_gateway.app import Gateway
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.described import as_described
from tests.lab import Lab, at_the_lab, closing, lab_settings, says
from tests.raw_server import serving_raw
from tests.running import Json, Person, person, running
from tests.sample_videos import sample_mp4

SECRET = "a paper boat that only Ann may see"
BLACK = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
"""An image of one pixel."""


class Kind(Enum):
    OPEN = "anyone may ask"
    MINE = "a list of what is mine, or something about me"
    MAKE = "makes something that is mine"
    JOB = "one video"
    FILE = "one video's file, which a signed address opens to anyone"
    KEY = "one API key"
    IMAGE = "one saved image"
    SHARED = "something by its name that is the same for everybody"
    ADMIN = "an administrator's; for everybody else there is nothing there"


@dataclass(frozen=True)
class Row:
    kind: Kind
    status: int = 200
    """What the owner is answered."""
    body: dict[str, Any] | None = None
    job: str = "done"
    """Which of the owner's videos it works on: ``done``, ``running`` or ``ended``."""
    viewer: int = 404
    """What somebody is told who may look at most, and not at this."""
    name: str = ""
    """What is asked for where it has a name instead of a secret id."""


MATRIX = {
    "GET /api/models": Row(Kind.MINE),
    "GET /api/video/stats": Row(Kind.MINE),
    "POST /api/video/tasks": Row(Kind.MAKE, 202, {"prompt": "a boat"}, viewer=403),
    "GET /api/video/tasks": Row(Kind.MINE),
    "GET /api/video/tasks/{id}": Row(Kind.JOB),
    "GET /api/video/tasks/{id}/events": Row(Kind.JOB),
    "GET /api/video/tasks/{id}/stream": Row(Kind.JOB),
    "GET /api/video/tasks/{id}/content": Row(Kind.FILE),
    "POST /api/video/tasks/{id}/cancel": Row(Kind.JOB, job="running", viewer=403),
    "POST /api/video/tasks/{id}/retry": Row(Kind.JOB, 202, job="ended", viewer=403),
    "POST /api/video/tasks/{id}/refresh-url": Row(Kind.JOB),
    "DELETE /api/video/tasks/{id}": Row(Kind.JOB, 204, job="ended", viewer=403),
    "POST /api/references": Row(Kind.MAKE, 201, {"imageUrl": BLACK, "name": SECRET}, viewer=403),
    "GET /api/references": Row(Kind.MINE),
    "POST /api/references/preview": Row(Kind.MAKE, 200, {"imageUrl": BLACK, "size": "8x8"}, viewer=403),
    "GET /api/references/{id}": Row(Kind.IMAGE),
    "GET /api/references/{id}/content": Row(Kind.IMAGE),
    "DELETE /api/references/{id}": Row(Kind.IMAGE, 204, viewer=403),
    "GET /api/events/stream": Row(Kind.MINE),
    "POST /v1/videos": Row(Kind.MAKE, body={"prompt": "a boat"}, viewer=403),
    "GET /v1/videos": Row(Kind.MINE),
    "GET /v1/videos/{id}": Row(Kind.JOB),
    "DELETE /v1/videos/{id}": Row(Kind.JOB, job="ended", viewer=403),
    "GET /v1/videos/{id}/content": Row(Kind.JOB),
    "GET /v1/models": Row(Kind.MINE),
    "GET /v1/models/{id}": Row(Kind.SHARED, name="sora-2"),
    "POST /api/auth/redeem": Row(Kind.OPEN, 401, {"token": "none"}),
    "POST /api/auth/logout": Row(Kind.MINE, 204),
    "GET /api/auth/me": Row(Kind.MINE),
    "GET /api/keys": Row(Kind.MINE),
    "POST /api/keys": Row(Kind.MAKE, 201, {"name": "laptop"}, viewer=201),
    "DELETE /api/keys/{id}": Row(Kind.KEY, 204),
    "GET /api/admin/upstreams": Row(Kind.ADMIN),
    "GET /api/admin/upstreams/{name}": Row(Kind.ADMIN, name="lab"),
    "PUT /api/admin/upstreams/{name}": Row(
        Kind.ADMIN, body={"baseUrl": "http://127.0.0.1:1/v1", "models": {"other": "other"}}, name="added"
    ),
    "POST /api/admin/upstreams/{name}/test": Row(Kind.ADMIN, name="lab"),
    "POST /api/admin/upstreams/{name}/pause": Row(Kind.ADMIN, name="lab"),
    "POST /api/admin/upstreams/{name}/resume": Row(Kind.ADMIN, name="lab"),
    "DELETE /api/admin/upstreams/{name}": Row(Kind.ADMIN, 204, name="added"),
    "GET /health": Row(Kind.OPEN),
    "GET /ready": Row(Kind.OPEN),
    "GET /openapi.json": Row(Kind.OPEN),
}
ONE_JOB = {route: row for route, row in MATRIX.items() if row.kind in (Kind.JOB, Kind.FILE)}


def test_every_route_has_a_row() -> None:
    routes = {f"{endpoint.method} {endpoint.template}" for endpoint in table(System(0.0, list))}
    assert routes == set(MATRIX)
    one = (Kind.JOB, Kind.FILE, Kind.KEY, Kind.IMAGE, Kind.SHARED)
    for route, row in MATRIX.items():
        assert ("{id}" in route) == (row.kind in one), route


# --- a team ------------------------------------------------------------------------------------------


@dataclass
class Team:
    """Ann owns the videos. Bob is somebody else, Vic may only look, Root administers."""

    gateway: Gateway
    lab: Lab
    ann: Person
    bob: Person
    vic: Person
    root: Person

    async def video(self, kind: str) -> Json:
        """One of Ann's, accepted by the upstream and then *kind*."""
        done = kind == "done"
        self.lab.looks = {"status": "completed"} if done else {"status": "in_progress"}
        task = await self.ann.make(SECRET)
        task = await self.ann.comes_to(task["videoId"], "completed" if done else "processing")
        if kind == "ended":
            await self.ann.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
            task = await self.ann.comes_to(task["videoId"], "cancelled")
        return task


@asynccontextmanager
async def team(data_dir: Path) -> AsyncIterator[Team]:
    lab = Lab(content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    async with contextlib.AsyncExitStack() as stack:
        ann = await stack.enter_async_context(
            at_the_lab(data_dir, lab, balance=10_000, upstream={"max_concurrent": 0})
        )
        bob, vic, root = [
            await stack.enter_async_context(person(ann.gateway, name, role, credits=100))
            for name, role in (("bob", "member"), ("vic", "viewer"), ("root", "admin"))
        ]
        yield Team(ann.gateway, lab, ann, bob, vic, root)


async def ask(http: httpx.AsyncClient, route: str, id: str = "") -> httpx.Response:
    method, path = route.split(" ")
    row = MATRIX[route]
    return await http.request(
        method, path.replace("{id}", row.name or id).replace("{name}", row.name), json=row.body
    )


def client(gateway: Gateway, key: str | None = None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        base_url=gateway.address, headers=headers, trust_env=False, event_hooks={"response": [as_described]}
    )


# --- the matrix --------------------------------------------------------------------------------------


async def test_nobody_without_a_good_credential_gets_anything(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        done = await all.video("done")
        gone = await all.gateway.accounts.create_key("user_ann", "revoked")
        await all.gateway.accounts.revoke_key("user_ann", gone[1].id)
        async with person(all.gateway, "dan") as dan:
            await all.gateway.store.disable_user("dan@example.org", 0.0)
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


# --- live --------------------------------------------------------------------------------------------


def ws(gateway: Gateway, **headers: str) -> connect:
    address = gateway.address.replace("http", "ws") + "/ws"
    return connect(address, additional_headers=headers, proxy=None)


async def session_of(gateway: Gateway, email: str) -> str:
    _, token = await gateway.accounts.redeem(await gateway.accounts.new_login_link(email))
    return token


async def test_a_handshake_needs_a_credential_and_a_cookie_the_right_page(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for key in ("sk-nonsense", all.ann.key + "x"):
            with pytest.raises(InvalidStatus) as refused:
                await ws(all.gateway, Authorization=f"Bearer {key}")
            assert refused.value.response.status_code == 401
        cookie = f"sid={await session_of(all.gateway, 'ann@example.org')}"
        for origin in ("https://evil.example", "null", all.gateway.address.replace("127", "128")):
            with pytest.raises(InvalidStatus) as refused:
                await ws(all.gateway, Cookie=cookie, Origin=origin)
            assert refused.value.response.status_code == 403
            assert json.loads(refused.value.response.body)["error"]["code"] == "cross_origin"
        async with ws(all.gateway, Cookie=cookie, Origin=all.gateway.address) as page:
            assert json.loads(await page.recv())["type"] == "ready"
        # Without any credential the first message has to bring one.
        async with ws(all.gateway) as silent:
            await silent.send('{"type": "subscribe", "all": true}')
            with pytest.raises(ConnectionClosed) as closed:
                await silent.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401


async def test_a_socket_tells_nobody_of_another_persons_video(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for who in (all.bob, all.vic):
            async with who.live() as live:
                await live.say(type="subscribe", all=True)
                assert (await live.next())["tasks"] == []
                video = await all.video("ended")
                for topic in ("videoId", "externalVideoId"):
                    await live.say(type="subscribe", **{topic: video[topic]})
                    # The next message: nothing was said of anything that happened to it.
                    answer = await live.next()
                    assert (answer["type"], answer["code"]) == ("error", "not_found")
        async with all.root.live() as live:
            await live.say(type="subscribe", externalVideoId=video["externalVideoId"])
            assert (await live.next())["tasks"][0]["prompt"] == SECRET


async def test_an_event_stream_tells_nobody_of_another_persons_video(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for who, sees in ((all.bob, False), (all.vic, False), (all.root, True)):
            async with who.http.stream("GET", "/api/events/stream") as response:
                assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
                video, heard, beats = None, "", 0
                async for line in response.aiter_lines():
                    heard += line
                    beats += line == ": still here"
                    video = video or await all.video("ended")
                    if beats == 3 or (sees and '"step":"cancelled"' in heard and video["videoId"] in heard):
                        break
                assert video is not None
                assert (video["videoId"] in heard) == sees
