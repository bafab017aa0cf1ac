"""How many live connections there may be: in all, of one person, from one address; over real sockets, and by the count."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.errors import CloseCode, LiveLimit
from sora_gateway.realtime.doors import Doors, Most, Pass
from sora_gateway.realtime.live import RealtimeLimits
from tests.jobs import accepted, to_completed, to_processing, walk
from tests.live import LiveGateway, Watcher, live_gateway, until
from tests.stores import ADA, BEN, EPOCH, ROOT

LIMITS = {
    "in all": RealtimeLimits(connections=2),
    "of one person": RealtimeLimits(per_person=2),
    "from one address": RealtimeLimits(per_address=2),
}


@pytest.fixture(params=["the server's own lines", "plain ASGI"])
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[LiveGateway]:
    limits = RealtimeLimits(per_address=2, auth_timeout=0.3)
    async with live_gateway(tmp_path, limits=limits, plain=request.param == "plain ASGI") as gateway:
        yield gateway


async def refused(gateway: LiveGateway, key: str) -> None:
    """One more is too many, as a socket and as a stream."""
    async with gateway.handshake(authorization=f"Bearer {key}") as connection:
        assert await Watcher(connection).close_code() == CloseCode.LIMIT_REACHED
        assert connection.close_reason
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{gateway.port}/api/events/stream"
        answer = await client.get(url, headers={"authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_connections")
    assert int(answer.headers["retry-after"]) > 0


async def fits(gateway: LiveGateway) -> None:
    """There is a place, once what ended before is gone."""
    await until(lambda: gateway.hub.statistics().connections == 0)
    async with gateway.socket(), gateway.socket():
        pass
    await until(lambda: gateway.hub.statistics().connections == 0)


@pytest.mark.parametrize("which", LIMITS)
async def test_one_more_than_the_limit_is_refused_until_one_leaves(tmp_path: Path, which: str) -> None:
    async with live_gateway(tmp_path, limits=LIMITS[which]) as gateway:
        key = await gateway.key()
        async with gateway.socket():
            async with gateway.socket():
                await refused(gateway, key)
            await until(lambda: gateway.hub.statistics().connections == 1)
            async with gateway.socket():
                await refused(gateway, key)


def test_whoever_has_one_address_of_ipv6_has_all_of_its_network() -> None:
    doors, most = Doors(), Most(per_address=1)
    place = doors.enter("2001:db8:1:2::1", most)
    with pytest.raises(LiveLimit):
        doors.enter("2001:db8:1:2:ffff::9", most)
    doors.enter("2001:db8:1:3::1", most)
    place.leave()
    doors.enter("2001:db8:1:2::2", most)


async def test_the_limit_of_one_person_is_nobody_elses(tmp_path: Path) -> None:
    async with (
        live_gateway(tmp_path, limits=RealtimeLimits(per_person=1)) as gateway,
        gateway.socket(ADA),
        gateway.socket(BEN),
        gateway.socket(ROOT),
    ):
        await refused(gateway, await gateway.key(BEN))


async def test_who_has_not_said_who_they_are_counts_and_gives_the_place_back(gateway: LiveGateway) -> None:
    async with gateway.handshake() as silent, gateway.handshake() as wrong:
        await refused(gateway, await gateway.key())
        await wrong.send(json.dumps({"type": "auth", "token": "sgw_wrong"}))
        assert await Watcher(wrong).close_code() == CloseCode.NOT_AUTHENTICATED
        assert await Watcher(silent).close_code() == CloseCode.NOT_AUTHENTICATED
    await fits(gateway)


async def test_every_kind_of_end_gives_the_place_back(gateway: LiveGateway) -> None:
    key = await gateway.key()
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"), *to_completed())
    for _ in range(3):
        async with gateway.socket() as rude, gateway.socket() as bad:
            rude.connection.transport.abort()
            await bad.say(type="dance")
            assert await bad.close_code() == CloseCode.BAD_MESSAGE
        await fits(gateway)
        async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {key}"}) as client:
            stream = f"http://127.0.0.1:{gateway.port}/api/video/tasks/{job.id}/stream"
            assert (await client.get(stream)).status_code == 200
            assert (await client.get(f"{stream}?since={EPOCH}-6")).status_code == 204
            assert (await client.get(stream.replace(job.id, "video_none"))).status_code == 404
        await fits(gateway)
    async with gateway.socket() as revoked:
        for each in await gateway.accounts.keys(ADA.user_id):
            await gateway.accounts.revoke_key(ADA.user_id, each.id)
        gateway.hub.recheck(ADA.user_id)
        assert await revoked.close_code() == CloseCode.FORBIDDEN
    await fits(gateway)


NAMES = st.sampled_from(["a", "b", "c"])
LIMIT = st.integers(0, 3)


@given(
    st.builds(Most, LIMIT, LIMIT, LIMIT),
    st.lists(st.tuples(st.sampled_from(["enter", "known", "leave"]), NAMES, st.integers(0, 9)), max_size=60),
)
def test_however_they_come_and_go_nobody_is_counted_twice_or_for_ever(
    most: Most, moves: list[tuple[str, str, int]]
) -> None:
    doors = Doors()
    inside: list[tuple[Pass, str, str | None]] = []
    gone: list[Pass] = []
    for move, name, which in moves:
        if move == "enter":
            from_there = [each for each in inside if each[1] == name]
            full = 0 < most.connections <= len(inside) or 0 < most.per_address <= len(from_there)
            try:
                inside.append((doors.enter(name, most), name, None))
                assert not full
            except LiveLimit:
                assert full
        elif move == "known" and inside:
            place, address, person = inside[which % len(inside)]
            theirs = [each for each in inside if each[2] == name]
            if person is None:
                try:
                    place.known_as(name, most)
                    assert not 0 < most.per_person <= len(theirs)
                    inside[which % len(inside)] = (place, address, name)
                except LiveLimit:
                    assert 0 < most.per_person <= len(theirs)
        elif inside:
            place, _, _ = inside.pop(which % len(inside))
            place.leave()
            gone.append(place)
        for place in gone:
            place.leave()
    for place, _, _ in inside:
        place.leave()
    assert (doors._in_all, dict(doors._by_address), dict(doors._by_person)) == (0, {}, {})
