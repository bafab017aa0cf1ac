"""The simulator's remixes, edits, extensions and characters, as OpenAI's API has them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from sora_gateway.media.video import poster, probe
from sora_gateway.upstream.simulator.broken import ConnectionDropped
from sora_gateway.upstream.simulator.files import SHIPPED
from tests.fakes import CountingEntropy, ManualClock
from tests.sample_videos import sample_mp4
from tests.simulators import CLIP, Lab, in_process
from tests.test_simulator import error_of, picture

CLIP_FILE = ("clip.mp4", SHIPPED["video"].read_bytes(), "video/mp4")
"""640 x 360, four seconds."""


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with in_process(tmp_path) as lab:
        yield lab


async def finished(lab: Lab) -> str:
    return await lab.finished(model="sora-2-pro", seconds="8", size="1024x1792")


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    video: dict[str, Any] = answer.json()
    return video


# By the id of a finished video.


async def test_a_remix_is_the_source_with_another_prompt(lab: Lab) -> None:
    source = await finished(lab)
    remix = made(await lab.client.post(f"/v1/videos/{source}/remix", json={"prompt": "at night"}))
    assert remix == {
        "id": "video_sim_00000000000000000000000000000002",
        "object": "video",
        "model": "sora-2-pro",
        "status": "queued",
        "progress": 0,
        "created_at": 1_800_000_100,
        "completed_at": None,
        "expires_at": None,
        "prompt": "at night",
        "size": "1024x1792",
        "seconds": "8",
        "remixed_from_video_id": source,
        "error": None,
    }
    await lab.clock.advance(100.0)
    assert (await lab.get(remix["id"]))["status"] == "completed"
    assert (await lab.content(remix["id"])).status_code == 200


async def test_a_remix_may_be_a_form(lab: Lab) -> None:
    source = await finished(lab)
    answer = await lab.client.post(
        f"/v1/videos/{source}/remix", files={"prompt": (None, "bei Nacht\nund Nebel")}
    )
    assert made(answer)["prompt"] == "bei Nacht\nund Nebel"


async def test_an_edit_keeps_size_and_length(lab: Lab) -> None:
    source = await finished(lab)
    edit = made(await lab.client.post("/v1/videos/edits", json={"prompt": "snow", "video": {"id": source}}))
    assert (edit["model"], edit["size"], edit["seconds"]) == ("sora-2-pro", "1024x1792", "8")
    assert (edit["prompt"], edit["remixed_from_video_id"]) == ("snow", None)


@pytest.mark.parametrize("seconds", ["12", 12])
async def test_an_extension_is_as_long_as_the_whole(seconds: object, lab: Lab) -> None:
    order = {"prompt": "on it goes", "seconds": seconds, "video": {"id": await finished(lab)}}
    longer = made(await lab.client.post("/v1/videos/extensions", json=order))
    assert (longer["size"], longer["seconds"]) == ("1024x1792", "20")


async def test_an_extended_video_can_be_extended_until_it_is_two_minutes_long(lab: Lab) -> None:
    video = await finished(lab)
    for _ in range(2):
        order = {"prompt": "on it goes", "seconds": "56", "video": {"id": video}}
        answer = await lab.client.post("/v1/videos/extensions", json=order)
        video = made(answer)["id"]
        await lab.clock.advance(100.0)
    assert answer.json()["seconds"] == "120"
    order = {"prompt": "on it goes", "seconds": "4", "video": {"id": video}}
    too_long = await lab.client.post("/v1/videos/extensions", json=order)
    assert (too_long.status_code, error_of(too_long)["param"]) == (400, "seconds")
    assert lab.state.paid_creates() == 3


# From an uploaded video.


async def test_an_edit_of_an_uploaded_video_takes_its_size_and_length(lab: Lab) -> None:
    answer = await lab.client.post("/v1/videos/edits", data={"prompt": "snow"}, files={"video": CLIP_FILE})
    edit = made(answer)
    assert (edit["model"], edit["size"], edit["seconds"]) == ("sora-2", "640x360", "4")


async def test_an_extension_of_an_uploaded_video_adds_to_its_length(lab: Lab) -> None:
    answer = await lab.client.post(
        "/v1/videos/extensions", data={"prompt": "on", "seconds": "8"}, files={"video": CLIP_FILE}
    )
    assert (made(answer)["size"], made(answer)["seconds"]) == ("640x360", "12")


@pytest.mark.parametrize("fragmented", [False, True])
async def test_any_whole_mp4_can_be_uploaded(fragmented: bool, lab: Lab) -> None:
    file = ("clip.mp4", sample_mp4(not fragmented, fragmented), "video/mp4")
    answer = await lab.client.post("/v1/videos/edits", data={"prompt": "snow"}, files={"video": file})
    assert (made(answer)["size"], made(answer)["seconds"]) == ("64x48", "1")


# What is refused, and costs nothing.


async def test_a_source_must_be_there(lab: Lab) -> None:
    forgotten = await lab.finished("[[fault:amnesia]]")
    deleted = await lab.finished()
    await lab.client.delete(f"/v1/videos/{deleted}")
    for source in ("video_nobody", forgotten, deleted):
        for path, order in (
            (f"/v1/videos/{source}/remix", {"prompt": "a"}),
            ("/v1/videos/edits", {"prompt": "a", "video": {"id": source}}),
            ("/v1/videos/extensions", {"prompt": "a", "seconds": "4", "video": {"id": source}}),
        ):
            answer = await lab.client.post(path, json=order)
            assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")
    assert lab.state.paid_creates() == 2


@pytest.mark.parametrize("fault", ["", "[[fault:never]]", "[[fault:duration=1]] [[fault:fail]]"])
async def test_a_source_must_be_completed(fault: str, lab: Lab) -> None:
    source = (await lab.create(f"a boat {fault}"))["id"]
    await lab.clock.advance(50.0)
    for path, order in (
        (f"/v1/videos/{source}/remix", {"prompt": "a"}),
        ("/v1/videos/edits", {"prompt": "a", "video": {"id": source}}),
        ("/v1/videos/extensions", {"prompt": "a", "seconds": "4", "video": {"id": source}}),
    ):
        answer = await lab.client.post(path, json=order)
        assert answer.status_code == 400
        assert error_of(answer)["message"] == "The video to start from is not completed."
    assert lab.state.paid_creates() == 1


@pytest.mark.parametrize("path", ["edits", "extensions"])
@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"video": None}, "video"),
        ({"video": "video_1"}, "video"),
        ({"video": {}}, "video"),
        ({"video": {"id": 7}}, "video"),
        ({"video": {"id": ["video_1"]}}, "video"),
    ],
)
async def test_a_wrong_field_is_named(path: str, changed: dict[str, Any], param: str, lab: Lab) -> None:
    order = {"prompt": "snow", "seconds": "4", "video": {"id": await finished(lab)}, **changed}
    answer = await lab.client.post(f"/v1/videos/{path}", json=order)
    assert (answer.status_code, error_of(answer)["param"]) == (400, param)
    assert lab.state.paid_creates() == 1


@pytest.mark.parametrize("seconds", [None, "0", "61", True, "four"])
async def test_an_extension_says_how_much_it_adds(seconds: object, lab: Lab) -> None:
    order = {"prompt": "snow", "seconds": seconds, "video": {"id": await finished(lab)}}
    answer = await lab.client.post("/v1/videos/extensions", json=order)
    assert (answer.status_code, error_of(answer)["param"]) == (400, "seconds")


@pytest.mark.parametrize(
    "video",
    [b"", b"<html>", SHIPPED["thumbnail"].read_bytes(), SHIPPED["video"].read_bytes()[:-1]],
    ids=["nothing", "HTML", "an image", "cut"],
)
@pytest.mark.parametrize("path", ["edits", "extensions", "characters"])
async def test_what_is_no_whole_video_is_refused(path: str, video: bytes, lab: Lab) -> None:
    fields = {"prompt": "snow", "seconds": "4", "name": "Mossy"}
    files = {"video": ("clip.mp4", video, "video/mp4")}
    answer = await lab.client.post(f"/v1/videos/{path}", data=fields, files=files)
    assert (answer.status_code, error_of(answer)["param"]) == (400, "video")
    assert error_of(answer)["message"].startswith("The video is no whole MP4 file: ")
    assert lab.state.paid_creates() == 0


async def test_a_form_has_a_file_where_json_has_an_object(lab: Lab) -> None:
    answer = await lab.client.post(
        "/v1/videos/edits", files={"prompt": (None, "snow"), "video": (None, "video_1")}
    )
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_type")


@pytest.mark.parametrize("path", ["video_x/remix", "edits", "extensions", "characters"])
async def test_a_body_that_is_none_is_refused(path: str, lab: Lab) -> None:
    for body in (b"", b"{", b"[1]"):
        answer = await lab.client.post(f"/v1/videos/{path}", content=body)
        assert answer.status_code == 400
        error_of(answer)
    large = await lab.client.post(f"/v1/videos/{path}", content=bytes((32 << 20) + 1))
    assert (large.status_code, error_of(large)["code"]) == (413, "too_large")


# Characters.


async def named(lab: Lab, name: str = "Mossy") -> httpx.Response:
    return await lab.client.post("/v1/videos/characters", data={"name": name}, files={"video": CLIP_FILE})


async def test_a_character_is_made_and_read(lab: Lab) -> None:
    character = made(await named(lab, "Mossy 苔"))
    assert character == {
        "id": "char_sim_00000000000000000000000000000001",
        "name": "Mossy 苔",
        "created_at": 1_800_000_000,
    }
    assert made(await lab.client.get(f"/v1/videos/characters/{character['id']}")) == character
    missing = await lab.client.get("/v1/videos/characters/char_nobody")
    assert (missing.status_code, error_of(missing)["code"]) == (404, "not_found")
    assert lab.state.paid_creates() == 0


@pytest.mark.parametrize("name", ["", "x" * 81])
async def test_a_character_has_a_name_of_1_to_80_characters(name: str, lab: Lab) -> None:
    answer = await named(lab, name)
    assert (answer.status_code, error_of(answer)["param"]) == (400, "name")


async def test_a_character_is_made_of_a_file(lab: Lab) -> None:
    order = {"name": "Mossy", "video": {"id": await finished(lab)}}
    answer = await lab.client.post("/v1/videos/characters", json=order)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_type")


async def test_characters_appear_in_a_create_in_json_and_in_a_form(lab: Lab) -> None:
    ids = [made(await named(lab, name))["id"] for name in ("Mossy", "Fern")]
    await lab.create("in the wood", characters=[{"id": one} for one in ids])
    form = [("prompt", (None, "in the wood")), *(("characters[][id]", (None, one)) for one in ids)]
    made(await lab.client.post("/v1/videos", files=form))
    assert [record.characters for record in lab.state.records()] == [ids, ids]


@pytest.mark.parametrize(
    "characters",
    [
        "char_1",
        {"id": "char_1"},
        ["char_1"],
        [{}],
        [{"id": "char_nobody"}],
        [{"id": ["char_1"]}],
        [{"id": "char_sim_00000000000000000000000000000001"}] * 3,
    ],
)
async def test_characters_are_two_known_ones_at_most(characters: object, lab: Lab) -> None:
    await named(lab)
    answer = await lab.client.post("/v1/videos", json={"prompt": "a", "characters": characters})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "characters")
    assert lab.state.paid_creates() == 0


# Faults, moderation, memory: as for any create.


async def test_every_operation_is_counted_and_outlives_a_restart(tmp_path: Path) -> None:
    clock, entropy = ManualClock(), CountingEntropy()
    async with in_process(tmp_path, CLIP, clock, entropy) as lab:
        source = await finished(lab)
        answers = [
            await lab.client.post(f"/v1/videos/{source}/remix", json={"prompt": "remixed"}),
            await lab.client.post("/v1/videos/edits", data={"prompt": "edited"}, files={"video": CLIP_FILE}),
            await lab.client.post(
                "/v1/videos/extensions", json={"prompt": "on", "seconds": "4", "video": {"id": source}}
            ),
        ]
        before = [made(answer) for answer in answers]
        character = made(await named(lab))
        assert lab.state.paid_creates() == 4
    async with in_process(tmp_path, CLIP, clock, entropy) as lab:
        assert lab.state.paid_creates() == 4
        assert [await lab.get(video["id"]) for video in before] == before
        assert made(await lab.client.get(f"/v1/videos/characters/{character['id']}")) == character
        await lab.create(characters=[{"id": character["id"]}])


async def test_jobs_of_an_earlier_version_are_remembered_too(tmp_path: Path) -> None:
    (tmp_path / "creates.jsonl").write_text(
        '{"id":"video_sim_1","prompt":"a boat","model":"sora-2","seconds":"4","size":"720x1280",'
        '"created_at":1800000000.0,"duration":8.0,"failure":"","client_request_id":"","faults":{}}\n'
    )
    async with in_process(tmp_path) as lab:
        assert (await lab.get("video_sim_1"))["remixed_from_video_id"] is None


@pytest.mark.parametrize("path", ["remix", "edits", "extensions", "characters"])
async def test_faults_and_moderation_meet_every_operation(path: str, lab: Lab) -> None:
    source = await finished(lab)

    async def asked(text: str) -> httpx.Response:
        if path == "characters":
            return await named(lab, text)
        where = f"{source}/remix" if path == "remix" else path
        order = {"prompt": text, "seconds": "4", "video": {"id": source}}
        return await lab.client.post(f"/v1/videos/{where}", json=order)

    assert error_of(await asked("a Forbidden dance"))["code"] == "moderation_blocked"
    assert error_of(await asked("[[fault:moderation]]"))["code"] == "moderation_blocked"
    assert (await asked("[[fault:create_503=2]]")).headers["retry-after"] == "2"
    assert (await asked("[[fault:create_500]]")).status_code == 500
    assert lab.state.paid_creates() == 1
    assert (await asked("[[fault:create_503=2]]")).status_code == 200
    assert (await asked("[[fault:create_500=committed]]")).status_code == 500
    with pytest.raises(ConnectionDropped):
        await asked("[[fault:create_drop]]")
    assert lab.state.paid_creates() == (1 if path == "characters" else 4)


async def test_the_faults_of_the_source_are_not_inherited(lab: Lab) -> None:
    source = await lab.finished("a boat [[fault:wrong_type]]")
    assert (await lab.content(source)).headers["content-type"].startswith("text/html")
    remix = made(await lab.client.post(f"/v1/videos/{source}/remix", json={"prompt": "at night"}))
    await lab.clock.advance(100.0)
    assert (await lab.content(remix["id"])).headers["content-type"] == "video/mp4"


# Pictures.


async def test_a_video_begins_with_its_reference_image(tmp_path: Path) -> None:
    red = io.BytesIO()
    Image.new("RGB", (320, 180), (250, 0, 0)).save(red, "PNG")
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        answer = await lab.client.post(
            "/v1/videos",
            data={"prompt": "a boat", "size": "320x180", "seconds": "1"},
            files={"input_reference": ("red.png", red.getvalue(), "image/png")},
        )
        video = made(answer)["id"]
        plain = await lab.finished("a boat", size="320x180", seconds="1")
        films = {name: (await lab.content(name)).content for name in (video, plain)}
    redness = {}
    for name, film in films.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(film)
        # A third into it, where the image has begun to fade.
        poster(str(path), str(tmp_path / "poster.webp"))
        with Image.open(tmp_path / "poster.webp") as still:
            red_share, _, blue_share = still.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            redness[name] = red_share - blue_share
    assert redness[video] > redness[plain] + 40


async def test_the_same_image_is_kept_once_and_survives_a_restart(tmp_path: Path) -> None:
    options = replace(CLIP, render="full")
    clock, entropy = ManualClock(), CountingEntropy()
    fields = {"prompt": "a boat", "size": "320x180", "seconds": "1"}
    files = {"input_reference": ("first.png", picture(320, 180), "image/png")}
    async with in_process(tmp_path, options, clock, entropy) as lab:
        answers = [await lab.client.post("/v1/videos", data=fields, files=files) for _ in range(2)]
        assert len(list((tmp_path / "files").iterdir())) == 1
    async with in_process(tmp_path, options, clock, entropy) as lab:
        await clock.advance(100.0)
        film = tmp_path / "film.mp4"
        film.write_bytes((await lab.content(made(answers[0])["id"])).content)
        assert probe(str(film))["width"] == 320


async def test_an_image_that_cannot_be_drawn_gives_the_shipped_clip(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its head is all that was looked at when the job was taken."""
    cut = picture(320, 180)[:60]
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        answer = await lab.client.post(
            "/v1/videos",
            data={"prompt": "a boat", "size": "320x180"},
            files={"input_reference": ("first.png", cut, "image/png")},
        )
        video = made(answer)["id"]
        await lab.clock.advance(100.0)
        assert (await lab.content(video)).content == SHIPPED["video"].read_bytes()
    assert "The still cannot be read." in caplog.text


async def test_an_edit_of_any_size_has_a_video(tmp_path: Path) -> None:
    async with in_process(tmp_path, replace(CLIP, render="full")) as lab:
        file = ("clip.mp4", sample_mp4(), "video/mp4")
        answer = await lab.client.post("/v1/videos/edits", data={"prompt": "snow"}, files={"video": file})
        await lab.clock.advance(100.0)
        film = tmp_path / "film.mp4"
        film.write_bytes((await lab.content(made(answer)["id"])).content)
        assert (probe(str(film))["width"], probe(str(film))["height"]) == (64, 48)
