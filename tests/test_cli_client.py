"""The command line as a client: against servers whose every byte is scripted."""

from __future__ import annotations

import asyncio
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.cli.client import Answered, Client, Message, Unreachable, parse_stream
from sora_gateway.cli.follow import follow
from sora_gateway.cli.form import Form
from sora_gateway.errors import StartupError
from sora_gateway.http.forms import read_multipart
from sora_gateway.http.uploads import Upload
from tests.raw_server import Received, Wire, always, answer, serving_raw
from tests.running import person, running, settings_for

EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
TASK = {
    "videoId": "video_1", "status": "queued", "stage": "queued", "progress": 0.0, "progressEstimated": False, "note": "",
    "error": None, "seq": 1, "createdAt": "2026-11-22T10:00:00.000Z",
}  # fmt: skip


def is_text(text: str) -> bool:
    """Without halves of surrogate pairs, which no encoding has."""
    return text.encode(errors="ignore").decode() == text


def event(cursor: str, seq: int, **changed: Any) -> bytes:
    data = TASK | {"type": "update", "step": "progress", "message": f"News {seq}.", "seq": seq} | changed
    return f"id: {cursor}\nevent: update\ndata: {json.dumps(data)}\n\n".encode()


async def test_an_answer_is_decoded_and_the_key_goes_along() -> None:
    async with serving_raw(always(answer(200, {"fine": True}))) as server:
        got = await asyncio.to_thread(Client(server.url, "sgw_1").request, "POST", "api/x", {"a": "ü"})
    assert got == {"fine": True}
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/api/x")
    assert request.headers["authorization"] == "Bearer sgw_1"
    assert request.json == {"a": "ü"}


async def test_a_gateway_below_a_path_is_found_there() -> None:
    async with serving_raw(always(answer(200, {}))) as server:
        await asyncio.to_thread(Client(f"{server.url}/sora/", "k").request, "GET", "api/x")
    assert server.requests[0].target == "/sora/api/x"


async def test_an_error_comes_with_its_code_and_sentence() -> None:
    body: dict[str, object] = {"error": {"code": "model_not_found", "message": "No such model."}}
    async with serving_raw(always(answer(400, body))) as server:
        with pytest.raises(Answered, match="No such model") as caught:
            await asyncio.to_thread(Client(server.url, "k").request, "GET", "api/x")
    assert (caught.value.code, caught.value.http_status) == ("model_not_found", 400)


@given(
    st.dictionaries(st.text("abc", min_size=1), st.text().filter(is_text), max_size=3),
    st.text(min_size=1).filter(is_text),
    st.binary(),
)
def test_a_form_is_read_as_it_was_meant(fields: dict[str, str], file_name: str, data: bytes) -> None:
    form = Form(fields, "file", file_name, data, boundary="form_1")
    *texts, (name, file) = read_multipart(form.content_type, form.encoded())
    assert (dict(texts), name) == (fields, "file")
    assert isinstance(file, Upload)
    assert file.data == data


def test_every_form_has_a_boundary_that_no_file_has() -> None:
    assert Form({}, "file", "a", b"").boundary != Form({}, "file", "a", b"").boundary


async def test_a_file_that_is_too_large_is_refused_in_the_gateways_words(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path, server={"max_upload": 4096})) as gateway,
        person(gateway) as ann,
    ):
        client, form = Client(gateway.address, ann.key), Form({}, "file", "boat.png", bytes(20_000_000))
        with pytest.raises(Answered, match="larger than 4096 bytes") as refused:
            await asyncio.to_thread(client.request, "POST", "api/references", form)
        assert refused.value.http_status == 413


@pytest.mark.parametrize("page", [answer(404, "<html>nginx"), answer(302, b"", {"Location": "/login"})])
async def test_what_is_no_gateway_is_said_to_be_none(page: bytes) -> None:
    async with serving_raw(always(page)) as server:
        with pytest.raises(Answered, match="is no sora-gateway"):
            await asyncio.to_thread(Client(server.url, "k").request, "GET", "api/x")


@pytest.mark.parametrize(
    "bytes_sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", answer(200, b"{}")[:-1], b"garbage\r\n\r\n"]
)
async def test_a_broken_answer_leaves_open_what_happened(bytes_sent: bytes) -> None:
    async with serving_raw(always(bytes_sent)) as server:
        with pytest.raises(Unreachable):
            await asyncio.to_thread(Client(server.url, "k").request, "GET", "api/x")


