"""What is behind a video, and what a list of videos can be narrowed to: over a real port."""

from __future__ import annotations

from pathlib import Path

from tests.lab import Lab, at_the_lab, closing
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4
from tests.team import team

TASKS = "/api/video/tasks"


async def details(who: Person, video_id: str) -> Json:
    answer = await who.get(f"{TASKS}/{video_id}/details")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def lose_files(data_dir: Path, video_id: str) -> None:
    for path in data_dir.rglob(f"{video_id}/*"):
        path.unlink()


async def prompts(who: Person, query: str) -> list[str]:
    answer = await who.get(f"{TASKS}?{query}")
    assert answer.status_code == 200, answer.text
    return [task["prompt"] for task in answer.json()["tasks"]]


async def test_its_owner_reads_every_file_every_create_and_every_movement_of_credits(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("done")
        found = await details(all.ann, video["videoId"])
        (file,) = [file for file in found["files"] if file["variant"] == "video"]
        assert file["bytes"] == len(sample_mp4())
        assert (await all.ann.get(file["url"])).content == sample_mp4()
        (attempt,) = found["attempts"]
        assert attempt["outcome"] == "receipt"
        assert attempt["externalVideoId"] == video["externalVideoId"]
        assert attempt["sentAt"] <= attempt["answeredAt"]
        assert [(entry["kind"], entry["by"]) for entry in found["ledger"]] == [
            ("hold", "you"), ("settle", "gateway")
        ]  # fmt: skip
        assert sum(entry["held"] for entry in found["ledger"]) == 0
        # What the upstream wrote word for word is for administrators.
        assert attempt["answer"] is None
        (attempt,) = (await details(all.root, video["videoId"]))["attempts"]
        assert isinstance(attempt["answer"], str)


async def test_whoever_may_only_look_reads_of_the_files_and_no_more(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("done")
        assert (await all.bob.get(f"{TASKS}/{video['videoId']}/details")).status_code == 404
        await all.ann.http.post(f"{TASKS}/{video['videoId']}/visibility", json={"visibility": "team"})
        found = await details(all.bob, video["videoId"])
        assert found["files"][0]["variant"] == "video"
        assert (found["attempts"], found["ledger"]) == (None, None)


async def test_a_file_that_is_gone_has_no_address(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("done")
        lose_files(tmp_path, video["videoId"])
        assert {file["url"] for file in (await details(all.ann, video["videoId"]))["files"]} == {None}


async def test_a_list_is_narrowed_by_model_by_person_and_by_what_it_was_made_from(tmp_path: Path) -> None:
    lab = Lab(
        looks={"status": "completed"}, content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
    )
    models = {"sora-2": "sora-2", "wan": "wan"}
    async with (
        at_the_lab(
            tmp_path, lab, upstream={"max_concurrent": 0, "profile": "openai", "models": models}
        ) as ann,
        person(ann.gateway, "bob", credits=100) as bob,
    ):
        first = await ann.make("a boat", visibility="team")
        await ann.make("a kite", model="wan", visibility="team", tags=["sky"])
        await ann.comes_to(first["videoId"], "completed")
        again = (await bob.http.post(f"{TASKS}/{first['videoId']}/retry")).json()
        await bob.http.post(f"{TASKS}/{again['videoId']}/visibility", json={"visibility": "team"})
        assert await prompts(ann, "model=wan") == ["a kite"]
        assert await prompts(ann, "model=wan&model=sora-2") == ["a boat", "a kite", "a boat"]
        assert await prompts(bob, f"owner={first['owner']['id']}") == ["a kite", "a boat"]
        assert await prompts(bob, f"owner={first['owner']['id']}&scope=mine") == []
        assert await prompts(ann, f"madeFrom={first['videoId']}") == ["a boat"]
        facets = (await bob.get("/api/video/facets?scope=team")).json()
        assert facets["models"] == [{"model": "sora-2", "videos": 2}, {"model": "wan", "videos": 1}]
        assert facets["tags"] == [{"tag": "sky", "videos": 1}]
        assert [(each["email"], each["videos"]) for each in facets["people"]] == [
            (first["owner"]["email"], 2), (again["owner"]["email"], 1)
        ]  # fmt: skip
        mine = (await bob.get("/api/video/facets?scope=mine")).json()
        assert [each["id"] for each in mine["people"]] == [again["owner"]["id"]]
        # What is private is counted for nobody else.
        await ann.make("a secret", model="wan", tags=["secret"])
        assert (await bob.get("/api/video/facets")).json() == facets
