"""The Python client follows a real gateway through cut connections, restarts and blocked transports: the final state is
always reached, nothing is told twice, and nothing is left out."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sora_gateway.client import Answered, GatewayClient, Pace, Transport, Unreachable, Update, Watch
from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import EVERYTHING
from tests.between import ENDLESS, between
from tests.running import Person, person, running, settings_for

SOON = Pace(first_delay=0.01, last_delay=0.05, restart_delay=0.05, poll=0.05, tries=1_000)
"""Stays with what it began with."""
FALLING = Pace(first_delay=0.01, last_delay=0.05, restart_delay=0.05, poll=0.05, tries=2)
SLOW: dict[str, Any] = {"duration": 1.5, "sigma": 0.0}
BLOCKED: dict[Transport, dict[str, int]] = {
    "websocket": {},
    "sse": {"websocket": 403},
    "polling": {"websocket": 502, "sse": 502},
}


def port_of(address: str) -> int:
    return urlsplit(address).port or 80


async def check(updates: Sequence[Update], ann: Person, *, whole: bool = True) -> None:
    """Holds what was told against the log. *whole*: every step was told, and not only the state in the end."""
    (video_id,) = {update.video_id for update in updates}
    events = (await ann.get(f"/api/video/tasks/{video_id}/events")).json()["events"]
    seqs = [update.seq for update in updates]
    assert seqs == sorted(set(seqs)), "none twice, and in order"
    assert (updates[-1].status, updates[-1].seq) == (events[-1]["status"], events[-1]["seq"])
    if whole:
        # Progress that was not read is replaced by newer progress; the rest is told.
        steps = {event["seq"] for event in events if event["seq"] > seqs[0] and event["step"] != "progress"}
        assert steps <= set(seqs), "no gap"


@pytest.mark.parametrize("transport", BLOCKED)
async def test_what_is_cut_again_and_again_is_told_whole(tmp_path: Path, transport: Transport) -> None:
    async with (
        running(settings_for(tmp_path, simulator=SLOW)) as gateway,
        person(gateway) as ann,
        between(gateway.address) as proxy,
    ):
        proxy.blocked = BLOCKED[transport]
        # In the handshake, in the first frame, in the middle of the second, ...
        early = [40, 200, 260, 700, 1200, 1500, 1900] if transport == "websocket" else [300, 3300]
        proxy.budgets = chain(early, repeat(2300 if transport == "websocket" else 3500, 30), repeat(ENDLESS))
        pace = SOON if transport == "websocket" else FALLING
        async with GatewayClient(proxy.address, ann.key, pace=pace) as client:
            task = await client.generate("a paper boat")
            updates = [update async for update in client.watch(video_id=task.video_id)]
        await check(updates, ann, whole=updates[0].transport != "polling")
    assert proxy.cuts >= {"websocket": 4, "sse": 1, "polling": 0}[transport]


@pytest.mark.parametrize("transport", BLOCKED)
async def test_it_takes_what_gets_through_and_says_which(tmp_path: Path, transport: Transport) -> None:
    states: list[tuple[str, Transport | None]] = []
    async with (
        running(settings_for(tmp_path, simulator=SLOW)) as gateway,
        person(gateway) as ann,
        between(gateway.address) as proxy,
    ):
        proxy.blocked = BLOCKED[transport]
        async with GatewayClient(proxy.address, ann.key, pace=FALLING) as client:
            task = await client.generate("a paper boat")
            watch = client.watch(
                external_video_id=task.video_id, on_state=lambda state, how: states.append((state, how))
            )
            updates = [update async for update in watch]
            everything = client.watch(all=True)
            first = await anext(aiter(everything))
            assert (first.video_id, everything.transport) == (task.video_id, transport)
        assert {update.transport for update in updates} == {transport}
        await check(updates, ann, whole=transport != "polling")
    word = "polling" if transport == "polling" else "live"
    assert [state for state in states if state[0] != "reconnecting"] == [
        ("connecting", None),
        (word, transport),
        ("ended", None),
    ]


@pytest.mark.parametrize("transport", BLOCKED)
@pytest.mark.parametrize("restored", [False, True], ids=["same database", "another database"])
async def test_a_restart_is_outlasted(tmp_path: Path, transport: Transport, restored: bool) -> None:
    settings = settings_for(tmp_path, simulator=SLOW)
    updates: list[Update] = []
    begun = asyncio.Event()

    async def follow(client: GatewayClient, video_id: str) -> None:
        async for update in client.watch(video_id=video_id):
            updates.append(update)
            begun.set()

    async with between("http://127.0.0.1:1") as proxy, AsyncExitStack() as stack:
        proxy.blocked = BLOCKED[transport]
        async with running(settings) as gateway, person(gateway) as ann:
            proxy.target = port_of(gateway.address)
            client = await stack.enter_async_context(GatewayClient(proxy.address, ann.key, pace=FALLING))
            task = await client.generate("a paper boat")
            following = asyncio.create_task(follow(client, task.video_id))
            await begun.wait()
        if restored:
            with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
                database.execute("UPDATE meta SET value = 'fedcba9876543210' WHERE key = 'epoch'")
        async with running(settings) as gateway, person(gateway) as ann:
            proxy.target = port_of(gateway.address)
            await following
            if not restored:
                await check(updates, ann, whole=transport != "polling")
    assert updates[-1].status == "completed"


async def test_a_key_that_expires_is_renewed_without_a_gap(tmp_path: Path) -> None:
    asked = 0

    async with (
        running(settings_for(tmp_path, simulator=SLOW | {"duration": 2.5})) as gateway,
        person(gateway) as ann,
    ):
        task = await ann.make()
        soon = SystemClock().now() + 0.6
        short, _ = await gateway.accounts.create_key(ann.user_id, "short", EVERYTHING, soon)

        async def renew() -> str:
            nonlocal asked
            asked += 1
            return ann.key

        async with GatewayClient(gateway.address, short, renew=renew, pace=SOON) as client:
            updates = [update async for update in client.watch(video_id=task["videoId"])]
        assert asked == 1
        await check(updates, ann)
        async with GatewayClient(gateway.address, short, pace=SOON) as client:
            with pytest.raises(Answered) as caught:
                await anext(aiter(client.watch(all=True)))
        assert caught.value.http_status == 401


async def test_a_better_way_is_tried_again_and_taken(tmp_path: Path) -> None:
    pace = replace(FALLING, first_probe=0.1, last_probe=0.1)
    ways: list[Transport] = []
    async with (
        running(settings_for(tmp_path, simulator=SLOW)) as gateway,
        person(gateway) as ann,
        between(gateway.address) as proxy,
    ):
        proxy.blocked = dict(BLOCKED["polling"])

        def let_through(_: str, transport: Transport | None) -> None:
            if transport is not None and transport not in ways:
                ways.append(transport)
                proxy.blocked.pop({"polling": "sse"}.get(transport, "websocket"), None)

        async with GatewayClient(proxy.address, ann.key, pace=pace) as client:
            watch = client.watch(all=True, on_state=let_through)
            updates: list[Update] = []
            following = asyncio.create_task(collect(watch, updates))
            task = await client.generate("a paper boat")
            async with asyncio.timeout(20):
                while ways[-1:] != ["websocket"]:  # noqa: ASYNC110 - what is waited for sets no event
                    await asyncio.sleep(0.01)
            await ann.comes_to(task.video_id, "completed")
            # Whatever it climbed over, one more video is told from beginning to end.
            await client.generate("another boat")
            await following
    assert ways == ["polling", "sse", "websocket"]
    assert [update.seq for update in updates if update.video_id == task.video_id][-1] > 1
    assert updates[-1].transport == "websocket"


async def collect(watch: Watch, updates: list[Update]) -> None:
    """Until two videos have ended."""
    async for update in watch:
        updates.append(update)
        if len({each.video_id for each in updates if each.final}) == 2:
            return


async def test_an_upstreams_id_is_waited_for_and_everything_is_followed(tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        GatewayClient(gateway.address, ann.key, pace=SOON) as client,
    ):
        everything = client.watch(all=True)
        task = await client.generate("a paper boat")
        updates: list[Update] = []
        async for update in everything:
            updates.append(update)
            if update.final:
                break
        await check(updates, ann)
        external = updates[-1].external_video_id
        assert external is not None
        again = [update async for update in client.watch(external_video_id=external, pending=True)]
        assert [(update.video_id, update.final) for update in again] == [(task.video_id, True)]


async def test_a_gateway_that_stays_away_is_given_up_only_when_asked_to() -> None:
    async with GatewayClient("http://127.0.0.1:1", "sgw_1", pace=FALLING) as client:
        with pytest.raises(Unreachable):
            await anext(aiter(client.watch(all=True, patience=0.3)))
