"""Jobs that the team may see: who sees and does what, from the moment it is shown to the moment it is private again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from sora_gateway.core import job as j
from sora_gateway.core.actor import COMMAND_LINE, Actor
from sora_gateway.core.messages import StoredEvent, stored_state
from sora_gateway.core.principal import FOR_PROGRAMS, Principal
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import CloseCode, NotFound
from sora_gateway.http.finding import Looks
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.store.jobs import Filter
from tests.fakes import ScriptedUpstream
from tests.gateways import workshop
from tests.http_calls import StillClock
from tests.jobs import NOW, accepted, make_job, to_completed, to_processing, walk
from tests.live import live_gateway, until
from tests.running import Json, Person
from tests.stores import ADA, BEN, EPOCH, ROOT, VERA, open_store
from tests.team import ONE_JOB, SECRET, Team, ask, client, team

CLONING = {
    "POST /api/video/tasks/{id}/retry", "POST /api/video/tasks/{id}/remix", "POST /v1/videos/{id}/remix",
    "POST /v1/videos/edits", "POST /v1/videos/extensions",
}  # fmt: skip
OWNERS = {
    "POST /api/video/tasks/{id}/cancel", "POST /api/video/tasks/{id}/visibility", "DELETE /api/video/tasks/{id}",
    "DELETE /v1/videos/{id}", "POST /api/video/tasks/{id}/shares", "GET /api/video/tasks/{id}/shares",
    "DELETE /api/video/tasks/{id}/shares/{share}", "PUT /api/video/tasks/{id}/tags",
}  # fmt: skip
SHOWN, HIDDEN = j.VisibilityChanged(NOW, Visibility.TEAM), j.VisibilityChanged(NOW, Visibility.PRIVATE)


async def show(who: Person, task: Json, visibility: str = "team") -> Json:
    answer = await who.http.post(
        f"/api/video/tasks/{task['videoId']}/visibility", json={"visibility": visibility}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# --- over HTTP ---------------------------------------------------------------------------------------


async def test_the_team_sees_it_members_clone_it_and_nobody_else_changes_it(tmp_path: Path) -> None:
    assert set(ONE_JOB) >= CLONING | OWNERS
    async with team(tmp_path) as all:
        videos = {kind: await all.video(kind) for kind in ("done", "ended", "running")}
        for video in videos.values():
            assert (await show(all.ann, video))["visibility"] == "team"
        for who in (all.bob, all.vic):
            for route, row in ONE_JOB.items():
                for id in (videos[row.job]["videoId"], videos[row.job]["externalVideoId"]):
                    answer = await ask(who.http, route, id)
                    may = route not in OWNERS and (who is all.bob or route not in CLONING)
                    assert answer.status_code == (row.status if may else 403), (route, id, answer.text)
                    assert may or SECRET not in answer.text, route
        for kind, video in videos.items():
            after = await all.ann.task(video["videoId"])
            assert (after["visibility"], after["cancelRequested"]) == ("team", False), kind
        # What a member made of it is theirs, and private.
        made = (await all.bob.get("/api/video/tasks?scope=mine")).json()["tasks"]
        assert len(made) == 2 * len(CLONING)
        assert {(task["visibility"], task["owner"]["email"]) for task in made} == {
            ("private", "bob@example.org")
        }
        assert {task["sourceVideoId"] or task["retryOf"] for task in made} <= {
            video["videoId"] for video in videos.values()
        }
        # Private again, it is not there.
        for video in videos.values():
            await show(all.ann, video, "private")
        for route, row in ONE_JOB.items():
            answer = await ask(all.bob.http, route, videos[row.job]["videoId"])
            assert answer.status_code == 404, route
            assert SECRET not in answer.text, route


async def test_lists_say_whose_it_is_and_programs_see_their_own(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        shown, hidden = await all.video("done"), await all.video("running")
        await show(all.ann, shown)
        his = await all.bob.make("Bob's own", visibility="team")
        lists = {
            "": {shown["videoId"], his["videoId"]},
            "?scope=visible": {shown["videoId"], his["videoId"]},
            "?scope=mine": {his["videoId"]},
            "?scope=team": {shown["videoId"], his["videoId"]},
        }
        for query, expected in lists.items():
            tasks = (await all.bob.get(f"/api/video/tasks{query}")).json()["tasks"]
            assert {task["videoId"] for task in tasks} == expected, query
            for task in tasks:
                mine = task["videoId"] == his["videoId"]
                assert task["mine"] == mine
                name = "bob" if mine else "ann"
                assert task["owner"] == {"id": f"user_{name}", "email": f"{name}@example.org"}
        everything = (await all.root.get("/api/video/tasks")).json()["tasks"]
        assert {task["videoId"] for task in everything} == {
            shown["videoId"],
            hidden["videoId"],
            his["videoId"],
        }
        assert (await all.bob.get("/api/video/tasks?scope=others")).status_code == 400
        listed = (await all.bob.get("/v1/videos")).json()["data"]
        assert [video["id"] for video in listed] == [his["videoId"]]
        assert (await all.bob.get(f"/v1/videos/{shown['videoId']}")).status_code == 200


async def test_it_can_be_asked_for_with_the_video_and_a_retry_keeps_it(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        form = {"prompt": (None, "a boat"), "visibility": (None, "team")}
        made = await all.ann.http.post("/api/video/tasks", files=form)
        assert (made.status_code, made.json()["visibility"]) == (202, "team")
        assert (await all.ann.make())["visibility"] == "private"
        wrong = await all.ann.http.post("/api/video/tasks", json={"prompt": "a", "visibility": "everybody"})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "visibility")
        ended = await all.video("ended")
        for visibility in ("private", "team"):
            await show(all.ann, ended, visibility)
            again = await all.ann.http.post(f"/api/video/tasks/{ended['videoId']}/retry")
            assert again.json()["visibility"] == visibility


async def test_an_administrator_may_decide_too_and_who_did_is_written_down(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("running")
        await show(all.root, video)
        await show(all.root, video)  # nothing changes, nothing is written
        await show(all.ann, video, "private")
        told = (await all.ann.get(f"/api/video/tasks/{video['videoId']}/events")).json()["events"]
        steps = [(event["message"], event["visibility"]) for event in told if event["step"] == "visibility"]
        assert steps == [("The team may see it.", "team"), ("Private again.", "private")]
        await ask(all.root.http, "POST /api/video/tasks/{id}/cancel", video["videoId"])
        await all.ann.comes_to(video["videoId"], "cancelled")
        await ask(all.root.http, "DELETE /api/video/tasks/{id}", video["videoId"])
        noted = await all.gateway.store.audited(video["videoId"])
        assert [(line.actor, line.detail) for line in noted if line.action == "job.visibility"] == [
            ("user_root", "team"),
            ("user_ann", "private"),
        ]
        assert all_have_an_address(noted)
        assert [line.action for line in noted if line.action in ("job.cancel", "job.delete")] == [
            "job.cancel",
            "job.delete",
        ]


def all_have_an_address(noted: list[Any]) -> bool:
    return all(line.address == "127.0.0.1" and line.request_id for line in noted)


async def test_an_administrators_look_at_a_private_video_is_written_down_once_an_hour(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("ended")
        other = await all.video("ended")
        looks = (
            "/api/video/tasks/{id}", "/api/video/tasks/{id}/events", "/v1/videos/{id}", "/v1/videos/{id}/content",
            "/api/video/tasks/{id}/content", "/api/video/tasks/{id}/stream",
        )  # fmt: skip

        async def noted(task: Json) -> list[str]:
            lines = await all.gateway.store.audited(task["videoId"])
            return [line.actor for line in lines if line.action == "job.look"]

        for path in looks:
            await all.root.get(path.replace("{id}", video["externalVideoId"]))
        assert await noted(video) == ["user_root"]
        assert await noted(other) == []
        async with all.root.live() as live:
            await live.say(type="subscribe", videoId=other["videoId"])
            assert (await live.next())["type"] == "subscribed"
        assert await noted(other) == ["user_root"]
        # The owner's own look, a look at what the team sees, and one that finds nothing, are nobody's business.
        await show(all.ann, other)
        third = await all.video("running")
        await all.ann.task(third["videoId"])
        await all.bob.get(f"/api/video/tasks/{third['videoId']}")
        assert await noted(third) == []
        shown = await all.video("running")
        await show(all.ann, shown)
        await all.root.task(shown["videoId"])
        assert await noted(shown) == []


async def test_an_administrators_look_at_everything_is_written_down_too(tmp_path: Path) -> None:
    """Lists and streams carry addresses of files: whoever reads them need not ask for a single video."""

    async def noted(all: Team) -> list[str]:
        return [line.actor for line in await all.gateway.store.audited("everybody's videos")]

    for way in ("/api/video/tasks", "/v1/videos", "/api/events/stream", "a socket"):
        async with team(tmp_path / str(len(way))) as all:
            for who in (all.ann, all.root):
                assert await noted(all) == []
                if way == "a socket":
                    async with who.live() as live:
                        await live.say(type="subscribe", all=True)
                        assert (await live.next())["type"] == "subscribed"
                elif "stream" in way:
                    async with who.http.stream("GET", way) as stream:
                        assert stream.is_success
                else:
                    await who.get(way)
                    await who.get(way)
            assert await noted(all) == ["user_root"], way
            await all.root.get("/api/video/tasks?scope=mine")
            assert await noted(all) == ["user_root"], way


async def test_an_hour_later_it_is_another_look_and_each_administrator_has_their_own(tmp_path: Path) -> None:
    clock, by = StillClock(), Actor("somebody")
    eve = replace(ROOT, user_id="user_eve")
    async with open_store(tmp_path) as store:
        looks, job = Looks(store, clock), await accepted(store)
        for who, later, lines in ((ROOT, 0, 1), (ROOT, 3599, 1), (eve, 0, 2), (ROOT, 1, 3), (ADA, 9999, 3)):
            clock.time += later
            await looks.note(who, job, by)
            assert len(await store.audited(job.id)) == lines


async def test_an_administrators_key_for_videos_changes_nothing_of_others(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("ended")
        text, _ = await all.gateway.accounts.create_key("user_root", "robot", FOR_PROGRAMS)
        async with client(all.gateway, text) as robot:
            assert (await ask(robot, "DELETE /api/video/tasks/{id}", video["videoId"])).status_code == 404
            await show(all.ann, video)
            assert (await ask(robot, "GET /api/video/tasks/{id}", video["videoId"])).status_code == 200
            assert (await ask(robot, "DELETE /api/video/tasks/{id}", video["videoId"])).status_code == 403


# --- by the supervisor -------------------------------------------------------------------------------


async def test_it_may_change_in_every_stage_and_goes_on_as_it_was(tmp_path: Path) -> None:
    upstream = ScriptedUpstream()
    upstream.answering.clear()
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.accept()
        await shop.clock.advance(1)
        states = []

        async def turn() -> None:
            states.append((await shop.job(job.id)).state)
            for visibility in (Visibility.TEAM, Visibility.TEAM, Visibility.PRIVATE):
                changed = await shop.supervisor.show(job.id, visibility, COMMAND_LINE)
                assert (changed.visibility, changed.state) == (visibility, states[-1])

        await turn()
        upstream.answering.set()
        await shop.reaches(job.id, j.State.PROCESSING)
        await turn()
        await shop.supervisor.cancel(await shop.job(job.id))
        await shop.reaches(job.id, j.State.CANCELLED)
        await turn()
        assert states == [j.State.SUBMITTING, j.State.PROCESSING, j.State.CANCELLED]
        assert len(upstream.orders) == 1
        # Both at once: what comes second is recorded on what the first has left, or finds nothing.
        ended = await shop.job(job.id)
        both = await asyncio.gather(
            shop.supervisor.show(job.id, Visibility.TEAM, COMMAND_LINE),
            shop.supervisor.delete(ended),
            return_exceptions=True,
        )
        assert (await shop.job(job.id)).deleted_at is not None
        assert both[1] is None
        with pytest.raises(NotFound):
            await shop.supervisor.show(job.id, Visibility.TEAM, COMMAND_LINE)
        with pytest.raises(NotFound):
            await shop.supervisor.delete(ended)


# --- live --------------------------------------------------------------------------------------------


async def test_all_tells_the_team_of_it_by_either_id_the_same(tmp_path: Path) -> None:
    """Its owner, another member, somebody who may look and an administrator hear one sequence, however they ask."""
    async with live_gateway(tmp_path) as gateway:
        job = await accepted(gateway.store, visibility=Visibility.TEAM)
        job = await walk(gateway.store, job, *to_processing("ext-1"))
        told: list[list[str]] = []

        async def follow(who: Principal, ready: asyncio.Event, **topic: Any) -> None:
            async with gateway.socket(who) as watcher:
                first = await watcher.ask(type="subscribe", **topic)
                assert [task["videoId"] for task in first["tasks"]] == [job.id]
                assert first["tasks"][0]["mine"] == (who is ADA)
                assert first["tasks"][0]["owner"] == {"id": ADA.user_id, "email": ADA.email}
                ready.set()
                steps = []
                for update in await watcher.until("done"):
                    del update["cursor"]
                    steps.append(json.dumps(update))
                told.append(steps)

        topics: list[dict[str, Any]] = [{"all": True}, {"videoId": job.id}, {"externalVideoId": "ext-1"}]
        readies = [asyncio.Event() for _ in range(12)]
        async with asyncio.TaskGroup() as group:
            for number, ready in enumerate(readies):
                who, topic = (ADA, BEN, VERA, ROOT)[number % 4], topics[number // 4]
                group.create_task(follow(who, ready, **topic))
            for ready in readies:
                await ready.wait()
            await walk(gateway.store, job, *to_completed())
        assert len(told) == 12
        longest = max(told, key=len)
        assert [json.loads(update)["step"] for update in longest] == ["progress", "downloading", "done"]
        for steps in told:
            # Unread progress may be replaced by what follows it; nothing else is missing, nothing is out of order.
            assert [step for step in longest if step in steps] == steps


async def test_what_becomes_the_teams_is_told_to_those_who_follow_everything(tmp_path: Path) -> None:
    async with live_gateway(tmp_path) as gateway, gateway.socket(BEN) as ben:
        assert (await ben.ask(type="subscribe", all=True))["tasks"] == []
        job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
        await ben.silence()
        await walk(gateway.store, job, SHOWN)
        update = await ben.next()
        assert (update["videoId"], update["step"], update["visibility"]) == (job.id, "visibility", "team")


@pytest.mark.parametrize("topic", ["all", "videoId", "externalVideoId"])
async def test_the_moment_it_becomes_private_nobody_else_hears_more(topic: str, tmp_path: Path) -> None:
    """Connections of those who could see it and cannot any more end, before anything later is told; the others
    stay, and who comes back with the cursor gets nothing of it either."""
    async with live_gateway(tmp_path) as gateway:
        job = await accepted(gateway.store, visibility=Visibility.TEAM)
        job = await walk(gateway.store, job, *to_processing("ext-1"))
        what: Any = {"all": True, "videoId": job.id, "externalVideoId": "ext-1"}[topic]
        async with (
            gateway.socket(BEN) as ben,
            gateway.socket(VERA) as vera,
            gateway.socket(ADA) as ada,
            gateway.socket(ROOT) as root,
        ):
            for watcher in (ben, vera, ada, root):
                assert (await watcher.ask(type="subscribe", **{topic: what}))["type"] == "subscribed"
            job = await walk(gateway.store, job, j.Observed(NOW, 10.0))
            seen = [(await watcher.next())["cursor"] for watcher in (ben, vera, ada, root)]
            await walk(gateway.store, job, HIDDEN, j.Observed(NOW, 20.0), *to_completed())
            for watcher in (ben, vera):
                heard = [json.loads(message) async for message in drained(watcher.connection)]
                assert heard == []
                assert watcher.connection.close_code == CloseCode.RESYNC
            for watcher in (ada, root):
                steps = [update["step"] for update in await watcher.until("done")]
                assert steps[-1] == "done"
        assert len(set(seen)) == 1
        async with gateway.socket(BEN) as ben:
            again = await ben.ask(type="subscribe", all=True, since=seen[0])
            assert again["tasks"] == []
            await ben.silence()
            for one in ({"videoId": job.id}, {"externalVideoId": "ext-1"}):
                refused = await ben.ask(type="subscribe", since=seen[0], **one)
                assert (refused["type"], refused["code"]) == ("error", "not_found")


async def drained(connection: Any) -> Any:
    """What still comes, until the connection ends."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                yield await connection.recv()


