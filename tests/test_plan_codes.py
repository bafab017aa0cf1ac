"""What a code for a plan does to somebody who has one: it takes nothing from them, and is not used up for nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.plans import Held
from tests.stores import ADA, BEN, NOW, VERA, open_store

DAY = 86400.0
KNOWN = {"default", "gold", "silver"}
ENTRY = AuditEntry(NOW, ADA.user_id, "code.redeem", "")


async def code(
    store: Store, name: str = "c", *, plan: str = "gold", days: int | None = 30, **worth: int
) -> None:
    """One whose hash is *name*."""
    fields = {"credits": 0, "uses_left": 5} | worth
    record = CodeRecord(name, name, fields["credits"], plan, days, fields["uses_left"], "", "root", NOW)
    await store.credits.create_codes([(record, name, ENTRY)])


async def has(store: Store, plan: str | None, until: float | None) -> None:
    await store.credits.give_plan(ADA.user_id, plan, until, ENTRY)


async def redeemed(store: Store, name: str = "c") -> Held:
    _, held = await store.credits.redeem(name, ADA.user_id, ENTRY, KNOWN)
    assert (await store.credits.held()).get(ADA.user_id) == held
    return held


@pytest.mark.parametrize(
    ("plan", "until"),
    [(None, None), ("default", None), ("silver", NOW - 1), ("gold", NOW - DAY), ("one that is gone", None)],
)
async def test_in_place_of_the_default_and_of_what_has_ended_it_comes_for_its_days(
    plan: str | None, until: float | None, tmp_path: Path
) -> None:
    async with open_store(tmp_path) as store:
        await code(store)
        await has(store, plan, until)
        assert await redeemed(store) == Held("gold", NOW + 30 * DAY)


async def test_of_the_same_plan_it_adds_its_days(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await code(store)
        await code(store, "for good", days=None)
        await has(store, "gold", NOW + 10 * DAY)
        assert await redeemed(store) == Held("gold", NOW + 40 * DAY)
        assert await redeemed(store, "for good") == Held("gold", None)


@pytest.mark.parametrize("until", [None, NOW + DAY])
async def test_another_plan_is_not_taken_away_and_the_code_not_used_up(
    until: float | None, tmp_path: Path
) -> None:
    async with open_store(tmp_path) as store:
        await code(store, plan="silver", credits=5, uses_left=1)
        await has(store, "gold", until)
        with pytest.raises(Conflict, match="You have the plan gold, and this code is for silver"):
            await redeemed(store)
        assert (await store.credits.codes())[0].uses_left == 1
        assert (await store.credits.balance(ADA.user_id)).available == 1000
        await has(store, None, None)
        assert (await redeemed(store)).plan == "silver"
        assert (await store.credits.balance(ADA.user_id)).available == 1005


async def test_who_has_the_plan_for_good_keeps_it_and_gets_the_credits_beside_it(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await code(store)
        await code(store, "with credits", credits=7)
        await has(store, "gold", None)
        with pytest.raises(Conflict, match="for good"):
            await redeemed(store)
        assert await redeemed(store, "with credits") == Held("gold", None)
        assert (await store.credits.balance(ADA.user_id)).available == 1007


async def test_a_plan_that_is_not_there_any_more_uses_up_no_code(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await code(store, plan="bronze", uses_left=1)
        with pytest.raises(Conflict, match="not there any more"):
            await redeemed(store)
        assert (await store.credits.codes())[0].uses_left == 1


async def test_twenty_at_once_share_what_uses_there_are_and_nobody_has_two(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await code(store, plan="gold", credits=3, uses_left=2)
        people = [ADA, BEN, VERA, ADA, BEN] * 4
        results = await asyncio.gather(
            *(store.credits.redeem("c", person.user_id, ENTRY, KNOWN) for person in people),
            return_exceptions=True,
        )
        assert [type(result) for result in results[:2]] == [tuple, tuple]
        assert {type(result) for result in results[2:]} <= {NotFound, Conflict}
        balances = [(await store.credits.balance(person.user_id)).available for person in (ADA, BEN, VERA)]
        assert balances == [1003, 1003, 1000]
