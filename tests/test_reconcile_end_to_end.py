"""An upstream that takes a create and loses the answer never sees a second one for the job: over real sockets, with a
list and without, for one and for five at once. With kill -9 in between: ``tests/test_kills_in_doubt.py``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.lab import ledger, outcomes
from tests.lossy_lab import LOSSES, AtTheLossyLab, at_the_lossy_lab, receipt
from tests.running import Json

LONG = 1.7
"""Seconds of the test, more than four minutes of the gateway: past every look."""


@pytest.mark.parametrize("number", [1, 5])
@pytest.mark.parametrize("loss", LOSSES)
async def test_with_a_list_every_lost_create_is_found_and_paid_once(
    tmp_path: Path, loss: str, number: int
) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES[loss]) as at:
        made = [await at.ann.make() for _ in range(number)]
        tasks = [await at.ann.comes_to(task["videoId"], "processing") for task in made]
        await asyncio.sleep(LONG / 8)
        assert len(at.lab.orders) == number
        assert len({task["externalVideoId"] for task in tasks}) == number
        for task in tasks:
            assert await outcomes(at.ann, task) == ["adopted"]
            assert await ledger(at.ann, task) == ["hold"]
            # Each has the video that its own create made.
            (attempt,) = await at.ann.gateway.store.attempts(task["videoId"])
            sent = [order.headers["x-client-request-id"] for order in at.lab.orders]
            assert task["externalVideoId"] == f"ext-{sent.index(attempt.id) + 1}"
        for row in at.lab.rows:
            row |= {"status": "completed", "progress": 100}
        for task in tasks:
            await at.ann.comes_to(task["videoId"], "completed")
            assert await ledger(at.ann, task) == ["hold", "settle"]


@pytest.mark.parametrize("number", [1, 5])
@pytest.mark.parametrize("loss", LOSSES)
async def test_without_a_list_every_lost_create_is_held(tmp_path: Path, loss: str, number: int) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES[loss], profile="generic") as at:
        made = [await at.ann.make() for _ in range(number)]
        await all_held(at, made, "lab has no list of its videos")
        await asyncio.sleep(LONG / 8)
        assert (len(at.lab.orders), at.lab.lists) == (number, 0)


@pytest.mark.parametrize("number", [1, 5])
async def test_with_a_list_that_cannot_be_had_every_lost_create_is_held(tmp_path: Path, number: int) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["drops"], listing=False) as at:
        made = [await at.ann.make() for _ in range(number)]
        await all_held(at, made, "the list of lab cannot be had")
        await asyncio.sleep(LONG)
        assert len(at.lab.orders) == number


async def all_held(at: AtTheLossyLab, made: list[Json], why: str) -> None:
    """All wait for an administrator, on one hold each."""
    for task in made:
        task = await at.ann.comes_to(task["videoId"], "unknown", note=why)
        assert task["note"].endswith("an administrator has to decide.")
        assert task["status"] == "processing"
        assert await outcomes(at.ann, task) == ["unknown"]
        assert await ledger(at.ann, task) == ["hold"]


async def test_a_server_that_costs_nothing_is_asked_once_more_for_what_it_never_took(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["500"], profile="vllm-omni", taking=False) as at:
        task = await at.ann.make()
        await at.ann.comes_to(task["videoId"], "unknown")
        await asyncio.sleep(LONG * 2)
        task = await at.ann.task(task["videoId"])
        assert (task["stage"], len(at.lab.orders)) == ("unknown", 2)
        assert await outcomes(at.ann, task) == ["pay_again", "unknown"]
        assert await ledger(at.ann, task) == ["hold"]


async def test_a_server_that_costs_nothing_makes_it_the_second_time(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["500"], receipt, profile="vllm-omni", taking=False) as at:
        task = await at.ann.make()
        await at.ann.comes_to(task["videoId"], "unknown")
        at.lab.taking = True
        task = await at.ann.comes_to(task["videoId"], "processing")
        assert task["externalVideoId"] == "ext-2"
        assert await outcomes(at.ann, task) == ["pay_again", "receipt"]


async def test_a_list_without_prompts_finds_one_and_tells_two_wishes_not_apart(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["drops"], profile="sglang", tells_prompts=False) as at:
        one = await at.ann.make("a paper boat")
        await at.ann.comes_to(one["videoId"], "processing")
        await asyncio.sleep(LONG)
        two = [await at.ann.make(prompt) for prompt in ("a kite", "a train")]
        await asyncio.sleep(LONG)
        for task in two:
            assert "2 videos in the list of lab may be it" in (await at.ann.task(task["videoId"]))["note"]


async def test_a_create_with_a_key_is_sent_again_and_made_once(tmp_path: Path) -> None:
    losses = (LOSSES["drops"], LOSSES["502"], receipt)
    async with at_the_lossy_lab(tmp_path, *losses, profile="inworld", keeps_keys=True) as at:
        task = await at.ann.comes_to((await at.ann.make())["videoId"], "processing")
        assert task["externalVideoId"] == "ext-1"
        assert len(at.lab.rows) == 1
        first, *others = at.lab.orders
        assert others == [first, first], "the same to the last byte"
        assert await outcomes(at.ann, task) == ["receipt"]
        assert await ledger(at.ann, task) == ["hold"]
