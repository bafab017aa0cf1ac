"""Reference images through both APIs, in every form in which they come: what the upstream gets of them, and what of
those that are refused is kept or paid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.paid_routes import Shop, id_of, refused, shop, stored
from tests.pictures import BLACK, BLUE, FORMATS, GREEN, RED, decoded, encoded, film, striped
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.running import Json
from tests.test_images import near
from tests.test_references_api import data_url, photograph
from tests.test_upstream_requests import form_of

OPENAI, OWN = "/v1/videos", "/api/video/tasks"


@dataclass
class Gallery:
    """A server of images on an address that is private; the operator has named it."""

    port: int = 0
    image: bytes = b""
    asked: int = 0

    async def handle(self, _: Received, wire: Wire) -> None:
        self.asked += 1
        await wire.send(answer(200, self.image, {"Content-Type": "application/octet-stream"}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/boat"


@asynccontextmanager
async def studio(data_dir: Path, **options: Any) -> AsyncIterator[tuple[Shop, Gallery]]:
    gallery = Gallery()
    async with serving_raw(gallery.handle) as server:
        gallery.port = server.port
        media = {"image_hosts": [f"127.0.0.1:{server.port}"]}
        async with shop(data_dir, sources=0, media=media, **options) as at:
            yield at, gallery


# --- ways to give an image ---------------------------------------------------------------------------

Way = Callable[[Json, bytes, str, str], Json]
"""A wish, the image, its address and the id under which it is saved -> the options of a request."""


def as_form(wish: Json, **more: str) -> Json:
    return {"files": {name: (None, str(value)) for name, value in (wish | more).items()}}


WAYS: dict[tuple[str, str], Way] = {
    (OPENAI, "a file"): lambda wish, image, *_: {
        "data": wish, "files": {"input_reference": ("boat.bin", image, "text/plain")}
    },
    (OPENAI, "the first of several files"): lambda wish, image, *_: {
        "data": wish, "files": {"input_reference[]": ("boat", image)}
    },
    (OPENAI, "a data URL"): lambda wish, image, *_: {
        "json": wish | {"input_reference": {"image_url": data_url(image)}}
    },
    (OPENAI, "a data URL in a form"): lambda wish, image, *_: as_form(
        wish, **{"input_reference[image_url]": data_url(image)}
    ),
    (OPENAI, "a data URL in a short form"): lambda wish, image, *_: {
        "data": wish | {"input_reference[image_url]": data_url(image)}
    },
    (OPENAI, "an address"): lambda wish, _, url, __: {"json": wish | {"input_reference": {"image_url": url}}},
    (OPENAI, "an address in a form"): lambda wish, _, url, __: as_form(
        wish, **{"input_reference[image_url]": url}
    ),
    (OPENAI, "a saved image"): lambda wish, _, __, id: {"json": wish | {"input_reference": {"file_id": id}}},
    (OPENAI, "a saved image in a form"): lambda wish, _, __, id: as_form(
        wish, **{"input_reference[file_id]": id}
    ),
    (OWN, "a file"): lambda wish, image, *_: {
        "data": wish, "files": {"inputReference": ("boat.png", image, "image/png")}
    },
    (OWN, "a data URL"): lambda wish, image, *_: {"json": wish | {"inputReference": {"imageUrl": data_url(image)}}},
    (OWN, "a data URL in a form"): lambda wish, image, *_: as_form(
        wish, **{"inputReference[imageUrl]": data_url(image)}
    ),
    (OWN, "an address"): lambda wish, _, url, __: {"json": wish | {"inputReference": {"imageUrl": url}}},
    (OWN, "a saved image"): lambda wish, _, __, id: {"json": wish | {"inputReference": {"imageId": id}}},
    (OWN, "a saved image in a form"): lambda wish, _, __, id: as_form(wish, **{"inputReference[imageId]": id}),
}  # fmt: skip
GIVEN = {way: give for way, give in WAYS.items() if "saved" not in way[1]}
"""Those that bring an image which nobody has looked at yet."""


async def ask(at: Shop, way: tuple[str, str], give: Json) -> httpx.Response:
    return await at.ann.http.post(way[0], **give)


async def sent(at: Shop, number: int = 0) -> bytes:
    """The image of the create that reached the upstream after *number* others."""
    order = await at.order(number)
    assert order.target == OPENAI
    (image,) = [piece for piece in form_of(order) if piece.name == "input_reference"]
    assert image.media_type in ("image/png", "image/jpeg")
    return image.value


async def save(at: Shop, image: bytes) -> str:
    return id_of(await at.ann.http.post("/api/references", files={"file": ("boat.png", image)}))


async def test_an_image_is_taken_in_every_form_and_is_as_large_as_the_video(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, gallery):
        gallery.image = image = encoded(striped(800, 400))
        saved = await save(at, image)
        for number, (way, give) in enumerate(WAYS.items()):
            wish = {"prompt": "a boat", "size": "1280x720"}
            made = id_of(await ask(at, way, give(wish, image, gallery.url, saved)))
            picture = await sent(at, number)
            assert decoded(picture).size == (1280, 720), way
            task = await at.ann.comes_to(made, "processing")
            shown = await at.ann.get(task["referenceUrl"])
            assert (shown.status_code, shown.content) == (200, picture), way
        assert gallery.asked == sum("address" in name for _, name in WAYS)
        assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS)
async def test_every_kind_of_image_is_taken_whatever_it_is_called(kind: str, tmp_path: Path) -> None:
    image = encoded(striped(800, 400), kind)
    async with studio(tmp_path) as (at, gallery):
        gallery.image = image
        for number, (way, give) in enumerate(GIVEN.items()):
            wish = {"prompt": "a boat", "size": "640x640"}
            id_of(await ask(at, way, give(wish, image, gallery.url, "")))
            picture = decoded(await sent(at, number))
            assert near(picture.getpixel((160, 320)), RED), way
            assert near(picture.getpixel((480, 320)), BLUE), way


COLUMNS = {
    "crop": (RED, RED, BLUE, BLUE),
    "pad": (GREEN, RED, BLUE, GREEN),
    "stretch": (GREEN, RED, BLUE, GREEN),
}
TOPS = {"crop": RED, "pad": BLACK, "stretch": RED}


@pytest.mark.parametrize("fit", [None, "crop", "pad", "stretch"])
async def test_it_is_made_to_fit_as_one_likes(fit: str | None, tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, _):
        image = encoded(striped(800, 400))
        for number, path in enumerate((OPENAI, OWN)):
            name = "input_reference_fit" if path == OPENAI else "fit"
            wish = {"prompt": "a boat", "size": "640x640"} | ({} if fit is None else {name: fit})
            id_of(await ask(at, (path, ""), WAYS[path, "a data URL"](wish, image, "", "")))
            picture = decoded(await sent(at, number))
            assert picture.size == (640, 640)
            middles = [picture.getpixel((column, 320)) for column in (80, 240, 400, 560)]
            assert all(map(near, middles, COLUMNS[fit or "crop"])), middles
            assert near(picture.getpixel((240, 20)), TOPS[fit or "crop"])


async def test_a_fit_that_is_none_is_refused(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, _):
        cost = await at.cost()
        for path, name in ((OPENAI, "input_reference_fit"), (OWN, "fit")):
            for fit in ("CROP", "", "contain", None, 1):
                body = {"prompt": "a boat", name: fit}
                response = await at.ann.http.post(path, json=body)
                assert (response.status_code, response.json()["error"]["param"]) == (400, name), fit
        assert await at.cost() == cost


async def test_a_photograph_stands_upright_and_tells_nobody_where_it_was_taken(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, gallery):
        gallery.image = image = photograph()
        assert decoded(image).getexif()
        for number, (way, give) in enumerate(GIVEN.items()):
            wish = {"prompt": "a boat", "size": "480x640"}
            id_of(await ask(at, way, give(wish, image, gallery.url, "")))
            picture = await sent(at, number)
            assert decoded(picture).size == (480, 640)
            assert not decoded(picture).getexif()
            assert b"Exif" not in picture


async def test_an_image_comes_in_one_way(tmp_path: Path) -> None:
    png = data_url(encoded(striped()))
    async with studio(tmp_path) as (at, _):
        cost = await at.cost()
        both = {"image_url": png, "file_id": "ref_1"}
        for path, field, reference in (
            (OPENAI, "input_reference", both),
            (OPENAI, "input_reference", {}),
            (OPENAI, "input_reference", {"image_url": None}),
            (OPENAI, "input_reference", {"imageUrl": png}),
            (OPENAI, "input_reference", png),
            (OPENAI, "input_reference", [png]),
            (OWN, "inputReference", {"imageUrl": png, "imageId": "ref_1"}),
            (OWN, "inputReference", {}),
            (OWN, "inputReference", png),
        ):
            response = await at.ann.http.post(path, json={"prompt": "a boat", field: reference})
            assert response.status_code == 400, reference
            assert response.json()["error"]["param"].startswith(field), reference
        twice = [("input_reference", ("a.png", encoded(striped())))] * 2
        response = await at.ann.http.post(OPENAI, data={"prompt": "a"}, files=twice)
        assert refused(response) == (400, "invalid_request", "false")
        assert await at.cost() == cost


# --- refused -----------------------------------------------------------------------------------------

WHOLE = encoded(striped(64, 64))
NO_IMAGE = "not a JPEG, PNG or WebP"
REFUSED: dict[str, tuple[bytes, str]] = {
    "a part of a PNG": (WHOLE[:-20], "damaged"),
    "a part of a JPEG": (encoded(striped(64, 64), "JPEG")[:-40], "damaged"),
    "a part of a WebP": (encoded(striped(64, 64), "WEBP")[:-8], "damaged"),
    "the first bytes of a PNG": (WHOLE[:12], ""),
    "a drawing": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', NO_IMAGE),
    "a page": (b"<!doctype html><html><script>alert(1)</script>", NO_IMAGE),
    "a GIF": (encoded(Image.new("P", (8, 8)), "GIF"), NO_IMAGE),
    "a film": (film(), NO_IMAGE),
    "a PNG with a page behind it": (WHOLE + b"<html><script>alert(1)</script>", ""),
    "a PNG with an archive behind it": (WHOLE + b"PK\x03\x04" + bytes(60), ""),
    "a JPEG with a PDF behind it": (encoded(striped(), "JPEG") + b"%PDF-1.7 1 0 obj", ""),
    "a page that says it is a PNG": (b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>", ""),
    "nothing": (b"", ""),
}


def kept(data_dir: Path) -> list[Path]:
    """Every file of any image or job."""
    return [
        path
        for name in ("media", "references", "scratch")
        for path in (data_dir / name).rglob("*")
        if path.is_file()
    ]


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_usable_image_is_refused_and_nothing_is_kept_or_paid(
    case: str, tmp_path: Path
) -> None:
    data, words = REFUSED[case]
    async with studio(tmp_path) as (at, gallery):
        gallery.image = data
        cost = await at.cost()
        for way, give in GIVEN.items():
            response = await ask(at, way, give({"prompt": "a boat"}, data, gallery.url, ""))
            assert refused(response) == (400, "invalid_image", "false"), way
            error = response.json()["error"]
            assert error["param"] == ("input_reference" if way[0] == OPENAI else "inputReference"), way
            assert words in error["message"], way
            assert error["message"].endswith("."), way
        assert await at.cost() == cost
        assert kept(tmp_path) == []
        assert at.lab.orders == []


async def test_an_image_that_is_not_where_it_is_said_to_be_is_refused(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, gallery):
        cost, saved = await at.cost(), await save(at, WHOLE)
        (file,) = kept(tmp_path)
        file.unlink()
        for way, give in WAYS.items():
            if "saved" in way[1]:
                for id in (saved, "ref_" + "0" * 32, "nonsense"):
                    response = await ask(at, way, give({"prompt": "a boat"}, b"", "", id))
                    assert refused(response) == (400, "invalid_image", "false"), (way, id)
            elif "address" in way[1]:
                for url in (f"{gallery.url[:-10]}1/boat", "ftp://public.example/boat", "nonsense", "data:,"):
                    response = await ask(at, way, give({"prompt": "a boat"}, b"", url, ""))
                    assert refused(response) == (400, "invalid_image", "false"), (way, url)
        assert await at.cost() == cost
        assert stored(tmp_path, "reference") == []


async def test_who_cannot_pay_leaves_no_image_behind(tmp_path: Path) -> None:
    async with studio(tmp_path, credits={"enabled": True}, pricing={"per_video": 10_001}) as (at, gallery):
        gallery.image = WHOLE
        for way, give in GIVEN.items():
            response = await ask(at, way, give({"prompt": "a boat"}, WHOLE, gallery.url, ""))
            assert refused(response) == (402, "insufficient_credits", "false"), way
        assert kept(tmp_path) == []


async def test_a_wish_that_is_wrong_anyway_is_refused_before_its_image_is_fetched(tmp_path: Path) -> None:
    async with studio(tmp_path) as (at, gallery):
        for wrong in ({"prompt": ""}, {"model": "none"}, {"seconds": 99}, {"size": "1x1"}):
            wish = {"prompt": "a boat"} | wrong
            response = await ask(at, (OPENAI, ""), WAYS[OPENAI, "an address"](wish, b"", gallery.url, ""))
            assert response.status_code == 400, wrong
            assert response.json()["error"]["code"] != "invalid_image", wrong
        assert gallery.asked == 0
