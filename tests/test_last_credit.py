"""The last credit: sixty at once, for one video or a batch of them, want what only some can have.

``make kill-test`` plays a hundred rounds, and as many with a kill in the middle as an ordinary run has rounds.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from tests.killing import House, kill_house
from tests.lab import PRICE, Lab, at_the_lab
from tests.processes import BALANCE
from tests.processes import PRICE as KILLED_PRICE
from tests.running import Person

AT_ONCE = 60
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with kill_house(tmp_path_factory.mktemp("last-credit")) as house:
        yield house


def rounds(request: pytest.FixtureRequest, ordinary: int, full: int) -> int:
    return full if request.config.getoption("--kills") == "full" else ordinary


async def asked(http: httpx.AsyncClient, number: int) -> list[str] | None:
    """The ids of so many videos that are accepted together, [] when they cannot be paid, None without an answer."""
    wish = {"size": "720x1280", "seconds": 4}
    try:
        if number == 1:
            answer = await http.post("/api/video/tasks", json=wish | {"prompt": "a boat"})
        else:
            items = [{"prompt": f"boat {each}"} for each in range(number)]
            answer = await http.post("/api/video/tasks/batch", json=wish | {"items": items})
    except httpx.TransportError:
        return None
    assert answer.status_code in (202, 402), answer.text
    if answer.status_code == 402:
        assert answer.json()["error"]["code"] == "insufficient_credits"
        return []
    found = answer.json()
    ids = [task["videoId"] for task in found.get("tasks", [found])]
    assert len(ids) == number
    return ids


async def put(ann: Person, available: int) -> None:
    """Leaves Ann so many credits."""
    credits = ann.gateway.store.credits
    has = (await credits.balance(ann.user_id)).available
    if available != has:
        entry = AuditEntry(0.0, "root", "credits.adjust", ann.user_id)
        await credits.adjust(ann.user_id, available - has, "for the round", entry)


@pytest.mark.timeout(600)
async def test_never_more_is_accepted_than_is_paid_for_and_never_less(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(1)
    async with at_the_lab(tmp_path, Lab(), balance=1, upstream={"max_concurrent": 3}) as ann:
        for _ in range(rounds(request, 6, 100)):
            available = chance.randint(0, 12 * PRICE)
            await put(ann, available)
            before = await ann.gateway.store.credits.balance(ann.user_id)
            wanted = [chance.choice((1, 1, 2, 3)) for _ in range(AT_ONCE)]
            answers = await asyncio.gather(*(asked(ann.http, number) for number in wanted))
            spent = PRICE * len([each for ids in answers for each in ids or ()])
            after = await ann.gateway.store.credits.balance(ann.user_id)
            assert (after.available, after.held) == (available - spent, before.held + spent)
            # Nothing came back meanwhile, so whoever was refused would not have fitted in the end either.
            refused = min(number for number, ids in zip(wanted, answers, strict=True) if ids == [])
            assert after.available < refused * PRICE
            assert await ann.gateway.store.credits.check() == []


async def killed_in_the_middle(house: House, number: int) -> tuple[Sequence[list[str] | None], Path]:
    """A round whose gateway dies while it answers, and is started once more."""
    chance = random.Random(number)
    place = house.place(f"round-{number}")
    wanted = [chance.randint(1, 9) for _ in range(AT_ONCE)]
    async with place.gateway() as (gateway, client):
        calls = [asyncio.ensure_future(asked(client.http, each)) for each in wanted]
        # After so many answers: by the clock alone it would be before the first or after the last of them.
        answered = asyncio.as_completed(calls)
        for _ in range(chance.randint(1, AT_ONCE // 2)):
            await next(answered)
        await asyncio.sleep(chance.uniform(0, 0.02))
        assert await gateway.told(signal.SIGKILL) == -signal.SIGKILL
        answers = await asyncio.gather(*calls)
    async with place.gateway() as (_, client):
        for ids in answers:
            for each in ids or ():
                assert (await client.http.get(f"/api/video/tasks/{each}")).status_code == 200
    return answers, place.data / "gateway.db"


@pytest.mark.timeout(600)
async def test_also_when_the_server_dies_in_the_middle(house: House, request: pytest.FixtureRequest) -> None:
    for number in range(rounds(request, 2, 25)):
        answers, database = await killed_in_the_middle(house, number)
        assert any(answers), "nobody was answered before the kill"
        async with Store(database, lambda events: None) as store:
            for ids in answers:
                for each in ids or ():
                    assert ("hold", -KILLED_PRICE, KILLED_PRICE) in await store.credits.of_job(each)
            lines = await store.credits.lines(None, 0, 10_000)
            held = sum(line.held for line in lines if line.kind == "hold")
            assert held <= BALANCE
            assert await store.credits.check() == []
