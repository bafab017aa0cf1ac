"""How the real process ends: told to, told twice, in the middle of a paid create; and why a second one never starts."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.killing import House, kill_house, stopping, taken
from tests.processes import EndedAtStart, Program
from tests.verdict import verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with kill_house(tmp_path_factory.mktemp("ends")) as house:
        yield house


async def ends_within(gateway: Program, seconds: float) -> int:
    """The exit code, if it comes in time."""
    before = time.monotonic()
    code = await gateway.ended(within=30)
    assert time.monotonic() - before < seconds
    return code


def cpu_of_ended_children() -> float:
    """Seconds of processor time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def test_told_to_stop_it_sends_everybody_home_and_exits_0(house: House) -> None:
    place = house.place("everybody")
    async with place.gateway() as (gateway, client):
        headers = {"Authorization": f"Bearer {place.key}"}
        socket = await connect(gateway.address.replace("http", "ws") + "/ws", additional_headers=headers)
        async with socket, client.http.stream("GET", "/api/events/stream") as events:
            lines = events.aiter_lines()
            await anext(lines)
            await socket.recv()
            gateway.process.send_signal(signal.SIGTERM)
            assert await ends_within(gateway, 5) == 0
            # The stream ends in order, not with a broken connection, and the socket says what to do.
            async for _ in lines:
                pass
            with pytest.raises(ConnectionClosed):
                async for _ in socket:
                    pass
            assert socket.close_code == 1012
        assert "Traceback" not in gateway.complaints


async def test_a_create_in_flight_is_waited_for_and_its_receipt_stored(house: House) -> None:
    place = house.place("inflight")
    async with place.gateway() as (gateway, client):
        made = await client.make("inflight [[fault:create_hang=2.5]]")
        await taken(place, "inflight")
        gateway.process.send_signal(signal.SIGTERM)
        await stopping(client.http)
        # Meanwhile nothing new is taken, and whoever asks is told when to come back; looking is allowed.
        refused = await client.http.post("/api/video/tasks", json={"prompt": "too late", "size": "720x1280"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert refused.json()["error"]["code"] == "unavailable"
        assert [task["stage"] for task in await client.tasks()] == ["submitting"]
        assert await ends_within(gateway, 5) == 0
    async with place.gateway() as (gateway, client):
        assert (await client.task_at({"completed", "unknown"}))["stage"] == "completed"
        assert await gateway.told(signal.SIGTERM) == 0
    seen = await verdict(place, "inflight", made)
    assert (seen.ends, seen.creates, seen.broken) == (["completed"], 1, [])


async def test_told_twice_it_waits_for_nobody_and_the_create_is_a_doubt(house: House) -> None:
    place = house.place("hurry")
    async with place.gateway() as (gateway, client):
        made = await client.make("hurry [[fault:create_hang=3.5]]")
        await taken(place, "hurry")
        gateway.process.send_signal(signal.SIGTERM)
        await stopping(client.http)
        gateway.process.send_signal(signal.SIGTERM)
        assert await ends_within(gateway, 2) == 0
    async with place.gateway() as (gateway, client):
        assert (await client.task_at({"completed", "unknown"}))["stage"] == "unknown"
        assert await gateway.told(signal.SIGINT) == 0
    seen = await verdict(place, "hurry", made)
    assert (seen.ends, seen.creates, seen.broken) == (["unknown"], 1, [])


@pytest.mark.measures
async def test_a_second_process_on_the_same_data_is_refused_at_once(house: House) -> None:
    place = house.place("twice")
    async with place.gateway() as (gateway, client):
        before, used = time.monotonic(), cpu_of_ended_children()
        with pytest.raises(EndedAtStart) as refused:
            async with place.gateway():
                pass
        assert refused.value.code == 1
        told = (
            f"Another sora-gateway (process {gateway.process.pid}) is using the data directory {place.data}"
        )
        assert told in refused.value.complaints
        assert "Traceback" not in refused.value.complaints
        # It works for less than a second and waits for nothing; how long that takes is up to a busy machine.
        assert cpu_of_ended_children() - used < 1.0
        assert time.monotonic() - before < 3.0
        # The first one has noticed nothing.
        assert await client.tasks() == []


async def test_what_the_last_process_left_of_its_lock_and_socket_stops_nobody(
    house: House, tmp_path: Path
) -> None:
    place = house.place("remains")
    async with place.gateway() as (gateway, client):
        await gateway.told(signal.SIGKILL)
    assert (place.data / ".lock").exists()
    assert (place.data / "control.sock").exists()
    async with place.gateway() as (gateway, client):
        assert await client.tasks() == []
        assert await gateway.told(signal.SIGTERM) == 0
