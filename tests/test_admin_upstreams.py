"""Upstreams while the gateway runs: added, tried, paused, changed and taken away, and how each one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.app import Gateway
from sora_gateway.core.breaker import FAILURES
from tests.canaries import ADDED_KEY, UPSTREAM_KEY
from tests.lab import Lab, at_the_lab, closing, says
from tests.profile_fakes import serving_fake
from tests.raw_server import Received, Wire, serving_raw
from tests.running import Json, Person, person, running, settings_for

PATH = "/api/admin/upstreams"
SECRET = ADDED_KEY
QUICK: dict[str, Any] = {"polling": {"policy": "fixed", "min_interval": 0.1}}


@dataclass
class Place:
    """A gateway that began with its simulator, an administrator, and somebody who asks for videos."""

    gateway: Gateway
    admin: Person
    ann: Person

    async def add(self, lab_url: str, name: str = "lab", **fields: Any) -> Json:
        body = {"baseUrl": f"{lab_url}/v1", "apiKey": SECRET, "models": {"sora-2": "wan-2.2"}} | fields
        response = await self.admin.http.put(f"{PATH}/{name}", json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def told(self, name: str = "lab") -> Json:
        response = await self.admin.get(f"{PATH}/{name}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def says(self, what: str, name: str = "lab") -> Json:
        response = await self.admin.http.post(f"{PATH}/{name}/{what}")
        assert response.status_code == 200, response.text
        return dict(response.json())


@asynccontextmanager
async def a_place(directory: Path, **sections: Any) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running(settings_for(directory, **(QUICK | sections))))
        admin = await stack.enter_async_context(person(gateway, "eve", role="admin"))
        ann = await stack.enter_async_context(person(gateway, "ann"))
        yield Place(gateway, admin, ann)


@asynccontextmanager
async def a_lab() -> AsyncIterator[tuple[Lab, str]]:
    lab = Lab()
    async with serving_raw(lab.handle) as server:
        yield lab, server.url


async def test_an_upstream_that_is_added_makes_the_next_video(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, a_lab() as (lab, url):
        assert (await place.told("simulator"))["source"] == "simulator"
        added = await place.add(url)
        assert (added["source"], added["open"], added["breaker"]) == ("added", True, "closed")
        task = await place.ann.comes_to((await place.ann.make())["videoId"], "processing")
        assert (task["upstream"], len(lab.orders)) == ("lab", 1)
        assert lab.orders[0].headers["authorization"] == f"Bearer {SECRET}"
        me = await place.ann.get("/api/auth/me")
        assert me.json()["simulator"] is False
        assert (await place.told())["jobs"] == 1


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_it_is_there_after_a_restart_and_its_key_is_nowhere_in_the_clear(tmp_path: Path) -> None:
    async with a_lab() as (lab, url):
        async with a_place(tmp_path) as place:
            await place.add(url)
            running_task = await place.ann.comes_to((await place.ann.make())["videoId"], "processing")
        assert SECRET.encode() not in everything_in(tmp_path)
        lab.looks = {"status": "failed", "error": {"message": "It did not work."}}
        async with a_place(tmp_path) as place:
            await place.ann.comes_to(running_task["videoId"], "failed")
            await place.ann.comes_to((await place.ann.make())["videoId"], "failed")
            assert [order.headers["authorization"] for order in lab.orders] == [f"Bearer {SECRET}"] * 2


async def test_one_that_is_paused_gets_nothing_until_it_is_resumed_not_even_after_a_restart(
    tmp_path: Path,
) -> None:
    async with a_lab() as (lab, url):
        async with a_place(tmp_path) as place:
            await place.add(url)
            assert (await place.says("pause"))["open"] is False
            waiting = await place.ann.make()
            waiting = await place.ann.comes_to(waiting["videoId"], "queued", note="paused")
        async with a_place(tmp_path) as place:
            assert (await place.told())["reason"] == "an administrator switched it off"
            assert lab.orders == []
            assert (await place.says("resume"))["open"] is True
            await place.ann.comes_to(waiting["videoId"], "processing")
            assert len(lab.orders) == 1


async def test_jobs_of_one_that_is_taken_away_wait_and_go_on_when_it_is_back(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, a_lab() as (lab, url):
        await place.add(url)
        task = await place.ann.comes_to((await place.ann.make())["videoId"], "processing")
        assert (await place.admin.http.delete(f"{PATH}/lab")).status_code == 204
        await place.ann.comes_to(task["videoId"], "processing", note="not in the configuration")
        assert (await place.admin.get(f"{PATH}/lab")).status_code == 404
        lab.looks = {"status": "failed", "error": {"message": "It did not work."}}
        await place.add(url)
        await place.ann.comes_to(task["videoId"], "failed")
        assert len(lab.orders) == 1


async def test_a_change_keeps_the_key_that_is_not_given_again(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, a_lab() as (lab, url):
        await place.add(url)
        changed = await place.add(url, apiKey=None, maxConcurrent=1)
        assert changed["models"] == {"sora-2": "wan-2.2"}
        await place.ann.comes_to((await place.ann.make())["videoId"], "processing")
        assert lab.orders[0].headers["authorization"] == f"Bearer {SECRET}"
        held_up = await place.ann.make()
        await place.ann.comes_to(held_up["videoId"], "queued")
        assert (await place.told())["waiting"] == 1


async def test_it_is_tried_without_spending(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, a_lab() as (lab, url):
        await place.add(url)
        assert (await place.says("test"))["ok"] is True
        await place.add("http://127.0.0.1:1", name="nobody")
        probe = await place.says("test", "nobody")
        assert (probe["ok"], "cannot be reached" in probe["message"]) == (False, True)
        assert lab.orders == []


async def test_what_doctor_says_of_it_can_be_read_before_it_is_added(tmp_path: Path) -> None:
    """Nothing is stored by that, and nothing is paid for; one that is there is asked with its own key."""
    async with a_place(tmp_path) as place, serving_fake("new-api", SECRET) as (fake, url):
        body = {"baseUrl": url, "apiKey": SECRET}
        tried = (await place.admin.http.post(f"{PATH}/relay/try", json=body)).json()
        assert (tried["ok"], [line["well"] for line in tried["lines"]]) == (True, [True, None])
        assert tried["lines"][1]["profile"] == "new-api"
        assert 'profile = "new-api" fits better than generic, because' in tried["lines"][1]["message"]
        assert (await place.admin.get(f"{PATH}/relay")).status_code == 404
        await place.add(url.removesuffix("/v1"), name="relay")
        again = {"baseUrl": url, "profile": "new-api"}
        told = (await place.admin.http.post(f"{PATH}/relay/try", json=again)).json()
        assert [line["well"] for line in told["lines"]] == [True, True]
        assert [line["well"] for line in (await place.says("test", "relay"))["lines"]] == [True, None]
        assert [line["well"] for line in (await place.says("test", "simulator"))["lines"]] == [True]
        refused = await place.admin.http.post(f"{PATH}/relay/try", json={"baseUrl": "nowhere"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "base_url")
        unknown = await place.admin.http.post(f"{PATH}/relay/try", json=body | {"profile": "none"})
        assert unknown.json()["lines"][0]["well"] is False
        assert fake.paid == 0


async def test_it_is_told_what_it_can_do_and_how_it_is_configured_but_no_secret(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, a_lab() as (_, url):
        told = await place.add(
            url, profile="vllm-omni", sizes=["1280x720"], seconds=[4, 8], maxConcurrent=3, costPerVideo=0.5
        )
        assert told["abilities"] == {
            "operations": ["create"], "characters": False, "listing": "live", "idempotent": False,
            "cancels": True, "onAmbiguous": "",
        }  # fmt: skip
        assert told["limits"] == {
            "maxConcurrent": 3,
            "maxCreating": 2,
            "costPerVideo": 0.5,
            "costPerSecond": 0.0,
        }
        assert (told["sizes"], told["seconds"]) == (["1280x720"], [4, 8])
        assert (told["hasApiKey"], told["hasWebhookSecret"]) == (True, False)
        listed = (await place.admin.get(PATH)).json()
        assert {each["dialect"] for each in listed["profiles"]} == {"openai", "chat-stream"}
        assert ("vllm-omni", "vLLM-Omni 0.30") in [
            (each["name"], each["servers"]) for each in listed["profiles"]
        ]
        simulator = await place.told("simulator")
        assert (simulator["hasApiKey"], simulator["limits"]["maxConcurrent"]) == (False, 0)


async def test_since_when_it_is_paused_is_known_after_a_restart(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        assert [(await place.told("simulator"))[name] for name in ("paused", "closedSince")] == [False, None]
        paused = await place.says("pause", "simulator")
        assert paused["paused"] is True
    async with a_place(tmp_path) as place:
        again = await place.told("simulator")
        assert (again["paused"], again["closedSince"][:19]) == (True, paused["closedSince"][:19])
        assert (await place.says("resume", "simulator"))["closedSince"] is None


@pytest.mark.parametrize(
    ("name", "fields", "status", "param"),
    [
        ("lab", {"profile": "none-such"}, 400, None),
        ("lab", {"baseUrl": "ftp://somewhere"}, 400, "base_url"),
        ("lab", {"maxConcurrent": -1}, 400, "max_concurrent"),
        ("lab", {"colour": "blue"}, 400, "colour"),
        ("Not a name", {}, 400, "name"),
        ("simulator", {}, 409, None),
    ],
)
async def test_what_cannot_work_is_refused_and_not_kept(
    tmp_path: Path, name: str, fields: Json, status: int, param: str | None
) -> None:
    async with a_place(tmp_path) as place:
        response = await place.admin.http.put(
            f"{PATH}/{name}", json={"baseUrl": "http://127.0.0.1:1/v1"} | fields
        )
        assert (response.status_code, response.json()["error"]["param"]) == (status, param)
        upstreams = (await place.admin.get(PATH)).json()["upstreams"]
        assert [each["name"] for each in upstreams] == ["simulator"]
        assert await place.gateway.store.added_upstreams() == []


async def test_one_of_the_configuration_is_paused_here_and_changed_there(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann, person(ann.gateway, "eve", role="admin") as admin:
        for request in (
            admin.http.put(f"{PATH}/lab", json={"baseUrl": "http://127.0.0.1:1/v1"}),
            admin.http.delete(f"{PATH}/lab"),
        ):
            assert (await request).status_code == 409
        assert (await admin.http.post(f"{PATH}/lab/pause")).json()["open"] is False
        assert (await admin.get(f"{PATH}/lab")).json()["source"] == "configuration"


async def test_its_failures_are_shown_with_what_it_answered_but_no_secret(tmp_path: Path) -> None:
    answers = [says(500, f"{UPSTREAM_KEY} is a bad key to show")]
    async with (
        # Slowly: it must be seen before the gate opens again, half a minute later.
        at_the_lab(tmp_path, Lab(creates=answers), speed=5) as ann,
        person(ann.gateway, "eve", role="admin") as admin,
    ):
        for _ in range(FAILURES):
            await ann.comes_to((await ann.make())["videoId"], "unknown")
        told = (await admin.get(f"{PATH}/lab")).json()
        assert (told["open"], told["breaker"], told["unknown"]) == (False, "open", FAILURES)
        assert (told["paused"], told["closedSince"] is not None) == (False, True)
        assert told["opensAt"] is not None
        assert {(each["outcome"], each["httpStatus"]) for each in told["failures"]} == {("unknown", 500)}
        assert UPSTREAM_KEY not in str(told)


async def test_money_and_budget_are_told(tmp_path: Path) -> None:
    upstream = {"cost_per_video": 0.5, "cost_per_second": 0.1, "spend_cap": 1.0, "requests_per_minute": 60}
    async with (
        at_the_lab(tmp_path, Lab(), upstream=upstream) as ann,
        person(ann.gateway, "eve", role="admin") as admin,
    ):
        await ann.comes_to((await ann.make())["videoId"], "processing")
        await ann.comes_to((await ann.make())["videoId"], "queued", note="spend cap")
        told = (await admin.get(f"{PATH}/lab")).json()
        assert told["spend"] == {"lastDay": 0.9, "cap": 1.0, "reached": True}
        assert told["budget"]["perMinute"] == 60


async def test_every_change_is_in_the_audit_log(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, a_lab() as (_, url):
        await place.add(url)
        await place.add(url)
        await place.says("pause")
        await place.says("resume")
        await place.admin.http.delete(f"{PATH}/lab")
        entries = await place.gateway.store.audited("upstream lab")
        assert [(entry.actor, entry.action) for entry in entries] == [
            ("user_eve", f"upstream.{action}") for action in ("add", "change", "pause", "resume", "remove")
        ]
        assert all(SECRET not in entry.detail for entry in entries)


async def test_an_answer_that_is_on_its_way_is_waited_for_before_an_upstream_is_taken_away(
    tmp_path: Path,
) -> None:
    async with a_place(tmp_path) as place, a_lab() as (lab, url):
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(_: Received, wire: Wire) -> None:
            arrived.set()
            await go_on.wait()
            await wire.send(closing(200, {"id": "ext-slow", "status": "queued"}))

        lab.creates = [slowly]
        await place.add(url)
        task = await place.ann.make()
        await arrived.wait()
        removing = asyncio.ensure_future(place.admin.http.delete(f"{PATH}/lab"))
        await asyncio.sleep(0.05)
        assert not removing.done()
        go_on.set()
        assert (await removing).status_code == 204
        assert (await place.ann.task(task["videoId"]))["externalVideoId"] == "ext-slow"
