"""Rights that end while a connection is open: on real sockets, within two seconds; by themselves, within their second."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sora_gateway.accounts.authenticator import SESSION_IDLE, SESSION_LIFETIME
from sora_gateway.cli.operate import operate
from sora_gateway.core.principal import EVERYTHING, Scope
from sora_gateway.errors import CloseCode
from sora_gateway.realtime import rights
from sora_gateway.realtime.connection import Connection
from tests.fakes import ManualClock
from tests.live import live_gateway, until
from tests.running import Person, person, running, settings_for
from tests.stores import ADA, BEN
from tests.team import client

SOON = 2.0
"""Seconds in which nothing may be open any more."""


class Open:
    """Everything that Ann has open: sockets by key, by cookie, by a first message and by a ticket, both kinds of event
    stream, and a long poll."""

    def __init__(self, ann: Person, stack: AsyncExitStack) -> None:
        self.ann = ann
        self.stack = stack
        self.sockets: list[ClientConnection] = []
        self.streams: list[asyncio.Task[int]] = []

    async def everything(self, key: str, ticket: str, session: str | None = None) -> Open:
        address = self.ann.gateway.address.replace("http", "ws") + "/ws"
        bearer = {"Authorization": f"Bearer {key}"}
        by_header = connect(address, additional_headers=bearer, proxy=None)
        by_ticket = connect(f"{address}?ticket={ticket}", proxy=None)
        by_message = connect(address, proxy=None)
        for opening in (by_header, by_ticket, by_message):
            self.sockets.append(await self.stack.enter_async_context(opening))
        await self.sockets[-1].send(json.dumps({"type": "auth", "token": key}))
        if session is not None:
            cookie = {"Cookie": f"sid={session}", "Origin": self.ann.gateway.address}
            by_cookie = connect(address, additional_headers=cookie, proxy=None)
            self.sockets.append(await self.stack.enter_async_context(by_cookie))
        for socket in self.sockets:
            assert json.loads(await socket.recv())["type"] == "ready"
            await socket.send('{"type": "subscribe", "all": true}')
            assert json.loads(await socket.recv())["type"] == "subscribed"
        task = await self.ann.make()
        http = await self.stack.enter_async_context(client(self.ann.gateway, key))
        begun = asyncio.Semaphore(0)
        for path in ("/api/events/stream", f"/api/video/tasks/{task['videoId']}/stream"):
            self.streams.append(asyncio.create_task(_read(http, path, begun)))
        for _ in self.streams:
            await begun.acquire()
        path = f"/v1/videos/{task['videoId']}?wait=60"
        self.streams.append(asyncio.create_task(_status(http, path)))
        await until(lambda: self.ann.gateway.hub.statistics().connections == len(self.sockets) + 3)
        return self

    async def end_soon(self, code: CloseCode) -> None:
        async with asyncio.timeout(SOON):
            for socket in self.sockets:
                assert await ended(socket) == code
            assert [await stream for stream in self.streams] == [200, 200, 401]


async def ended(socket: ClientConnection) -> int | None:
    """How it ended, once it has."""
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code


async def a_second_passes(clock: ManualClock) -> None:
    """In steps, with time for what really happens in threads and sockets between them."""
    for _ in range(10):
        await clock.advance(0.1)
        await asyncio.sleep(0.02)


async def _read(http: httpx.AsyncClient, path: str, begun: asyncio.Semaphore) -> int:
    async with http.stream("GET", path) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: subscribed"):
                begun.release()
        return stream.status_code


async def _status(http: httpx.AsyncClient, path: str) -> int:
    return (await http.get(path)).status_code


Revoke = Callable[[Person, str], Awaitable[Any]]


async def by_herself(ann: Person, key_id: str) -> None:
    await ann.gateway.accounts.revoke_key(ann.user_id, key_id)


async def by_being_disabled(ann: Person, key_id: str) -> None:
    directory = ann.gateway.store.database.parent
    await asyncio.to_thread(operate, settings_for(directory), "user.disable", email="ann@example.org")


async def on_the_command_line(ann: Person, key_id: str) -> None:
    directory = ann.gateway.store.database.parent
    await asyncio.to_thread(operate, settings_for(directory), "key.revoke", key_id=key_id)


@pytest.mark.parametrize("revoke", [by_herself, by_being_disabled, on_the_command_line])
async def test_whatever_a_revoked_key_had_opened_ends_within_two_seconds(
    revoke: Revoke, tmp_path: Path
) -> None:
    async with (
        running(settings_for(tmp_path, simulator={"duration": 600.0})) as gateway,
        person(gateway) as ann,
        person(gateway, "bob") as bob,
        AsyncExitStack() as stack,
    ):
        text, record = await gateway.accounts.create_key(ann.user_id, "laptop", EVERYTHING)
        async with client(gateway, text) as laptop:
            ticket = (await laptop.post("/api/stream-tickets")).json()["ticket"]
        opened = await Open(ann, stack).everything(text, ticket)
        async with bob.live() as his:
            await revoke(ann, record.id)
            await opened.end_soon(CloseCode.FORBIDDEN)
            # Nobody else's connection ends.
            await his.say(type="ping")
            assert (await his.next())["type"] == "pong"


async def test_signing_out_ends_the_sockets_of_that_session_and_no_others(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        accounts = gateway.accounts
        address = gateway.address.replace("http", "ws") + "/ws"
        sessions = []
        for _ in range(2):
            _, token = await accounts.redeem(await accounts.new_login_link("ann@example.org"))
            sessions.append(token)
        cookies = [{"Cookie": f"sid={token}", "Origin": gateway.address} for token in sessions]
        async with (
            connect(address, additional_headers=cookies[0], proxy=None) as first,
            connect(address, additional_headers=cookies[1], proxy=None) as second,
            ann.live() as program,
        ):
            for page in (first, second):
                assert json.loads(await page.recv())["type"] == "ready"
            async with client(gateway) as browser:
                headers = {**cookies[0], "Sec-Fetch-Site": "same-origin"}
                assert (await browser.post("/api/auth/logout", headers=headers)).status_code == 204
            async with asyncio.timeout(SOON):
                with pytest.raises(ConnectionClosed):
                    await first.recv()
            assert first.close_code == CloseCode.FORBIDDEN
            await second.send('{"type": "ping"}')
            assert json.loads(await second.recv())["type"] == "pong"
            await program.say(type="ping")
            assert (await program.next())["type"] == "pong"


async def test_another_role_begins_anew_within_two_seconds(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway, "eve", "admin"),
        person(gateway, "root", "admin") as root,
        root.live() as live,
    ):
        await live.say(type="subscribe", all=True)
        assert (await live.next())["type"] == "subscribed"
        async with person(gateway, "eve", "admin") as eve:
            changed = await eve.http.patch("/api/admin/users/user_root", json={"role": "viewer"})
            assert changed.status_code == 200, changed.text
        async with asyncio.timeout(SOON):
            with pytest.raises(ConnectionClosed):
                await live.next()
        assert live.socket.close_code == CloseCode.RESYNC


async def test_a_key_that_is_not_for_looking_follows_nothing(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        text, _ = await gateway.accounts.create_key(ann.user_id, "writer", frozenset({Scope.WRITE}))
        address = gateway.address.replace("http", "ws") + "/ws"
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, additional_headers={"Authorization": f"Bearer {text}"}, proxy=None)
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["error"]["code"] == "scope_missing"
        async with connect(address, proxy=None) as socket:
            await socket.send(json.dumps({"type": "auth", "token": text}))
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == CloseCode.FORBIDDEN
        async with ann.live() as live:
            await live.say(type="auth", token=text)
            with pytest.raises(ConnectionClosed):
                await live.next()
            assert live.socket.close_code == CloseCode.FORBIDDEN
        async with client(gateway, text) as writer:
            for path in ("/api/events/stream", "/api/video/tasks/video_none/stream"):
                assert (await writer.get(path)).status_code == 403


# --- by a clock that is moved ------------------------------------------------------------------------


async def test_a_key_that_expires_ends_its_connections_within_its_second(tmp_path: Path) -> None:
    clock = ManualClock()
    async with live_gateway(tmp_path, clock=clock) as gateway:
        accounts, ends = gateway.accounts, clock.now() + 100.5
        text, _ = await accounts.create_key(ADA.user_id, "for a while", expires_at=ends)
        async with gateway.handshake(authorization=f"Bearer {text}") as short, gateway.socket(BEN) as ben:
            assert json.loads(await short.recv())["type"] == "ready"
            await clock.advance(100.4)
            await short.send('{"type": "ping"}')
            assert json.loads(await short.recv())["type"] == "pong"
            await a_second_passes(clock)
            async with asyncio.timeout(SOON):
                assert await ended(short) == CloseCode.EXPIRED
            await ben.silence()


async def test_a_credential_that_was_renewed_ends_within_its_own_second(tmp_path: Path) -> None:
    clock = ManualClock()
    async with live_gateway(tmp_path, clock=clock) as gateway:
        ends = clock.now() + 5.5
        text, _ = await gateway.accounts.create_key(ADA.user_id, "for a moment", expires_at=ends)
        async with gateway.socket() as socket:
            assert (await socket.ask(type="auth", token=text))["type"] == "ready"
            await clock.advance(5.4)
            await socket.silence()
            await a_second_passes(clock)
            assert await socket.close_code() == CloseCode.EXPIRED


async def test_a_connection_that_is_over_is_kept_by_nobody(tmp_path: Path) -> None:
    """Also not by the list of credentials that are looked at later."""
    async with live_gateway(tmp_path) as gateway, gateway.socket(BEN):
        async with gateway.socket(), gateway.socket():
            assert _connections() == 3
        await until(lambda: gateway.hub.statistics().connections == 1)
        await until(lambda: _connections() == 1)


def _connections() -> int:
    gc.collect()
    return sum(isinstance(each, Connection) for each in gc.get_objects())


async def test_a_session_that_rests_too_long_has_expired_and_one_that_is_used_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its end does not wait for the look every half minute, of which a week has twenty thousand.
    monkeypatch.setattr(rights, "RECHECK", 3600.0)
    clock = ManualClock()
    async with live_gateway(tmp_path, clock=clock, allowed_origin="https://gateway.test") as gateway:
        used, resting = await gateway.session(ADA), await gateway.session(ADA)
        pages = [{"cookie": f"sid={token}", "origin": "https://gateway.test"} for token in (used, resting)]
        async with gateway.handshake(**pages[0]) as busy, gateway.handshake(**pages[1]) as idle:
            for page in (busy, idle):
                assert json.loads(await page.recv())["type"] == "ready"
            await clock.advance(SESSION_IDLE / 2)
            assert await gateway.accounts.by_session(used) is not None
            await gateway.accounts.close()
            await clock.advance(SESSION_IDLE / 2 - 0.1)
            await idle.send('{"type": "ping"}')
            assert json.loads(await idle.recv())["type"] == "pong"
            await a_second_passes(clock)
            async with asyncio.timeout(SOON):
                assert await ended(idle) == CloseCode.EXPIRED
            await busy.send('{"type": "ping"}')
            assert json.loads(await busy.recv())["type"] == "pong"
    assert SESSION_LIFETIME > SESSION_IDLE


async def test_a_credential_that_is_revoked_during_the_handshake_is_noticed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub did not know of the connection yet, so nobody could tell it."""
    async with live_gateway(tmp_path) as gateway:
        accounts = gateway.accounts
        text, record = await accounts.create_key(ADA.user_id, "laptop")
        look = accounts.by_bearer

        async def look_too_early(token: str) -> Any:
            principal = await look(token)
            await accounts.revoke_key(ADA.user_id, record.id)
            return principal

        monkeypatch.setattr(accounts, "by_bearer", look_too_early)
        async with gateway.handshake(authorization=f"Bearer {text}") as socket:
            async with asyncio.timeout(SOON):
                assert await ended(socket) == CloseCode.FORBIDDEN


async def test_who_takes_nothing_is_looked_at_all_the_same(tmp_path: Path) -> None:
    """The hub's part: a doubt wakes the guard, whatever the one who writes is waiting for."""
    async with live_gateway(tmp_path) as gateway:
        with gateway.hub.connect(ADA) as hers, gateway.hub.connect(BEN) as his:
            gateway.hub.recheck(ADA.user_id)
            assert hers.doubted
            assert not his.doubted
