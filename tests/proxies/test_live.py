"""Live updates through each proxy: at once, in order, for longer than it waits for a sign of life, and over a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sora_gateway.client import GatewayClient
from sora_gateway.client.values import Pace, Update
from tests.proxies.conftest import HEARTBEAT, PLACES, House, Site, Street
from tests.proxies.recipes import RECIPES

AT_ONCE = 3.0
"""Seconds: far more than a busy machine needs, far less than a proxy that collects a buffer would take."""
IDLE = 3.0
"""Seconds that proxies wait for a sign of life where that is tried: a busy machine may be late with those of 0.5 s."""


async def order(site: Site, program: httpx.AsyncClient, prompt: str = "a boat") -> str:
    made = await program.post("/api/video/tasks", json={"prompt": prompt})
    assert made.status_code == 202, made.text
    return str(made.json()["videoId"])


async def lines_of(stream: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in stream.aiter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


async def heard(socket: ClientConnection, **wanted: Any) -> dict[str, Any]:
    """The next message that has what is *wanted*."""
    while True:
        message = dict(json.loads(await socket.recv()))
        if wanted.items() <= message.items():
            return message


# --- at once and in order ----------------------------------------------------------------------------


async def test_each_event_of_a_stream_is_here_before_the_next_is_made(site: Site) -> None:
    """Also for a browser that would take compressed answers."""
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, br, zstd"}
    async with site.ann() as ann, ann.stream("GET", "/api/events/stream", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in stream.headers
        events = lines_of(stream)
        assert (await anext(events))["type"] == "subscribed"
        for _ in range(3):
            video = await order(site, ann, "[[fault:never]] a boat")
            async with asyncio.timeout(AT_ONCE):
                while (await anext(events)).get("videoId") != video:
                    pass
            await ann.post(f"/api/video/tasks/{video}/cancel")


async def test_a_websocket_tells_every_change_once_and_in_order(site: Site) -> None:
    async with site.ann() as ann, site.socket() as socket:
        await heard(socket, type="ready")
        video = await order(site, ann)
        await socket.send(json.dumps({"type": "subscribe", "videoId": video}))
        found = (await heard(socket, type="subscribed"))["tasks"][0]
        seen = [found["seq"]]
        while found["status"] != "completed":
            found = await heard(socket, type="update", videoId=video)
            seen.append(found["seq"])
    assert seen == sorted(set(seen))
    assert found["assets"]["videoUrl"].startswith("/api/video/tasks/")


async def test_what_is_said_in_a_close_arrives(site: Site) -> None:
    async with site.socket(headers={}) as socket:
        await socket.send('{"type": "subscribe", "all": true}')
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_who_goes_away_is_not_followed_any_more(site: Site) -> None:
    """Otherwise a stream would take one of a person's places at the gateway for half an hour."""
    async with site.bob() as bob:

        async def everywhere() -> None:
            """Takes all of Bob's places, as soon as he has them, and leaves."""
            taken = 0
            request = bob.build_request("GET", "/api/events/stream")
            async with asyncio.timeout(10), AsyncExitStack() as places:
                while taken < PLACES:
                    stream = await bob.send(request, stream=True)
                    if stream.status_code == 200:
                        places.push_async_callback(stream.aclose)
                        taken += 1
                    else:  # A proxy may notice only with the next sign of life that nobody is there any more.
                        await stream.aclose()
                        await asyncio.sleep(0.05)
                assert (await bob.send(request)).status_code == 429

        await everywhere()
        await everywhere()


# --- for long ----------------------------------------------------------------------------------------


async def test_a_quiet_connection_outlives_the_proxys_patience(street: Street, house: House) -> None:
    """Nothing happens for longer than a proxy waits; the gateway's signs of life are all that it hears. Caddy waits for
    ever."""

    async def watched(site: Site) -> str:
        async with (
            site.ann() as ann,
            site.socket() as socket,
            ann.stream("GET", "/api/events/stream") as stream,
        ):
            events = lines_of(stream)
            await anext(events)
            await heard(socket, type="ready")
            await socket.send('{"type": "subscribe", "all": true}')
            await heard(socket, type="subscribed")
            await asyncio.sleep(1.3 * IDLE)
            await socket.send('{"type": "ping"}')
            await heard(socket, type="pong")
            return str((await anext(events))["type"])

    assert HEARTBEAT < IDLE
    quiet = [
        asyncio.create_task(watched(street.site(kind, house, f"{IDLE:g}s"))) for kind in ("nginx", "haproxy")
    ]
    await asyncio.sleep(1.5 * IDLE)
    async with street.site("nginx", house).ann() as ann:
        await order(street.site("nginx", house), ann)
    assert await asyncio.gather(*quiet) == ["update", "update"]


# --- over a restart ----------------------------------------------------------------------------------


async def test_a_restart_is_told_and_everybody_comes_back_by_themselves(
    street: Street, house: House, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the client library trusts, as an operator with an authority of their own would say it.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sites = [street.site(kind, house) for kind in RECIPES]
    async with sites[0].ann() as ann:
        video = await order(sites[0], ann, "[[fault:duration=4]] a boat")
    following = [asyncio.create_task(followed(site, video)) for site in sites]
    sockets = [await site.socket() for site in sites]
    for socket in sockets:
        await heard(socket, type="ready")
    house.program.begin_to_end()
    for socket in sockets:
        with pytest.raises(ConnectionClosed) as closed:
            await heard(socket, type="nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert await asyncio.to_thread(house.program.ended) == 0
    meanwhile = [asyncio.create_task(status_of(site)) for site in sites]
    # HAProxy keeps trying for three seconds, which may be long enough.
    assert await asyncio.gather(*meanwhile[:2]) == [502, 502]
    await asyncio.to_thread(house.program.start)
    assert await meanwhile[2] in (200, 503)
    for updates in await asyncio.gather(*following):
        assert updates[-1].status == "completed"
        seen = [update.seq for update in updates]
        assert seen == sorted(set(seen))


async def status_of(site: Site) -> int:
    async with site.visitor() as visitor:
        return (await visitor.get("/health")).status_code


async def followed(site: Site, video: str) -> list[Update]:
    """To the end, with the client library."""
    pace = Pace(first_delay=0.2, last_delay=0.5, restart_delay=0.5)
    async with GatewayClient(site.address, site.house.key, pace=pace) as client:
        return [update async for update in client.watch(video_id=video)]
