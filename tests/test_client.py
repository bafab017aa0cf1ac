"""The Python client over HTTP: orders, answers, files; against servers whose every byte is scripted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sora_gateway.client import Answered, GatewayClient, Pace, Unreachable
from sora_gateway.entropy import SystemEntropy
from tests.raw_server import Received, Wire, always, answer, serving_raw
from tests.running import person, running, settings_for

TASK: dict[str, object] = {
    "videoId": "video_1", "externalVideoId": None, "status": "queued", "stage": "queued", "progress": 0.0, "note": "",
    "error": None, "seq": 1, "videoUrl": None, "createdAt": "2026-11-22T10:00:00.000Z",
}  # fmt: skip
SOON = Pace(first_delay=0.01)


def client_of(url: str) -> GatewayClient:
    return GatewayClient(url, "sgw_1", pace=SOON)


async def test_an_order_is_sent_with_the_key_and_what_is_answered_has_a_type() -> None:
    async with serving_raw(always(answer(202, TASK))) as server, client_of(server.url) as client:
        task = await client.generate("ein Boot, grün", seconds=4)
    assert (task.video_id, task.status, task.raw["note"]) == ("video_1", "queued", "")
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/api/video/tasks")
    assert request.headers["authorization"] == "Bearer sgw_1"
    assert request.json == {"prompt": "ein Boot, grün", "seconds": 4}


async def test_a_gateway_below_a_path_is_found_there() -> None:
    async with serving_raw(always(answer(200, TASK))) as server, client_of(f"{server.url}/sora/") as client:
        await client.get("a/b")
    assert server.requests[0].target == "/sora/api/video/tasks/a%2Fb"


async def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_key() -> None:
    lost = iter([b"", answer(502, "<html>"), answer(202, TASK)[:-1], answer(202, TASK)])

    async def handle(_: Received, wire: Wire) -> None:
        await wire.send(next(lost))

    async with serving_raw(handle) as server, client_of(server.url) as client:
        assert (await client.generate("a boat")).video_id == "video_1"
        keys = {request.headers["idempotency-key"] for request in server.requests}
        assert (len(server.requests), len(keys)) == (4, 1)


async def test_every_order_has_a_key_of_its_own_or_the_one_that_is_given() -> None:
    async with serving_raw(always(answer(202, TASK))) as server, client_of(server.url) as client:
        for key in (None, None, "boat-1"):
            await client.generate("a boat", idempotency_key=key)
    first, second, third = (request.headers["idempotency-key"] for request in server.requests)
    assert first != second
    assert third == "boat-1"


async def test_an_order_that_is_refused_is_not_sent_again() -> None:
    body: dict[str, object] = {"error": {"code": "model_not_found", "message": "No such model."}}
    async with serving_raw(always(answer(400, body))) as server, client_of(server.url) as client:
        with pytest.raises(Answered, match="No such model") as caught:
            await client.generate("a boat")
    assert (caught.value.code, caught.value.http_status, len(server.requests)) == ("model_not_found", 400, 1)


@pytest.mark.parametrize("page", [answer(404, "<html>nginx"), answer(302, b"", {"Location": "/login"})])
async def test_what_is_no_gateway_is_said_to_be_none(page: bytes) -> None:
    async with serving_raw(always(page)) as server, client_of(server.url) as client:
        with pytest.raises(Answered, match="is no sora-gateway"):
            await client.get("video_1")


@pytest.mark.parametrize(
    "bytes_sent",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", answer(200, b"{}")[:-1], b"garbage\r\n\r\n", answer(200, b"<")],
)
async def test_a_broken_answer_leaves_open_what_happened(bytes_sent: bytes) -> None:
    async with serving_raw(always(bytes_sent)) as server, client_of(server.url) as client:
        with pytest.raises(Unreachable):
            await client.get("video_1")


async def test_a_gateway_that_is_not_there_is_unreachable() -> None:
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable, match="no connection could be made"):
            await client.generate("a boat")


@pytest.mark.parametrize("address", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a gateway"):
        GatewayClient(address, "k")


async def test_exactly_one_thing_is_followed() -> None:
    async with client_of("http://127.0.0.1:1") as client:
        for wrong in ({}, {"video_id": "a", "all": True}):
            with pytest.raises(ValueError, match="exactly one"):
                client.watch(**wrong)  # type: ignore[arg-type]


# --- files ---------------------------------------------------------------------------------------------


async def test_a_download_replaces_the_file_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "video.mp4"
    target.write_bytes(b"old")
    async with serving_raw(always(answer(200, b"x" * 100_000))) as server, client_of(server.url) as client:
        assert await client.download("video_1", target, variant="thumbnail") == target
    assert server.requests[0].target == "/api/video/tasks/video_1/content?variant=thumbnail"
    assert target.read_bytes() == b"x" * 100_000
    assert os.listdir(tmp_path) == ["video.mp4"]


async def test_a_cut_download_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "video.mp4"
    target.write_bytes(b"old")
    async with (
        serving_raw(always(answer(200, b"x" * 100_000)[:-1])) as server,
        client_of(server.url) as client,
    ):
        with pytest.raises(Unreachable):
            await client.download("video_1", target)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["video.mp4"]


# --- a whole gateway -----------------------------------------------------------------------------------


async def test_from_the_prompt_to_the_file(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path / "data")) as gateway,
        person(gateway) as ann,
        GatewayClient(gateway.address, ann.key) as client,
    ):
        task = await client.generate("a paper boat", seconds=4)
        updates = [update async for update in client.watch(video_id=task.video_id)]
        assert (updates[-1].status, updates[-1].final) == ("completed", True)
        assert {update.transport for update in updates} == {"websocket"}
        assert updates[-1].video_url is not None
        path = await client.download(task.video_id, tmp_path / "boat.mp4")
        assert path.read_bytes()[4:8] == b"ftyp"
        same = await client.get(updates[-1].external_video_id or "")
        assert (same.video_id, same.video_url is not None) == (task.video_id, True)
        with pytest.raises(Answered) as caught:
            await client.cancel(task.video_id)
        assert caught.value.http_status == 409
        with pytest.raises(Answered, match="no video by that id"):
            await anext(aiter(client.watch(video_id="video_none")))


async def test_one_order_is_one_video_however_often_it_is_sent(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        GatewayClient(gateway.address, ann.key) as client,
    ):
        key = SystemEntropy().new_id("order")
        first = await client.generate("a boat", idempotency_key=key)
        assert (await client.generate("a boat", idempotency_key=key)).video_id == first.video_id


# --- what it brings along ------------------------------------------------------------------------------


def test_the_client_imports_nothing_of_the_server() -> None:
    code = "import sys, sora_gateway.client; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    ours = {
        name
        for name in loaded
        if name.startswith("sora_gateway.") and not name.startswith("sora_gateway.client")
    }
    assert ours == {"sora_gateway.clock", "sora_gateway.entropy", "sora_gateway.errors"}
    heavy = {"pydantic", "starlette", "uvicorn", "sqlite3", "sqlalchemy", "PIL", "argparse", "cryptography"}
    assert not heavy & set(loaded)


def test_a_command_that_follows_nothing_does_not_load_the_client() -> None:
    code = "import sys, sora_gateway.cli; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "websockets", "asyncio"} & set(done.stdout.split())
