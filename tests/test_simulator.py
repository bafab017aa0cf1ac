"""The simulator speaks OpenAI's Videos API, remembers over restarts, and makes videos that play."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from sora_gateway.errors import StartupError
from sora_gateway.media.video import probe
from sora_gateway.upstream.simulator import SimulatorOptions
from sora_gateway.upstream.simulator.files import SHIPPED
from sora_gateway.upstream.simulator.journal import Journal
from tests.fakes import CountingEntropy, ManualClock
from tests.simulators import CLIP, Lab, in_process, on_a_socket


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with in_process(tmp_path) as lab:
        yield lab


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error of a refused request, after a look at its envelope."""
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith((".", "width and height"))
    return error


# One job, from the request to the file.


async def test_a_job_is_queued_runs_completes_and_has_its_files(lab: Lab) -> None:
    video = await lab.create("a paper boat", model="sora-2", seconds="8", size="1280x720")
    assert video == {
        "id": "video_sim_00000000000000000000000000000001",
        "object": "video",
        "model": "sora-2",
        "status": "queued",
        "progress": 0,
        "created_at": 1_800_000_000,
        "completed_at": None,
        "expires_at": None,
        "prompt": "a paper boat",
        "size": "1280x720",
        "seconds": "8",
        "remixed_from_video_id": None,
        "error": None,
    }
    await lab.clock.advance(51.0)
    running = await lab.get(video["id"])
    assert (running["status"], running["progress"]) == ("in_progress", 50)
    await lab.clock.advance(49.0)
    done = await lab.get(video["id"])
    assert (done["status"], done["progress"], done["completed_at"]) == ("completed", 100, 1_800_000_100)

    for variant, media_type in (
        ("video", "video/mp4"),
        ("thumbnail", "image/webp"),
        ("spritesheet", "image/jpeg"),
    ):
        answer = await lab.content(video["id"], params={"variant": variant})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.content == SHIPPED[variant].read_bytes()


async def test_the_file_of_an_unfinished_job_is_not_found_yet(lab: Lab) -> None:
    video = await lab.create()
    answer = await lab.content(video["id"])
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_ready"


async def test_an_unknown_variant_is_refused(lab: Lab) -> None:
    answer = await lab.content(await lab.finished(), params={"variant": "gif"})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "variant")


async def test_a_broken_download_can_be_resumed(tmp_path: Path) -> None:
    clip = SHIPPED["video"].read_bytes()
    async with on_a_socket(tmp_path) as lab:
        video = await lab.finished()
        rest = await lab.content(video, headers={"Range": "bytes=1000-"})
        assert (rest.status_code, rest.content) == (206, clip[1000:])
        assert rest.headers["content-range"] == f"bytes 1000-{len(clip) - 1}/{len(clip)}"
        same = await lab.content(video, headers={"Range": "bytes=1000-", "If-Range": rest.headers["etag"]})
        assert same.status_code == 206
        beyond = await lab.content(video, headers={"Range": f"bytes={len(clip)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(clip)}")


async def test_models_are_listed(lab: Lab) -> None:
    answer = await lab.client.get("/v1/models")
    assert [model["id"] for model in answer.json()["data"]] == ["sora-2", "sora-2-pro"]


# What is accepted.


def picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


async def test_the_official_library_sends_multipart(lab: Lab) -> None:
    answer = await lab.client.post(
        "/v1/videos",
        data={"prompt": "a paper boat", "model": "sora-2-pro", "seconds": "12", "size": "1024x1792"},
        files={"input_reference": ("first.png", picture(1024, 1792), "image/png")},
    )
    assert answer.status_code == 200
    assert (answer.json()["seconds"], answer.json()["model"]) == ("12", "sora-2-pro")


async def test_what_is_not_said_has_openais_defaults_and_seconds_may_be_a_number(lab: Lab) -> None:
    video = await lab.create()
    assert (video["model"], video["seconds"], video["size"]) == ("sora-2", "4", "720x1280")
    assert (await lab.create(seconds=8))["seconds"] == "8"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"model": "sora-9"}, "model"),
        ({"model": ["sora-2"]}, "model"),
        ({"seconds": "0"}, "seconds"),
        ({"seconds": 61}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": "four"}, "seconds"),
        ({"size": "large"}, "size"),
        ({"size": "641x360"}, "size"),
        ({"size": "4096x2160"}, "size"),
        ({"input_reference": "https://example.org/first.png"}, "input_reference"),
        ({"input_reference": {"file_id": "file_1"}}, "input_reference"),
        ({"input_reference": {"image_url": "data:image/png;base64,%%%"}}, "input_reference"),
        ({"input_reference": {"image_url": "data:image/png;base64,aGVsbG8="}}, "input_reference"),
        ({"input_reference": {"image_url": "file:///etc/passwd"}}, "input_reference"),
    ],
)
async def test_a_wrong_field_is_named_and_costs_nothing(fields: dict[str, Any], param: str, lab: Lab) -> None:
    answer = await lab.client.post("/v1/videos", json={"prompt": "a paper boat", **fields})
    assert (answer.status_code, error_of(answer)["param"]) == (400, param)
    assert lab.state.paid_creates() == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff"])
