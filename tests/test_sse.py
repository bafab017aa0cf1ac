"""Server-sent events over real sockets: the same messages as on the WebSocket, resumable, and ended in time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.core import job as j
from sora_gateway.core.job import JobId
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.live import RealtimeLimits
from tests.fakes import ManualClock
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.listening import peer_of
from tests.live import LiveGateway, live_gateway, until
from tests.stores import ADA, BEN, EPOCH, ROOT


@pytest.fixture(params=["the server's own lines", "plain ASGI"])
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[LiveGateway]:
    async with live_gateway(tmp_path, plain=request.param == "plain ASGI") as gateway:
        yield gateway


@dataclass
class ServerSentEvent:
    id: str
    event: str
    data: dict[str, Any]


class EventSource:
    """Reads a stream as the standard says, and keeps what browsers hide: comments and the retry time."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments = 0
        self.retry: int | None = None
        self._lines = response.aiter_lines()

    async def next(self) -> ServerSentEvent | None:
        """The next event; None when the server has ended the stream."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if line.startswith(":"):
                    self.comments += 1
                elif name == "retry":
                    self.retry = int(value)
                elif line:
                    fields[name] = value
                elif fields:
                    return ServerSentEvent(fields["id"], fields["event"], json.loads(fields["data"]))
        return None

    async def rest(self) -> list[ServerSentEvent]:
        """Everything until the server ends the stream."""
        events = []
        while event := await self.next():
            events.append(event)
        return events


@asynccontextmanager
async def opened(
    gateway: LiveGateway, path: str, principal: Principal = ADA, last_event_id: str | None = None
) -> AsyncIterator[EventSource]:
    headers = {"authorization": f"Bearer {await gateway.key(principal)}"}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    async with (
        httpx.AsyncClient(trust_env=False, timeout=10) as client,
        client.stream("GET", f"http://127.0.0.1:{gateway.port}{path}", headers=headers) as response,
    ):
        yield EventSource(response)


async def test_a_jobs_stream_begins_with_the_snapshot_and_ends_after_its_final_event(
    gateway: LiveGateway,
) -> None:
    job = await accepted(gateway.store)
    async with opened(gateway, f"/api/video/tasks/{job.id}/stream") as source:
        assert source.response.status_code == 200
        first = await source.next()
        await walk(gateway.store, job, *to_processing("ext-1"), *to_completed())
        updates = await source.rest()

    assert source.response.headers["content-type"].startswith("text/event-stream")
    assert source.response.headers["cache-control"] == "no-store"
    assert source.response.headers["x-accel-buffering"] == "no"
    assert source.retry == 3000
    assert first is not None
    assert (first.event, first.id, first.data["type"]) == ("subscribed", f"{EPOCH}-1", "subscribed")
    last = updates[-1]
    assert (last.event, last.id, last.data["status"]) == ("update", f"{EPOCH}-6", "completed")
    assert last.data["cursor"] == last.id
    assert last.data["assets"]["videoUrl"]


async def test_the_stream_of_a_job_that_has_ended_is_its_snapshot(gateway: LiveGateway) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"), *to_completed())
    async with opened(gateway, f"/api/video/tasks/{job.id}/stream") as source:
        [only] = await source.rest()
    assert only.data["tasks"][0]["status"] == "completed"


async def test_a_browser_that_has_seen_the_end_is_told_not_to_come_back(gateway: LiveGateway) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"), *to_completed())
    async with opened(gateway, f"/api/video/tasks/{job.id}/stream", last_event_id=f"{EPOCH}-6") as source:
        assert source.response.status_code == 204


async def test_all_my_jobs_are_one_stream_and_only_mine(gateway: LiveGateway) -> None:
    async with (
        opened(gateway, "/api/events/stream", ADA) as mine,
        opened(gateway, "/api/events/stream", ROOT) as everybodys,
    ):
        await mine.next()
        await everybodys.next()
        await accepted(gateway.store, owner=BEN.user_id)
        job = await accepted(gateway.store)
        seen = [await everybodys.next(), await everybodys.next()]
        own = await mine.next()
    assert own is not None
    assert own.data["videoId"] == job.id
    assert own == seen[1]


@pytest.mark.parametrize("way", ["header", "query", "header wins"])
async def test_a_stream_goes_on_after_the_last_event_that_was_seen(gateway: LiveGateway, way: str) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    await walk(gateway.store, job, *to_completed())
    seen = f"{EPOCH}-3"
    path = f"/api/video/tasks/{job.id}/stream"
    if way != "header":
        path += f"?since={seen if way == 'query' else EPOCH + '-0'}"
    async with opened(gateway, path, last_event_id=None if way == "query" else seen) as source:
        first, *missed = await source.rest()
    assert (first.event, first.id) == ("subscribed", seen)
    assert [update.data["step"] for update in missed] == ["progress", "downloading", "done"]


async def test_a_job_that_ends_while_its_stream_begins_ends_the_stream(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    seen, files = gateway.committed[-1].seq, gateway.store.assets_of_many
    endings = iter([to_completed()])

    async def assets_of_many(ids: list[JobId]) -> Any:
        await walk(gateway.store, job, *next(endings, ()))
        return await files(ids)

    # After the snapshot was read, and before the head of the log is.
    monkeypatch.setattr(gateway.store, "assets_of_many", assets_of_many)
    async with opened(gateway, f"/api/video/tasks/{job.id}/stream?since={EPOCH}-{seen}") as source:
        *_, last = await source.rest()
    assert last.data["status"] == "completed"


async def test_a_last_event_id_that_cannot_be_honoured_is_answered_with_a_reset(gateway: LiveGateway) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"), *to_completed())
    async with opened(
        gateway, f"/api/video/tasks/{job.id}/stream", last_event_id="fedcba9876543210-5"
    ) as source:
        reset, snapshot = await source.rest()
    assert (reset.event, reset.data["reason"], reset.id) == ("reset", "epoch", "")
    assert (snapshot.event, snapshot.id) == ("subscribed", f"{EPOCH}-6")


async def test_a_client_that_always_comes_back_sees_every_event_in_order(gateway: LiveGateway) -> None:
    async def run_one() -> None:
        job = await accepted(gateway.store)
        await walk(gateway.store, job, *to_processing(f"ext-{job.id}"), *to_completed())

    work = asyncio.gather(*(run_one() for _ in range(20)))
    last, seen = f"{EPOCH}-0", []
    while not work.done() or int(last.split("-")[1]) < len(gateway.committed):
        async with opened(gateway, "/api/events/stream", last_event_id=last) as source:
            while (event := await source.next()) is not None:
                assert event.event != "reset"
                if event.event == "update":
                    assert int(event.id.split("-")[1]) > int(last.split("-")[1])
                    last = event.id
                    seen.append(event.data)
                if (len(seen) % 13 == 0 and event.event == "update") or len(seen) == len(gateway.committed):
                    break
    await work
    finals = {event.job_id for event in gateway.committed if event.final}
    assert len(finals) == 20
    assert {update["videoId"] for update in seen if update["status"] == "completed"} == finals


async def test_anothers_job_is_not_found(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with opened(gateway, f"/api/video/tasks/{job.id}/stream", BEN) as source:
        assert source.response.status_code == 404


async def test_a_head_request_is_answered_and_over(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.head(
            f"http://127.0.0.1:{gateway.port}/api/video/tasks/{job.id}/stream",
            headers={"authorization": f"Bearer {await gateway.key()}"},
        )
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_a_silent_stream_beats_every_fifteen_seconds_and_is_rotated_after_half_an_hour(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with live_gateway(tmp_path, clock=clock) as gateway:
        job = await accepted(gateway.store)
        async with opened(gateway, f"/api/video/tasks/{job.id}/stream") as source:
            await source.next()
            began = clock.now()
            silence = asyncio.create_task(source.rest())
            while not silence.done():
                await clock.advance(15.0)
            assert silence.result() == []
            assert 1800.0 <= clock.now() - began < 2 * 1800.0
        assert 50 < source.comments <= 120


async def test_a_revoked_key_ends_its_streams_within_half_a_minute(tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        live_gateway(tmp_path, clock=clock) as gateway,
        opened(gateway, "/api/events/stream") as source,
    ):
        await source.next()
        [key] = await gateway.accounts.keys(ADA.user_id)
        await gateway.accounts.revoke_key(ADA.user_id, key.id)
        await clock.advance(30.0)
        await accepted(gateway.store)
        assert await source.rest() == []


async def test_a_client_that_leaves_ends_its_stream_at_once(gateway: LiveGateway) -> None:
    async with opened(gateway, "/api/events/stream") as source:
        await source.next()
        assert gateway.hub.statistics().connections == 1
    await until(lambda: gateway.hub.statistics().connections == 0)
    await until(lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith("event stream")])


async def test_a_stopping_gateway_ends_every_stream(gateway: LiveGateway) -> None:
    async with opened(gateway, "/api/events/stream") as source:
        await source.next()
        await gateway.hub.close(CloseCode.RESTARTING)
        assert await source.rest() == []


async def test_a_client_that_never_reads_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = RealtimeLimits(send_timeout=0.2)
    async with live_gateway(tmp_path, limits=limits) as gateway, peer_of(gateway.port) as deaf:
        job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
        await deaf.send(
            f"GET /api/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {await gateway.key()}\r\n\r\n".encode()
        )
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: gateway.hub.statistics().connections == 1)
        number = 0
        while gateway.hub.statistics().too_slow == 0:
            number += 1
            job = await walk(gateway.store, job, j.Waiting(NOW, f"{number} " + "x" * 50_000))
        assert gateway.hub.statistics().connections == 0


async def test_a_stream_ends_the_connection_if_its_client_has_asked_for_that(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with asyncio.timeout(10), peer_of(gateway.port) as peer:
        await peer.send(await _asking(gateway, job.id, "Connection: close"))
        assert (await peer.head())[1]["connection"] == "close"
        await walk(gateway.store, job, *to_processing("ext-1"), *to_completed())
        came = await peer.until_closed()
    assert came.count(b"event: update") > 0
    assert came.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("more", [(), ("Connection: close",)], ids=["kept", "to be closed"])
async def test_a_stream_whose_request_is_never_sent_to_its_end_is_a_stream_all_the_same(
    gateway: LiveGateway, more: tuple[str, ...]
) -> None:
    job = await accepted(gateway.store)
    async with asyncio.timeout(10), peer_of(gateway.port) as peer:
        await peer.send(await _asking(gateway, job.id, "Content-Length: 10", *more) + b"half")
        assert (await peer.head())[0] == 200
        await walk(gateway.store, job, *to_processing("ext-1"), *to_completed())
        assert b"event: update" in await peer.reader.readuntil(b'"step":"done"')
        # Its place is free, whatever of the request is still to come.
        await until(lambda: gateway.hub.statistics().connections == 0)
        # With the rest of the request the response is over as well.
        await peer.send(b"of it.")
        await peer.reader.readuntil(b"\r\n0\r\n\r\n")
        if more:
            assert await peer.until_closed() == b""
        else:
            await peer.send(await _asking(gateway, job.id))
            assert (await peer.head())[0] == 200


async def _asking(gateway: LiveGateway, job_id: str, *more: str) -> bytes:
    """The request for the stream of a job, as it goes over the wire."""
    lines = [
        f"GET /api/video/tasks/{job_id}/stream HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {await gateway.key()}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()
