"""Stream tickets: a credential that may stand in an address, because it works once and for a minute."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from sora_gateway.accounts.tickets import IN_ALL, LIFETIME, PER_PERSON, StreamTickets
from sora_gateway.core.principal import Principal, Scope
from sora_gateway.errors import NotAuthenticated, Unavailable
from tests.fakes import CountingEntropy
from tests.http_calls import StillClock
from tests.running import Person, person, running, settings_for
from tests.stores import ADA, BEN
from tests.team import client


async def as_before(principal: Principal) -> Principal | None:
    return principal


def tickets(clock: StillClock | None = None) -> StreamTickets:
    return StreamTickets(clock or StillClock(), CountingEntropy(), as_before)


async def test_a_ticket_works_once() -> None:
    box = tickets()
    ticket = box.mint(ADA)
    assert await box.redeem(ticket.text) == ADA
    for text in (ticket.text, "", "never one"):
        with pytest.raises(NotAuthenticated):
            await box.redeem(text)


async def test_a_ticket_works_for_a_minute() -> None:
    clock = StillClock()
    box = tickets(clock)
    first, second = box.mint(ADA), box.mint(ADA)
    assert first.expires_at == clock.now() + LIFETIME
    clock.time += LIFETIME - 0.001
    assert await box.redeem(first.text) == ADA
    clock.time += 0.001
    with pytest.raises(NotAuthenticated):
        await box.redeem(second.text)


async def test_a_ticket_is_worth_what_its_credential_is_worth_when_it_is_used() -> None:
    today: Principal | None = replace(ADA, role="viewer")

    async def renewed(principal: Principal) -> Principal | None:
        return today

    box = StreamTickets(StillClock(), CountingEntropy(), renewed)
    assert await box.redeem(box.mint(ADA).text) == today
    ticket, today = box.mint(ADA), None
    with pytest.raises(NotAuthenticated):
        await box.redeem(ticket.text)


async def test_one_more_than_a_person_may_have_ends_their_oldest_and_nobody_elses() -> None:
    box = tickets()
    other = box.mint(BEN)
    mine = [box.mint(ADA) for _ in range(PER_PERSON + 1)]
    with pytest.raises(NotAuthenticated):
        await box.redeem(mine[0].text)
    for ticket in mine[1:]:
        assert await box.redeem(ticket.text) == ADA
    assert await box.redeem(other.text) == BEN


async def test_there_is_an_end_to_everybodys_until_some_have_expired() -> None:
    clock = StillClock()
    box = tickets(clock)
    for number in range(IN_ALL):
        box.mint(replace(ADA, user_id=f"user_{number}"))
    with pytest.raises(Unavailable):
        box.mint(BEN)
    # Who has as many as they may replaces one of their own.
    clock.time += LIFETIME
    assert await box.redeem(box.mint(BEN).text) == BEN


# --- over sockets ------------------------------------------------------------------------------------


@asynccontextmanager
async def ann_at(directory: Path) -> AsyncIterator[Person]:
    async with running(settings_for(directory)) as gateway, person(gateway) as ann:
        yield ann


async def minted(ann: Person) -> str:
    answer = await ann.http.post("/api/stream-tickets")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


def socket(ann: Person, ticket: str) -> connect:
    address = ann.gateway.address.replace("http", "ws")
    return connect(f"{address}/ws?ticket={ticket}", proxy=None)


async def first_of(connection: ClientConnection) -> str:
    return str(json.loads(await connection.recv())["type"])


async def test_a_ticket_opens_one_socket(tmp_path: Path) -> None:
    async with ann_at(tmp_path) as ann:
        ticket = await minted(ann)
        async with socket(ann, ticket) as live:
            assert await first_of(live) == "ready"
            await live.send('{"type": "subscribe", "all": true}')
            assert await first_of(live) == "subscribed"
            for bad in (ticket, "", "nonsense", ann.key):
                with pytest.raises(InvalidStatus) as refused:
                    await socket(ann, bad)
                assert refused.value.response.status_code == 401, bad


async def test_a_ticket_opens_one_event_stream(tmp_path: Path) -> None:
    async with ann_at(tmp_path) as ann, client(ann.gateway) as nobody:
        task = await ann.make()
        for path in (f"/api/video/tasks/{task['videoId']}/stream", "/api/events/stream"):
            address = f"{path}?ticket={await minted(ann)}"
            assert "event: subscribed" in await beginning(nobody, address)
            again = await nobody.get(address)
            assert (again.status_code, again.json()["error"]["code"]) == (401, "not_authenticated")
            # A bad ticket is not made good by a credential beside it: what was meant is not guessed.
            assert (await ann.get(address)).status_code == 401


async def beginning(http: httpx.AsyncClient, address: str) -> str:
    heard = ""
    async with http.stream("GET", address) as stream:
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            heard += line + "\n"
            if line.startswith("data:"):
                break
    return heard


async def test_nothing_but_a_stream_takes_a_ticket(tmp_path: Path) -> None:
    async with ann_at(tmp_path) as ann, client(ann.gateway) as nobody:
        task = await ann.make()
        ticket = await minted(ann)
        for path in ("/api/video/tasks", f"/api/video/tasks/{task['videoId']}", "/v1/videos", "/api/auth/me"):
            assert (await nobody.get(f"{path}?ticket={ticket}")).status_code == 401, path
        assert (
            await nobody.get("/api/auth/me", headers={"Authorization": f"Bearer {ticket}"})
        ).status_code == 401
        async with socket(ann, ticket) as live:
            assert await first_of(live) == "ready"


async def test_a_ticket_shows_no_more_than_its_makers_rights(tmp_path: Path) -> None:
    async with ann_at(tmp_path) as ann, person(ann.gateway, "bob") as bob:
        task = await ann.make()
        async with client(ann.gateway) as nobody:
            path = f"/api/video/tasks/{task['videoId']}/stream?ticket={await minted(bob)}"
            assert (await nobody.get(path)).status_code == 404
            accounts = ann.gateway.accounts
            text, _ = await accounts.create_key("user_ann", "writer", frozenset({Scope.WRITE}))
            refused = await nobody.post("/api/stream-tickets", headers={"Authorization": f"Bearer {text}"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_missing")


async def test_a_ticket_of_a_key_that_was_revoked_since_opens_nothing(tmp_path: Path) -> None:
    async with ann_at(tmp_path) as ann:
        ticket = await minted(ann)
        (key,) = await ann.gateway.accounts.keys("user_ann")
        await ann.http.delete(f"/api/keys/{key.id}")
        with pytest.raises(InvalidStatus) as refused:
            await socket(ann, ticket)
        assert refused.value.response.status_code == 401