async def test_a_body_that_is_no_json_object_is_refused(body: bytes, lab: Lab) -> None:
    answer = await lab.client.post("/v1/videos", content=body)
    assert answer.status_code == 400
    error_of(answer)


async def test_a_broken_multipart_body_is_refused(lab: Lab) -> None:
    answer = await lab.client.post(
        "/v1/videos", content=b"nonsense", headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 400
    error_of(answer)


async def test_a_reference_image_must_have_the_size_of_the_video(lab: Lab) -> None:
    answer = await lab.client.post(
        "/v1/videos",
        data={"prompt": "a paper boat", "size": "1280x720"},
        files={"input_reference": ("first.png", picture(720, 1280), "image/png")},
    )
    assert answer.status_code == 400
    assert error_of(answer)["message"] == "Inpaint image must match the requested width and height"


async def test_the_word_forbidden_is_what_its_moderation_refuses(lab: Lab) -> None:
    answer = await lab.client.post("/v1/videos", json={"prompt": "a Forbidden dance"})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "moderation_blocked")
    assert lab.state.paid_creates() == 0


async def test_a_route_that_is_not_there_answers_in_the_same_envelope(lab: Lab) -> None:
    assert error_of(await lab.client.get("/v1/images"))["code"] == "not_found"
    assert error_of(await lab.client.put("/v1/videos"))["code"] == "method_not_allowed"


async def test_a_key_is_asked_for_only_when_there_is_one(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, api_key="sk-sim")) as lab:
        assert (await lab.client.get("/v1/videos")).status_code == 401
        wrong = await lab.client.get("/v1/videos", headers=[(b"Authorization", "Bearer schlüssel".encode())])
        assert error_of(wrong)["code"] == "invalid_api_key"
        right = await lab.client.get("/v1/videos", headers={"Authorization": "Bearer sk-sim"})
        assert right.status_code == 200


# Lists and deletes.


async def listed(lab: Lab, **query: Any) -> tuple[list[str], bool]:
    answer = await lab.client.get("/v1/videos", params=query)
    assert answer.status_code == 200
    page = answer.json()
    prompts = [video["prompt"] for video in page["data"]]
    ids = [video["id"] for video in page["data"]]
    assert (page["first_id"], page["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    return prompts, page["has_more"]


async def test_the_list_is_newest_first_and_goes_on_after_its_last_id(lab: Lab) -> None:
    ids = [(await lab.create(prompt))["id"] for prompt in "abcde"]
    assert await listed(lab) == (["e", "d", "c", "b", "a"], False)
    assert await listed(lab, limit=2) == (["e", "d"], True)
    assert await listed(lab, limit=2, after=ids[3]) == (["c", "b"], True)
    assert await listed(lab, order="asc", after=ids[3]) == (["e"], False)
    assert await listed(lab, after="video_nobody") == ([], False)
    assert await listed(lab, limit=0) == ([], True)


@pytest.mark.parametrize("query", [{"limit": "101"}, {"limit": "-1"}, {"limit": "0000999"}, {"order": "up"}])
async def test_a_wrong_list_query_is_refused(query: dict[str, str], lab: Lab) -> None:
    assert (await lab.client.get("/v1/videos", params=query)).status_code == 400


@pytest.mark.parametrize("age", [10.0, 200.0])
async def test_a_deleted_job_is_gone_whether_it_ran_or_not_and_stays_paid(age: float, lab: Lab) -> None:
    video_id = (await lab.create())["id"]
    await lab.clock.advance(age)
    answer = await lab.client.delete(f"/v1/videos/{video_id}")
    assert answer.json() == {"id": video_id, "object": "video.deleted", "deleted": True}
    for gone in (
        await lab.client.get(f"/v1/videos/{video_id}"),
        await lab.client.delete(f"/v1/videos/{video_id}"),
        await lab.content(video_id),
    ):
        assert gone.status_code == 404
    assert await listed(lab) == ([], False)
    assert lab.state.paid_creates() == 1


# Memory.


async def test_a_restart_in_mid_job_is_no_amnesia(tmp_path: Path) -> None:
    clock, entropy = ManualClock(), CountingEntropy()
    async with in_process(tmp_path, CLIP, clock, entropy) as lab:
        kept = await lab.create("kept")
        deleted = await lab.create("deleted")
        await lab.client.delete(f"/v1/videos/{deleted['id']}")
        await clock.advance(30.0)
        before = await lab.get(kept["id"])
    # Other options are for other jobs: this one's fate was written when it was taken.
    async with in_process(tmp_path, SimulatorOptions(duration=5.0, failure_rate=1.0), clock, entropy) as lab:
        assert await lab.get(kept["id"]) == before
        assert await listed(lab) == (["kept"], False)
        assert lab.state.paid_creates() == 2
        await clock.advance(70.0)
        assert (await lab.get(kept["id"]))["status"] == "completed"


async def test_a_line_torn_by_a_crash_was_never_answered_and_is_written_over(tmp_path: Path) -> None:
    entropy = CountingEntropy()
    async with in_process(tmp_path, entropy=entropy) as lab:
        first = await lab.create("first")
    journal = tmp_path / "creates.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[: len(whole) // 2])
    async with in_process(tmp_path, entropy=entropy) as lab:
        assert lab.state.paid_creates() == 1
        second = await lab.create("second")
    async with in_process(tmp_path, entropy=entropy) as lab:
        assert [record.id for record in lab.state.records()] == [first["id"], second["id"]]


async def test_damage_in_the_middle_of_the_memory_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "creates.jsonl").write_bytes(b"{broken\n{}\n")
    with pytest.raises(StartupError, match="damaged"):
        async with in_process(tmp_path):
            pass


async def test_a_caller_that_gives_up_does_not_stop_the_write(tmp_path: Path) -> None:
    journal, written = Journal(tmp_path / "journal.jsonl"), asyncio.Event()
    caller = asyncio.create_task(journal.append({"id": "video_1"}, written.set))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})
    await journal.settled()
    assert written.is_set()
    assert Journal(tmp_path / "journal.jsonl").lines == [{"id": "video_1"}]


