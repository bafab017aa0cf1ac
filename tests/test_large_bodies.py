"""Large bodies are bounded, leave nothing behind, and keep nobody else waiting."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from sora_gateway.http.openai_videos import CreateVideo, CreateVideoForm
from sora_gateway.http.request_body import JSON
from sora_gateway.http.routing import Access, Call, Endpoint
from tests.forms import MULTIPART, MiB, Wanted, error_of, form, gateway, make_thing, part, post
from tests.http_calls import application, client_of
from tests.listening import listening, peer_of
from tests.loop_lag import calmest


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


URLENCODED = "application/x-www-form-urlencoded"


def letters(size: int) -> bytes:
    return (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ+/" * MiB)[:size]


def with_address(address: bytes) -> bytes:
    return b'{"prompt": "a", "input_reference": {"image_url": "data:image/png;base64,' + address + b'"}}'


def with_file(data: bytes) -> bytes:
    return form(part("prompt", "a"), part("input_reference", data, '; filename="a"'))


LARGE: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "a data: address": (lambda: with_address(letters(20 * MiB - 40)), JSON, 200),
    "a data: address with escapes": (
        lambda: with_address(letters(16 * MiB).replace(b"/", rb"\/").replace(b"+", rb"\u002B")), JSON, 200,
    ),
    "nothing but escapes": (lambda: with_address(rb"\/" * (10 * MiB)), JSON, 200),
    "nothing but numbers": (lambda: b"[" + b"1," * (10 * MiB) + b"1]", JSON, 413),
    "nothing but texts": (lambda: b"[" + b'"",' * (8 * MiB) + b'""]', JSON, 413),
    "nothing but ships": (lambda: with_address("🚢".encode() * (6 * MiB)), JSON, 400),
    "nothing but quotes": (lambda: with_address(b'\\"' * (12 * MiB)), JSON, 400),
    "nothing but backslashes": (lambda: with_address(b"\\" * (24 * MiB)), JSON, 400),
    "a file": (lambda: with_file(b"\0" * (24 * MiB)), MULTIPART, 200),
    "a file of line ends": (lambda: with_file(b"\r\n-" * (8 * MiB)), MULTIPART, 200),
    "an address in a form": (
        lambda: form(part("prompt", "a"), part("input_reference[image_url]", b"data:," + letters(20 * MiB - 40))), MULTIPART, 200,
    ),
    "nothing but percent signs": (lambda: b"prompt=" + b"%41" * (170 * 1024), URLENCODED, 200),
}  # fmt: skip


@pytest.mark.parametrize("case", LARGE)
async def test_no_body_however_large_stalls_the_event_loop(case: str) -> None:
    """20 to 24 MB over a real socket, of what people send and of what costs a parser the most."""
    make, content_type, status = LARGE[case]
    body = make()

    async def fine(call: Call) -> Response:
        return JSONResponse({})

    endpoint = Endpoint(
        method="POST", path="/v1/videos", handler=fine, summary="", access=Access.PUBLIC, tag="openai",
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

        watch = await calmest(send, 0.050)
    assert watch.longest < 0.050


async def test_only_few_large_bodies_are_in_memory_at_once() -> None:
    inside, most = 0, 0

    async def count(call: Call) -> Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.1)
        inside -= 1
        return JSONResponse({})

    endpoint = Endpoint(
        method="POST", path="/things", handler=count, summary="", access=Access.MEMBER, tag="things",
        request=Wanted, form=Wanted, uploads=True,
    )  # fmt: skip
    async with client_of(application([endpoint]), authorization="Bearer member") as client:
        for size, at_once in ((1000, 12), (2 * MiB, 8)):
            most = 0
            file = {"image": ("a", b"x" * size)}
            answers = await asyncio.gather(*[client.post("/things", files=file) for _ in range(12)])
            assert {answer.status_code for answer in answers} == {200}
            assert most == at_once
