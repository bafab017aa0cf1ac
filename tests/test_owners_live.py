"""What is live: the WebSocket and the event streams tell everybody what they may see, now, later and of the past."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sora_gateway.app import Gateway
from sora_gateway.core.principal import Scope
from tests.belongings import ALL, House, Whose, house
from tests.callers import Caller, administrator, narrow, nobodies, others, owner
from tests.matrix import Thing
from tests.running import Json, Live
from tests.team import client, team

REFUSED = {"Ann's ended session", "Ann's key as a cookie", "a disabled administrator's session"}
"""Those whose cookie is no good are told on the socket: a page sees nothing of a refused handshake."""


def ws(gateway: Gateway, path: str = "/ws", **headers: str) -> connect:
    address = gateway.address.replace("http", "ws") + path
    return connect(address, additional_headers=headers, proxy=None)


async def everybody(all: House) -> list[Caller]:
    groups = [await group(all) for group in (owner, administrator, others, narrow)]
    return [caller for group in groups for caller in group]


@asynccontextmanager
async def live(all: House, caller: Caller) -> AsyncIterator[Live]:
    brought = await caller.bring()
    query = "".join(f"?{name}={value}" for name, value in brought.get("params", {}).items())
    async with ws(all.team.gateway, f"/ws{query}", **brought.get("headers", {})) as socket:
        greeting = json.loads(await socket.recv())
        assert greeting["type"] == "ready", greeting
        yield Live(socket)


async def refusal(all: House, caller: Caller) -> int:
    """The status of a refused handshake, or the code with which the socket is closed."""
    try:
        async with live(all, caller):
            return 0
    except InvalidStatus as refused:
        return refused.response.status_code
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else -1


def sees(all: House, caller: Caller) -> set[str]:
    """The ids of all videos of Ann's that *caller* may see."""
    whose = ALL[:2] if caller.sees_all or caller.user == "user_ann" else (Whose.TEAM,)
    return {
        target.ids[0] for (thing, each, _), target in all.kept.items() if thing is Thing.JOB and each in whose
    }


def about(message: Json) -> set[str]:
    return {message["videoId"]} if "videoId" in message else {task["videoId"] for task in message["tasks"]}


# --- who comes in ------------------------------------------------------------------------------------


async def test_a_socket_and_a_stream_open_for_who_may_look_and_for_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        for caller in await everybody(all):
            expected = 0 if Scope.READ in caller.scopes else 403
            assert await refusal(all, caller) == expected, caller.name
        video = all.kept[Thing.JOB, Whose.TEAM, "done"].ids[0]
        for caller in await nobodies(all):
            if caller.name == "a stranger":
                continue  # below: their first message has to say who they are
            expected = (
                4401 if caller.name in (REFUSED | {"who has a share link, by its token as a cookie"}) else 401
            )
            assert await refusal(all, caller) == expected, caller.name
            for path in ("/api/events/stream", f"/api/video/tasks/{video}/stream"):
                answer = await all.http.get(path, **await caller.bring())
                assert answer.status_code == 401, (caller.name, path)


