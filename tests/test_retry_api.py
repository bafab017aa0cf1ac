"""The same video once more: made from the same image, video and characters, as far as they are still here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import PRICE
from tests.paid_routes import Shop, id_of, refused, shop, stored
from tests.pictures import decoded, encoded, striped
from tests.raw_server import Received
from tests.running import Json
from tests.sample_videos import sample_mp4
from tests.test_upstream_requests import Piece, form_of

PICTURE = ("first.png", encoded(striped(400, 300)), "image/png")
FAILED: Json = {"status": "failed", "error": {"code": "gpu_lost", "message": "A GPU broke."}}


async def retry(at: Shop, video_id: str) -> httpx.Response:
    return await at.ann.http.post(f"/api/video/tasks/{video_id}/retry")


async def again(at: Shop, video_id: str) -> Json:
    response = await retry(at, video_id)
    assert response.status_code == 202, response.text
    task = dict(response.json())
    assert task["retryOf"] == video_id
    return task


async def failed(at: Shop, path: str, **options: Any) -> str:
    """The id of what was asked for, once the upstream has failed at it."""
    made = id_of(await at.ann.http.post(path, **options))
    at.lab.looks = FAILED
    await at.ann.comes_to(made, "failed")
    at.lab.looks = {"status": "in_progress"}
    return made


def asked(order: Received) -> tuple[str, list[Piece] | dict[str, object]]:
    """Where the request went and what it said, but for its boundary."""
    is_json = order.headers["content-type"] == "application/json"
    return order.target, order.json if is_json else form_of(order)


# --- made from the same ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["failed", "completed"])
async def test_a_video_with_an_image_is_made_from_the_same_image(end: str, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        wish = {"prompt": "a boat", "seconds": "8", "size": "1280x720", "fit": "pad"}
        files = {"inputReference": PICTURE}
        if end == "failed":
            first = await failed(at, "/api/video/tasks", data=wish, files=files)
        else:
            first = await at.finished(
                id_of(await at.ann.http.post("/api/video/tasks", data=wish, files=files))
            )
        second = await again(at, first)
        assert (second["operation"], second["seconds"], second["size"]) == ("create", 8, "1280x720")
        assert asked(await at.order(1)) == asked(await at.order(0))
        (image,) = [piece.value for piece in form_of(await at.order(1)) if piece.name == "input_reference"]
        assert decoded(image).size == (1280, 720)
        # Each has the image to itself.
        assert (await at.ann.http.delete(f"/api/video/tasks/{first}")).status_code == 204
        shown = await at.ann.get((await at.ann.task(second["videoId"]))["referenceUrl"])
        assert (shown.status_code, shown.content) == (200, image)


async def test_a_remix_is_made_of_the_same_video_even_when_it_is_deleted_here(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=1) as at:
        (source,) = at.sources
        first = await failed(at, f"/v1/videos/{source}/remix", json={"prompt": "at night"})
        assert (await at.ann.http.delete(f"/v1/videos/{source}")).status_code == 200
        second = await again(at, first)
        assert (second["operation"], second["sourceVideoId"]) == ("remix", source)
        assert asked(await at.order(2)) == asked(await at.order(1))
        assert asked(await at.order(2)) == ("/v1/videos/ext-1/remix", {"prompt": "at night"})


@pytest.mark.parametrize(
    ("path", "more", "seconds"),
    [("/v1/videos/edits", {}, 1), ("/v1/videos/extensions", {"seconds": "8"}, 9)],
    ids=["edit", "extension"],
)
async def test_an_uploaded_video_is_sent_again(
    path: str, more: dict[str, str], seconds: int, tmp_path: Path
) -> None:
    async with shop(tmp_path, sources=0) as at:
        files = {"video": ("holiday.mp4", sample_mp4(), "video/mp4")}
        first = await failed(at, path, data={"prompt": "snow", **more}, files=files)
        second = await again(at, first)
        assert (second["seconds"], second["size"]) == (seconds, "64x48")
        assert asked(await at.order(1)) == asked(await at.order(0))
        assert Piece("video", sample_mp4(), "source.mp4", "video/mp4") in form_of(await at.order(1))


async def test_an_extension_adds_the_same_and_costs_what_it_adds(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=1, pricing={"per_second": 2}) as at:
        wish = {"prompt": "and on", "seconds": 12, "video": {"id": at.sources[0]}}
        second = await again(at, await failed(at, "/v1/videos/extensions", json=wish))
        assert (second["seconds"], second["credits"]) == (16, PRICE + 24)
        assert asked(await at.order(2)) == asked(await at.order(1))


async def test_the_same_characters_appear(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        files = {"video": ("otter.mp4", sample_mp4(), "video/mp4")}
        otter = id_of(await at.ann.http.post("/v1/videos/characters", data={"name": "Otter"}, files=files))
        wish = {"prompt": "an otter", "characters": [{"id": otter}]}
        await again(at, await failed(at, "/v1/videos", json=wish))
        assert (await at.order(2)).json["characters"] == [{"id": "ext-1"}]
        assert asked(await at.order(2)) == asked(await at.order(1))


async def test_it_costs_what_it_costs_today(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        first = await failed(at, "/v1/videos", json={"prompt": "a boat"})
    async with shop(tmp_path, at, sources=0, pricing={"per_video": 100}) as at:
        second = await again(at, first)
        assert second["credits"] == 100
        assert (await at.gateway.store.credits.of_job(second["videoId"]))[0][2] == 100


# --- not any more ------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["reference", "source"])
async def test_what_it_was_made_from_may_be_gone(variant: str, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        if variant == "reference":
            wish: dict[str, Any] = {"data": {"prompt": "a"}, "files": {"input_reference": PICTURE}}
            first = await failed(at, "/v1/videos", **wish)
        else:
            files = {"video": ("a.mp4", sample_mp4(), "video/mp4")}
            first = await failed(at, "/v1/videos/edits", data={"prompt": "a"}, files=files)
        (kept,) = stored(tmp_path, variant)
        kept.unlink()
        cost = await at.cost()
        answer = await retry(at, first)
        assert refused(answer) == (410, "gone", "false")
        assert answer.json()["error"]["message"] == (
            "The image or video that it was made from is not kept any more; make it anew."
        )
        assert await at.cost() == cost


async def test_an_upstream_that_has_lost_an_operation_is_not_asked_for_it(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=1) as at:
        files = {"video": ("a.mp4", sample_mp4(), "video/mp4")}
        derived = [
            await failed(at, f"/v1/videos/{at.sources[0]}/remix", json={"prompt": "at night"}),
            await failed(at, "/v1/videos/edits", data={"prompt": "a"}, files=files),
        ]
        otter = id_of(await at.ann.http.post("/v1/videos/characters", data={"name": "Otter"}, files=files))
        wish = {"prompt": "an otter", "characters": [{"id": otter}]}
        derived.append(await failed(at, "/v1/videos", json=wish))
        plain = await failed(at, "/v1/videos", json={"prompt": "a boat"})
    async with shop(tmp_path, at, sources=0, profile="generic") as at:
        cost = await at.cost()
        for each in derived:
            assert refused(await retry(at, each)) == (400, "unsupported_by_upstream", "false")
        assert await at.cost() == cost
        await again(at, plain)


async def test_a_remix_goes_to_no_other_upstream(tmp_path: Path) -> None:
    """Another one may have the model and remixes, but it has not got the video."""
    async with shop(tmp_path, sources=1) as at:
        first = await failed(at, f"/v1/videos/{at.sources[0]}/remix", json={"prompt": "at night"})
    other = {"base_url": "http://127.0.0.1:9/v1", "profile": "openai", "models": {"sora-2": "sora-2"}}
    async with shop(tmp_path, at, sources=0, profile="generic", upstreams={"other": other}) as at:
        assert refused(await retry(at, first)) == (400, "unsupported_by_upstream", "false")
    async with shop(tmp_path, at, sources=0, upstreams={"other": other}) as at:
        assert (await again(at, first))["upstream"] == "lab"


async def test_what_is_not_finished_is_not_made_again(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        video = id_of(await at.ann.http.post("/v1/videos", json={"prompt": "a boat"}))
        await at.ann.comes_to(video, "processing")
        cost = await at.cost()
        assert refused(await retry(at, video)) == (409, "not_finished", "false")
        assert await at.cost() == cost
