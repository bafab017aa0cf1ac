"""Hostile bytes on the socket of a whole gateway: each gets its refusal, and changes nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from inspect import signature
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response

from sora_gateway.http.application import http_application
from sora_gateway.http.guarded_h11 import GuardedH11
from sora_gateway.http.media import file_response
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.logs.context import current_request
from tests.http_calls import application, client_of
from tests.listening import Peer, peer_of
from tests.processes import program
from tests.running import Person, person, running, settings_for

TASKS = "/api/video/tasks"
JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[Person]:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        yield ann


def port_of(ann: Person) -> int:
    port = urlsplit(ann.gateway.address).port
    assert port is not None
    return port


def authorized(ann: Person) -> bytes:
    return f"Authorization: Bearer {ann.key}\r\n".encode()


def create(ann: Person, prompt: str = "a boat") -> bytes:
    """A whole request that would make a job."""
    body = json.dumps({"prompt": prompt}).encode()
    head = f"POST {TASKS} HTTP/1.1\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n".encode()
    return head + HOST + authorized(ann) + b"\r\n" + body


async def status_of(peer: Peer) -> int:
    return (await peer.response())[0]


async def nothing_was_made(*people: Person) -> None:
    for one in people:
        assert (await one.get(TASKS)).json()["tasks"] == []


# --- heads ---------------------------------------------------------------------------------------------


def test_the_deadlines_are_those_that_are_promised() -> None:
    """The tests of the deadlines themselves have shorter ones (test_guarded_http.py, test_middleware.py)."""
    assert GuardedH11.head_timeout <= 10
    limits = signature(http_application).parameters
    assert limits["body_deadline"].default <= 60
    assert limits["upload_deadline"].default <= 180


def resident(process: int) -> int:
    """Bytes of memory that a process has."""
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


async def test_heads_that_are_too_large_leave_nothing_in_memory(tmp_path: Path) -> None:
    options = ["--port", "0", "--data-dir", str(tmp_path / "data")]
    many = b"".join(b"X-%d: y\r\n" % n for n in range(1000))
    heads = [b"X-Big: " + b"x" * 65536 + b"\r\n", many, b"X-Endless: " + b"x" * (8 << 20)]
    async with program(tmp_path / "errors", "sora_gateway", "serve", *options) as gateway:
        port = urlsplit(gateway.address).port
        assert port is not None

        async def attack() -> None:
            for head in heads:
                async with peer_of(port) as peer:
                    # The endless one is cut off while it is sent.
                    sending = asyncio.create_task(peer.send(b"GET / HTTP/1.1\r\n" + HOST + head + b"\r\n"))
                    try:
                        assert await peer.reader.read(13) == b"HTTP/1.1 431 "
                    finally:
                        sending.cancel()
                        await asyncio.gather(sending, return_exceptions=True)

        for _ in range(5):
            await attack()
        before = resident(gateway.process.pid)
        for _ in range(10):
            await attack()
        assert resident(gateway.process.pid) - before < 1 << 20
    assert gateway.complaints == "", "nor do they fill the log"


async def test_methods_and_targets_that_are_none_of_ours_are_refused(ann: Person) -> None:
    refused = {
        b"TRACE /health": 405,
        b"TRACE /": 405,
        b"CONNECT 127.0.0.1:1": 400,
        b"CONNECT /health": 405,
        b"TRACE http://evil.test/": 400,
        b"GET http://127.0.0.1/health": 400,
        b"GET https://evil.test/health": 400,
        b"GET @evil.test/health": 400,
        b"GET health": 400,
        b"GET *": 400,
        b"PROPFIND /health": 405,
    }
    for start, status in refused.items():
        async with peer_of(port_of(ann)) as peer:
            await peer.send(start + b" HTTP/1.1\r\n" + HOST + b"X-Mark: seen\r\n\r\n")
            got, body = await peer.response()
            assert got == status, start
            assert b"seen" not in body, start
    for host in (b"a/?x=", b"user@a", b"a b", b"a\tb", b"[::1", b"a:b", b"", b"a,b", b"a\x00"):
        async with peer_of(port_of(ann)) as peer:
            await peer.send(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert await status_of(peer) == 400, host


# --- whose request is it -------------------------------------------------------------------------------


async def test_each_request_of_a_connection_is_its_own_senders(ann: Person) -> None:
    """A balancer may put strangers' requests on one connection: what one proved counts for no other."""
    look = f"GET {TASKS} HTTP/1.1\r\n".encode() + HOST
    async with person(ann.gateway, "bob") as bob, peer_of(port_of(ann)) as peer:
        await peer.send(
            create(ann) + look + authorized(bob) + b"\r\n" + look + b"\r\n" + look + authorized(ann) + b"\r\n"
        )
        answers = [await peer.response() for _ in range(4)]
        assert [status for status, _ in answers] == [202, 200, 401, 200]
        assert [len(json.loads(answers[n][1])["tasks"]) for n in (1, 3)] == [0, 1]