async def test_a_handshake_needs_a_credential_and_a_cookie_the_right_page(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        cookie = f"sid={await all.gateway.accounts.new_session('user_ann')}"
        for origin in ("https://evil.example", "null", all.gateway.address.replace("127", "128")):
            with pytest.raises(InvalidStatus) as refused:
                await ws(all.gateway, Cookie=cookie, Origin=origin)
            assert refused.value.response.status_code == 403
            assert json.loads(refused.value.response.body)["error"]["code"] == "cross_origin"
        async with ws(all.gateway, Cookie=cookie, Origin=all.gateway.address) as page:
            assert json.loads(await page.recv())["type"] == "ready"
        # Without any credential the first message has to bring one.
        for first in ({"type": "subscribe", "all": True}, {"type": "auth", "token": all.ann.key + "x"}):
            async with ws(all.gateway) as silent:
                await silent.send(json.dumps(first))
                with pytest.raises(ConnectionClosed) as closed:
                    await silent.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4401
        async with ws(all.gateway) as socket:
            await socket.send(json.dumps({"type": "auth", "token": all.ann.key}))
            assert json.loads(await socket.recv())["type"] == "ready"


async def test_a_ticket_is_its_makers_credential_for_one_stream(tmp_path: Path) -> None:
    async with house(tmp_path) as all:
        mine, hidden = (all.kept[Thing.JOB, whose, "done"].ids[0] for whose in (Whose.TEAM, Whose.PRIVATE))
        streams = ("/ws", "/api/events/stream", f"/api/video/tasks/{mine}/stream")
        for path in streams:
            ticket = await all.ticket(all.team.bob)
            assert await _status(all, path, ticket) == 200, path
            for again in streams:
                assert await _status(all, again, ticket) == 401, (path, again)
        # It sees what Bob sees.
        async with ws(all.team.gateway, f"/ws?ticket={await all.ticket(all.team.bob)}") as socket:
            await _says(socket, type="subscribe", all=True)
            assert json.loads(await socket.recv())["type"] == "ready"
            assert about(json.loads(await socket.recv())) == {
                target.ids[0] for (_, whose, _), target in all.kept.items() if whose is Whose.TEAM
                and target.ids[0].startswith("video_")
            }  # fmt: skip
        answer = await all.http.get(
            f"/api/video/tasks/{hidden}/stream", params={"ticket": await all.ticket(all.team.bob)}
        )
        assert answer.status_code == 404


async def _status(all: House, path: str, ticket: str) -> int:
    if path == "/ws":
        try:
            async with ws(all.team.gateway, f"/ws?ticket={ticket}") as socket:
                return 200 if json.loads(await socket.recv())["type"] == "ready" else -1
        except InvalidStatus as refused:
            return refused.response.status_code
    async with all.http.stream("GET", path, params={"ticket": ticket}) as answer:
        return answer.status_code


async def _says(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


# --- what they are told ------------------------------------------------------------------------------


async def test_a_socket_tells_everybody_what_they_may_see(tmp_path: Path) -> None:
    """By each id of each video, of everything, and of what is awaited; what is hidden in the words for what is not there."""
    async with house(tmp_path) as all:
        jobs = {key: target for key, target in all.kept.items() if key[0] is Thing.JOB}
        for caller in await everybody(all):
            if Scope.READ not in caller.scopes:
                continue
            visible, told = sees(all, caller), set()
            for target in jobs.values():
                async with live(all, caller) as socket:  # each for itself, as one takes few messages a second
                    for topic, id in itertools.product(("videoId", "externalVideoId"), target.ids):
                        await socket.say(type="subscribe", **{topic: id})
                        answer = await socket.next()
                        if target.ids[0] in visible:
                            assert about(answer) == {target.ids[0]}, (caller.name, topic, id)
                        else:
                            told.add((answer["type"], answer["code"], answer["message"]))
            assert len(told) == 1, told
            async with live(all, caller) as socket:
                await socket.say(type="subscribe", all=True)
                assert about(await socket.next()) == visible, caller.name
                # To wait for an id is to wait for one's own: nothing says that somebody else's is there.
                for whose in (Whose.PRIVATE, Whose.GONE, Whose.NOBODYS):
                    (*_, id) = jobs[Thing.JOB, whose, "done"].ids
                    await socket.say(type="subscribe", externalVideoId=id, pending=True)
                    answer = await socket.next()
                    assert answer["type"] == "subscribed"
                    assert about(answer) <= visible
                    assert answer["tasks"] or jobs[Thing.JOB, whose, "done"].ids[0] not in visible


Hears = Callable[[House, Caller, str | None, asyncio.Event], Coroutine[Any, Any, list[Json]]]


@pytest.mark.parametrize("way", ["socket", "event stream"])
async def test_everybody_hears_what_happens_to_what_they_may_see(way: str, tmp_path: Path) -> None:
    """Something of Ann's that is private happens, then something that the team sees: whoever hears the second would have
    heard the first. So would whoever comes later, with the cursor of before."""
    hears: Hears = {"socket": _by_socket, "event stream": _by_stream}[way]
    async with house(tmp_path) as all:
        callers = [caller for caller in await everybody(all) if Scope.READ in caller.scopes]
        async with live(all, callers[0]) as socket:
            await socket.say(type="subscribe", all=True)
            since = (await socket.next())["cursor"]
        listening = [asyncio.Event() for _ in callers]
        hearing = [
            asyncio.create_task(hears(all, caller, None, event))
            for caller, event in zip(callers, listening, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in listening))
        hidden = await all.make(Thing.JOB, Whose.PRIVATE)
        shown = await all.make(Thing.JOB, Whose.TEAM)
        now = await asyncio.gather(*hearing)
        later = [await hears(all, caller, since, asyncio.Event()) for caller in callers]
        for caller, heard, replayed in zip(callers, now, later, strict=True):
            may = caller.sees_all or caller.user == "user_ann"
            for text in (json.dumps(heard), json.dumps(replayed)):
                assert shown.ids[0] in text
                assert [id in text for id in hidden.ids] == [may, may], caller.name
                for secret in () if may else all.secrets():
                    assert secret not in text, caller.name


def _is_over(message: Json) -> bool:
    return message.get("step") == "done" and message["visibility"] == "team"


async def _by_socket(all: House, caller: Caller, since: str | None, listening: asyncio.Event) -> list[Json]:
    """Everything up to the end of a video that the team sees."""
    async with live(all, caller) as socket, asyncio.timeout(20):
        await socket.say(type="subscribe", all=True, **({"since": since} if since else {}))
        heard = [await socket.next()]
        assert heard[0]["type"] == "subscribed"
        assert about(heard[0]) >= sees(all, caller), "the snapshot"
        listening.set()
        while not _is_over(heard[-1]):
            heard.append(await socket.next())
        return heard[1:]


async def _by_stream(all: House, caller: Caller, since: str | None, listening: asyncio.Event) -> list[Json]:
    """The same of ``/api/events/stream``; the cursor as a browser sends it that comes back."""
    brought = await caller.bring()
    headers = brought.get("headers", {}) | ({"Last-Event-ID": since} if since else {})
    heard: list[Json] = []
    async with (
        client(all.team.gateway) as http,
        asyncio.timeout(20),
        http.stream("GET", "/api/events/stream", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                heard.append(json.loads(line.removeprefix("data: ")))
                listening.set()
                if _is_over(heard[-1]):
                    break
    assert about(heard[0]) >= sees(all, caller), "the snapshot"
    return heard[1:]


async def test_the_stream_of_one_video_tells_of_that_video_to_whom_it_is_shown(tmp_path: Path) -> None:
    """Whatever cursor they bring: the past of what they may not see is not there either."""
    async with house(tmp_path) as all:
        for caller in await everybody(all):
            if Scope.READ not in caller.scopes:
                continue
            for whose in ALL:
                target = all.kept[Thing.JOB, whose, "done"]
                for id in target.ids:
                    for since in ("", "?since=nonsense", f"?since={all.team.gateway.hub.epoch}-0"):
                        answer = await all.http.get(
                            f"/api/video/tasks/{id}/stream{since}", **await caller.bring()
                        )
                        may = target.ids[0] in sees(all, caller)
                        assert answer.status_code == (200 if may else 404), (caller.name, whose, since)
                        told = [
                            json.loads(line[6:]) for line in answer.text.splitlines() if line[:6] == "data: "
                        ]
                        ids = {id for message in told if message["type"] != "reset" for id in about(message)}
                        assert ids == ({target.ids[0]} if may else set())
