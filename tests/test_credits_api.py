"""What people see of their own credits: prices before they pay, balances, every movement, and why they are refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.plans import next_period, period_of
from sora_gateway.http.ledger_views import plain
from tests.examples import examples
from tests.people import code, told
from tests.spending import DAY, HOUR, till

RULES = {
    "per_video": 2,
    "per_second": 1,
    "rules": [{"model": "sora-2-pro", "per_second": 5}, {"size": "1280x720", "per_video": 9}],
}


# --- quotes ------------------------------------------------------------------------------------------


async def test_a_quote_says_the_price_and_what_is_missing_and_holds_nothing(tmp_path: Path) -> None:
    async with till(tmp_path, balance=5, pricing=RULES) as shop:
        quote = (await shop.ann.http.post("/api/video/quote", json={"seconds": 8})).json()
        assert (quote["credits"], quote["perVideo"], quote["perSecond"]) == (10, 2, 1)
        assert (quote["available"], quote["missing"]) == (5, 5)
        assert (quote["allowed"], quote["reason"]) == (True, None)
        assert len(quote["priceVersion"]) == 12
        assert await shop.balance() == (5, 0)
        assert (await shop.order(seconds=8)).status_code == 402
        taken = (await shop.order(model="sora-2", seconds=4, size="720x1280")).status_code
        assert taken == 402


async def test_several_are_quoted_together_each_by_its_own_rule(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {"seconds": 4},
        {"model": "sora-2-pro", "seconds": 4},
        {"size": "1280x720"},
    ]
    async with till(tmp_path, pricing=RULES) as shop:
        quote = (await shop.ann.http.post("/api/video/quote", json={"items": items, "variants": 2})).json()
        assert [video["credits"] for video in quote["videos"]] == [6, 20, 9]
        assert quote["credits"] == 2 * (6 + 20 + 9)
        assert (quote["perVideo"], quote["perSecond"]) == (None, None)
        mixed = await shop.ann.http.post("/api/video/quote", json={"items": items, "seconds": 4})
        assert code(mixed) == (400, "invalid_request")
        too_many = await shop.ann.http.post("/api/video/quote", json={"variants": 101})
        assert told(too_many)[2] == "At most 100 videos are made together; these are 101."


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"model": "none"}, "model_not_found"),
        ({"seconds": 61}, "invalid_request"),
        ({"size": "1x1"}, "invalid_request"),
        ({"inputReference": {"imageId": "x"}}, "invalid_request"),
    ],
)
async def test_what_cannot_be_made_has_no_price(tmp_path: Path, wish: dict[str, Any], error: str) -> None:
    async with till(tmp_path) as shop:
        assert code(await shop.ann.http.post("/api/video/quote", json=wish)) == (400, error)


async def test_a_quote_is_what_the_video_then_costs(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        wish: dict[str, Any] = {"prompt": "a paper boat", "seconds": 8, "visibility": "team"}
        quote = (await shop.ann.http.post("/api/video/quote", json=wish)).json()
        task = (await shop.order(**wish)).json()
        assert task["credits"] == quote["credits"] == 10
        (held, _) = await shop.entries()
        assert (held["available"], held["held"], held["priceVersion"]) == (-10, 10, quote["priceVersion"])


async def test_a_quote_says_that_the_plan_does_not_allow_it_now_and_when_it_will(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan(perHour=1)
        assert (await shop.order()).status_code == 202
        shop.clock.ahead += 600
        quote = (await shop.ann.http.post("/api/video/quote", json={})).json()
        assert quote["allowed"] is False
        assert quote["reason"]["code"] == "plan_limit"
        assert quote["reason"]["retryAfter"] == 3000
        await shop.put_plan(mayGenerate=False)
        forbidden = (await shop.ann.http.post("/api/video/quote", json={})).json()["reason"]
        assert (forbidden["code"], forbidden["retryAfter"]) == ("plan_forbids", None)


async def test_where_credits_stop_nobody_everything_is_free(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0, credits={"enabled": False}) as shop:
        quote = (await shop.ann.http.post("/api/video/quote", json={})).json()
        assert (quote["credits"], quote["missing"], quote["allowed"]) == (0, 0, True)
        assert (await shop.ann.get("/api/credits")).json()["enabled"] is False
        assert (await shop.order()).status_code == 202


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/video/tasks", "/v1/videos"])
async def test_no_refusal_over_money_is_sent_again_by_an_official_client(tmp_path: Path, path: str) -> None:
    async with till(tmp_path, balance=0) as shop:
        poor = await shop.order(path)
        assert code(poor) == (402, "insufficient_credits")
        assert poor.json()["error"]["type"] == "insufficient_quota"
        assert poor.headers["x-should-retry"] == "false"
        await shop.put_plan(mayGenerate=False)
        forbidden = await shop.order(path)
        assert code(forbidden) == (403, "plan_forbids")
        assert forbidden.headers["x-should-retry"] == "false"
        assert (await shop.ann.get("/api/video/tasks")).json()["tasks"] == []


@pytest.mark.parametrize("path", ["/api/video/tasks", "/v1/videos"])
async def test_a_plans_limit_says_when_to_come_back(tmp_path: Path, path: str) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan(perHour=1)
        assert (await shop.order(path)).is_success
        shop.clock.ahead += 600
        refused = await shop.order(path)
        assert told(refused) == (
            429, "plan_limit", "Your plan allows 1 videos in an hour, and 1 were asked for.",
        )  # fmt: skip
        assert refused.json()["error"]["type"] == "insufficient_quota"
        assert refused.headers["retry-after"] == "3000"
        shop.clock.ahead += 3001
        assert (await shop.order(path)).is_success
        await shop.put_plan(dailyCredits=12)
        shop.clock.ahead += 60
        spent = await shop.order(path)
        assert code(spent) == (429, "daily_credits_used")
        # The first of the two was asked for 3661 seconds ago.
        assert int(spent.headers["retry-after"]) == DAY - 3661


# --- the balance -------------------------------------------------------------------------------------


async def test_the_months_credits_are_there_when_somebody_looks_and_once(tmp_path: Path) -> None:
    plans = {"default": {"monthly_credits": 30, "per_day": 5, "priority": "vip"}}
    async with till(tmp_path, balance=1, plans=plans) as shop:
        for _ in range(2):
            told = (await shop.ann.get("/api/credits")).json()
            assert (told["available"], told["held"]) == (31, 0)
        assert told["monthlyCreditsAt"] == "2026-12-01T00:00:00.000Z"
        assert (told["plan"]["monthlyCredits"], told["plan"]["perDay"]) == (30, 5)
        assert (told["plan"]["name"], told["plan"]["priority"], told["plan"]["until"]) == (
            "default",
            "vip",
            None,
        )
        shop.clock.ahead += 9 * DAY
        assert await shop.balance() == (61, 0)
        assert [entry["note"] for entry in await shop.entries()][:2] == [
            "credits of 2026-12",
            "credits of 2026-11",
        ]
        quote = await shop.ann.http.post("/api/video/quote", json={})
        assert quote.json()["available"] == 61


async def test_what_is_used_of_a_plan_is_counted_as_it_is_limited(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        first = (await shop.order(seconds=4)).json()
        shop.clock.ahead += 2 * HOUR
        await shop.order(seconds=8)
        used = (await shop.ann.get("/api/credits")).json()["used"]
        assert used == {"hour": 1, "day": 2, "credits": 16}
        # What was given back is not used; that it was asked for stays.
        shop.clock.ahead += 23 * HOUR
        assert (await shop.ann.get("/api/credits")).json()["used"] == {"hour": 0, "day": 1, "credits": 10}
        assert first["credits"] == 6


@settings(max_examples=examples(100))
@given(st.floats(0, 4e9))
def test_the_next_month_begins_after_this_one_and_within_31_days(moment: float) -> None:
    following = next_period(moment)
    assert moment < following <= moment + 31 * DAY
    assert period_of(following) != period_of(moment)
    assert period_of(following - 1) == period_of(moment)


# --- the ledger --------------------------------------------------------------------------------------


async def test_the_ledger_is_read_page_by_page_newest_first(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop:
        for amount in range(1, 6):
            await shop.admin("POST", "credits/grant", userId="user_ann", amount=amount, note=f"gift {amount}")
        seen: list[int] = []
        after: dict[str, int] = {}
        more = True
        while more:
            page = (await shop.ann.get("/api/credits/ledger", params={"limit": 2} | after)).json()
            seen += [entry["available"] for entry in page["entries"]]
            after, more = {"after": page["entries"][-1]["id"]}, page["hasMore"]
        assert seen == [5, 4, 3, 2, 1]


async def test_the_ledger_is_narrowed_to_a_kind_and_to_some_days(tmp_path: Path) -> None:
    async with till(tmp_path, balance=10) as shop:
        await shop.order()
        (hold,) = (await shop.ann.get("/api/credits/ledger", params={"kind": "hold"})).json()["entries"]
        assert hold["kind"] == "hold"
        for bounds, kinds in (
            ({"since": hold["at"]}, ["hold"]),
            ({"until": hold["at"]}, ["grant"]),
            ({"since": hold["at"], "kind": "grant"}, []),
        ):
            found = (await shop.ann.get("/api/credits/ledger", params=bounds)).json()["entries"]
            assert [entry["kind"] for entry in found if entry["kind"] in ("hold", "grant")] == kinds
        assert code(await shop.ann.get("/api/credits/ledger?kind=loan"))[0] == 400


async def test_the_ledger_says_who_moved_credits_and_not_which_administrator(tmp_path: Path) -> None:
    async with till(tmp_path, plans={"default": {"monthly_credits": 3}}) as shop:
        await shop.admin("POST", "credits/grant", email="ann@example.org", amount=1)
        await shop.order()
        entries = await shop.entries()
        assert [(entry["kind"], entry["by"]) for entry in entries[:3]] == [
            ("hold", "you"),
            ("grant", "gateway"),
            ("grant", "administrator"),
        ]
        assert "user_root" not in str(entries)
        assert entries[0]["model"] == "sora-2"


async def test_the_file_for_spreadsheets_has_everything_oldest_first_and_runs_nothing(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop:
        notes = ['=HYPERLINK("x")', "+1", "-1", "@sum", "\tx", 'says "hi", twice', "für Ünal"]
        for note in notes:
            await shop.admin("POST", "credits/grant", userId="user_ann", amount=10, note=note)
        await shop.admin("POST", "credits/adjust", userId="user_ann", amount=-3, note="too much")
        answer = await shop.ann.get("/api/credits/ledger.csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="ledger.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert [row["note"] for row in rows] == [
            "'=HYPERLINK(\"x\")", "'+1", "'-1", "'@sum", "'\tx", 'says "hi", twice', "für Ünal", "too much",
        ]  # fmt: skip
        # Numbers stay numbers.
        assert [row["available"] for row in rows] == ["10"] * 7 + ["-3"]
        assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows)


async def test_a_long_ledger_is_sent_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sora_gateway.http.ledger_views.CSV_PAGE", 2)
    async with till(tmp_path, balance=0) as shop:
        for amount in range(1, 6):
            await shop.admin("POST", "credits/grant", userId="user_ann", amount=amount)
        text = (await shop.ann.get("/api/credits/ledger.csv")).content.decode("utf-8-sig")
        assert [row["available"] for row in csv.DictReader(io.StringIO(text))] == list("12345")


@settings(max_examples=examples(200))
@given(st.text())
def test_no_text_begins_like_a_formula(text: str) -> None:
    assert not plain(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert plain(text).removeprefix("'") == text.removeprefix("'") or plain(text) == f"'{text}"


# --- usage -------------------------------------------------------------------------------------------


async def test_usage_is_told_by_model_and_day(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.order()
        await shop.order(model="sora-2-pro", seconds=8)
        shop.clock.ahead += DAY
        await shop.order()
        shop.clock.ahead += 1
        told = (await shop.ann.get("/api/credits/usage")).json()["usage"]
        assert [(row["day"], row["model"], row["videos"], row["held"]) for row in told] == [
            ("2026-11-23", "sora-2", 1, 6),
            ("2026-11-22", "sora-2", 1, 6),
            ("2026-11-22", "sora-2-pro", 1, 10),
        ]
        only = await shop.ann.get("/api/credits/usage", params={"since": "2026-11-22T12:00:00Z"})
        assert [row["day"] for row in only.json()["usage"]] == ["2026-11-23"]
        wrong = {"since": "2026-11-22T12:00:00Z", "until": "2026-11-21T12:00:00Z"}
        assert code(await shop.ann.get("/api/credits/usage", params=wrong)) == (400, "invalid_request")