async def test_a_smuggled_request_is_never_run_for_anybody(ann: Person) -> None:
    async with person(ann.gateway, "bob") as bob:
        hidden = create(bob, "smuggled")
        length = b"Content-Length: %d\r\n" % len(hidden)
        chunked = b"Transfer-Encoding: chunked\r\n"
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
        start = (
            f"POST {TASKS} HTTP/1.1\r\n".encode()
            + HOST
            + authorized(ann)
            + b"Content-Type: application/json\r\n"
        )
        carriers = {
            "length and chunks": start + length + chunked + b"\r\n0\r\n\r\n" + hidden,
            "chunks and length": start + chunked + length + b"\r\n0\r\n\r\n" + hidden,
            "two lengths": start + length + b"Content-Length: 0\r\n\r\n" + hidden,
            "a list of lengths": start + b"Content-Length: 0, %d\r\n\r\n" % len(hidden) + hidden,
            "a length with a sign": start + b"Content-Length: +0\r\n\r\n" + hidden,
            "an unknown coding": start + b"Transfer-Encoding: xchunked\r\n\r\n" + hidden,
            "two codings": start + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + hidden,
            "a bad chunk": start + chunked + b"\r\n0x0\r\n\r\n" + hidden,
            "a chunk of a negative size": start + chunked + b"\r\n-1\r\n\r\n" + hidden,
            "a space before the colon": start + b"Content-Length : 0\r\n\r\n" + hidden,
            "a folded header": start + b"X: y\r\n Content-Length: 0\r\n\r\n" + hidden,
            "a bare line feed": start + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
            "in a body that is refused": start + length + b"\r\n" + hidden,
            "in chunks that are refused": start + chunked + b"\r\n" + chunk,
        }  # fmt: skip
        for carrier, sent in carriers.items():
            async with peer_of(port_of(ann)) as peer:
                await peer.send(sent)
                status, _ = await peer.response()
                assert status in (400, 501), carrier
                if not carrier.startswith("in "):
                    assert await peer.until_closed() == b"", carrier
            await nothing_was_made(ann, bob)


# --- bodies --------------------------------------------------------------------------------------------


async def test_a_body_over_the_limit_is_refused_before_it_is_read(ann: Person) -> None:
    start = f"POST {TASKS} HTTP/1.1\r\nContent-Type: {JSON}\r\n".encode() + HOST + authorized(ann)
    over = (25 << 20) + 1
    async with peer_of(port_of(ann)) as peer:
        await peer.send(start + b"Content-Length: %d\r\n\r\n" % over)
        assert await status_of(peer) == 413
    async with peer_of(port_of(ann)) as peer:
        piece = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
        sending = asyncio.create_task(peer.send(start + b"Transfer-Encoding: chunked\r\n\r\n", *[piece] * 40))
        assert await status_of(peer) == 413
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await nothing_was_made(ann)


