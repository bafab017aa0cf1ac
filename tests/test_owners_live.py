"""What is mine is mine on everything that is live: the WebSocket and the event streams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sora_gateway.app import Gateway
from tests.team import SECRET, team


def ws(gateway: Gateway, **headers: str) -> connect:
    address = gateway.address.replace("http", "ws") + "/ws"
    return connect(address, additional_headers=headers, proxy=None)


async def session_of(gateway: Gateway, email: str) -> str:
    _, token = await gateway.accounts.redeem(await gateway.accounts.new_login_link(email))
    return token


async def test_a_handshake_needs_a_credential_and_a_cookie_the_right_page(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for key in ("sk-nonsense", all.ann.key + "x"):
            with pytest.raises(InvalidStatus) as refused:
                await ws(all.gateway, Authorization=f"Bearer {key}")
            assert refused.value.response.status_code == 401
        cookie = f"sid={await session_of(all.gateway, 'ann@example.org')}"
        for origin in ("https://evil.example", "null", all.gateway.address.replace("127", "128")):
            with pytest.raises(InvalidStatus) as refused:
                await ws(all.gateway, Cookie=cookie, Origin=origin)
            assert refused.value.response.status_code == 403
            assert json.loads(refused.value.response.body)["error"]["code"] == "cross_origin"
        async with ws(all.gateway, Cookie=cookie, Origin=all.gateway.address) as page:
            assert json.loads(await page.recv())["type"] == "ready"
        # Without any credential the first message has to bring one.
        async with ws(all.gateway) as silent:
            await silent.send('{"type": "subscribe", "all": true}')
            with pytest.raises(ConnectionClosed) as closed:
                await silent.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401


async def test_a_socket_tells_nobody_of_another_persons_video(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for who in (all.bob, all.vic):
            async with who.live() as live:
                await live.say(type="subscribe", all=True)
                assert (await live.next())["tasks"] == []
                video = await all.video("ended")
                for topic in ("videoId", "externalVideoId"):
                    await live.say(type="subscribe", **{topic: video[topic]})
                    # The next message: nothing was said of anything that happened to it.
                    answer = await live.next()
                    assert (answer["type"], answer["code"]) == ("error", "not_found")
        async with all.root.live() as live:
            await live.say(type="subscribe", externalVideoId=video["externalVideoId"])
            assert (await live.next())["tasks"][0]["prompt"] == SECRET


async def test_an_event_stream_tells_nobody_of_another_persons_video(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        for who, sees in ((all.bob, False), (all.vic, False), (all.root, True)):
            async with who.http.stream("GET", "/api/events/stream") as response:
                assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
                video, heard, beats = None, "", 0
                async for line in response.aiter_lines():
                    heard += line
                    beats += line == ": still here"
                    video = video or await all.video("ended")
                    if beats == 3 or (sees and '"step":"cancelled"' in heard and video["videoId"] in heard):
                        break
                assert video is not None
                assert (video["videoId"] in heard) == sees