async def test_what_was_not_read_before_it_became_private_never_is(tmp_path: Path) -> None:
    """The hub's part, without sockets: the letters are in the mailbox and nobody has taken them."""
    async with live_gateway(tmp_path) as gateway:
        job = await accepted(gateway.store, visibility=Visibility.TEAM)
        with gateway.hub.connect(BEN) as ben, gateway.hub.connect(ADA) as ada:
            for mailbox in (ben, ada):
                gateway.hub.follow(mailbox, "all")
            job = await walk(gateway.store, job, *to_processing("ext-1"))
            assert len(ben) == len(ada) == 1
            await walk(gateway.store, job, HIDDEN)
            assert (len(ben), ben.take()) == (0, None)
            assert ben.closed.result() is CloseCode.RESYNC
            assert len(ada) == 1
            assert not ada.closed.done()


async def test_a_snapshot_that_was_read_just_before_is_not_told_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_gateway(tmp_path) as gateway:
        job = await accepted(gateway.store, visibility=Visibility.TEAM)
        read = gateway.store.page

        async def read_early(principal: Principal, wanted: Filter) -> tuple[list[j.Job], bool]:
            found = await read(principal, wanted)
            await walk(gateway.store, job, HIDDEN)
            return found

        monkeypatch.setattr(gateway.store, "page", read_early)
        async with gateway.socket(BEN) as ben:
            await ben.say(type="subscribe", all=True)
            assert [message async for message in drained(ben.connection)] == []
            assert ben.connection.close_code == CloseCode.RESYNC


