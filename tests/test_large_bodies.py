"""Large bodies are bounded, leave nothing behind, and keep nobody else waiting."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from starlette.responses import JSONResponse, Response

from sora_gateway.http.arrival import IN_MEMORY, Spool
from sora_gateway.http.openai_videos import CreateVideo, CreateVideoForm
from sora_gateway.http.request_body import AT_WORK, JSON, WAITING
from sora_gateway.http.routing import Access, Call, Endpoint
from tests.forms import MULTIPART, MiB, Wanted, error_of, form, gateway, make_thing, part, post
from tests.http_calls import application, client_of
from tests.lab import Lab, at_the_lab, closing
from tests.listening import Peer, listening, peer_of
from tests.loop_lag import calmest
from tests.pictures import encoded
from tests.raw_server import Received, Wire
from tests.running import person, running, settings_for
from tests.sample_videos import sample_mp4


def descriptors() -> int:
    """Open files of this process, those without a name included."""
    return len(os.listdir("/proc/self/fd"))


def names_in(directory: Path) -> list[str]:
    return os.listdir(directory)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # nothing tells that a file was closed
            await asyncio.sleep(0.01)


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]


async def test_25_mib_are_taken_and_one_byte_more_is_not_and_nothing_stays_on_the_disk(
    tmp_path: Path,
) -> None:
    before = descriptors()
    room = 25 * MiB - len(form(part("image", b"", '; filename="a"')))
    for declared in (True, False):
        for size, status in ((room, 200), (room + 1, 413)):
            body = form(part("image", b"x" * size, '; filename="a"'))
            sent = body if declared else in_pieces(body)
            answer = await post(sent, spool=Spool(tmp_path))  # type: ignore[arg-type]
            assert answer.status_code == status
            if status == 413:
                assert answer.json()["error"]["message"] == "The request body is larger than 26214400 bytes."
            else:
                assert answer.json()["image"] == ["a", "", room]
            assert (descriptors(), names_in(tmp_path)) == (before, [])


async def test_an_upload_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async with listening(gateway(spool=Spool(tmp_path))) as port:
        before = descriptors()
        async with peer_of(port) as peer:
            head = f"POST /things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer member\r\nContent-Type: {MULTIPART}\r\n"
            await peer.send(f"{head}Content-Length: {20 * MiB}\r\n\r\n".encode(), b"x" * (5 * MiB))
            await until(lambda: descriptors() == before + 3)  # both ends of the connection, and the file
        await until(lambda: descriptors() == before)
        assert names_in(tmp_path) == []


LARGE = form(part("image", b"x" * (2 * MiB), '; filename="a"'))
NO_ROOM = (507, "The disk has no room for this upload; try again later.")


async def test_a_large_body_lies_where_it_is_told_to_and_a_small_one_nowhere(tmp_path: Path) -> None:
    nowhere = Spool(tmp_path / "nowhere")
    assert await error_of(LARGE, spool=nowhere) == (
        503, "The upload could not be put aside; try again in a moment.",
    )  # fmt: skip
    small = form(part("image", b"x" * (IN_MEMORY - 200), '; filename="a"'))
    assert (await post(small, spool=nowhere)).status_code == 200
    assert (await post(LARGE, spool=Spool(tmp_path))).status_code == 200


async def test_a_disk_without_room_for_an_upload_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: open("/dev/full", "w+b"))  # noqa: SIM115
    assert await error_of(LARGE) == NO_ROOM


async def test_the_reserve_of_the_disk_is_not_for_uploads(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert await error_of(LARGE, spool=Spool(tmp_path, reserve=2 * free)) == NO_ROOM
    assert (await post(LARGE, spool=Spool(tmp_path, reserve=free // 2))).status_code == 200


async def test_too_many_open_files_are_not_a_full_disk() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    application = gateway()
    async with client_of(application, authorization="Bearer member", content_type=MULTIPART) as client:
        assert (await client.post("/things", content=LARGE)).status_code == 200
        # The number that the next file would have.
        os.close(next_file := os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_file, limits[1]))
        try:
            answer = await client.post("/things", content=LARGE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"]["message"] == "Too many files are open here; try again in a moment."


def uploading(size: int, path: str = "/things", who: str = "Authorization: Bearer member\r\n") -> bytes:
    """The head of a request whose body has *size* bytes; 0 is one that does not say it."""
    length = f"Content-Length: {size}" if size else "Transfer-Encoding: chunked"
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{who}Content-Type: {MULTIPART}\r\n{length}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def open_below(directory: Path) -> int:
    """Open files of this process in *directory*, those without a name included."""
    files = (f"/proc/self/fd/{number}" for number in names_in(Path("/proc/self/fd")))
    return sum(os.readlink(file).startswith(f"{directory}/") for file in files if os.path.islink(file))


async def test_a_gateway_keeps_uploads_that_arrive_in_its_data_directory(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        async with peer_of(httpx.URL(gateway.address).port or 0) as peer:
            who = f"Authorization: Bearer {ann.key}\r\n"
            await peer.send(uploading(len(LARGE), "/v1/videos", who), LARGE[: 1 * MiB])
            await until(lambda: open_below(tmp_path / "scratch") == 1)
        await until(lambda: open_below(tmp_path / "scratch") == 0)
        assert names_in(tmp_path / "scratch") == []


async def told_to_come_back(peer: Peer) -> bool:
    status, headers = await peer.head()
    return (status, headers["retry-after"]) == (503, "5")


async def test_one_large_upload_too_many_is_told_to_come_back_before_it_is_read() -> None:
    before = descriptors()
    async with listening(gateway(spool=Spool(at_once=2))) as port, peer_of(port) as first:
        async with peer_of(port) as second, peer_of(port) as third:
            for peer in (first, second):
                await peer.send(uploading(len(LARGE)), LARGE[: 1 * MiB])
            await until(lambda: descriptors() == before + 1 + 2 * 3 + 2)
            # The third has sent nothing but its head, or as much as small ones have.
            await third.send(uploading(len(LARGE)))
            assert await told_to_come_back(third)
            async with peer_of(port) as unsaid:
                await unsaid.send(
                    uploading(0), chunk(LARGE[:IN_MEMORY]), chunk(LARGE[IN_MEMORY : 2 * IN_MEMORY])
                )
                assert await told_to_come_back(unsaid)
            async with peer_of(port) as small:
                body = form(part("prompt", "a"))
                await small.send(uploading(len(body)), body)
                assert (await small.response())[0] == 200
        # The second has left, and there is room again.
        await until(lambda: descriptors() == before + 1 + 3)
        async with peer_of(port) as fourth:
            await fourth.send(uploading(len(LARGE)), LARGE)
            assert (await fourth.response())[0] == 200
        await first.send(LARGE[1 * MiB :])
        assert (await first.response())[0] == 200


async def test_who_is_not_signed_in_cannot_take_the_places_of_those_who_upload() -> None:
    open_to_all = Endpoint(
        method="POST", path="/sign-in", handler=make_thing, summary="", access=Access.PUBLIC, tag="t",
        request=Wanted, form=Wanted,
    )  # fmt: skip
    for_members = Endpoint(
        method="POST", path="/things", handler=make_thing, summary="", access=Access.MEMBER, tag="t",
        request=Wanted, form=Wanted, uploads=True,
    )  # fmt: skip
    app = application([open_to_all, for_members], spool=Spool(at_once=1))
    before = descriptors()
    async with listening(app) as port, peer_of(port) as stranger, peer_of(port) as member:
        await stranger.send(uploading(1 * MiB, "/sign-in", who=""), LARGE[: 2 * IN_MEMORY])
        await until(lambda: descriptors() == before + 1 + 2 * 2 + 1)
        await member.send(uploading(len(LARGE)), LARGE)
        assert (await member.response())[0] == 200


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


COSTLY: dict[str, tuple[Callable[[], bytes], str, int]] = {
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


@pytest.mark.measures
@pytest.mark.parametrize("case", COSTLY)
async def test_no_body_however_large_stalls_the_event_loop(case: str) -> None:
    """20 to 24 MB over a real socket, of what people send and of what costs a parser the most."""
    make, content_type, status = COSTLY[case]
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


async def test_only_few_large_bodies_are_worked_on_at_once() -> None:
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
        for size, at_once in ((1000, 12), (2 * MiB, AT_WORK)):
            most = 0
            file = {"image": ("a", b"x" * size)}
            answers = await asyncio.gather(*[client.post("/things", files=file) for _ in range(12)])
            assert {answer.status_code for answer in answers} == {200}
            assert most == at_once


async def test_what_waits_for_an_upstream_holds_up_nobody_else_and_is_bounded_by_itself() -> None:
    upstream = asyncio.Event()
    inside = 0

    async def wait_for_upstream(call: Call) -> Response:
        nonlocal inside
        async with call.waiting():
            inside += 1
            await upstream.wait()
        return JSONResponse({})

    slow, quick = (
        Endpoint(
            method="POST", path=path, handler=handler, summary="", access=Access.MEMBER, tag="things",
            request=Wanted, form=Wanted, uploads=True,
        )
        for path, handler in (("/slow", wait_for_upstream), ("/things", make_thing))
    )  # fmt: skip
    async with client_of(application([slow, quick]), authorization="Bearer member") as client:

        def send(path: str, size: int) -> asyncio.Task[httpx.Response]:
            return asyncio.create_task(client.post(path, files={"image": ("a", b"x" * size)}))

        waiting = [send("/slow", 2 * MiB) for _ in range(WAITING + 3)]
        refused = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await until(lambda: sum(each.done() for each in waiting) == 3)
        assert inside == WAITING
        for answer in refused[0]:
            assert (answer.result().status_code, answer.result().headers["retry-after"]) == (503, "10")
        # More than are ever at work at once, one after the other.
        for _ in range(2 * AT_WORK):
            assert (await send("/things", 2 * MiB)).status_code == 200
        # What is small takes nobody's place.
        waiting += [send("/slow", 1000) for _ in range(12)]
        await until(lambda: inside == WAITING + 12)
        upstream.set()
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*waiting))
        assert statuses == [200] * (WAITING + 12) + [503] * 3
        assert (await send("/slow", 2 * MiB)).status_code == 200


async def test_an_upstream_that_thinks_about_characters_keeps_no_image_from_being_looked_at(
    tmp_path: Path,
) -> None:
    film = sample_mp4() + (IN_MEMORY + 8).to_bytes(4) + b"free" + bytes(IN_MEMORY)
    thought = asyncio.Event()

    async def think(_: Received, wire: Wire) -> None:
        await thought.wait()
        await wire.send(closing(200, {"id": "char-1", "name": "Otter", "created_at": 1}))

    lab = Lab(creates=[think])
    async with at_the_lab(tmp_path, lab, upstream={"profile": "openai"}) as ann:

        def learn(number: int) -> asyncio.Task[httpx.Response]:
            form = {"data": {"name": f"Otter {number}"}, "files": {"video": ("a.mp4", film)}}
            return asyncio.create_task(ann.http.post("/v1/videos/characters", **form))  # type: ignore[arg-type]

        learning = [learn(number) for number in range(WAITING)]
        await until(lambda: len(lab.orders) == WAITING)
        assert (await learn(WAITING)).status_code == 503
        image = encoded(Image.effect_noise((700, 700), 90).convert("RGB"))
        assert len(image) > IN_MEMORY
        preview = {"data": {"size": "720x1280"}, "files": {"file": ("a.png", image)}}
        answers = await asyncio.gather(
            *(ann.http.post("/api/references/preview", **preview) for _ in range(3))  # type: ignore[arg-type]
        )
        assert {answer.status_code for answer in answers} == {200}
        thought.set()
        assert {answer.status_code for answer in await asyncio.gather(*learning)} <= {200, 502}
        assert len(lab.orders) == WAITING
