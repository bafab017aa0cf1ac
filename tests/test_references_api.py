"""Saved reference images over a real port: kept clean, shown to the right people, and nothing kept of what is not one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from sora_gateway.app import Gateway
from tests.pictures import bomb, decoded, encoded
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.running import Json, Person, person, running, settings_for

REFERENCES = "/api/references"
PREVIEW = "/api/references/preview"
NO_IMAGE_ID = "ref_" + "0" * 32


def png(width: int = 64, height: int = 48) -> bytes:
    return encoded(Image.new("RGB", (width, height), "teal"))


def photograph() -> bytes:
    """A JPEG of 64 x 48 that a camera held upright says is turned, and where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return encoded(Image.new("RGB", (64, 48), "orange"), "JPEG", exif=exif)


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@dataclass
class Studio:
    """Ann and Bob are members, Vic may only look, Root administers."""

    gateway: Gateway
    data_dir: Path
    ann: Person
    bob: Person
    vic: Person
    root: Person

    def files(self) -> list[str]:
        """Every file below the directories of images, by name."""
        return sorted(
            path.name
            for name in ("references", "scratch")
            for path in (self.data_dir / name).rglob("*")
            if not path.is_dir()
        )


@asynccontextmanager
async def studio(data_dir: Path, **sections: Any) -> AsyncIterator[Studio]:
    async with (
        running(settings_for(data_dir, **sections)) as gateway,
        person(gateway, "ann") as ann,
        person(gateway, "bob") as bob,
        person(gateway, "vic", "viewer") as vic,
        person(gateway, "root", "admin") as root,
    ):
        yield Studio(gateway, data_dir, ann, bob, vic, root)


async def upload(
    who: Person, data: bytes, name: str = "boat.png", path: str = REFERENCES, **fields: str
) -> httpx.Response:
    files = {"file": (name, data, "application/octet-stream")}
    return await who.http.post(path, files=files, data=fields)


async def saved(who: Person, data: bytes | None = None, **fields: str) -> Json:
    response = await upload(who, png() if data is None else data, **fields)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def names(who: Person, **query: Any) -> list[str]:
    response = await who.get(REFERENCES, params=query)
    assert response.status_code == 200, response.text
    return [each["name"] for each in response.json()["references"]]


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


# --- saving ------------------------------------------------------------------------------------------


async def test_an_uploaded_image_is_kept_and_can_be_had_again(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann, png(64, 48))
        content = await all.ann.get(image["url"])
        assert image | {"createdAt": ""} == {
            "id": image["id"],
            "name": "boat.png",
            "library": "personal",
            "owner": "ann@example.org",
            "mine": True,
            "mediaType": "image/png",
            "width": 64,
            "height": 48,
            "bytes": len(content.content),
            "createdAt": "",
            "url": f"/api/references/{image['id']}/content",
        }
        assert (await all.ann.get(f"{REFERENCES}/{image['id']}")).json() == image
        assert (await all.ann.get(REFERENCES)).json() == {"references": [image], "hasMore": False}
        assert decoded(content.content).getpixel((0, 0)) == (0, 128, 128)
        assert all.files() == [f"{image['id']}.png"]