@pytest.mark.parametrize("address", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(StartupError, match="is not the address of a gateway"):
        Client(address, "k")


# --- downloads ---------------------------------------------------------------------------------------


async def test_a_download_replaces_the_file_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "video.mp4"
    target.write_bytes(b"old")
    async with serving_raw(always(answer(200, b"x" * 100_000))) as server:
        await asyncio.to_thread(Client(server.url, "k").download, "file", target)
    assert target.read_bytes() == b"x" * 100_000
    assert os.listdir(tmp_path) == ["video.mp4"]


async def test_a_cut_download_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "video.mp4"
    target.write_bytes(b"old")
    async with serving_raw(always(answer(200, b"x" * 100_000)[:-1])) as server:
        with pytest.raises(Unreachable):
            await asyncio.to_thread(Client(server.url, "k").download, "file", target)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["video.mp4"]


async def test_another_server_does_not_get_the_key(tmp_path: Path) -> None:
    async with serving_raw(always(answer(200, b"film"))) as elsewhere:
        client = Client("http://127.0.0.1:1", "canary")
        await asyncio.to_thread(client.download, f"{elsewhere.url}/file", tmp_path / "video.mp4")
    assert "authorization" not in elsewhere.requests[0].headers


# --- event streams -----------------------------------------------------------------------------------


def test_a_stream_is_read_as_the_standard_says() -> None:
    lines = [
        b"retry: 1000\n", b"\n", b": comment\n", b"\n",
        b"id: e-1\r\n", b"event: update\r\n", b"data: {\"a\":\r\n", b"data:1}\r\n", b"\r\n",
        b"data: 2\n", b"\n", b"data: cut off",
    ]  # fmt: skip
    assert list(parse_stream(lines)) == [Message("e-1", {"a": 1}), Message("e-1", 2)]  # type: ignore[arg-type]


async def test_following_goes_on_where_the_stream_broke_off() -> None:
    async def handle(request: Received, wire: Wire) -> None:
        await wire.send(EVENT_STREAM)
        if "last-event-id" not in request.headers:
            await wire.send(event("e-1", 2, status="processing", progress=40.0))
        else:
            await wire.send(event("e-2", 3, status="completed", progress=100.0, message="Ready."))

    out = io.StringIO()
    async with serving_raw(handle) as server:
        end = await asyncio.to_thread(follow, Client(server.url, "k"), TASK, out)
    assert (end.status, end.progress) == ("completed", 100.0)
    assert [request.headers.get("last-event-id") for request in server.requests] == [None, "e-1"]
    assert [line.split("  ")[1] for line in out.getvalue().splitlines()] == ["Queued.", "News 2.", "Ready."]


async def test_following_outlasts_a_gateway_that_is_starting() -> None:
    async def handle(request: Received, wire: Wire) -> None:
        if len(server.requests) == 1:
            error: dict[str, object] = {"error": {"code": "unavailable", "message": "Starting."}}
            await wire.send(answer(503, error))
        else:
            await wire.send(EVENT_STREAM + event("e-2", 3, status="failed", message="No."))

    async with serving_raw(handle) as server:
        end = await asyncio.to_thread(follow, Client(server.url, "k"), TASK, io.StringIO())
    assert end.status == "failed"


async def test_following_ends_when_the_gateway_says_no() -> None:
    gone: dict[str, object] = {"error": {"code": "not_found", "message": "There is no video by that id."}}
    async with serving_raw(always(answer(404, gone))) as server:
        with pytest.raises(Answered, match="no video by that id"):
            await asyncio.to_thread(follow, Client(server.url, "k"), TASK, io.StringIO())


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


REASON = "It shows somebody who exists, and whose consent the upstream would want to see first."


@pytest.mark.parametrize("columns", ["40", "200"])
def test_on_a_narrow_terminal_the_reason_of_a_failure_is_still_told_whole(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    failed = TASK | {"status": "failed", "error": {"code": "refused", "message": REASON}}
    follow(Client("http://127.0.0.1:1", "k"), failed, out := Terminal())
    assert out.getvalue().count(REASON) == 1


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    follow(Client("http://127.0.0.1:1", "k"), TASK | {"status": "completed"}, out := Terminal())
    assert not {"\r", "\x1b"} & set(out.getvalue())


async def test_a_job_that_has_ended_is_not_followed() -> None:
    end = await asyncio.to_thread(
        follow, Client("http://127.0.0.1:1", "k"), TASK | {"status": "completed"}, io.StringIO()
    )
    assert end.final
