"""The gateway's own API over a real port: what each route of ``/api/video`` and ``/api/models`` does."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
from PIL import Image

from sora_gateway.core.asset import InputFile
from sora_gateway.core.job import CancelRequested, Refused, UpstreamFailed
from sora_gateway.core.operation import Operation
from sora_gateway.supervisor import Order
from tests.described import as_described
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.lab import PRICE, Lab, at_the_lab, closing, ledger
from tests.running import Json, Person, person, running, settings_for
from tests.sample_videos import sample_mp4

TASKS = "/api/video/tasks"


@asynccontextmanager
async def a_finished_video(data_dir: Path, **sections: object) -> AsyncIterator[tuple[Person, Json]]:
    """Ann, and a video of hers with its file."""
    lab = Lab(
        looks={"status": "completed"}, content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
    )
    async with at_the_lab(data_dir, lab, **sections) as ann:  # type: ignore[arg-type]
        yield ann, await ann.comes_to((await ann.make())["videoId"], "completed")


@asynccontextmanager
async def anybody(ann: Person) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without any credential."""
    async with httpx.AsyncClient(
        base_url=ann.gateway.address, trust_env=False, event_hooks={"response": [as_described]}
    ) as client:
        yield client


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


# --- create ------------------------------------------------------------------------------------------


async def test_what_can_be_asked_for_is_listed(tmp_path: Path) -> None:
    limits = {"sizes": ["1280x720"], "seconds": [4, 8]}
    async with at_the_lab(tmp_path, Lab(), upstream=limits) as ann:
        found = (await ann.get("/api/models")).json()
        (model,) = found["models"]
        assert model | {"id": "sora-2", "upstream": "lab", "sizes": ["1280x720"], "seconds": [4, 8]} == model
        assert "create" in model["operations"]
        assert found["limits"] == {
            "prompt": 32_000, "batch": 100,
            "imageBytes": 20_971_520 * 3 // 4 - 100, "imagePixels": 16_000_000,
        }  # fmt: skip


async def test_an_image_of_just_the_told_bytes_is_looked_at_beside_the_longest_prompt(tmp_path: Path) -> None:
    """What the limits promise holds: the image is refused for what is in it, not for its size."""
    async with (
        running(settings_for(tmp_path, server={"max_upload": 2 << 20})) as gateway,
        person(gateway) as ann,
    ):
        told = (await ann.get("/api/models")).json()["limits"]["imageBytes"]
        file = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(file, "PNG")
        data = file.getvalue().ljust(told, b"\0")
        url = "data:image/png;base64," + base64.b64encode(data).decode()
        wish = {"prompt": "x" * 32_000, "inputReference": {"imageUrl": url}}
        answer = await ann.http.post(TASKS, json=wish)
        assert refused(answer) == (400, "invalid_image")
        assert "goes on after the end of the image" in answer.text


