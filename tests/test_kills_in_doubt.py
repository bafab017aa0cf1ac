"""kill -9 while a lost create is looked for, adopted, or sent again with its key: the job is paid for once, and found
where there is a way to find it. ``make kill-test`` has the whole matrix (tests/test_kills_full.py).
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.killable import MOMENTS
from tests.killing import House
from tests.killing_in_doubt import Doubt, all_end, losing_house
from tests.lossy_lab import LOSSES

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with losing_house(tmp_path_factory.mktemp("doubts")) as house:
        yield house


async def test_killed_when_the_answer_is_lost_what_was_taken_is_found_in_the_list(house: House) -> None:
    await all_end(house, [Doubt(loss, "openai", ("doubt:after",)) for loss in LOSSES], "1 completed")


async def test_killed_beside_an_upstream_without_a_list_it_is_held(house: House) -> None:
    points = itertools.cycle(("doubt:before", "doubt:after"))
    cases = [Doubt(loss, "generic", (point,)) for loss, point in zip(LOSSES, points, strict=False)]
    await all_end(house, cases, "1 unknown")


async def test_killed_while_it_looks_or_adopts_it_is_found_once(house: House) -> None:
    points = ["list:before", "list:answered", *(f"adopted:{moment}" for moment in MOMENTS)]
    await all_end(house, [Doubt("drops", "openai", (point,)) for point in points], "1 completed")


async def test_killed_around_a_second_sending_with_its_key_it_is_made_once(house: House) -> None:
    points = ["create:before", "create:answered", "resent:before", "resent:answered", "adopted:before"]
    await all_end(house, [Doubt("drops", "inworld", (point,)) for point in points], "1 completed")


async def test_killed_with_five_alike_in_doubt_each_gets_its_own(house: House) -> None:
    points = ["list:before", "list:answered", "adopted:before", "adopted:after"]
    await all_end(house, [Doubt("half a body", "openai", (point,), 5) for point in points], "5 completed")


async def test_killed_with_five_alike_and_no_list_all_are_held(house: House) -> None:
    await all_end(house, [Doubt("500", "generic", ("doubt:after",), 5)], "5 unknown")


async def test_killed_before_it_leaves_it_is_absent_and_held(house: House) -> None:
    await all_end(house, [Doubt("drops", "openai", ("create:before",))], "0 unknown")


async def test_killed_while_it_is_by_choice_sent_once_more_it_is_sent_once_more(house: House) -> None:
    points = ["list:answered", "again:before", "again:after"]
    cases = [
        Doubt("drops", "openai", ("create:before", point), on_ambiguous="resubmit_if_absent")
        for point in points
    ]
    await all_end(house, cases, "1 completed")
