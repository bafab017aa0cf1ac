"""``?wait=``: a question that is answered when the video has ended, over real sockets, on both APIs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.job import Event, Job
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.principal import Principal
from tests.fakes import ManualClock
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.listening import peer_of
from tests.live import until
from tests.running import Person, person, running, settings_for

PATHS = ["/v1/videos", "/api/video/tasks"]
FOR_EVER = 60
"""Seconds: longer than any test may take."""


@asynccontextmanager
async def ann_alone(data_dir: Path, clock: Clock | None = None) -> AsyncIterator[Person]:
    """Nobody watches the jobs that a test puts into her store: they change when the test says so."""
    async with running(settings_for(data_dir), clock) as gateway, person(gateway) as ann:
        yield ann


async def processing(ann: Person) -> Job:
    job = await accepted(ann.gateway.store, owner=ann.user_id)
    return await walk(ann.gateway.store, job, *to_processing(f"ext-{job.id}"))


def followers(ann: Person) -> int:
    return ann.gateway.hub.statistics().subscriptions


@asynccontextmanager
async def waiting(ann: Person, url: str) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """The question, once it waits."""
    before = followers(ann)
    asking = asyncio.create_task(ann.get(url))
    try:
        await until(lambda: followers(ann) > before or asking.done())
        assert not asking.done(), asking.result().text
        yield asking
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking


# --- the end -----------------------------------------------------------------------------------------

ENDS: dict[str, tuple[Event, ...]] = {
    "completed": to_completed(),
    "failed": (j.UpstreamFailed(NOW, "moderation_blocked", "Not this."),),
    "cancelled": (j.CancelRequested(NOW), j.CancelConfirmed(NOW)),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("end", ENDS)
async def test_it_is_answered_as_soon_as_the_video_has_ended(end: str, path: str, tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await processing(ann)
        async with waiting(ann, f"{path}/{job.id}?wait={FOR_EVER}") as asking:
            await walk(ann.gateway.store, job, *ENDS[end])
            answer = await asking
        assert answer.status_code == 200
        assert answer.json() == (await ann.get(f"{path}/{job.id}")).json()
        assert (await ann.task(job.id))["status"] == end
        assert "openai-poll-after-ms" not in answer.headers
        assert "retry-after" not in answer.headers
        assert followers(ann) == 0


@pytest.mark.parametrize("path", PATHS)
async def test_a_simulated_video_is_had_with_two_requests(path: str, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        made = (await ann.http.post(path, json={"prompt": "a paper boat"})).json()
        id = made.get("id") or made["videoId"]
        assert (await ann.get(f"{path}/{id}?wait=20")).json()["status"] == "completed"


async def test_either_id_can_be_waited_for(tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await processing(ann)
        async with waiting(ann, f"/v1/videos/{job.external_id}?wait={FOR_EVER}") as asking:
            await walk(ann.gateway.store, job, *to_completed())
            assert (await asking).json()["id"] == job.id


@pytest.mark.parametrize("path", PATHS)
async def test_what_has_ended_is_answered_at_once(path: str, tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await walk(ann.gateway.store, await processing(ann), *to_completed())
        assert (await ann.get(f"{path}/{job.id}?wait={FOR_EVER}")).json()["status"] == "completed"


async def test_an_end_between_looking_and_following_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ann_alone(tmp_path) as ann:
        store = ann.gateway.store
        find = store.find

        async def find_and_then_end(text: str, principal: Principal) -> Job:
            job = await find(text, principal)
            if not job.ended:
                await walk(store, job, *to_completed())
            return job

        job = await processing(ann)
        monkeypatch.setattr(store, "find", find_and_then_end)
        assert (await ann.get(f"/v1/videos/{job.id}?wait={FOR_EVER}")).json()["status"] == "completed"


async def test_as_many_as_like_can_wait_for_the_same_video(tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await processing(ann)
        asking = [asyncio.create_task(ann.get(f"/v1/videos/{job.id}?wait={FOR_EVER}")) for _ in range(50)]
        await until(lambda: followers(ann) == 50)
        await walk(ann.gateway.store, job, *to_completed())
        assert {answer.json()["status"] for answer in await asyncio.gather(*asking)} == {"completed"}


# --- not the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_after_its_time_it_is_answered_as_it_is_then(path: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with ann_alone(tmp_path, clock) as ann:
        job = await processing(ann)
        async with waiting(ann, f"{path}/{job.id}?wait=12.5") as asking:
            await clock.advance(6.0)
            await walk(ann.gateway.store, job, j.Observed(NOW, 70.0))  # progress is no reason to answer
            await clock.advance(6.4)
            assert not asking.done()
            await clock.advance(0.2)
            answer = await asking
        assert (answer.status_code, answer.json()["progress"]) == (200, 70)
        assert int(answer.headers["openai-poll-after-ms"]) == 5000
        assert answer.headers["retry-after"] == "5"
        assert followers(ann) == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("seconds", ["", "-1", "60.5", "nan", "inf", "soon", "1&wait=2"])
async def test_only_up_to_a_minute_can_be_waited(seconds: str, path: str, tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        answer = await ann.get(f"{path}/video_none?wait={seconds}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "wait")
        misspelt = await ann.get(f"{path}/video_none?weit=1")
        assert (misspelt.status_code, misspelt.json()["error"]["param"]) == (400, "weit")


@pytest.mark.parametrize("path", PATHS)
async def test_no_time_is_a_look(path: str, tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await processing(ann)
        for seconds in ("0", "0.0"):
            assert (await ann.get(f"{path}/{job.id}?wait={seconds}")).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_a_gateway_that_stops_answers_with_what_it_knows(path: str, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running(settings_for(tmp_path)))
        ann = await stack.enter_async_context(person(gateway))
        job = await processing(ann)
        one = await stack.enter_async_context(waiting(ann, f"{path}/{job.id}?wait={FOR_EVER}"))
        await gateway.hub.close()
        answer = await one
        assert (answer.status_code, answer.json()["progress"]) == (200, 0)
        # Whoever comes while it stops does not wait at all.
        assert (await ann.get(f"{path}/{job.id}?wait={FOR_EVER}")).status_code == 200


async def test_the_whole_shutdown_waits_for_nobody_who_waits(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as outer:
        async with running(settings_for(tmp_path)) as gateway:
            ann = await outer.enter_async_context(person(gateway))
            job = await processing(ann)
            asking = await outer.enter_async_context(waiting(ann, f"/v1/videos/{job.id}?wait={FOR_EVER}"))
        assert (await asking).json()["status"] == "in_progress"


async def test_a_client_that_leaves_is_forgotten_at_once(tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await processing(ann)
        port = int(ann.gateway.address.rpartition(":")[2])
        async with peer_of(port) as peer:
            await peer.send(
                f"GET /v1/videos/{job.id}?wait={FOR_EVER} HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {ann.key}\r\n\r\n".encode()
            )
            await until(lambda: followers(ann) == 1)
        await until(lambda: followers(ann) == 0)
        await until(lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith("long poll")])
        assert ann.gateway.hub.statistics().connections == 0


# --- rights ------------------------------------------------------------------------------------------


async def test_nobody_can_wait_for_another_persons_video(tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann, person(ann.gateway, "bob") as bob:
        job = await processing(ann)
        for path in PATHS:
            for id in (job.id, job.external_id):
                assert (await bob.get(f"{path}/{id}?wait={FOR_EVER}")).status_code == 404


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_is_revoked_meanwhile_learns_nothing(path: str, tmp_path: Path) -> None:
    async with ann_alone(tmp_path) as ann:
        job = await processing(ann)
        async with waiting(ann, f"{path}/{job.id}?wait={FOR_EVER}") as asking:
            [key] = await ann.gateway.accounts.keys(ann.user_id)
            await ann.gateway.accounts.revoke_key(ann.user_id, key.id)
            await walk(ann.gateway.store, job, *to_completed())
            answer = await asking
        assert answer.status_code == 401
        assert job.id not in answer.text


@pytest.mark.parametrize("path", PATHS)
async def test_a_video_that_is_deleted_meanwhile_is_not_there(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ann_alone(tmp_path) as ann:
        hub, held = ann.gateway.hub, list[StoredEvent]()
        publish, job = hub.publish, await processing(ann)
        async with waiting(ann, f"{path}/{job.id}?wait={FOR_EVER}") as asking:
            monkeypatch.setattr(hub, "publish", held.extend)
            await walk(ann.gateway.store, job, *to_completed(), j.Deleted(NOW))
            publish(held)  # told of both at once
            assert (await asking).status_code == 404
