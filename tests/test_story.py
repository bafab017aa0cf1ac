"""Read this first: what the gateway is for, told over real sockets, one tale per test."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.running import person, running, settings_for


async def test_somebody_submits_a_prompt_watches_it_and_plays_the_video(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann, ann.live() as live:
        task = await ann.make("a paper boat in the rain")
        assert (task["status"], task["externalVideoId"]) == ("queued", None)

        await live.say(type="subscribe", videoId=task["videoId"])
        snapshot = await live.next()
        assert snapshot["type"] == "subscribed"
        assert snapshot["tasks"][0]["videoId"] == task["videoId"]
        seen = await live.until("completed")

        progress = [message["progress"] for message in seen]
        assert progress == sorted(progress)
        assert seen[-1]["progress"] == 100
        video = await ann.get(seen[-1]["assets"]["videoUrl"])
        assert video.headers["content-type"] == "video/mp4"
        assert video.content[4:8] == b"ftyp"
        # A signed address needs no login, and a player may ask for a part.
        async with httpx.AsyncClient(base_url=gateway.address, trust_env=False) as player:
            part = await player.get(seen[-1]["assets"]["videoUrl"], headers={"Range": "bytes=0-99"})
            assert (part.status_code, len(part.content)) == (206, 100)


async def test_a_restart_in_the_middle_is_hardly_noticed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, simulator={"duration": 3.0})
    async with running(settings) as gateway, person(gateway) as ann, ann.live() as live:
        task = await ann.make()
        await live.say(type="subscribe", videoId=task["videoId"])
        cursor = (await live.until("processing"))[-1]["cursor"]

    async with running(settings) as gateway, person(gateway) as ann, ann.live() as live:
        await live.say(type="subscribe", videoId=task["videoId"], since=cursor)
        first = await live.next()
        assert first["type"] == "subscribed"
        seen = await live.until("completed")
        assert all(message["type"] == "update" for message in seen)
        (attempt,) = await gateway.store.attempts(task["videoId"])
        assert attempt.outcome == "receipt"


async def test_a_cancelled_video_is_stopped_and_costs_nothing(tmp_path: Path) -> None:
    paid = {"credits": {"enabled": True}, "pricing": {"per_video": 5, "per_second": 1}}
    settings = settings_for(tmp_path, simulator={"duration": 60.0}, **paid)
    async with running(settings) as gateway, person(gateway, credits=20) as ann, ann.live() as live:
        task = await ann.make(seconds=4)
        assert task["credits"] == 9
        await live.say(type="subscribe", all=True)
        await live.until("processing")
        cancelled = await ann.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
        assert cancelled.status_code == 200
        await live.until("cancelled")
        assert await gateway.store.credits.of_job(task["videoId"]) == [("hold", -9, 9), ("release", 9, -9)]


async def test_a_refused_prompt_fails_with_the_upstreams_reason_and_costs_nothing(tmp_path: Path) -> None:
    paid = {"credits": {"enabled": True}, "pricing": {"per_video": 5}}
    async with (
        running(settings_for(tmp_path, **paid)) as gateway,
        person(gateway, credits=5) as ann,
        ann.live() as live,
    ):
        await live.say(type="subscribe", all=True)
        task = await ann.make("something forbidden")
        failed = (await live.until("failed"))[-1]
        assert failed["error"]["code"] == "moderation_blocked"
        assert "moderation" in failed["error"]["message"]
        assert await gateway.store.credits.of_job(task["videoId"]) == [("hold", -5, 5), ("release", 5, -5)]


async def test_when_the_answer_to_a_paid_create_is_lost_nobody_pays_twice(tmp_path: Path) -> None:
    """The simulator takes the job and drops the connection; only a person may decide what that means."""
    settings = settings_for(tmp_path)
    async with running(settings) as gateway, person(gateway) as ann, ann.live() as live:
        await live.say(type="subscribe", all=True)
        task = await ann.make("a storm [[fault:create_drop]]")
        doubt = (await live.until("unknown"))[-1]
        assert "not known" in doubt["message"]

        # The upstream's own list shows that it was taken, once; the operator adopts what they see there.
        (created,) = (tmp_path / "simulator" / "creates.jsonl").read_text().splitlines()
        external_id = created.split('"id":', 1)[1].split('"')[1]
        from sora_gateway.core.job import ExternalId, JobId
        from sora_gateway.supervisor.decisions import Adopt

        await gateway.supervisor.decide(JobId(task["videoId"]), Adopt(ExternalId(external_id)))
        await live.until("completed")
        assert len((tmp_path / "simulator" / "creates.jsonl").read_text().splitlines()) == 1


async def test_what_is_mine_is_mine(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway, "ann") as ann,
        person(gateway, "bob") as bob,
    ):
        task = await ann.make()
        for path in ("", "/events", "/stream", "/content"):
            response = await bob.get(f"/api/video/tasks/{task['videoId']}{path}")
            assert response.status_code == 404, path
        async with bob.live() as live:
            await live.say(type="subscribe", videoId=task["videoId"])
            assert (await live.next())["code"] == "not_found"


async def test_an_openai_client_needs_only_another_base_url(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann, ann.live() as live:
        await live.say(type="subscribe", all=True)
        form = {"prompt": (None, "a boat"), "model": (None, "sora-2"), "seconds": (None, "4")}
        created = (await ann.http.post("/v1/videos", files=form)).json()
        assert (created["object"], created["status"], created["seconds"]) == ("video", "queued", "4")
        await live.until("completed")
        video = (await ann.get(f"/v1/videos/{created['id']}")).json()
        assert (video["status"], video["progress"]) == ("completed", 100)
        listed = (await ann.get("/v1/videos")).json()
        assert [item["id"] for item in listed["data"]] == [created["id"]]
        content = await ann.get(f"/v1/videos/{created['id']}/content")
        assert content.content[4:8] == b"ftyp"
        deleted = (await ann.http.delete(f"/v1/videos/{created['id']}")).json()
        assert deleted == {"id": created["id"], "object": "video.deleted", "deleted": True}
        assert (await ann.get(f"/v1/videos/{created['id']}")).status_code == 404
