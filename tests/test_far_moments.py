"""Moments that have no year of four digits in UTC: whoever names one is answered, and so is everybody afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from sora_gateway.core.views import iso
from tests.spending import till

FIRST, LAST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
"""Of what ISO 8601 can say; both lie outside of what UTC can."""


def test_a_moment_that_cannot_be_written_is_written_as_the_nearest_that_can() -> None:
    assert iso(-1e18) == "0001-01-01T00:00:00.000Z"
    assert iso(1e18) == iso(float("inf")) == "9999-12-31T23:59:59.000Z"
    assert iso(0.25) == "1970-01-01T00:00:00.250Z"


@pytest.mark.parametrize("query", [{"since": FIRST}, {"until": FIRST}, {"since": LAST, "until": LAST}])
async def test_usage_of_any_time_is_answered(query: dict[str, str], tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        for who, path in ((shop.ann, "/api/credits/usage"), (shop.root, "/api/admin/usage")):
            answer = await who.http.get(path, params=query)
            assert (answer.status_code, answer.json()["usage"]) == (200, [])


async def test_a_code_or_plan_until_the_end_of_time_hides_nothing(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await shop.put_plan("gold")
        ann = (await shop.admin("GET", "credits?search=ann"))["balances"][0]["userId"]
        given = await shop.admin("PUT", f"users/{ann}/plan", plan="gold", until=LAST)
        assert given["planUntil"] == "9999-12-31T23:59:59.000Z"
        made = await shop.admin("POST", "codes", 201, plan="gold", planDays=3650, expiresAt=LAST)
        redeemed = await shop.ann.http.post("/api/credits/redeem", json={"code": made["codes"][0]["code"]})
        assert redeemed.json()["planUntil"] == "9999-12-31T23:59:59.000Z"
        assert (await shop.ann.get("/api/credits")).json()["plan"]["name"] == "gold"
        assert len((await shop.admin("GET", "codes"))["codes"]) == 1
        assert len((await shop.admin("GET", "credits"))["balances"]) == 2