async def test_somebody_elses_team_video_is_not_polled_faster_because_everybody_watches_everything(
    tmp_path: Path,
) -> None:
    async with live_gateway(tmp_path) as gateway:
        job = await accepted(gateway.store, visibility=Visibility.TEAM)
        with gateway.hub.connect(BEN) as ben:
            everything = gateway.hub.follow(ben, "all")
            assert not gateway.hub.watched(job)
            gateway.hub.unfollow(everything)
            gateway.hub.follow(ben, f"video:{job.id}", job_id=job.id)
            assert gateway.hub.watched(job)


async def test_a_long_poll_ends_when_the_video_becomes_private(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("running")
        await show(all.ann, video)
        waiting = asyncio.create_task(all.bob.get(f"/v1/videos/{video['videoId']}?wait=60"))
        await until(lambda: all.gateway.hub.statistics().connections == 1)
        await show(all.ann, video, "private")
        async with asyncio.timeout(2):
            assert (await waiting).status_code == 404


async def test_streams_of_the_team_end_as_well(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        video = await all.video("running")
        await show(all.ann, video)
        for path in (f"/api/video/tasks/{video['videoId']}/stream", "/api/events/stream"):
            await show(all.ann, video)
            async with asyncio.timeout(5), all.vic.http.stream("GET", path) as stream:
                heard = ""
                async for line in stream.aiter_lines():
                    heard += line
                    if SECRET in line:
                        await show(all.ann, video, "private")
                assert "Private again" not in heard
            assert SECRET not in (await all.vic.get("/api/video/tasks")).text


STEPS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["show", "hide", "progress"]), st.booleans()))