async def test_its_file_is_served_for_the_one_browser_and_can_run_nothing(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann)
        content = await all.ann.get(image["url"])
        assert content.headers["content-type"] == "image/png"
        assert content.headers["x-content-type-options"] == "nosniff"
        assert content.headers["cache-control"] == "private, no-cache"
        assert "sandbox" in content.headers["content-security-policy"]
        assert content.headers["etag"] == f'"{hashlib.sha256(content.content).hexdigest()}"'
        again = await all.ann.get(image["url"], headers={"If-None-Match": content.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        part = await all.ann.get(image["url"], headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"\x89PNG")


async def test_where_a_photograph_was_taken_is_forgotten_and_it_stands_upright(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann, photograph())
        assert (image["mediaType"], image["width"], image["height"]) == ("image/jpeg", 48, 64)
        data = (await all.ann.get(image["url"])).content
        assert not decoded(data).getexif()
        assert b"Exif" not in data


async def test_an_image_may_come_in_a_data_address(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        wish = {"imageUrl": data_url(png(30, 20)), "name": "灯塔", "library": "team"}
        answered = await all.ann.http.post(REFERENCES, json=wish)
        assert answered.status_code == 201
        image = answered.json()
        assert (image["name"], image["library"], image["width"]) == ("灯塔", "team", 30)
        unnamed = await all.ann.http.post(REFERENCES, json={"imageUrl": data_url(png(31, 20))})
        assert unnamed.json()["name"] == "Image"


async def test_an_image_is_fetched_only_from_hosts_that_the_operator_named_or_everybody_reaches(
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    async def gallery(request: Received, wire: Wire) -> None:
        asked.append(request.target)
        await wire.send(answer(200, png(40, 30), {"Content-Type": "image/png", "Connection": "close"}))

    async with serving_raw(gallery) as web:
        wish = {"imageUrl": f"{web.url}/boat.png"}
        async with studio(tmp_path / "closed") as all:
            refused = refusal(await all.ann.http.post(REFERENCES, json=wish))
            assert refused[:2] == (400, "invalid_image")
            assert (asked, all.files()) == ([], [])
        host = web.url.removeprefix("http://")
        async with studio(tmp_path / "open", media={"image_hosts": [host]}) as all:
            answered = await all.ann.http.post(REFERENCES, json=wish)
            assert answered.status_code == 201, answered.text
            assert answered.json()["width"] == 40
            assert asked == ["/boat.png"]


async def test_the_same_image_once_more_is_the_one_that_is_there(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        first = await saved(all.ann, name="one")
        answers = await asyncio.gather(*(saved(all.ann, name=f"again {number}") for number in range(4)))
        assert answers == [first] * 4
        teams = await saved(all.ann, library="team")
        bobs = await saved(all.bob)
        assert len({first["id"], teams["id"], bobs["id"]}) == 3
        assert all.files() == sorted(f"{each['id']}.png" for each in (first, teams, bobs))


async def test_a_person_keeps_as_many_as_are_allowed(tmp_path: Path) -> None:
    async with studio(tmp_path, media={"max_references": 2}) as all:
        first = await saved(all.ann, png(10))
        await saved(all.ann, png(11), library="team")
        assert refusal(await upload(all.ann, png(12))) == (
            409, "conflict", "You have saved 2 images, and 2 are allowed; delete one first.",
        )  # fmt: skip
        assert len(all.files()) == 2
        await saved(all.bob, png(12))
        await all.ann.http.delete(f"{REFERENCES}/{first['id']}")
        await saved(all.ann, png(12))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.jpg", "cat.jpg"),
        ("gpj\u202e.exe", "gpj.exe"),
        ("x" * 4096, "x" * 100),
    ],
)
async def test_a_files_name_is_never_a_path(given: str, kept: str, tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        answered = await upload(all.ann, png(), given)
        assert answered.json()["name"] == kept
        assert all.files() == [f"{answered.json()['id']}.png"]


# --- refusals: nothing is kept -----------------------------------------------------------------------

NO_IMAGES = {
    "nothing": b"",
    "text": b"a boat",
    "a page": b"<!doctype html><script>alert(1)</script>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "half a photograph": photograph()[:-40],
    "only the first bytes": b"\x89PNG\r\n\x1a\n",
    "a picture of 169 million pixels": bomb(),
    "an image with a page behind it": png() + b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("kind", NO_IMAGES)
async def test_what_is_no_image_is_refused_in_a_sentence_and_leaves_nothing(
    kind: str, tmp_path: Path
) -> None:
    async with studio(tmp_path) as all:
        for path, fields in ((REFERENCES, {}), (PREVIEW, {"size": "64x48"})):
            answered = await upload(all.ann, NO_IMAGES[kind], path=path, **fields)
            status, code, message = refusal(answered)
            assert (status, code) == (400, "invalid_image")
            assert message.endswith(".")
            assert all.files() == []
            assert await names(all.ann) == []


async def test_too_large_a_file_is_refused_before_anybody_looks_at_it(tmp_path: Path) -> None:
    async with studio(tmp_path, server={"max_upload": 4096}) as all:
        assert refusal(await upload(all.ann, b"\x89PNG" + b"x" * 5000))[:2] == (413, "too_large")
        assert all.files() == []


async def test_nothing_is_taken_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    async with studio(tmp_path, media={"min_free_disk": 1 << 60}) as all:
        assert refusal(await upload(all.ann, png()))[:2] == (507, "storage_full")
        assert all.files() == []


WRONG = [
    ({}, "The field 'imageUrl' is missing.", "imageUrl"),
    ({"library": "everybody"}, "The field 'library' must be 'personal' or 'team'.", "library"),
    ({"name": "a\nb"}, "The field 'name' is not valid: a name has no control characters.", "name"),
    ({"name": "x" * 201}, "The field 'name' must have at most 200 characters.", "name"),
    ({"owner": "user_bob"}, "There is no field 'owner' here.", "owner"),
    ({"imageUrl": 5}, "The field 'imageUrl' must be text.", "imageUrl"),
    ({"file": "x"}, "There is no field 'file' here.", "file"),
]


@pytest.mark.parametrize(("fields", "message", "param"), WRONG)
async def test_a_wrong_field_is_named(fields: Json, message: str, param: str, tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        given = {"imageUrl": data_url(png())} if param != "imageUrl" else {}
        answered = await all.ann.http.post(REFERENCES, json=given | fields)
        assert refusal(answered) == (400, "invalid_request", message)
        assert answered.json()["error"]["param"] == param
        assert all.files() == []


async def test_a_form_needs_a_file_and_not_its_address(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        for fields in ({"name": "a"}, {"file": "a text"}, {"file": "a", "imageUrl": data_url(png())}):
            answered = await all.ann.http.post(REFERENCES, files={k: (None, v) for k, v in fields.items()})
            assert answered.status_code == 400, answered.text
        assert all.files() == []


# --- who sees what -----------------------------------------------------------------------------------


async def test_a_personal_image_is_there_for_its_owner_and_administrators_only(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann)
        for who in (all.bob, all.vic):
            assert await names(who) == []
            for path in (f"{REFERENCES}/{image['id']}", image["url"]):
                answered = await who.get(path)
                assert refusal(answered)[:2] == (404, "not_found")
        assert refusal(await all.bob.http.delete(f"{REFERENCES}/{image['id']}"))[:2] == (404, "not_found")
        assert await names(all.root) == ["boat.png"]
        assert (await all.root.get(image["url"])).status_code == 200
        assert (await all.root.get(f"{REFERENCES}/{image['id']}")).json() == image | {"mine": False}
        assert (await all.root.http.delete(f"{REFERENCES}/{image['id']}")).status_code == 204
        (noted,) = await all.gateway.store.audited(image["id"])
        assert (noted.actor, noted.action, noted.address) == ("user_root", "reference.delete", "127.0.0.1")


async def test_the_teams_images_are_everybodys_to_see_and_their_owners_to_delete(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann, library="team")
        for who in (all.bob, all.vic, all.root):
            assert (await who.get(f"{REFERENCES}/{image['id']}")).json() == image | {"mine": False}
            assert (await who.get(image["url"])).status_code == 200
            assert await names(who, library="team") == ["boat.png"]
            assert await names(who, library="personal") == []
        assert refusal(await all.bob.http.delete(f"{REFERENCES}/{image['id']}")) == (
            403, "forbidden", "Only the person who saved this image, or an administrator, can delete it.",
        )  # fmt: skip
        assert refusal(await all.vic.http.delete(f"{REFERENCES}/{image['id']}"))[:2] == (403, "forbidden")
        assert (await all.ann.http.delete(f"{REFERENCES}/{image['id']}")).status_code == 204


async def test_who_may_only_look_saves_nothing(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        assert refusal(await upload(all.vic, png()))[:2] == (403, "forbidden")
        assert refusal(await upload(all.vic, png(), path=PREVIEW, size="64x48"))[:2] == (403, "forbidden")
        assert all.files() == []


async def test_a_deleted_image_is_gone_from_the_list_and_from_the_disk(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann)
        assert (await all.ann.http.delete(f"{REFERENCES}/{image['id']}")).status_code == 204
        assert all.files() == []
        assert await names(all.ann) == []
        for answered in (
            await all.ann.get(image["url"]),
            await all.ann.http.delete(f"{REFERENCES}/{image['id']}"),
        ):
            assert refusal(answered) == (404, "not_found", "There is no saved image by that id.")


async def test_a_list_comes_in_pages_newest_first(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        for number in range(5):
            await saved(
                all.ann, png(10 + number), name=f"{number}", library="team" if number % 2 else "personal"
            )
        first = (await all.ann.get(REFERENCES, params={"limit": 2})).json()
        assert ([each["name"] for each in first["references"]], first["hasMore"]) == (["4", "3"], True)
        last = first["references"][-1]["id"]
        assert await names(all.ann, after=last) == ["2", "1", "0"]
        assert await names(all.ann, after=last, library="team") == ["1"]
        # A page that begins after an image of somebody else, or after none at all, tells nothing about it.
        assert await names(all.bob, after=first["references"][0]["id"]) == ["3", "1"]
        assert await names(all.bob, after=NO_IMAGE_ID) == []
        for wrong in ({"limit": 0}, {"limit": 101}, {"after": "video_1"}, {"library": "all"}, {"owner": "x"}):
            assert (await all.ann.get(REFERENCES, params=wrong)).status_code == 400


# --- what would be sent ------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
async def test_a_preview_is_the_image_as_it_would_be_sent(fit: str, tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        shown = await upload(all.ann, png(64, 64), path=PREVIEW, size="128x72", fit=fit)
        assert shown.status_code == 200, shown.text
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["cache-control"] == "no-store"
        picture = decoded(shown.content)
        assert picture.size == (128, 72)
        assert picture.getpixel((0, 36)) == ((0, 0, 0) if fit == "pad" else (0, 128, 128))
        assert all.files() == []
        assert await names(all.ann) == []


async def test_a_preview_takes_an_address_or_a_saved_image(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann, photograph(), library="team")
        for who in (all.ann, all.bob):
            shown = await who.http.post(PREVIEW, json={"imageId": image["id"], "size": "32x32"})
            assert shown.headers["content-type"] == "image/jpeg"
            assert decoded(shown.content).size == (32, 32)
        shown = await all.ann.http.post(PREVIEW, json={"imageUrl": data_url(png()), "size": "32x32"})
        assert decoded(shown.content).size == (32, 32)


async def test_a_saved_image_that_one_does_not_see_cannot_be_used(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann)
        for image_id in (image["id"], NO_IMAGE_ID, "../../secrets/signing.key", "\u2028"):
            answered = await all.bob.http.post(PREVIEW, json={"imageId": image_id, "size": "32x32"})
            assert refusal(answered) == (400, "invalid_image", "There is no saved image by that id.")


async def test_a_preview_says_what_is_wrong(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        url = data_url(png())
        for body in (
            {"size": "32x32"},
            {"size": "32x32", "imageUrl": url, "imageId": NO_IMAGE_ID},
            {"size": "32x32", "imageId": ""},
            {"imageUrl": url},
            {"size": "0x32", "imageUrl": url},
            {"size": "large", "imageUrl": url},
            {"size": "9999x9999", "imageUrl": url},
            {"size": "32x32", "imageUrl": url, "fit": "zoom"},
        ):
            answered = await all.ann.http.post(PREVIEW, json=body)
            assert refusal(answered)[:2] == (400, "invalid_request"), body
            assert answered.json()["error"]["message"].endswith(".")


# --- over a restart ----------------------------------------------------------------------------------


async def test_images_outlive_a_restart_and_what_a_crash_left_does_not(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann)
        content = (await all.ann.get(image["url"])).content
    orphan = tmp_path / "references" / "ab" / ("ref_" + "0" * 30 + "ab.png")
    part = orphan.with_suffix(".part")
    scratch = tmp_path / "scratch" / "image_1" / "given"
    for left in (orphan, part, scratch):
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(png())
    async with studio(tmp_path) as all:
        assert (await all.ann.get(image["url"])).content == content
        assert all.files() == [f"{image['id']}.png"]
        assert not scratch.exists()


async def test_an_image_whose_file_is_not_there_any_more_says_so(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        image = await saved(all.ann)
        (tmp_path / "references" / image["id"][-2:] / f"{image['id']}.png").unlink()
        sentence = "The file of this saved image is not kept any more."
        assert refusal(await all.ann.get(image["url"])) == (410, "gone", sentence)
        used = await all.ann.http.post(PREVIEW, json={"imageId": image["id"], "size": "32x32"})
        assert refusal(used) == (400, "invalid_image", sentence)
        assert (await all.ann.http.delete(f"{REFERENCES}/{image['id']}")).status_code == 204


async def test_what_the_disk_cannot_hold_is_not_there(tmp_path: Path) -> None:
    async with studio(tmp_path) as all:
        for number in range(256):
            (tmp_path / "references" / f"{number:02x}").write_text("where a directory should be")
        assert refusal(await upload(all.ann, png())) == (
            503, "storage_failed", "The image could not be stored; nothing was kept.",
        )  # fmt: skip
        assert await names(all.ann) == []