async def test_a_disk_that_fails_takes_nothing(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "creates.jsonl").mkdir()
    answer = await lab.client.post("/v1/videos", json={"prompt": "a paper boat"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert lab.state.paid_creates() == 0


async def test_the_callers_own_request_id_is_kept(lab: Lab) -> None:
    await lab.client.post(
        "/v1/videos", json={"prompt": "a boat"}, headers={"X-Client-Request-Id": "attempt_7"}
    )
    assert lab.state.records()[0].client_request_id == "attempt_7"


async def test_a_share_of_jobs_fails(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, failure_rate=0.6)) as lab:
        video_id = await lab.finished()
        failed = await lab.get(video_id)
        assert failed["status"] == "failed"
        assert failed["error"]["code"] == "video_generation_failed"
        assert (await lab.content(video_id)).status_code == 404


# Videos.


async def test_a_video_is_rendered_once_for_all_who_ask_and_shows_the_prompt(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        video_id = await lab.finished("a paper boat", size="320x180", seconds=1)
        answers = await asyncio.gather(*(lab.content(video_id) for _ in range(3)))
        assert len({answer.content for answer in answers}) == 1
        films = list((tmp_path / "files").glob("*.mp4"))
        assert len(films) == 1
        seen = probe(str(films[0]))
        assert (seen["width"], seen["height"], seen["seconds"], seen["whole"]) == (320, 180, 1.0, True)
        # Another prompt is another film, the same one is not made twice.
        other = await lab.content(await lab.finished("a paper plane", size="320x180", seconds=1))
        assert other.content != answers[0].content
        again = await lab.content(await lab.finished("a paper boat", size="320x180", seconds=1))
        assert again.headers["etag"] == answers[0].headers["etag"]


async def test_thumbnail_and_spritesheet_are_made_from_the_video(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        video_id = await lab.finished(size="320x180", seconds=1)
        for variant, size in (("thumbnail", (640, 360)), ("spritesheet", (960, 216))):
            answer = await lab.content(video_id, params={"variant": variant})
            with Image.open(io.BytesIO(answer.content)) as image:
                assert image.size == size


async def test_a_video_that_cannot_be_rendered_is_the_shipped_clip(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "files").write_text("in the way")
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        video_id = await lab.finished()
        answer = await lab.content(video_id)
    assert answer.content == SHIPPED["video"].read_bytes()
    assert "shipped clip" in caplog.text


async def test_closing_stops_what_is_being_rendered(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        video_id = await lab.finished(size="1920x1080", seconds=60)
        asking = asyncio.create_task(lab.content(video_id))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.wait({asking})
    assert not list((tmp_path / "files").glob("*.mp4"))


def test_the_shipped_clip_is_a_whole_small_video() -> None:
    seen = probe(str(SHIPPED["video"]))
    assert (seen["codec"], seen["width"], seen["height"], seen["seconds"], seen["whole"]) == (
        "h264",
        640,
        360,
        4.0,
        True,
    )
    sizes = {variant: path.stat().st_size for variant, path in SHIPPED.items()}
    assert sizes["video"] < 100_000
    assert sizes["thumbnail"] < 20_000
    assert sizes["spritesheet"] < 20_000


def test_the_simulator_loads_neither_pillow_nor_pyav_nor_the_http_client() -> None:
    light = (
        "import sys, sora_gateway.upstream.simulator;"
        "print(sorted({'PIL', 'av', 'httpx', 'sqlalchemy', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", light], capture_output=True, check=True).stdout == b"[]\n"
