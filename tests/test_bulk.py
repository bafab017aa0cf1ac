"""One act on many videos over a real port: a result for each, and rights that are looked at for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sora_gateway.http.bulk import MAX_BULK
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.lab import Lab, at_the_lab
from tests.people import actions
from tests.running import Json, Person, person

BULK = "/api/video/tasks/bulk"


async def done(who: Person, **wish: Any) -> Json:
    answer = await who.http.post(BULK, json=wish)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def codes(results: Json) -> dict[str, str | None]:
    """By id: None where it was done, else the code of the error."""
    assert all(each["done"] == (each["error"] is None) for each in results["results"])
    return {each["id"]: each["error"] and each["error"]["code"] for each in results["results"]}


async def test_each_video_has_its_own_result(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 0}) as ann,
        person(ann.gateway, "bob", credits=100) as bob,
    ):
        mine, ended = await ann.make(), await ann.make()
        await ann.comes_to(ended["videoId"], "processing")
        await ann.http.post(f"/api/video/tasks/{ended['videoId']}/cancel")
        await ann.comes_to(ended["videoId"], "cancelled")
        his, shown = await bob.make(), await bob.make(visibility="team")
        ids = [each["videoId"] for each in (mine, ended, his, shown)] + ["video_none", mine["videoId"]]
        assert codes(await done(ann, action="cancel", ids=ids)) == {
            mine["videoId"]: None,
            ended["videoId"]: "already_ended",
            his["videoId"]: "not_found",
            shown["videoId"]: "forbidden",
            "video_none": "not_found",
        }
        await ann.comes_to(mine["videoId"], "cancelled")
        assert not (await bob.task(his["videoId"]))["cancelRequested"]
        assert not (await bob.task(shown["videoId"]))["cancelRequested"]
        results = await done(ann, action="delete", ids=[mine["videoId"], shown["videoId"]])
        assert codes(results) == {mine["videoId"]: None, shown["videoId"]: "forbidden"}
        assert (await ann.get(f"/api/video/tasks/{mine['videoId']}")).status_code == 404


async def test_the_upstreams_id_names_a_video_too(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        assert codes(await done(ann, action="cancel", ids=[task["externalVideoId"]])) == {
            task["externalVideoId"]: None
        }
        await ann.comes_to(task["videoId"], "cancelled")


async def test_of_a_batch_what_can_be_cancelled_is_and_then_it_can_be_deleted(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 1}) as ann:
        other = await ann.make("not of it")
        batch = (await ann.http.post("/api/video/tasks/batch", json={"prompts": "a\nb\nc"})).json()
        ids = [task["videoId"] for task in batch["tasks"]]
        await done(ann, action="cancel", ids=ids[:1])
        await ann.comes_to(ids[0], "cancelled")
        assert set(codes(await done(ann, action="cancel", batch=batch["batchId"]))) == set(ids[1:])
        for video_id in ids:
            await ann.comes_to(video_id, "cancelled")
        assert set(codes(await done(ann, action="delete", batch=batch["batchId"]))) == set(ids)
        assert await done(ann, action="delete", batch=batch["batchId"]) == {"results": [], "hasMore": False}
        assert (await ann.task(other["videoId"]))["status"] in ("queued", "processing")


async def test_of_a_filter_only_mine_are_taken_even_if_the_team_sees_more(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 1}) as ann,
        person(ann.gateway, "bob", credits=100) as bob,
    ):
        tagged = await ann.make("a boat", tags=["trip"])
        await ann.make("a boat")
        his = await bob.make("a boat", tags=["trip"], visibility="team")
        results = await done(ann, action="cancel", filter={"tag": ["trip"], "q": "BOAT"})
        assert codes(results) == {tagged["videoId"]: None}
        assert not (await bob.task(his["videoId"]))["cancelRequested"]
        nothing = await done(ann, action="delete", filter={"status": ["queued"]})
        assert nothing == {"results": [], "hasMore": False}


async def test_an_administrator_acts_on_everybodys_and_it_is_written_down(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, Lab()) as ann,
        person(ann.gateway, "root", "admin") as root,
    ):
        task = await ann.make()
        assert codes(await done(root, action="cancel", filter={})) == {}, (
            "who leaves it out does not mean everybody"
        )
        everybodys = {"scope": "visible"}
        assert codes(await done(root, action="cancel", filter=everybodys)) == {task["videoId"]: None}
        assert "job.cancel" in await actions(ann.gateway, task["videoId"])


async def test_at_most_two_hundred_at_once_and_the_answer_says_that_there_are_more(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        store = ann.gateway.store
        for number in range(MAX_BULK + 5):
            job = await accepted(store, owner="user_ann", created_at=NOW + number, credits=0)
            await walk(store, job, *to_processing(f"ext-{number}"), *to_completed(), variants=())
        first = await done(ann, action="delete", filter={})
        assert (len(first["results"]), first["hasMore"]) == (MAX_BULK, True)
        assert set(codes(first).values()) == {None}
        second = await done(ann, action="delete", filter={})
        assert (len(second["results"]), second["hasMore"]) == (5, False)
        too_many = await ann.http.post(BULK, json={"action": "delete", "ids": ["x"] * (MAX_BULK + 1)})
        assert too_many.json()["error"]["param"] == "ids"


async def test_what_goes_wrong_with_one_hides_nothing_of_the_others(tmp_path: Path) -> None:
    """Where the files of one video should be there is something that cannot be removed as they are."""
    async with at_the_lab(tmp_path, Lab()) as ann:
        store, jobs = ann.gateway.store, []
        for number in range(2):
            job = await accepted(store, owner="user_ann", credits=0)
            jobs.append(await walk(store, job, *to_processing(f"ext-{number}"), *to_completed(), variants=()))
        blocked = tmp_path / "media" / jobs[0].id[-2:] / jobs[0].id
        blocked.parent.mkdir(parents=True, exist_ok=True)
        blocked.symlink_to(tmp_path)
        results = codes(await done(ann, action="delete", ids=[job.id for job in jobs]))
        assert results == {jobs[0].id: "internal_error", jobs[1].id: None}


async def test_one_way_of_saying_which(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        for wish in ({}, {"ids": ["a"], "batch": "b"}, {"filter": {}, "batch": "b"}):
            answer = await ann.http.post(BULK, json={"action": "cancel"} | wish)
            assert answer.status_code == 400
            assert answer.json()["error"]["message"] == "Give ids, a batch or a filter, one of them."
