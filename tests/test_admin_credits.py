"""What administrators see of everybody's credits, and what they do about them: all of it is written down."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path

import pytest

from tests.lab import PRICE, Lab, at_the_lab
from tests.people import code, told
from tests.running import person
from tests.spending import DAY, till

MOST = 1_000_000_000


# --- giving and taking -------------------------------------------------------------------------------


async def test_credits_are_given_by_id_or_address_and_the_log_says_by_whom(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop:
        given = await shop.admin("POST", "credits/grant", email="Ann@Example.org", amount=40, note="welcome")
        assert (given["userId"], given["available"], given["held"]) == ("user_ann", 40, 0)
        await shop.admin("POST", "credits/adjust", userId="user_ann", amount=-15, note="typed 40 for 25")
        assert await shop.balance() == (25, 0)
        assert [(entry["kind"], entry["available"], entry["note"]) for entry in await shop.entries()] == [
            ("adjust", -15, "typed 40 for 25"),
            ("grant", 40, "welcome"),
        ]
        audit = (await shop.admin("GET", "audit?target=user_ann"))["entries"]
        assert [(entry["action"], entry["actor"], entry["detail"]) for entry in audit] == [
            ("credits.adjust", "user_root", "-15 credits: typed 40 for 25"),
            ("credits.grant", "user_root", "+40 credits: welcome"),
        ]


async def test_a_balance_is_not_taken_below_zero(tmp_path: Path) -> None:
    async with till(tmp_path, balance=10) as shop:
        await shop.order(seconds=4)
        refused = await shop.admin(
            "POST", "credits/adjust", 409, userId="user_ann", amount=-5, note="too much"
        )
        assert refused["error"]["message"] == "Only 4 credits are there; a balance cannot fall below zero."
        await shop.admin("POST", "credits/adjust", userId="user_ann", amount=-4, note="what is there")
        assert await shop.balance() == (0, 6)
        assert (await shop.admin("GET", "audit?action=credits."))["entries"][0]["detail"].startswith("-4")


async def test_what_cannot_be_given_is_refused(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        for body in (
            {"amount": 5},
            {"userId": "user_ann", "email": "ann@example.org", "amount": 5},
            {"userId": "user_ann", "amount": 0},
            {"userId": "user_ann", "amount": -5},
            {"userId": "user_ann", "amount": MOST + 1},
            {"userId": "user_ann", "amount": 1.5},
            {"userId": "user_ann", "amount": "5"},
        ):
            await shop.admin("POST", "credits/grant", 400, **body)
        for body in (
            {"userId": "user_ann", "amount": 0, "note": "nothing"},
            {"userId": "user_ann", "amount": 5},
            {"userId": "user_ann", "amount": 5, "note": ""},
        ):
            await shop.admin("POST", "credits/adjust", 400, **body)
        await shop.admin("POST", "credits/grant", 404, userId="user_none", amount=5)
        await shop.admin("POST", "credits/grant", 404, email="none@example.org", amount=5)
        assert await shop.balance() == (100, 0)


# --- looking -----------------------------------------------------------------------------------------


async def test_everybodys_balances_are_there_page_by_page(tmp_path: Path) -> None:
    async with till(tmp_path) as shop, person(shop.ann.gateway, "bob", credits=7):
        await shop.order(seconds=4)
        found: dict[str, tuple[int, int]] = {}
        after, more = "", True
        while more:
            page = await shop.admin("GET", f"credits?limit=2{after}")
            found |= {each["email"]: (each["available"], each["held"]) for each in page["balances"]}
            after, more = f"&after={page['balances'][-1]['userId']}", page["hasMore"]
        assert found == {
            "ann@example.org": (94, 6),
            "bob@example.org": (7, 0),
            "root@example.org": (0, 0),
        }
        (bob,) = (await shop.admin("GET", "credits?search=bob"))["balances"]
        assert (bob["plan"], bob["planUntil"], bob["dailyCreditsUsedUntil"]) == ("default", None, None)


async def test_the_whole_ledger_is_everybodys_or_one_persons(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop, person(shop.ann.gateway, "bob"):
        await shop.admin("POST", "credits/grant", userId="user_ann", amount=1)
        await shop.admin("POST", "credits/grant", userId="user_bob", amount=2)
        entries = (await shop.admin("GET", "credits/ledger"))["entries"]
        assert [(entry["email"], entry["actorEmail"]) for entry in entries] == [
            ("bob@example.org", "root@example.org"),
            ("ann@example.org", "root@example.org"),
        ]
        (only,) = (await shop.admin("GET", "credits/ledger?email=ann@example.org"))["entries"]
        assert only["userId"] == "user_ann"
        for query, people in (("", ["user_ann", "user_bob"]), ("?userId=user_bob", ["user_bob"])):
            file = await shop.root.get(f"/api/admin/credits/ledger.csv{query}")
            rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
            assert [row["userId"] for row in rows] == people
            assert {row["actor"] for row in rows} == {"user_root"}
        nobody = await shop.root.get("/api/admin/credits/ledger.csv?userId=user_none")
        assert code(nobody) == (404, "not_found")


async def test_the_ledger_is_narrowed_by_kind_and_time(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop:
        await shop.admin("POST", "credits/grant", userId="user_ann", amount=40)
        await shop.admin("POST", "credits/adjust", userId="user_ann", amount=-1, note="a mistake")
        taken = (await shop.admin("GET", "credits/ledger?kind=adjust"))["entries"]
        assert [entry["available"] for entry in taken] == [-1]
        (at,) = {entry["at"] for entry in taken}
        assert len((await shop.admin("GET", f"credits/ledger?since={at}"))["entries"]) == 2
        assert (await shop.admin("GET", f"credits/ledger?until={at}"))["entries"] == []


async def test_usage_says_what_upstreams_took_beside_what_people_paid(tmp_path: Path) -> None:
    finished: dict[str, object] = {"status": "completed", "cost": 0.25}
    async with (
        at_the_lab(tmp_path, Lab(looks=finished)) as ann,
        person(ann.gateway, "root", "admin") as root,
    ):
        await ann.comes_to((await ann.make())["videoId"], "failed")
        (row,) = (await root.get("/api/admin/usage", params={"email": "ann@example.org"})).json()["usage"]
        assert (row["userId"], row["email"], row["model"]) == ("user_ann", "ann@example.org", "sora-2")
        assert (row["videos"], row["failed"], row["held"]) == (1, 1, PRICE)
        assert "upstreamCost" in row
        own = (await ann.get("/api/credits/usage")).json()["usage"]
        assert "upstreamCost" not in own[0]


async def test_the_books_are_checked_on_demand(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.order()
        assert await shop.admin("GET", "credits/check") == {"balanced": True, "complaints": []}
        take = "UPDATE users SET held = held - 1 WHERE id = 'user_ann'"
        await shop.ann.gateway.store.run(lambda tx: tx.execute(take).rowcount)
        found = await shop.admin("GET", "credits/check")
        assert found["balanced"] is False
        assert "a balance is not the sum of its entries: user_ann" in found["complaints"]
        back = "UPDATE users SET held = held + 1 WHERE id = 'user_ann'"
        await shop.ann.gateway.store.run(lambda tx: tx.execute(back).rowcount)


# --- caps --------------------------------------------------------------------------------------------


async def test_the_operator_hears_once_of_somebody_who_has_used_up_the_days_credits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[str]:
        return [record.message for record in caplog.records if "daily credits" in record.message]

    async with till(tmp_path) as shop:
        await shop.put_plan(dailyCredits=10)
        with caplog.at_level(logging.WARNING):
            assert (await shop.order()).status_code == 202
            assert {code(await shop.order()) for _ in range(3)} == {(429, "daily_credits_used")}
            assert lines() == [
                "user_ann has used up the daily credits of their plan:"
                " Your plan allows 10 credits in a day, and 6 were used."
            ]
            (capped,) = (await shop.admin("GET", "stats"))["dailyCreditsUsed"]
            assert (capped["email"], capped["until"]) == ("ann@example.org", "2026-11-23T00:00:00.000Z")
            (ann,) = (await shop.admin("GET", "credits?search=ann"))["balances"]
            assert ann["dailyCreditsUsedUntil"] == capped["until"]
            shop.clock.ahead += DAY + 1
            assert (await shop.admin("GET", "stats"))["dailyCreditsUsed"] == []
            assert (await shop.order()).status_code == 202
            assert (await shop.order()).status_code == 429
            assert len(lines()) == 2, "that is another day"


async def test_the_operator_hears_once_of_an_upstream_that_has_cost_enough(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upstream = {"cost_per_video": 1.0, "spend_cap": 2.5}
    async with (
        at_the_lab(tmp_path, Lab(), upstream=upstream, speed=50) as ann,
        person(ann.gateway, "root", "admin") as root,
    ):
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                await ann.comes_to((await ann.make())["videoId"], "processing")
            before = (await root.get("/api/admin/stats")).json()
            assert before["upstreams"][0]["spend"] == {"lastDay": 2.0, "cap": 2.5, "reached": False}
            for _ in range(3):
                await ann.comes_to((await ann.make())["videoId"], "queued", note="spend cap")
            said = [record.message for record in caplog.records if "spend cap" in record.message]
            assert said == [
                "lab has reached its spend cap: 2.00 of 2.50 in 24 hours; creates wait until that changes"
            ]
        stats = (await root.get("/api/admin/stats")).json()
        assert stats["upstreams"][0]["spend"]["reached"] is True
        assert stats["jobs"] == {"processing": 2, "queued": 3}
        assert stats["credits"] == {"available": 100 - 5 * PRICE, "held": 5 * PRICE}


# --- who may -----------------------------------------------------------------------------------------


async def test_for_everybody_else_there_is_nothing_there(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        for path in (
            "credits",
            "credits/ledger",
            "credits/ledger.csv",
            "usage",
            "disputes",
            "plans",
            "codes",
            "stats",
        ):
            assert told(await shop.ann.get(f"/api/admin/{path}"))[2] == "There is nothing at this address."
        grant = await shop.ann.http.post("/api/admin/credits/grant", json={"userId": "user_ann", "amount": 5})
        assert code(grant) == (404, "not_found")
        assert await shop.balance() == (100, 0)
