"""``/v1/videos`` over a real port, as OpenAI's own clients use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.errors import PlanLimit
from sora_gateway.http.services import Phase
from tests.generated import catalogue
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.lab import PRICE, Lab, at_the_lab, closing, ledger, says
from tests.running import Json, Person
from tests.sample_videos import sample_mp4

VIDEOS = "/v1/videos"
FILM = closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
FIELDS = {
    "id", "object", "model", "status", "progress", "created_at", "completed_at", "expires_at", "prompt", "size",
    "seconds", "remixed_from_video_id", "error",
}  # fmt: skip


async def created(ann: Person, **options: Any) -> Json:
    response = await ann.http.post(VIDEOS, **options)
    assert response.status_code == 200, response.text
    return dict(response.json())


def refused(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and what an official client is told about trying again."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "type", "param", "requestId"}
    assert error["requestId"] == response.headers["x-request-id"]
    return response.status_code, error["code"], response.headers.get("x-should-retry")


# --- create ------------------------------------------------------------------------------------------

WISH = {"prompt": "纸船 & a boat", "model": "sora-2", "seconds": "8", "size": "1280x720"}
WAYS: dict[str, dict[str, Any]] = {
    "JSON": {"json": WISH},
    "JSON with seconds as a number": {"json": WISH | {"seconds": 8}},
    "JSON with a charset": {
        "content": json.dumps(WISH, ensure_ascii=False).encode(),
        "headers": {"content-type": "application/json; charset=utf-8"},
    },
    "multipart": {"files": {name: (None, value) for name, value in WISH.items()}},
    "urlencoded": {"data": WISH},
    "urlencoded as curl sends it": {
        "content": "prompt=纸船 %26 a boat&model=sora-2&seconds=8&size=1280x720".encode(),
        "headers": {"content-type": "application/x-www-form-urlencoded"},
    },
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_video_can_be_asked_for_in_every_way(way: str, tmp_path: Path) -> None:
    lab = Lab()
    async with at_the_lab(tmp_path, lab) as ann:
        video = await created(ann, **WAYS[way])
        assert set(video) == FIELDS
        assert {name: video[name] for name in WISH} == WISH
        assert (video["object"], video["status"], video["progress"]) == ("video", "queued", 0)
        assert isinstance(video["created_at"], int)
        assert video["completed_at"] is video["error"] is video["expires_at"] is None
        await ann.comes_to(video["id"], "processing")
        assert lab.orders[0].json["prompt"] == WISH["prompt"]


async def test_only_the_prompt_is_needed(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        video = await created(ann, json={"prompt": "a boat"})
        assert (video["model"], video["seconds"], video["size"]) == ("sora-2", "4", "720x1280")


async def test_it_costs_what_it_costs_in_the_other_api(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), balance=PRICE) as ann:
        video = await created(ann, json={"prompt": "a boat"})
        assert await ledger(ann, {"videoId": video["id"]}) == ["hold"]
        poor = await ann.http.post(VIDEOS, json={"prompt": "another"})
        assert refused(poor) == (402, "insufficient_credits", "false")
        assert poor.json()["error"]["type"] == "insufficient_quota"


# --- how far it is -----------------------------------------------------------------------------------


async def test_a_video_goes_from_queued_to_completed(tmp_path: Path) -> None:
    lab = Lab(looks={"status": "in_progress", "progress": 41.7}, content=FILM)
    async with at_the_lab(tmp_path, lab) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        while (video := (await ann.get(f"{VIDEOS}/{id}")).json())["progress"] == 0:
            assert video["status"] in ("queued", "in_progress")
        assert (video["status"], video["progress"]) == ("in_progress", 41)
        lab.looks = {"status": "completed", "progress": 100}
        await ann.comes_to(id, "completed")
        video = (await ann.get(f"{VIDEOS}/{id}")).json()
        assert (video["status"], video["progress"], video["error"]) == ("completed", 100, None)
        assert video["completed_at"] >= video["created_at"]
        # The upstream's id finds it too, and the answer has ours.
        assert (await ann.get(f"{VIDEOS}/ext-1")).json() == video


async def test_a_refused_and_a_cancelled_video_have_failed_for_a_reason(tmp_path: Path) -> None:
    no: dict[str, object] = {"error": {"code": "moderation_blocked", "message": "Not this."}}
    async with at_the_lab(tmp_path, Lab(creates=[says(400, no), says(200, {"id": "ext-2"})])) as ann:
        blocked = (await created(ann, json={"prompt": "something"}))["id"]
        await ann.comes_to(blocked, "failed")
        video = (await ann.get(f"{VIDEOS}/{blocked}")).json()
        assert video["status"] == "failed"
        assert video["error"] == {"code": "moderation_blocked", "message": "Not this."}
        stopped = (await created(ann, json={"prompt": "a boat"}))["id"]
        await ann.comes_to(stopped, "processing")
        await ann.http.post(f"/api/video/tasks/{stopped}/cancel")
        await ann.comes_to(stopped, "cancelled")
        video = (await ann.get(f"{VIDEOS}/{stopped}")).json()
        assert (video["status"], video["error"]["code"]) == ("failed", "cancelled")
        assert video["completed_at"] is None


async def test_a_doubt_is_in_progress_to_a_program(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(creates=[says(500)])) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        await ann.comes_to(id, "unknown")
        video = (await ann.get(f"{VIDEOS}/{id}")).json()
        assert (video["status"], video["error"]) == ("in_progress", None)


async def test_a_client_is_steered_to_the_moment_after_the_next_look(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:  # looks every 20 seconds
        made = await ann.http.post(VIDEOS, json={"prompt": "a boat"})
        assert int(made.headers["openai-poll-after-ms"]) >= 1000
        id = made.json()["id"]
        await ann.comes_to(id, "processing")
        answer = await ann.get(f"{VIDEOS}/{id}")
        after, retry = int(answer.headers["openai-poll-after-ms"]), int(answer.headers["retry-after"])
        assert 250 <= after <= 20_250
        assert retry == max(1, -(-after // 1000))
        await ann.http.post(f"/api/video/tasks/{id}/cancel")
        await ann.comes_to(id, "cancelled")
        ended = await ann.get(f"{VIDEOS}/{id}")
        assert "openai-poll-after-ms" not in ended.headers
        assert "retry-after" not in ended.headers


async def test_openais_poll_helper_gets_an_interval_because_it_keeps_its_first_answer(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        seen = set()
        for _ in range(20):
            answer = await ann.get(f"{VIDEOS}/{id}", headers={"X-Stainless-Poll-Helper": "true"})
            seen.add(int(answer.headers["openai-poll-after-ms"]))
        assert min(seen) >= 2000
        assert max(seen) <= 10_000


# --- list --------------------------------------------------------------------------------------------


async def test_a_list_is_paged_in_both_orders(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        assert (await ann.get(VIDEOS)).json() == {
            "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
        }  # fmt: skip
        # Three of each moment.
        jobs = [
            await accepted(ann.gateway.store, owner="user_ann", created_at=NOW + n // 3, credits=0)
            for n in range(22)
        ]
        oldest_first = [job.id for job in sorted(jobs, key=lambda job: (job.created_at, job.id))]
        for order, expected in (("asc", oldest_first), ("desc", oldest_first[::-1])):
            seen: list[str] = []
            more = True
            while more:
                after = f"&after={seen[-1]}" if seen else ""
                page = (await ann.get(f"{VIDEOS}?limit=5&order={order}{after}")).json()
                ids = [video["id"] for video in page["data"]]
                assert (page["object"], page["first_id"], page["last_id"]) == ("list", ids[0], ids[-1])
                assert set(page["data"][0]) == FIELDS
                seen, more = seen + ids, page["has_more"]
            assert seen == expected
        first = (await ann.get(VIDEOS)).json()
        assert len(first["data"]) == 20
        assert first["has_more"] is True
        assert first["first_id"] == oldest_first[-1]
        none = (await ann.get(f"{VIDEOS}?limit=0")).json()
        assert none == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": True}
        assert refused(await ann.get(f"{VIDEOS}?after=video_none")) == (404, "not_found", "false")


# --- content -----------------------------------------------------------------------------------------


async def test_the_content_is_a_file_to_keep(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(looks={"status": "completed"}, content=FILM)) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        await ann.comes_to(id, "completed")
        film = await ann.get(f"{VIDEOS}/{id}/content")
        assert (film.status_code, film.content) == (200, sample_mp4())
        assert film.headers["content-type"] == "video/mp4"
        assert film.headers["content-disposition"] == f'attachment; filename="{id}.mp4"'
        for variant in ("thumbnail", "spritesheet"):
            still = await ann.get(f"{VIDEOS}/{id}/content?variant={variant}")
            assert still.headers["content-type"].startswith("image/")
        part = await ann.get(f"{VIDEOS}/{id}/content", headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, sample_mp4()[:4])
        beyond = await ann.get(f"{VIDEOS}/{id}/content", headers={"Range": "bytes=99999999-"})
        assert refused(beyond) == (416, "range_not_satisfiable", "false")
        head = await ann.http.head(f"{VIDEOS}/{id}/content")
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(sample_mp4())))
        tag = {"If-None-Match": film.headers["etag"]}
        assert (await ann.get(f"{VIDEOS}/{id}/content", headers=tag)).status_code == 304


async def test_content_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        assert refused(await ann.get(f"{VIDEOS}/{id}/content")) == (409, "not_ready", "false")
        assert refused(await ann.get(f"{VIDEOS}/video_none/content")) == (404, "not_found", "false")
        # Its row is there, its file is not.
        job = await accepted(ann.gateway.store, owner="user_ann", credits=0)
        await walk(ann.gateway.store, job, *to_processing("ext-gone"), *to_completed())
        assert refused(await ann.get(f"{VIDEOS}/ext-gone/content")) == (410, "gone", "false")


# --- delete ------------------------------------------------------------------------------------------


async def test_an_ended_video_can_be_deleted(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(creates=[says(400)])) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        await ann.comes_to(id, "failed")
        deleted = await ann.http.delete(f"{VIDEOS}/{id}")
        assert deleted.json() == {"id": id, "object": "video.deleted", "deleted": True}
        assert refused(await ann.get(f"{VIDEOS}/{id}")) == (404, "not_found", "false")
        assert refused(await ann.http.delete(f"{VIDEOS}/{id}")) == (404, "not_found", "false")
        assert (await ann.get(VIDEOS)).json()["data"] == []


async def test_an_unfinished_video_cannot_be_deleted(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        id = (await created(ann, json={"prompt": "a boat"}))["id"]
        answer = await ann.http.delete(f"{VIDEOS}/{id}")
        assert refused(answer) == (409, "not_finished", "false")
        assert answer.json()["error"]["message"] == "The video is not finished; cancel it first."
        assert (await ann.get(f"{VIDEOS}/{id}")).status_code == 200


# --- errors ------------------------------------------------------------------------------------------


async def test_definitive_errors_tell_official_clients_not_to_try_again(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        no_key = {"Authorization": "Bearer sk-none"}
        cases = {
            (400, "invalid_request"): await ann.http.post(VIDEOS, json={}),
            (400, "model_not_found"): await ann.http.post(VIDEOS, json={"prompt": "a", "model": "x"}),
            (401, "invalid_api_key"): await ann.http.post(VIDEOS, json={"prompt": "a"}, headers=no_key),
            (404, "not_found"): await ann.get(f"{VIDEOS}/none"),
            (405, "method_not_allowed"): await ann.http.put(VIDEOS, json={}),
            (413, "too_large"): await ann.http.post(VIDEOS, content=b"x" * (26 << 20)),
            (415, "unsupported_media_type"): await ann.http.post(VIDEOS, content=b"x"),
        }
        for expected, answer in cases.items():
            assert refused(answer) == (*expected, "false")
        assert refused(await ann.get("/v1/nothing")) == (404, "not_found", "false")


async def test_a_full_disk_is_as_full_two_seconds_later(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), media={"min_free_disk": 1 << 60}) as ann:
        full = await ann.http.post(VIDEOS, json={"prompt": "a boat"})
        assert refused(full) == (507, "storage_full", "false")


async def test_what_passes_may_be_tried_again(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        ann.gateway.readiness.phase = Phase.STOPPING
        stopping = await ann.http.post(VIDEOS, json={"prompt": "a boat"})
        assert refused(stopping) == (503, "unavailable", None)
        assert stopping.headers["retry-after"] == "10"


def test_every_error_is_of_a_type_that_openais_clients_know() -> None:
    types = {
        401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 429: "rate_limit_error",
    }  # fmt: skip
    for kind in catalogue():
        default = "invalid_request_error" if kind.http_status < 500 else "server_error"
        # What a plan limits is not a matter of slowing down.
        quota = issubclass(kind, PlanLimit)
        expected = "insufficient_quota" if quota else types.get(kind.http_status, default)
        assert kind.type == expected, kind.__name__
