"""Forms and large bodies: files that arrive as they are, bad forms in one sentence, and what none of it may cost."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from sora_gateway.http.forms import read_multipart
from sora_gateway.http.openai_videos import CreateVideo, CreateVideoForm
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.uploads import FileOr, Upload, display_name
from tests.http_calls import application, client_of
from tests.listening import listening, peer_of
from tests.loop_lag import calmest

MULTIPART = "multipart/form-data; boundary=b"
PNG = b"\x89PNG\r\n\x1a\n and so on"
MiB = 1 << 20


def part(name: str, content: bytes | str, more: str = "") -> bytes:
    """One part of a form; *more* follows the name in its Content-Disposition."""
    data = content.encode() if isinstance(content, str) else content
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


# --- files ---------------------------------------------------------------------------------------------


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = ""
    image: FileOr[dict[str, str]] | None = None
    clip: Upload | None = None


async def make_thing(call: Call) -> Response:
    """Says what it was given."""
    image, clip = call.body.image, call.body.clip
    said = {
        "prompt": call.body.prompt,
        "image": [image.filename, image.content_type, len(image.data)]
        if isinstance(image, Upload)
        else image,
        "clip": clip and len(clip.data),
    }
    return JSONResponse(said)


def gateway(**options: Any) -> Any:
    endpoint = Endpoint(
        method="POST", path="/things", handler=make_thing, summary="", access=Access.MEMBER, tag="things",
        request=Wanted, form=Wanted, uploads=True,
    )  # fmt: skip
    return application([endpoint], **options)


async def post(body: bytes, content_type: str = MULTIPART, **options: Any) -> httpx.Response:
    async with client_of(
        gateway(**options), authorization="Bearer member", content_type=content_type
    ) as client:
        return await client.post("/things", content=body)


async def error_of(body: bytes, content_type: str = MULTIPART, **options: Any) -> tuple[int, str]:
    answer = await post(body, content_type, **options)
    return answer.status_code, answer.json()["error"]["message"]


async def test_a_file_reaches_the_handler_with_its_name_and_its_declared_type() -> None:
    async with client_of(gateway(), authorization="Bearer member") as client:
        answer = await client.post(
            "/things", data={"prompt": "a boat"}, files={"image": ("first.png", PNG, "image/png")}
        )
    assert answer.json() == {"prompt": "a boat", "image": ["first.png", "image/png", len(PNG)], "clip": None}


async def test_a_field_that_may_be_a_file_may_be_an_object_too() -> None:
    assert (await post(form(part("image[url]", "https://a/")))).json()["image"] == {"url": "https://a/"}
    assert (await post(b"image[url]=x", "application/x-www-form-urlencoded")).json()["image"] == {"url": "x"}


async def test_a_file_input_that_was_left_empty_is_not_given() -> None:
    said = (await post(form(part("image", b"", '; filename=""'), part("prompt", "a")))).json()
    assert (said["image"], said["prompt"]) == (None, "a")
    nameless = (await post(form(part("image", PNG, '; filename=""')))).json()
    assert nameless["image"] == ["", "", len(PNG)]


async def test_two_files_are_taken_and_three_are_not() -> None:
    two = part("image", PNG, '; filename="a"') + part("clip", PNG, '; filename="b"')
    assert (await post(form(two))).json()["clip"] == len(PNG)
    assert await error_of(form(two, part("more", PNG, '; filename="c"'))) == (
        400,
        "The form has more than 2 files.",
    )


BAD_FORMS: dict[str, tuple[bytes, str]] = {
    "a file where text belongs": (
        form(part("prompt", "a", '; filename="a.txt"')), "The field 'prompt' must not be a file here.",
    ),
    "text where a file belongs": (
        form(part("clip", "abc")), "Invalid type for 'clip': expected a file, but got a string.",
    ),
    "an object where a file belongs": (
        form(part("clip[id]", "abc")), "Invalid type for 'clip': expected a file, but got an object.",
    ),
    "text where a file or an object belongs": (
        form(part("image", "abc")), "Invalid type for 'image': expected a file or an object, but got a string.",
    ),
    "a file that nobody asked for": (form(part("seed", PNG, '; filename="a"')), "There is no field 'seed' here."),
    "a part without a name": (
        b"--b\r\nContent-Disposition: form-data\r\n\r\na\r\n--b--", "A part of the form does not say its name.",
    ),
    "a part that is no form data": (
        b'--b\r\nContent-Disposition: attachment; name="prompt"\r\n\r\na\r\n--b--', "A part of the form does not say its name.",
    ),
    "a part without headers": (b"--b\r\n\r\na\r\n--b--", "A part of the form does not say its name."),
    "a name that is not UTF-8": (
        b'--b\r\nContent-Disposition: form-data; name="\xe9"\r\n\r\na\r\n--b--', "The form has text that is not UTF-8.",
    ),
    "a file's name that is not UTF-8": (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="\xe9"\r\n\r\na\r\n--b--',
        "The form has text that is not UTF-8.",
    ),
    "a header without end": (
        b"--b\r\nContent-Disposition: form-data; name=" + b"a" * 20_000, "The body is no form in multipart/form-data.",
    ),
    "a form that ends within a file": (
        part("image", PNG, '; filename="a"')[:-4], "The form ends too early.",
    ),
    "a form that ends after a part": (part("image", PNG, '; filename="a"'), "The form ends too early."),
    "65 fields": (form(*[part(f"f{n}", "a") for n in range(65)]), "The form has more than 64 fields."),
    "65 empty file inputs": (
        form(*[part("image", b"", '; filename=""')] * 65), "The form has more than 64 fields.",
    ),
    "a long text that is no address": (
        form(part("prompt", "船" * (MiB // 4))), "The body has a text of more than 524288 bytes that is no data: address.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FORMS)
async def test_a_bad_form_gets_one_sentence(case: str) -> None:
    body, sentence = BAD_FORMS[case]
    assert await error_of(body) == (400, sentence)


async def test_a_boundary_that_is_no_boundary_is_refused() -> None:
    for boundary in ("", "boundary=", f"boundary={'b' * 300}"):
        assert (await error_of(form(part("prompt", "a")), f"multipart/form-data; {boundary}"))[0] == 400


async def test_a_long_data_address_comes_in_a_form_as_well() -> None:
    address = f"data:image/png;base64,{'A' * (2 * MiB)}"
    assert (await post(form(part("image[url]", address)))).json()["image"] == {"url": address}


async def test_a_urlencoded_form_is_small() -> None:
    status, sentence = await error_of(b"prompt=" + b"a" * MiB, "application/x-www-form-urlencoded")
    assert (status, sentence) == (413, "A body of this kind may have 524288 bytes; send multipart/form-data.")


@pytest.mark.parametrize(
    ("declared", "shown"),
    [
        ("first.png", "first.png"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ann\first.png", "first.png"),
        ("船.png", "船.png"),
        ("a\0b\r\nc\u202egnp.exe", "abcgnp.exe"),
        ("folder/", ""),
        ("..", ".."),
        ("x" * 4096, "x" * 100),
    ],
)
def test_a_files_name_is_only_for_showing(declared: str, shown: str) -> None:
    assert display_name(declared) == shown


def test_a_file_does_not_spill_into_a_log() -> None:
    assert (
        repr(Upload("a.png", "image/png", PNG * 1000)) == "Upload(filename='a.png', content_type='image/png')"
    )


NEARLY = st.sampled_from([b"\r\n", b"--b", b"\r\n--b", b"\r\n--", b"-", b"\r", b"\n", b"\0", b"--b--"])


@given(st.lists(NEARLY | st.binary(max_size=5), max_size=12).map(b"".join))
def test_a_files_bytes_arrive_as_they_are(data: bytes) -> None:
    if b"\r\n--b" in b"\r\n" + data:
        return  # it is the boundary: nobody may send that
    fields = dict(read_multipart(MULTIPART, form(part("image", data, '; filename="a"'), part("prompt", "a"))))
    assert fields == {"image": Upload("a", "", data), "prompt": "a"}


# --- sizes, disks and the event loop -------------------------------------------------------------------


def descriptors() -> int:
    """Open files of this process, those without a name included."""
    return len(os.listdir("/proc/self/fd"))


def names_in(directory: Path) -> list[str]:
    return os.listdir(directory)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # nothing tells that a file was closed
            await asyncio.sleep(0.01)


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which large bodies wait."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]


async def test_25_mib_are_taken_and_one_byte_more_is_not_and_nothing_stays_on_the_disk(spool: Path) -> None:
    before = descriptors()
    room = 25 * MiB - len(form(part("image", b"", '; filename="a"')))
    for declared in (True, False):
        for size, status in ((room, 200), (room + 1, 413)):
            body = form(part("image", b"x" * size, '; filename="a"'))
            answer = await post(body if declared else in_pieces(body))  # type: ignore[arg-type]
            assert answer.status_code == status
            if status == 413:
                assert answer.json()["error"]["message"] == "The request body is larger than 26214400 bytes."
            else:
                assert answer.json()["image"] == ["a", "", room]
            assert (descriptors(), names_in(spool)) == (before, [])


async def test_an_upload_that_breaks_off_leaves_nothing_behind(spool: Path) -> None:
    async with listening(gateway()) as port:
        before = descriptors()
        async with peer_of(port) as peer:
            head = f"POST /things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer member\r\nContent-Type: {MULTIPART}\r\n"
            await peer.send(f"{head}Content-Length: {20 * MiB}\r\n\r\n".encode(), b"x" * (5 * MiB))
            await until(lambda: descriptors() == before + 3)  # both ends of the connection, and the file
        await until(lambda: descriptors() == before)
        assert names_in(spool) == []


async def test_a_disk_without_room_for_an_upload_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    body = form(part("image", b"x" * (2 * MiB), '; filename="a"'))
    assert await error_of(body) == (507, "The disk has no room for this upload; try again later.")
    assert (await post(form(part("prompt", "a")))).status_code == 200


async def test_an_upload_of_somebody_who_may_not_is_refused_before_it_comes() -> None:
    async with listening(gateway()) as port, peer_of(port) as peer:
        head = f"POST /things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer viewer\r\nContent-Type: {MULTIPART}\r\n"
        await peer.send(f"{head}Content-Length: {20 * MiB}\r\n\r\n".encode())
        assert (await peer.response())[0] == 403


async def test_an_upload_may_take_longer_than_other_bodies() -> None:
    async def other(call: Call) -> Response:
        return JSONResponse({})

    small = Endpoint(
        method="PUT", path="/things", handler=other, summary="", access=Access.MEMBER, tag="t", request=Wanted
    )
    large = Endpoint(
        method="POST", path="/things", handler=make_thing, summary="", access=Access.MEMBER, tag="things",
        request=Wanted, form=Wanted, uploads=True,
    )  # fmt: skip
    app = application([small, large], max_body=100, body_deadline=0.05, upload_deadline=30)
    async with listening(app) as port:
        for method, status in (("PUT", 408), ("POST", 200)):
            async with peer_of(port) as peer:
                head = f"{method} /things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer member\r\n"
                await peer.send(
                    f"{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{".encode()
                )
                await asyncio.sleep(0.3)
                await peer.send(b"}")
                assert (await peer.response())[0] == status
    async with client_of(app, authorization="Bearer member") as client:
        assert (await client.put("/things", json={"prompt": "x" * 100})).status_code == 413
        assert (await client.post("/things", json={"prompt": "x" * 100})).status_code == 200


ADDRESS = b"data:image/png;base64," + base64.b64encode(os.urandom(15 * MiB))[: 20 * MiB - 40]


def with_address(address: bytes) -> bytes:
    return b'{"prompt": "a", "input_reference": {"image_url": "' + address + b'"}}'


LARGE: dict[str, tuple[bytes, str, int]] = {
    "a data: address": (with_address(ADDRESS), "application/json", 200),
    "a data: address with escaped slashes": (
        with_address(ADDRESS.replace(b"/", rb"\/").replace(b"+", rb"\u002B")), "application/json", 200,
    ),
    "nothing but escapes": (with_address(rb"\/" * (10 * MiB)), "application/json", 200),
    "nothing but numbers": (b"[" + b"1," * (10 * MiB) + b"1]", "application/json", 413),
    "nothing but texts": (b"[" + b'"",' * (8 * MiB) + b'""]', "application/json", 413),
    "nothing but letters that are long in memory": (with_address("🚢".encode() * (6 * MiB)), "application/json", 400),
    "nothing but quotes": (with_address(b'\\"' * (12 * MiB)), "application/json", 400),
    "nothing but backslashes": (with_address(b"\\" * (24 * MiB)), "application/json", 400),
    "a file": (
        form(part("prompt", "a"), part("input_reference", b"\0" * (24 * MiB), '; filename="a"')), MULTIPART, 200,
    ),
    "an address in a form": (
        form(part("prompt", "a"), part("input_reference[image_url]", ADDRESS)), MULTIPART, 200,
    ),
    "a file of line ends": (
        form(part("prompt", "a"), part("input_reference", b"\r\n-" * (8 * MiB), '; filename="a"')), MULTIPART, 200,
    ),
    "nothing but percent signs": (
        b"prompt=" + b"%41" * (170 * 1024), "application/x-www-form-urlencoded", 200,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LARGE)
async def test_no_body_however_large_stalls_the_event_loop(case: str) -> None:
    """20 to 24 MB over a real socket, of what people send and of what costs a parser the most."""
    body, content_type, status = LARGE[case]

    async def show(call: Call) -> Response:
        reference = call.body.input_reference
        size = (
            len(reference.data if isinstance(reference, Upload) else reference.image_url) if reference else 0
        )
        return JSONResponse({"size": size})

    endpoint = Endpoint(
        method="POST", path="/v1/videos", handler=show, summary="", access=Access.PUBLIC, tag="openai",
        request=CreateVideo, form=CreateVideoForm, uploads=True,
    )  # fmt: skip
    async with listening(application([endpoint])) as port:

        async def send() -> None:
            async with peer_of(port) as peer:
                head = f"POST /v1/videos HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n"
                await peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
                for start in range(0, len(body), 1 << 16):
                    await peer.send(body[start : start + (1 << 16)])
                assert (await peer.response())[0] == status

        watch = await calmest(send)
    assert watch.longest < 0.050


async def test_only_few_large_bodies_are_in_memory_at_once() -> None:
    inside, most = 0, 0

    async def count(call: Call) -> Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.02)
        inside -= 1
        return JSONResponse({})

    endpoint = Endpoint(
        method="POST", path="/things", handler=count, summary="", access=Access.MEMBER, tag="things",
        request=Wanted, form=Wanted, uploads=True,
    )  # fmt: skip
    async with client_of(application([endpoint]), authorization="Bearer member") as client:
        for size, at_once in ((1000, 6), (2 * MiB, 2)):
            most = 0
            file = {"image": ("a", b"x" * size)}
            answers = await asyncio.gather(*[client.post("/things", files=file) for _ in range(6)])
            assert {answer.status_code for answer in answers} == {200}
            assert most == at_once