async def test_a_new_task_says_what_was_asked_for(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        task = await ann.make("a paper boat\nin the rain 纸船", model="sora-2", seconds=8, size="1280x720")
        assert task["videoId"].startswith("video_")
        assert task | {
            "prompt": "a paper boat\nin the rain 纸船", "model": "sora-2", "seconds": 8, "size": "1280x720",
            "orientation": "landscape", "status": "queued", "stage": "queued", "progress": 0, "upstream": "lab",
            "credits": PRICE, "externalVideoId": None, "error": None, "videoUrl": None, "retryOf": None,
            "completedAt": None, "overdue": False, "seq": 1,
        } == task  # fmt: skip


async def test_without_more_it_is_four_seconds_upright(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        task = await ann.make()
        assert (task["model"], task["seconds"], task["size"]) == ("sora-2", 4, "720x1280")
        assert task["orientation"] == "portrait"


# --- list --------------------------------------------------------------------------------------------


async def test_pages_go_from_new_to_old_and_lose_nobody_of_the_same_moment(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        store = ann.gateway.store
        jobs = [
            await accepted(store, owner="user_ann", created_at=NOW + number // 4, credits=0)
            for number in range(11)
        ]
        expected = sorted(jobs, key=lambda job: (job.created_at, job.id), reverse=True)
        for limit in (1, 3, 11, 100):
            seen, after, more = [], "", True
            while more:
                page = (await ann.get(f"{TASKS}?limit={limit}{after}")).json()
                assert len(page["tasks"]) <= limit
                seen += [task["videoId"] for task in page["tasks"]]
                after, more = f"&after={seen[-1]}", page["hasMore"]
            assert seen == [job.id for job in expected], limit
        assert (await ann.get(f"{TASKS}?after={expected[-1].id}")).json() == {"tasks": [], "hasMore": False}
        assert refused(await ann.get(f"{TASKS}?after=video_none")) == (404, "not_found")


async def test_a_page_can_start_after_an_external_id(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        old, new = [
            await accepted(ann.gateway.store, owner="user_ann", created_at=NOW + n, credits=0) for n in (1, 2)
        ]
        await walk(ann.gateway.store, new, *to_processing("ext-new"))
        page = (await ann.get(f"{TASKS}?after=ext-new")).json()
        assert [task["videoId"] for task in page["tasks"]] == [old.id]


async def test_tasks_are_counted_and_filtered_by_status(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        store = ann.gateway.store
        assert (await ann.get("/api/video/stats")).json() == {"counts": {}, "stages": {}}
        ways = {
            "queued": (),
            "processing": to_processing("ext-1"),
            "completed": (*to_processing("ext-2"), *to_completed()),
            "failed": (to_processing("ext-3")[0], Refused(NOW, "no", "No.")),
            "cancelled": (CancelRequested(NOW),),
        }
        ids = {}
        for status, events in ways.items():
            job = await accepted(store, owner="user_ann", credits=0)
            ids[status] = (await walk(store, job, *events)).id
        for status, video_id in ids.items():
            page = (await ann.get(f"{TASKS}?status={status}")).json()
            assert [task["videoId"] for task in page["tasks"]] == [video_id], status
            assert page["tasks"][0]["status"] == status
        assert (await ann.get("/api/video/stats")).json() == {
            "counts": dict.fromkeys(ids, 1),
            "stages": dict.fromkeys(ids, 1),
        }


# --- one task ----------------------------------------------------------------------------------------


async def test_a_task_goes_by_either_id_and_its_story_is_told_in_order(tmp_path: Path) -> None:
    async with a_finished_video(tmp_path) as (ann, task):
        assert task["externalVideoId"] == "ext-1"
        assert task["completedAt"] is not None
        assert (task["progress"], task["note"]) == (100, "")
        by_external = await ann.task("ext-1")
        assert by_external["videoId"] == task["videoId"]
        events = (await ann.get(f"{TASKS}/ext-1/events")).json()["events"]
        assert [event["step"] for event in events] == [
            "accepted", "submitting", "submitted", "downloading", "done",
        ]  # fmt: skip
        assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
        assert {event["videoId"] for event in events} == {task["videoId"]}
        assert refused(await ann.get(f"{TASKS}/video_none")) == (404, "not_found")
        assert refused(await ann.get(f"{TASKS}/video_none/events")) == (404, "not_found")


# --- its file ----------------------------------------------------------------------------------------


async def test_a_file_comes_whole_in_parts_or_not_again(tmp_path: Path) -> None:
    film = sample_mp4()
    async with a_finished_video(tmp_path) as (ann, task), anybody(ann) as player:
        url = task["videoUrl"]
        whole = await player.get(url)
        assert (whole.status_code, whole.content) == (200, film)
        assert whole.headers["content-type"] == "video/mp4"
        assert "content-disposition" not in whole.headers
        part = await player.get(url, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, film[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(film)}"
        last = await player.get(url, headers={"Range": "bytes=-5"})
        assert (last.status_code, last.content) == (206, film[-5:])
        beyond = await player.get(url, headers={"Range": f"bytes={len(film)}-"})
        assert refused(beyond) == (416, "range_not_satisfiable")
        assert beyond.headers["content-range"] == f"bytes */{len(film)}"
        known = await player.get(url, headers={"If-None-Match": whole.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        head = await player.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(film))
        for answer in (whole, part, beyond, known, head):
            assert "x-request-id" in answer.headers


async def test_every_variant_has_an_address(tmp_path: Path) -> None:
    async with a_finished_video(tmp_path) as (ann, task), anybody(ann) as player:
        kinds = {"thumbnailUrl": b"WEBP", "spritesheetUrl": None}
        for name, mark in kinds.items():
            still = await player.get(task[name])
            assert still.status_code == 200
            assert still.headers["content-type"].startswith("image/")
            assert mark is None or still.content[8:12] == mark
        # Who may see it needs no signature.
        assert (await ann.get(f"{TASKS}/ext-1/content")).content == sample_mp4()
        assert (await ann.get(f"{TASKS}/ext-1/content?variant=thumbnail")).status_code == 200


async def test_a_signed_address_opens_one_file_until_its_moment(tmp_path: Path) -> None:
    async with a_finished_video(tmp_path) as (ann, task), anybody(ann) as player:
        address = urlsplit(task["videoUrl"])
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        other = await ann.comes_to((await ann.make("another"))["videoId"], "completed")
        assert (await player.get(address.path, params=query)).status_code == 200
        altered = {
            "another file": query | {"variant": "thumbnail"},
            "a later moment": query | {"expires": str(int(query["expires"]) + 1)},
            "another signature": query | {"signature": query["signature"][:-2] + "AA"},
            "no signature": {"variant": "video", "expires": query["expires"]},
            "no moment": {"variant": "video", "signature": query["signature"]},
            "nothing": {},
        }
        for case, wrong in altered.items():
            answer = await player.get(address.path, params=wrong)
            signed = "signature" in wrong and "expires" in wrong
            expected = (403, "invalid_signature") if signed else (404, "not_found")
            assert refused(answer) == expected, case
        moved = await player.get(address.path.replace(task["videoId"], other["videoId"]), params=query)
        assert refused(moved) == (403, "invalid_signature")
        # A signature is made for our id; the other one is not covered.
        other_id = await player.get(f"{TASKS}/ext-1/content", params=query)
        assert refused(other_id) == (403, "invalid_signature")


async def test_what_a_video_is_made_from_is_shown_to_those_who_may_see_it(tmp_path: Path) -> None:
    image, film = (
        InputFile("reference", b"a picture", "image/png"),
        InputFile("source", b"a film", "video/mp4"),
    )
    order = Order("user_ann", "a boat", "sora-2", "lab", "wan-2.2", 4, "1280x720", inputs=(image, film))
    async with at_the_lab(tmp_path, Lab()) as ann, anybody(ann) as player:
        job = await ann.gateway.supervisor.accept(order)
        for task in (await ann.task(job.id), (await ann.get(TASKS)).json()["tasks"][0]):
            assert (task["operation"], task["sourceVideoId"], task["videoUrl"]) == ("create", None, None)
            shown = await player.get(task["referenceUrl"])
            assert (shown.status_code, shown.content) == (200, b"a picture")
            assert shown.headers["content-type"] == "image/png"
        async with ann.live() as live:
            await live.say(type="subscribe", videoId=job.id)
            assert "variant=reference" in (await live.next())["tasks"][0]["referenceUrl"]
        # It is not the video, an uploaded film is nobody's to fetch, and OpenAI's API has neither.
        assert refused(await ann.get(f"{TASKS}/{job.id}/content")) == (409, "not_ready")
        for path in (f"{TASKS}/{job.id}/content?variant=source", f"/v1/videos/{job.id}/content?variant=source",
                     f"/v1/videos/{job.id}/content?variant=reference"):  # fmt: skip
            assert refused(await ann.get(path)) == (400, "invalid_request"), path
        plain = await ann.make()
        assert plain["referenceUrl"] is None
        none = await ann.get(f"{TASKS}/{plain['videoId']}/content?variant=reference")
        assert refused(none) == (404, "not_found")
        assert none.json()["error"]["message"] == "This video has no reference image."


async def test_a_remix_names_the_video_that_it_was_made_from_and_an_edit_only_here(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        store = ann.gateway.store
        source = await accepted(store, owner="user_ann", credits=0)
        for operation, remixed_from in ((Operation.REMIX, source.id), (Operation.EDIT, None)):
            job = await accepted(store, owner="user_ann", credits=0, operation=operation, source_id=source.id)
            task = await ann.task(job.id)
            assert (task["operation"], task["sourceVideoId"]) == (operation, source.id)
            video = (await ann.get(f"/v1/videos/{job.id}")).json()
            assert video["remixed_from_video_id"] == remixed_from


async def test_an_address_expires_and_a_new_one_can_be_had(tmp_path: Path) -> None:
    async with (
        a_finished_video(tmp_path, media={"url_lifetime": 300.0}) as (ann, task),
        anybody(ann) as player,
    ):
        async with asyncio.timeout(10):
            while (old := await player.get(task["videoUrl"])).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert refused(old) == (403, "invalid_signature")
        assert "refresh-url" in old.json()["error"]["message"]
        fresh = await ann.http.post(f"{TASKS}/{task['videoId']}/refresh-url")
        assert fresh.status_code == 200
        assert (await player.get(fresh.json()["videoUrl"])).content == sample_mp4()


async def test_what_is_not_there_yet_or_never_will_be_is_said(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        running = await ann.comes_to((await ann.make())["videoId"], "processing")
        assert refused(await ann.get(f"{TASKS}/{running['videoId']}/content")) == (409, "not_ready")
        await ann.http.post(f"{TASKS}/{running['videoId']}/cancel")
        ended = await ann.comes_to(running["videoId"], "cancelled")
        never = await ann.get(f"{TASKS}/{ended['videoId']}/content")
        assert refused(never) == (404, "not_found")
        assert never.json()["error"]["message"] == "The video is cancelled; there is no file."


# --- when to ask again -------------------------------------------------------------------------------


def steering(response: httpx.Response) -> tuple[int, int] | None:
    """Milliseconds and seconds after which to ask again; None when nobody has to."""
    after, retry = (response.headers.get(name) for name in ("openai-poll-after-ms", "retry-after"))
    assert (after is None) == (retry is None)
    return None if after is None or retry is None else (int(after), int(retry))


async def test_every_answer_with_an_unfinished_video_says_when_to_ask_again(tmp_path: Path) -> None:
    async with a_finished_video(tmp_path) as (ann, done):
        one = f"{TASKS}/{done['videoId']}"
        for ended in (await ann.get(one), await ann.http.post(f"{one}/refresh-url")):
            assert steering(ended) is None
        for made in (
            await ann.http.post(TASKS, json={"prompt": "a boat"}),
            await ann.http.post(f"{one}/retry"),
        ):
            after = steering(made)
            assert after is not None
            assert after[0] >= 1000
        job = await accepted(ann.gateway.store, owner="user_ann", credits=0)
        job = await walk(ann.gateway.store, job, *to_processing("ext-unwatched"))
        for answer in (
            await ann.get(f"{TASKS}/{job.id}"),
            await ann.http.post(f"{TASKS}/{job.id}/refresh-url"),
        ):
            assert steering(answer) == (5000, 5)
        await walk(ann.gateway.store, job, UpstreamFailed(NOW, "moderation_blocked", "Not this."))
        assert steering(await ann.get(f"{TASKS}/{job.id}")) is None


# --- cancel, retry, delete ---------------------------------------------------------------------------


async def test_what_runs_can_be_cancelled_once_and_not_deleted_or_repeated_before(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        one = f"{TASKS}/{task['videoId']}"
        assert refused(await ann.http.delete(one)) == (409, "not_finished")
        assert refused(await ann.http.post(f"{one}/retry")) == (409, "not_finished")
        assert (await ann.http.post(f"{one}/cancel")).status_code == 200
        cancelled = await ann.comes_to(task["videoId"], "cancelled")
        assert cancelled["error"] == {"code": "cancelled", "message": "The video was cancelled."}
        again = await ann.http.post(f"{one}/cancel")
        assert refused(again) == (409, "already_ended")
        assert again.json()["error"]["message"] == "The video is already cancelled."


async def test_a_retry_is_a_new_task_with_its_own_hold(tmp_path: Path) -> None:
    async with a_finished_video(tmp_path) as (ann, task):
        response = await ann.http.post(f"{TASKS}/{task['videoId']}/retry")
        assert response.status_code == 202
        again = response.json()
        assert again["videoId"] != task["videoId"]
        assert again["retryOf"] == task["videoId"]
        for name in ("prompt", "model", "seconds", "size", "credits"):
            assert again[name] == task[name]
        done = await ann.comes_to(again["videoId"], "completed")
        assert done["externalVideoId"] == "ext-2"
        assert await ledger(ann, again) == await ledger(ann, task) == ["hold", "settle"]


async def test_what_is_deleted_is_gone_everywhere_with_its_files(tmp_path: Path) -> None:
    async with a_finished_video(tmp_path) as (ann, task), anybody(ann) as player:
        (folder,) = (tmp_path / "media").glob(f"*/{task['videoId']}")
        assert len(list(folder.iterdir())) == 3
        assert (await ann.http.delete(f"{TASKS}/{task['videoId']}")).status_code == 204
        assert not folder.exists()
        for name in ("videoUrl", "thumbnailUrl"):
            assert refused(await player.get(task[name])) == (404, "not_found")
        for id in (task["videoId"], "ext-1"):
            for path in ("", "/events", "/content", "/stream"):
                assert refused(await ann.get(f"{TASKS}/{id}{path}")) == (404, "not_found")
            for path in ("/cancel", "/retry", "/refresh-url"):
                assert refused(await ann.http.post(f"{TASKS}/{id}{path}")) == (404, "not_found")
            assert refused(await ann.http.delete(f"{TASKS}/{id}")) == (404, "not_found")
        assert (await ann.get(TASKS)).json()["tasks"] == []
        assert (await ann.get("/v1/videos")).json()["data"] == []
        assert (await ann.get("/api/video/stats")).json()["counts"] == {}
