"""Plans: what an administrator makes of them counts with the next request, for as long as somebody has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.people import actions, code, told
from tests.running import running, settings_for
from tests.spending import DAY, till

CONFIGURED = {"default": {"per_day": 9}, "gold": {"per_day": 50, "priority": "vip"}}


async def test_plans_of_the_configuration_and_of_administrators_are_listed_together(tmp_path: Path) -> None:
    async with till(tmp_path, plans=CONFIGURED) as shop:
        await shop.put_plan("silver", perDay=20)
        await shop.put_plan("gold", perDay=60)
        plans = {plan["name"]: plan for plan in (await shop.admin("GET", "plans"))["plans"]}
        assert {name: (plan["source"], plan["perDay"]) for name, plan in plans.items()} == {
            "default": ("configuration", 9),
            "gold": ("added", 60),
            "silver": ("added", 20),
        }
        # Whoever has it keeps a plan of that name: the one of the configuration.
        await shop.admin("PUT", "users/user_ann/plan", plan="gold")
        await shop.admin("DELETE", "plans/gold", 204)
        plans = {plan["name"]: plan for plan in (await shop.admin("GET", "plans"))["plans"]}
        assert (plans["gold"]["source"], plans["gold"]["perDay"], plans["gold"]["priority"]) == (
            "configuration", 50, "vip",
        )  # fmt: skip
        assert await actions(shop.ann.gateway, "plan gold") == ["plan.put", "plan.remove"]


async def test_without_a_configuration_there_is_one_plan_that_limits_nothing(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        (plan,) = (await shop.admin("GET", "plans"))["plans"]
        assert (plan["name"], plan["source"], plan["mayGenerate"]) == ("default", "default", True)
        assert [
            plan[key] for key in ("monthlyCredits", "concurrency", "perHour", "perDay", "dailyCredits")
        ] == [0] * 5


async def test_a_person_has_a_plan_until_it_ends(tmp_path: Path) -> None:
    async with till(tmp_path, plans=CONFIGURED) as shop:
        until = "2026-11-24T00:00:00Z"
        given = await shop.admin("PUT", "users/user_ann/plan", plan="gold", until=until)
        assert (given["plan"], given["planUntil"]) == ("gold", "2026-11-24T00:00:00.000Z")
        told = (await shop.ann.get("/api/credits")).json()["plan"]
        assert (told["name"], told["perDay"], told["until"]) == ("gold", 50, "2026-11-24T00:00:00.000Z")
        task = (await shop.order()).json()
        assert task["priority"] == "vip"
        shop.clock.ahead += 2 * DAY
        told = (await shop.ann.get("/api/credits")).json()["plan"]
        assert (told["name"], told["perDay"], told["until"]) == ("default", 9, None)
        assert await actions(shop.ann.gateway, "user_ann") == ["plan.give"]


async def test_a_plan_that_somebody_has_or_a_code_gives_stays(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan("silver", perDay=20)
        await shop.admin("PUT", "users/user_ann/plan", plan="silver")
        assert (await shop.admin("DELETE", "plans/silver", 409))["error"]["code"] == "conflict"
        await shop.admin("PUT", "users/user_ann/plan", plan="default")
        (made,) = (await shop.admin("POST", "codes", 201, plan="silver"))["codes"]
        await shop.admin("DELETE", "plans/silver", 409)
        await shop.admin("DELETE", f"codes/{made['id']}", 204)
        await shop.admin("DELETE", "plans/silver", 204)
        await shop.admin("DELETE", "plans/silver", 404)


async def test_a_plan_that_nobody_has_any_more_can_be_removed(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan("silver", perDay=20)
        soon = "2026-11-23T00:00:00Z"
        await shop.admin("PUT", "users/user_ann/plan", plan="silver", until=soon)
        await shop.admin("POST", "codes", 201, plan="silver", expiresAt=soon)
        await shop.admin("DELETE", "plans/silver", 409)
        shop.clock.ahead += DAY
        await shop.admin("DELETE", "plans/silver", 204)


async def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.admin("PUT", "users/nobody/plan", 404, plan="default")
        await shop.admin("PUT", "users/user_ann/plan", 404, plan="platinum")
        past = await shop.admin(
            "PUT", "users/user_ann/plan", 400, plan="default", until="2026-11-01T00:00:00Z"
        )
        assert past["error"]["message"] == "The plan would have ended already."
        for body in ({"perDay": -1}, {"priority": "king"}, {"name": "x"}, {"perDay": "5"}):
            await shop.admin("PUT", "plans/silver", 400, **body)
        await shop.admin("PUT", "plans/Upper", 400, perDay=1)


async def test_what_plans_and_people_have_survives_a_restart(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan("silver", perDay=20, mayGenerate=False)
        await shop.admin("PUT", "users/user_ann/plan", plan="silver")
    async with till(tmp_path) as shop:
        refused = await shop.order()
        assert code(refused) == (403, "plan_forbids")
        assert "redeem a code" in told(refused)[2]


async def test_a_plan_of_the_configuration_that_is_gone_is_the_default(tmp_path: Path) -> None:
    async with till(tmp_path, plans=CONFIGURED) as shop:
        await shop.admin("PUT", "users/user_ann/plan", plan="gold")
    async with running(settings_for(tmp_path)) as gateway:
        assert gateway.store.credits is not None
    async with till(tmp_path) as shop:
        assert (await shop.ann.get("/api/credits")).json()["plan"]["name"] == "default"


async def test_a_character_is_made_for_nobody_whose_plan_makes_nothing(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan(mayGenerate=False)
        form: Any = {"name": (None, "a face"), "video": ("face.mp4", b"no video")}
        refused = await shop.ann.http.post("/v1/videos/characters", files=form)
        assert code(refused) in {(403, "plan_forbids"), (400, "unsupported_by_upstream")}
