"""``/api/outages``: everybody is told why videos wait, and nothing else about the upstreams."""

from __future__ import annotations

from pathlib import Path

import pytest

from sora_gateway.clock import SystemClock
from sora_gateway.core.breaker import FAILURES
from sora_gateway.core.spend import Spend, Tariff
from sora_gateway.http.outages import cause_of
from sora_gateway.supervisor.gate import Gate
from tests.running import person, running, settings_for


async def test_nothing_is_out_of_order_until_an_administrator_switches_an_upstream_off(
    tmp_path: Path,
) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        assert (await ann.get("/api/outages")).json() == {"storageFull": False, "upstreams": []}
        async with person(gateway, "eve", role="admin") as eve:
            await eve.http.post("/api/admin/upstreams/simulator/pause")
            assert (await ann.get("/api/outages")).json()["upstreams"] == [
                {"upstream": "simulator", "cause": "switched_off", "opensAt": None}
            ]
            await eve.http.post("/api/admin/upstreams/simulator/resume")
        assert (await ann.get("/api/outages")).json()["upstreams"] == []


async def test_a_full_disk_is_told_before_anybody_is_refused(tmp_path: Path) -> None:
    too_much = {"min_free_disk": 1 << 60}
    async with running(settings_for(tmp_path, media=too_much)) as gateway, person(gateway) as ann:
        assert (await ann.get("/api/outages")).json()["storageFull"] is True
        refused = await ann.http.post("/api/video/tasks", json={"prompt": "a boat"})
        assert refused.json()["error"]["code"] == "storage_full"


async def test_an_upstream_that_refuses_our_account_is_tried_again_at_a_moment_that_is_told(
    tmp_path: Path,
) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        gate = gateway.upstreams.by_name["simulator"].gate
        gate.pause("the account has no money")
        (found,) = (await ann.get("/api/outages")).json()["upstreams"]
        assert found["cause"] == "refused"
        assert found["opensAt"] is not None
        assert "money" not in str(found), "what it said is for administrators"


@pytest.mark.parametrize("what", ["failures", "cap", "nothing"])
def test_why_a_gate_lets_nothing_through(what: str) -> None:
    clock = SystemClock()
    tariff = Tariff(per_video=2.0, cap=1.0 if what == "cap" else 0.0)
    spend = Spend(tariff, [("one", clock.now(), 4)])
    gate = Gate(clock, 1, 1, spend=spend)
    for _ in range(FAILURES if what == "failures" else 0):
        gate.failed()
    expected = {"failures": "silent", "cap": "spend_cap", "nothing": None}[what]
    assert cause_of(gate, clock.now()) == expected
