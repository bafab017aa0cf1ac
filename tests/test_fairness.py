"""Taking turns, end to end: whoever has few videos waiting is not kept by whoever has many, restarts included."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.lab import Lab, at_the_lab, opportunity
from tests.raw_server import serving_raw
from tests.running import Json, Person, person

MANY = 500
PLACES = 2
ROOM: Json = {"upstream": {"max_concurrent": PLACES}, "limits": {"batch": 0}, "pricing": {"per_video": 0}}


async def batch(who: Person, name: str, number: int, **wish: Any) -> list[Json]:
    """So many tasks of one person, whose prompts tell whose they are."""
    items = [{"prompt": f"{name} {each:03}"} for each in range(number)]
    answer = await who.http.post("/api/video/tasks/batch", json={"items": items} | wish)
    assert answer.status_code == 202, answer.text
    return list(answer.json()["tasks"])


def started(lab: Lab, name: str) -> list[int]:
    """Which of somebody's were sent to the upstream, in that order."""
    found = []
    for order in lab.orders:
        words = order.body.partition(name.encode() + b" ")[2]
        if words:
            found.append(int(words[:3]))
    return found


async def next_place(lab: Lab, *people: Person) -> None:
    """Ends a running video of one of *people*; returns when its place is taken."""
    sent = len(lab.orders)
    for who in people:
        running = (await who.get("/api/video/tasks?status=processing&limit=100")).json()["tasks"]
        if running:
            await who.http.post(f"/api/video/tasks/{running[0]['videoId']}/cancel")
            break
    await has(lab, sent + 1)


async def has(lab: Lab, orders: int) -> None:
    """Returns once so many were sent."""
    async with asyncio.timeout(20):
        while len(lab.orders) < orders:  # noqa: ASYNC110 - what sends them is the gateway's, and has no event for it
            await asyncio.sleep(0.01)


async def test_one_queues_five_hundred_and_anothers_starts_within_the_next_free_places(
    tmp_path: Path,
) -> None:
    lab = Lab()
    async with serving_raw(lab.handle) as server:
        async with (
            at_the_lab(tmp_path, lab, url=server.url, **ROOM) as ann,
            person(ann.gateway, "bob") as bob,
        ):
            await batch(ann, "ann", MANY)
            await has(lab, PLACES)
            (first,) = await batch(bob, "bob", 1)
            assert (await bob.task(first["videoId"]))["queuePosition"] <= PLACES
            for _ in range(PLACES):
                await next_place(lab, ann)
            assert started(lab, "bob") == [0]
            # Those that start together are on their way together.
            assert sorted(started(lab, "ann")) == list(range(len(lab.orders) - 1))
            # He asks for more, and all of them are queued when the gateway ends.
            await batch(bob, "rob", 3)
        before = len(lab.orders)
        async with (
            at_the_lab(tmp_path, lab, url=server.url, **ROOM) as ann,
            person(ann.gateway, "bob") as bob,
        ):
            for _ in range(2 * PLACES):
                await next_place(lab, ann, bob)
            # The free places are Ann's and Bob's by turns, each in their order.
            assert sorted(started(lab, "rob")) == [0, 1]
            assert sorted(started(lab, "ann")) == list(range(before - 1 + 2))


async def test_who_is_told_a_place_and_a_time_gets_them_in_that_order(tmp_path: Path) -> None:
    plans = {"gold": {"priority": "vip"}}
    async with (
        at_the_lab(tmp_path, lab := Lab(), plans=plans, **ROOM) as ann,
        person(ann.gateway, "bob") as bob,
        person(ann.gateway, "vic") as vic,
    ):
        async with person(ann.gateway, "root", "admin") as root:
            given = await root.http.put("/api/admin/users/user_vic/plan", json={"plan": "gold"})
            assert given.is_success, given.text
        await batch(ann, "ann", PLACES)
        await has(lab, PLACES)
        (last,) = await batch(ann, "cat", 1)
        mine, his, hers = await ann.make(), await bob.make(), await vic.make()
        tasks = [
            await vic.task(hers["videoId"]), await bob.task(his["videoId"]), await ann.task(mine["videoId"]),
            await ann.task(last["videoId"]),
        ]  # fmt: skip
        assert [task["priority"] for task in tasks] == ["vip", "normal", "normal", "batch"]
        assert [task["queuePosition"] for task in tasks] == [1, 2, 3, 4]
        starts = [task["estimatedStartAt"] for task in tasks]
        assert None not in starts
        assert starts == sorted(starts)
        await next_place(lab, ann)
        assert (await vic.comes_to(hers["videoId"], "processing"))["queuePosition"] is None
        assert (await bob.task(his["videoId"]))["queuePosition"] == 1


async def test_a_plans_seats_count_over_all_upstreams(tmp_path: Path) -> None:
    here, there = Lab(), Lab()
    async with serving_raw(there.handle) as elsewhere:
        other = {"base_url": f"{elsewhere.url}/v1", "models": {"sora-2-pro": "pro"}, "requests_per_minute": 0}
        async with (
            at_the_lab(
                tmp_path, here, upstreams={"other": other}, plans={"default": {"concurrency": 1}},
                pricing={"per_video": 0},
            ) as ann,
            person(ann.gateway, "bob") as bob,
        ):  # fmt: skip
            one = await ann.comes_to((await ann.make(model="sora-2"))["videoId"], "processing")
            two = await ann.make(model="sora-2-pro")
            his = await bob.comes_to((await bob.make(model="sora-2-pro"))["videoId"], "processing")
            assert his["upstream"] == two["upstream"] == "other"
            # His second has a free seat no more than hers has: both wait for their own first.
            await bob.make(model="sora-2")
            await opportunity()
            assert (len(here.orders), len(there.orders)) == (1, 1)
            assert (await ann.task(two["videoId"]))["stage"] == "queued"
            await ann.http.post(f"/api/video/tasks/{one['videoId']}/cancel")
            await ann.comes_to(two["videoId"], "processing")
            assert (len(here.orders), len(there.orders)) == (1, 2)