@given(STEPS)
def test_whatever_is_shown_and_hidden_nobody_has_a_letter_that_they_may_not_read(
    steps: list[tuple[int, str, bool]],
) -> None:
    """Two of Ada's jobs change as they like, and readers take their letters when they like. A reader who could see a
    job when it became private begins anew; every other one has its newest state, or has read it."""
    asyncio.run(_show_and_hide(steps))


async def _show_and_hide(steps: list[tuple[int, str, bool]]) -> None:
    hub = Hub(EPOCH, lambda job_id, variants: {})
    jobs = [make_job(), make_job()]
    for number, job in enumerate(jobs):
        for was in to_processing(f"ext-{number}"):
            job = j.advance(job, was)
        jobs[number] = job
    with contextlib.ExitStack() as stack:
        readers: list[tuple[Mailbox, str | None, dict[str, int]]] = []
        for who in (ADA, BEN, VERA, ROOT):
            topics: tuple[str | None, ...] = (None, jobs[0].id)
            for topic in topics:
                mailbox = stack.enter_context(hub.connect(who))
                hub.follow(mailbox, "test", job_id=topic)
                readers.append((mailbox, topic, {}))
        for seq, (number, action, reads) in enumerate(steps, start=1):
            before = jobs[number]
            event: j.Event = j.Observed(NOW, before.progress + 0.5)
            if action != "progress":
                event = SHOWN if action == "show" else HIDDEN
            after = jobs[number] = j.advance(before, event)
            if after is before:
                continue
            step, payload = stored_state(after, event, NOW)
            team = after.visibility is Visibility.TEAM
            hub.publish(
                [StoredEvent(seq, after.id, after.owner, after.version, step, payload, NOW, False, team)]
            )
            for mailbox, topic, known in readers:
                mine = mailbox.principal in (ADA, ROOT)
                follows = topic in (None, after.id)
                if mailbox.closed.done():
                    assert len(mailbox) == 0
                    continue
                assert mine or not (follows and action == "hide"), "it could see it, and cannot any more"
                while reads and (letter := mailbox.take()):
                    job = next(each for each in jobs if each.id == letter.event.job_id)
                    assert mine or job.visibility is Visibility.TEAM
                    assert letter.event.job_seq > known.get(job.id, 0)
                    known[job.id] = letter.event.job_seq
                if reads and follows and (mine or team):
                    assert known[after.id] == after.version
