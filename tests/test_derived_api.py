"""Videos made from videos, on both APIs: what is answered, what it costs, and what leaves for the upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import PRICE, says
from tests.paid_routes import Shop, refused, shop, stored
from tests.pictures import encoded, striped
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4, sample_webm
from tests.test_upstream_requests import Piece, form_of

EDITS, EXTENSIONS, REMIX = "/v1/videos/edits", "/v1/videos/extensions", "/v1/videos/{}/remix"
OWN_REMIX = "/api/video/tasks/{}/remix"
PER_SECOND = 2
WIDE: Json = {"model": "sora-2", "seconds": 8, "size": "1280x720"}
FILM = ("holiday.mp4", sample_mp4(), "video/mp4")
"""64 x 48, one second."""


def price(seconds: int) -> int:
    return PRICE + PER_SECOND * seconds


@asynccontextmanager
async def studio(data_dir: Path, **options: Any) -> AsyncIterator[tuple[Shop, str]]:
    """A shop that counts seconds too, with one wide source of eight seconds."""
    async with shop(data_dir, sources=0, pricing={"per_second": PER_SECOND}, **options) as at:
        yield at, await at.source(**WIDE)


async def made(response: httpx.Response, status: int = 200) -> Json:
    assert response.status_code == status, response.text
    return dict(response.json())


async def spent(at: Shop, video_id: str) -> list[tuple[str, int]]:
    return [(kind, abs(held)) for kind, _, held in await at.gateway.store.credits.of_job(video_id)]


async def ways(at: Shop, source: str, who: Person | None = None) -> dict[str, httpx.Response]:
    """The answers to every way of making something of the video *source*."""
    post, form = (who or at.ann).http.post, {"prompt": (None, "a"), "video[id]": (None, source)}
    body = {"prompt": "a", "video": {"id": source}}
    return {
        "a remix": await post(REMIX.format(source), json={"prompt": "a"}),
        "a remix in the other API": await post(OWN_REMIX.format(source), json={"prompt": "a"}),
        "an edit": await post(EDITS, json=body),
        "an edit by a form": await post(EDITS, files=form),
        "an extension": await post(EXTENSIONS, json=body | {"seconds": "4"}),
        "an extension by a form": await post(EXTENSIONS, files=form | {"seconds": (None, "4")}),
    }


# --- remix -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_name", ["videoId", "externalVideoId"])
async def test_a_remix_is_the_video_with_another_prompt(id_name: str, tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        original = await at.ann.task(source)
        answer = await at.ann.http.post(REMIX.format(original[id_name]), json={"prompt": "a boat at night"})
        video = await made(answer)
        assert video | {"id": "", "created_at": 0} == {
            "id": "", "object": "video", "model": "sora-2", "status": "queued", "progress": 0, "created_at": 0,
            "completed_at": None, "expires_at": None, "prompt": "a boat at night", "size": "1280x720",
            "seconds": "8", "remixed_from_video_id": source, "error": None,
        }  # fmt: skip
        order = await at.order(1)
        assert order.target == f"/v1/videos/{original['externalVideoId']}/remix"
        assert order.json == {"prompt": "a boat at night"}
        task = await at.ann.comes_to(video["id"], "processing")
        assert (task["operation"], task["sourceVideoId"]) == ("remix", source)
        assert (task["externalVideoId"], task["credits"]) == ("ext-2", price(8))
        assert await spent(at, video["id"]) == [("hold", price(8))]


async def test_a_remix_in_the_own_api_is_the_same(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        task = await made(await at.ann.http.post(OWN_REMIX.format(source), json={"prompt": "at night"}), 202)
        assert (task["operation"], task["sourceVideoId"], task["retryOf"]) == ("remix", source, None)
        assert (task["seconds"], task["size"], task["model"]) == (8, "1280x720", "sora-2")
        assert (await at.order(1)).json == {"prompt": "at night"}
        video = (await at.ann.get(f"/v1/videos/{task['videoId']}")).json()
        assert video["remixed_from_video_id"] == source


async def test_a_remix_can_be_remixed(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        first = await made(await at.ann.http.post(REMIX.format(source), json={"prompt": "at night"}))
        await at.finished(first["id"])
        second = await made(await at.ann.http.post(REMIX.format(first["id"]), json={"prompt": "in snow"}))
        assert second["remixed_from_video_id"] == first["id"]
        assert (await at.order(2)).target == "/v1/videos/ext-2/remix"


async def test_an_administrator_who_remixes_a_video_pays_for_it(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source), person(at.gateway, "root", "admin", credits=99) as root:
        video = await made(await root.http.post(REMIX.format(source), json={"prompt": "at night"}))
        assert (await at.gateway.store.people.by_email("root@example.org")).available == 99 - price(8)
        assert (await at.ann.get(f"/v1/videos/{video['id']}")).status_code == 404


# --- edits and extensions ----------------------------------------------------------------------------


async def test_an_edit_keeps_what_it_does_not_change(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        wish = {"prompt": "make it snow", "video": {"id": source}}
        video = await made(await at.ann.http.post(EDITS, json=wish))
        assert (video["seconds"], video["size"], video["model"]) == ("8", "1280x720", "sora-2")
        assert video["remixed_from_video_id"] is None
        order = await at.order(1)
        assert (order.target, order.json) == (EDITS, {"prompt": "make it snow", "video": {"id": "ext-1"}})
        task = await at.ann.task(video["id"])
        assert (task["operation"], task["sourceVideoId"]) == ("edit", source)
        assert await spent(at, video["id"]) == [("hold", price(8))]


async def test_an_extension_is_as_long_as_the_whole_and_costs_what_it_adds(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        wish = {"prompt": "and on it goes", "seconds": "12", "video": {"id": source}}
        video = await made(await at.ann.http.post(EXTENSIONS, json=wish))
        assert (video["seconds"], video["size"]) == ("20", "1280x720")
        assert video["remixed_from_video_id"] is None
        order = await at.order(1)
        assert order.target == EXTENSIONS
        assert order.json == {"prompt": "and on it goes", "seconds": "12", "video": {"id": "ext-1"}}
        task = await at.ann.task(video["id"])
        assert (task["operation"], task["sourceVideoId"], task["seconds"]) == ("extend", source, 20)
        assert await spent(at, video["id"]) == [("hold", price(12))]
        # The next one starts from all of it.
        await at.finished(video["id"])
        longer = wish | {"seconds": 4, "video": {"id": video["id"]}}
        assert (await made(await at.ann.http.post(EXTENSIONS, json=longer)))["seconds"] == "24"


async def test_the_official_library_names_the_video_in_a_form(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        fields = {"prompt": (None, "make it snow"), "video[id]": (None, source)}
        edit = await made(await at.ann.http.post(EDITS, files=fields))
        extended = await made(await at.ann.http.post(EXTENSIONS, files=fields | {"seconds": (None, "8")}))
        assert (edit["seconds"], extended["seconds"]) == ("8", "16")
        bodies = [(await at.order(n)).json for n in (1, 2)]
        assert all(body["video"] == {"id": "ext-1"} for body in bodies)


@pytest.mark.parametrize(
    ("path", "more", "seconds", "cost"),
    [(EDITS, {}, 1, price(1)), (EXTENSIONS, {"seconds": "8"}, 9, price(8))],
    ids=["edit", "extension"],
)
async def test_an_uploaded_video_says_its_size_and_length_itself(
    path: str, more: dict[str, str], seconds: int, cost: int, tmp_path: Path
) -> None:
    async with studio(tmp_path) as (at, _):
        answer = await at.ann.http.post(path, data={"prompt": "snow", **more}, files={"video": FILM})
        video = await made(answer)
        assert (video["size"], video["seconds"], video["model"]) == ("64x48", str(seconds), "sora-2")
        order = await at.order(1)
        assert order.target == path
        assert form_of(order) == [
            Piece("prompt", b"snow"),
            *(Piece(name, value.encode()) for name, value in more.items()),
            Piece("video", FILM[1], "source.mp4", "video/mp4"),
        ]
        task = await at.ann.task(video["id"])
        assert (task["sourceVideoId"], task["referenceUrl"]) == (None, None)
        assert await spent(at, video["id"]) == [("hold", cost)]


async def test_an_uploaded_video_is_nobodys_to_download(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, _):
        video = await made(await at.ann.http.post(EDITS, data={"prompt": "snow"}, files={"video": FILM}))
        for path in ("/v1/videos/{}/content?variant=source", "/api/video/tasks/{}/content?variant=source"):
            assert (await at.ann.get(path.format(video["id"]))).status_code == 400


# --- what is refused, and costs nothing --------------------------------------------------------------


@pytest.mark.parametrize(
    "film",
    [b"", b"<html>", sample_webm(), sample_mp4()[:400], encoded(striped())],
    ids=["nothing", "a page", "WebM", "half a film", "a picture"],
)
async def test_what_is_no_mp4_is_refused(film: bytes, tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, _):
        cost = await at.cost()
        for path, more in ((EDITS, {}), (EXTENSIONS, {"seconds": "4"})):
            files = {"video": ("film.mp4", film, "video/mp4")}
            answer = await at.ann.http.post(path, data={"prompt": "snow", **more}, files=files)
            assert refused(answer) == (400, "invalid_request", "false")
            assert answer.json()["error"]["param"] == "video"
        assert await at.cost() == cost


SECONDS: dict[str, object] = {
    "none": 0, "less than none": -4, "more than a minute": 61, "a half": 4.5, "a word": "four", "an empty text": "",
    "a list": ["4"], "null": None, "very many": 10**30, "true": True,
}  # fmt: skip


async def test_an_extension_adds_one_second_to_a_minute(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        wish = {"prompt": "and on", "video": {"id": source}}
        cost = await at.cost()
        for name, seconds in SECONDS.items():
            answer = await at.ann.http.post(EXTENSIONS, json=wish | {"seconds": seconds})
            assert answer.status_code == 400, name
            assert answer.json()["error"]["param"] == "seconds", name
        answer = await at.ann.http.post(EXTENSIONS, json=wish)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "seconds")
        assert await at.cost() == cost
        for good in ("1", 1, "60", 60.0):
            answer = await at.ann.http.post(EXTENSIONS, json=wish | {"seconds": good})
            assert int((await made(answer))["seconds"]) == 8 + int(good)


@pytest.mark.parametrize("prompt", ["", " ", "x" * 32_001, "a\0b", None, 7])
async def test_a_prompt_is_needed(prompt: object, tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        cost = await at.cost()
        for path, body in (
            (REMIX.format(source), {}),
            (OWN_REMIX.format(source), {}),
            (EDITS, {"video": {"id": source}}),
            (EXTENSIONS, {"video": {"id": source}, "seconds": 4}),
        ):
            answer = await at.ann.http.post(path, json=body | {"prompt": prompt})
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt"), path
        assert await at.cost() == cost


@pytest.mark.parametrize(
    "video", [None, "video_1", {}, {"id": 7}, {"id": "a", "url": "b"}, [{"id": "a"}], {"id": "x" * 513}]
)
async def test_a_video_is_named_by_its_id(video: object, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        for path, more in ((EDITS, {}), (EXTENSIONS, {"seconds": 4})):
            body = {"prompt": "a", **more} | ({} if video is None else {"video": video})
            answer = await at.ann.http.post(path, json=body)
            assert answer.status_code == 400, path
            assert answer.json()["error"]["param"].startswith("video"), path


async def test_a_source_must_be_finished(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        running = (await at.ann.make())["videoId"]
        await at.ann.comes_to(running, "processing")
        cost = await at.cost()
        for way, answer in (await ways(at, running)).items():
            assert refused(answer) == (409, "not_ready", "false"), way
            assert answer.json()["error"]["message"] == "The video is not finished yet; ask again when it is."
        assert await at.cost() == cost


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_a_source_that_never_will_be_finished_is_refused(end: str, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        source = (await at.ann.make())["videoId"]
        await at.ann.comes_to(source, "processing")
        if end == "failed":
            at.lab.looks = {"status": "failed", "error": {"code": "gpu_lost", "message": "A GPU broke."}}
        else:
            await at.ann.http.post(f"/api/video/tasks/{source}/cancel")
        await at.ann.comes_to(source, end)
        cost = await at.cost()
        for way, answer in (await ways(at, source)).items():
            assert refused(answer) == (400, "invalid_request", "false"), way
            message = f"The video is {end}; only a finished one can be used."
            assert answer.json()["error"]["message"] == message
        assert await at.cost() == cost


async def test_a_source_must_be_there_and_mine(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source), person(at.gateway, "bob", credits=99) as bob:
        gone = await at.source()
        assert (await at.ann.http.delete(f"/v1/videos/{gone}")).status_code == 200
        cost = await at.cost()
        external = (await at.ann.task(source))["externalVideoId"]
        nobodys = "video_" + "0" * 32
        for who, id in ((at.ann, gone), (at.ann, nobodys), (bob, source), (bob, external)):
            for way, answer in (await ways(at, id, who)).items():
                assert refused(answer) == (404, "not_found", "false"), way
                assert answer.json()["error"]["message"] == "There is no video by that id.", way
        assert await at.cost() == cost


async def test_an_upstream_that_has_none_of_it_is_not_asked(tmp_path: Path) -> None:
    async with studio(tmp_path, profile="generic") as (at, source):
        cost = await at.cost()
        for way, answer in (await ways(at, source)).items():
            assert refused(answer) == (400, "unsupported_by_upstream", "false"), way
            assert answer.json()["error"]["message"].startswith("lab, which made this video, has no "), way
        for path, more in ((EDITS, {}), (EXTENSIONS, {"seconds": "4"})):
            answer = await at.ann.http.post(path, data={"prompt": "a", **more}, files={"video": FILM})
            assert refused(answer) == (400, "unsupported_by_upstream", "false"), path
            assert answer.json()["error"]["message"].startswith("No upstream has "), path
        assert await at.cost() == cost
        assert len(at.lab.orders) == 1
        assert not stored(tmp_path, "source")


async def test_what_the_upstream_refuses_after_all_is_released(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, source):
        at.lab.creates = [says(400, {"error": {"message": "Extensions add 4, 8 or 12 seconds."}})]
        wish = {"prompt": "and on", "seconds": 5, "video": {"id": source}}
        video = await made(await at.ann.http.post(EXTENSIONS, json=wish))
        task = await at.ann.comes_to(video["id"], "failed")
        assert "Extensions add 4, 8 or 12 seconds." in task["error"]["message"]
        assert [kind for kind, _ in await spent(at, video["id"])] == ["hold", "release"]