NESTED = b"[" * 100 + b"]" * 100
BODIES: dict[str, tuple[str, bytes, int]] = {
    "a depth of 100": (JSON, b'{"prompt": ' + NESTED + b"}", 400),
    "a depth of 100,000": (JSON, b"[" * 100_000, 413),
    "a number of 10 MB": (JSON, b'{"prompt": "a", "seconds": ' + b"9" * (10 << 20) + b"}", 413),
    "a number of 5,000 digits": (JSON, b'{"prompt": "a", "seconds": ' + b"9" * 5000 + b"}", 400),
    "a name twice": (JSON, b'{"prompt": "a", "prompt": "b"}', 400),
    "a name twice, once escaped": (JSON, b'{"prompt": "a", "promp\\u0074": "b"}', 400),
    "NaN": (JSON, b'{"prompt": "a", "seconds": NaN}', 400),
    "infinity": (JSON, b'{"prompt": "a", "seconds": -Infinity}', 400),
    "a number beyond floats": (JSON, b'{"prompt": "a", "seconds": 1e999}', 400),
    "half a surrogate pair": (JSON, b'{"prompt": "\\ud800"}', 400),
    "UTF-16": (JSON, '{"prompt": "a"}'.encode("utf-16"), 400),
    "a byte order mark": (JSON, b'\xef\xbb\xbf{"prompt": "a"}', 400),
    "text": ("text/plain", b'{"prompt": "a"}', 415),
    "no type": ("", b'{"prompt": "a"}', 415),
    "XML": ("application/xml", b"<prompt>a</prompt>", 415),
    "1,001 parts": (FORM, b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na\r\n' * 1001 + b"--b--", 400),
    "1,001 fields": ("application/x-www-form-urlencoded", b"&".join(b"f%d=a" % n for n in range(1001)), 400),
    "a header of 9 KB in a part": (
        FORM, b'--b\r\nContent-Disposition: form-data; name="prompt"; x="' + b"x" * 9000 + b'"\r\n\r\na\r\n--b--', 400,
    ),
    "nine headers in a part": (
        FORM, b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n' + b"X: y\r\n" * 9 + b"\r\na\r\n--b--", 400,
    ),
    "no boundary": ("multipart/form-data", b"--b\r\n", 400),
    "another boundary": ("multipart/form-data; boundary=c", b"--b\r\n", 400),
    "a boundary of 8 KB": (f"multipart/form-data; boundary={'b' * 8192}", b"--b\r\n", 400),
    "a boundary of 1 MB": (f"multipart/form-data; boundary={'b' * (1 << 20)}", b"", 431),
}  # fmt: skip


async def test_bodies_that_cost_more_than_they_say_or_say_two_things_are_refused(ann: Person) -> None:
    wrong = {}
    for case, (content_type, body, status) in BODIES.items():
        async with peer_of(port_of(ann)) as peer:
            head = f"POST {TASKS} HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            sending = asyncio.create_task(peer.send(head.encode() + HOST + authorized(ann) + b"\r\n" + body))
            got = await status_of(peer)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if got != status:
            wrong[case] = got
    assert wrong == {}
    await nothing_was_made(ann)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip", "identity, gzip"])
async def test_a_compressed_body_is_refused_before_it_is_decompressed(ann: Person, coding: str) -> None:
    bomb = gzip.compress(b'{"prompt": "' + b"a" * (50 << 20) + b'"}')
    refused = await ann.http.post(
        TASKS, content=bomb, headers={"content-type": JSON, "content-encoding": coding}
    )
    assert refused.status_code == 415
    await nothing_was_made(ann)


# --- ranges --------------------------------------------------------------------------------------------


async def test_a_thousand_ranges_cost_no_more_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(bytes(100_000))
    ranges = {
        "a thousand": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(1000)),
        "overlapping": "bytes=" + ",".join(["0-"] * 1000),
        "commas": "bytes=" + "," * 20_000,
        "spaces": "bytes=" + " " * 20_000 + "0-1",
        "digits": "bytes=" + "9" * 20_000 + "-",
    }

    async def content(call: Call) -> Response:
        return file_response(call.request, file, "video/mp4", "0" * 64, None)

    row = Endpoint(method="GET", path="/file", handler=content, summary="", access=Access.PUBLIC, tag="t")
    async with client_of(application([row])) as client:
        for case, asked in ranges.items():
            spent = []
            for _ in range(3):
                before = time.process_time()
                answer = await client.get("/file", headers={"range": asked})
                spent.append(time.process_time() - before)
            assert (answer.status_code, len(answer.content)) in ((200, 100_000), (206, 2)), case
            assert min(spent) < 0.05, case


# --- what is said of it --------------------------------------------------------------------------------


async def test_what_goes_wrong_is_logged_with_the_id_that_its_sender_was_told(
    ann: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str | None] = []

    async def broken(*_: object) -> None:
        heard.append(current_request())
        raise RuntimeError("the reason")

    monkeypatch.setattr(ann.gateway.accounts, "by_bearer", broken)
    answer = await ann.get(TASKS)
    assert answer.status_code == 500
    assert heard == [answer.headers["x-request-id"]] == [answer.json()["error"]["requestId"]]
    assert "the reason" in caplog.text
    assert "the reason" not in answer.text
