"""A video that was made and cannot be had: its credits are held until somebody says who pays."""

from __future__ import annotations

from pathlib import Path

from tests.lab import PRICE, Lab, at_the_lab, ledger
from tests.people import actions, code, told
from tests.running import Json, Person, person

FINISHED: dict[str, object] = {"status": "completed", "progress": 100}
"""And its file is not there."""


async def disputed(ann: Person) -> Json:
    return await ann.comes_to((await ann.make())["videoId"], "failed")


async def balance(ann: Person) -> tuple[int, int]:
    told = (await ann.get("/api/credits")).json()
    return told["available"], told["held"]


async def decide(root: Person, task: Json, how: str) -> Json:
    answer = await root.http.post(f"/api/admin/jobs/{task['videoId']}/{how}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_dispute_is_listed_and_settled_once(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(looks=FINISHED)) as ann, person(ann.gateway, "root", "admin") as root:
        task = await disputed(ann)
        assert await balance(ann) == (100 - PRICE, PRICE)
        (dispute,) = (await root.get("/api/admin/disputes")).json()["disputes"]
        assert (dispute["videoId"], dispute["externalVideoId"]) == (task["videoId"], task["externalVideoId"])
        assert (dispute["email"], dispute["credits"]) == ("ann@example.org", PRICE)
        assert dispute["errorCode"] == task["error"]["code"]
        assert (await root.get("/api/admin/stats")).json()["disputes"] == 1
        assert (await decide(root, task, "settle"))["charge"] == "settled"
        assert await balance(ann) == (100 - PRICE, 0)
        assert await ledger(ann, task) == ["hold", "settle"]
        for how in ("settle", "release"):
            again = await root.http.post(f"/api/admin/jobs/{task['videoId']}/{how}")
            assert told(again) == (
                409, "conflict", "The credits of this video are settled or given back already.",
            )  # fmt: skip
        assert (await root.get("/api/admin/disputes")).json()["disputes"] == []


async def test_who_released_a_dispute_is_in_the_ledger_and_in_the_log_of_deeds(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(looks=FINISHED)) as ann, person(ann.gateway, "root", "admin") as root:
        task = await disputed(ann)
        async with ann.live() as live:
            await live.say(type="subscribe", videoId=task["videoId"])
            assert (await live.next())["type"] == "subscribed"
            await decide(root, task, "release")
            update = await live.next()
            assert (update["step"], update["stage"]) == ("charge", "failed")
        assert await balance(ann) == (100, 0)
        (latest, *_) = (await root.get("/api/admin/credits/ledger")).json()["entries"]
        assert (latest["kind"], latest["actor"], latest["actorEmail"]) == (
            "release", "user_root", "root@example.org",
        )  # fmt: skip
        assert (await ann.get("/api/credits/ledger")).json()["entries"][0]["by"] == "administrator"
        assert await actions(ann.gateway, task["videoId"]) == ["job.release"]


async def test_a_deleted_video_is_decided_on_all_the_same(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(looks=FINISHED)) as ann, person(ann.gateway, "root", "admin") as root:
        task = await disputed(ann)
        assert (await ann.http.delete(f"/api/video/tasks/{task['videoId']}")).status_code == 204
        (dispute,) = (await root.get("/api/admin/disputes")).json()["disputes"]
        assert dispute["videoId"] == task["videoId"]
        await decide(root, task, "release")
        assert await balance(ann) == (100, 0)
        assert (await ann.get(f"/api/video/tasks/{task['videoId']}")).status_code == 404


async def test_a_decision_brings_no_deleted_video_back_to_whoever_follows_it(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(looks=FINISHED)) as ann, person(ann.gateway, "root", "admin") as root:
        task = await disputed(ann)
        async with ann.live() as live:
            await live.say(type="subscribe", all=True)
            assert (await live.next())["type"] == "subscribed"
            assert (await ann.http.delete(f"/api/video/tasks/{task['videoId']}")).status_code == 204
            await decide(root, task, "release")
            assert [(await live.next())["step"] for _ in range(2)] == ["deleted", "deleted"]


async def test_only_a_failed_video_whose_credits_are_held_is_decided_on(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann, person(ann.gateway, "root", "admin") as root:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        for how in ("settle", "release"):
            early = await root.http.post(f"/api/admin/jobs/{task['videoId']}/{how}")
            assert code(early) == (409, "conflict")
            assert "has not ended" in told(early)[2]
            assert code(await root.http.post(f"/api/admin/jobs/video_none/{how}")) == (404, "not_found")
            assert code(await ann.http.post(f"/api/admin/jobs/{task['videoId']}/{how}")) == (404, "not_found")
        assert await ledger(ann, task) == ["hold"]
        assert await actions(ann.gateway, task["videoId"]) == []


async def test_two_administrators_who_decide_at_once_decide_once(tmp_path: Path) -> None:
    import asyncio

    async with at_the_lab(tmp_path, Lab(looks=FINISHED)) as ann, person(ann.gateway, "root", "admin") as root:
        task = await disputed(ann)
        answers = await asyncio.gather(
            *(root.http.post(f"/api/admin/jobs/{task['videoId']}/{how}") for how in ("settle", "release") * 5)
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
        assert len(await ledger(ann, task)) == 2
        assert len(await actions(ann.gateway, task["videoId"])) == 1
