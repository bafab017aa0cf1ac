"""The administrators' routes for videos whose outcome is unknown, over a real port."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sora_gateway.core.reconcile import OnAmbiguous
from sora_gateway.http.finding import LOOKED
from sora_gateway.settings import Upstream
from sora_gateway.store.audit import AuditEntry
from sora_gateway.supervisor.seats import Seats
from sora_gateway.wiring import Upstreams
from tests.fakes import ManualClock
from tests.lab import ledger
from tests.lossy_lab import LOSSES, AtTheLossyLab, at_the_lossy_lab, receipt
from tests.running import Json, settings_for

UNKNOWN = "/api/admin/jobs/unknown"


async def doubt(at: AtTheLossyLab) -> Json:
    """A video of Ann's of which nobody knows, after everything that the gateway does by itself."""
    task = await at.ann.make()
    await at.ann.comes_to(task["videoId"], "unknown", note="administrator")
    return task


async def decided(at: AtTheLossyLab, task: Json) -> list[AuditEntry]:
    """What people have done about it; that an administrator looked at somebody's video is in the log as well."""
    entries = await at.root.gateway.store.audited(task["videoId"])
    return [entry for entry in entries if entry.action != LOOKED]


async def listed(at: AtTheLossyLab) -> Json:
    answer = await at.root.get(UNKNOWN)
    assert answer.status_code == 200
    (found,) = answer.json()["jobs"]
    return dict(found)


async def test_an_administrator_sees_what_is_known_and_what_may_be_it(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], stranger=True) as at:
        task = await doubt(at)
        found = await listed(at)
        assert {name: found[name] for name in ("videoId", "owner", "upstreamModel", "httpStatus", "finding")} == {
            "videoId": task["videoId"], "owner": "ann@example.org", "upstreamModel": "wan-2.2",
            "httpStatus": 502, "finding": "ambiguous",
        }  # fmt: skip
        assert "<title>Bad gateway" in found["answer"]
        assert [each["externalVideoId"] for each in found["candidates"]] == ["ext-1", "stranger-1"]
        assert found["candidates"][0]["prompt"] == task["prompt"]
        assert (found["nextLookAt"], found["decisions"]) == (None, [])
        assert found["attemptId"] == at.lab.orders[0].headers["x-client-request-id"]


async def test_a_look_again_finds_what_can_be_told_by_now(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], stranger=True) as at:
        task = await doubt(at)
        path = f"/api/admin/jobs/{task['videoId']}/look-again"
        looked = await at.root.http.post(path)
        assert (looked.status_code, looked.json()["stage"]) == (200, "unknown")
        del at.lab.rows[1]
        assert (await at.root.http.post(path)).json()["externalVideoId"] == "ext-1"
        again = await at.root.http.post(path)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
        assert [entry.action for entry in await decided(at, task)] == ["job.look_again"] * 2


async def test_a_video_is_adopted_by_its_id(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], stranger=True) as at:
        task = await doubt(at)
        path = f"/api/admin/jobs/{task['videoId']}/adopt"
        for wrong in ({"externalVideoId": "no id"}, {"externalVideoId": ""}, {}, {"id": "ext-1"}):
            refused = await at.root.http.post(path, json=wrong)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request"), wrong
        adopted = await at.root.http.post(path, json={"externalVideoId": "ext-1"})
        assert (adopted.status_code, adopted.json()["stage"]) == (200, "processing")
        assert adopted.json()["externalVideoId"] == "ext-1"
        assert await ledger(at.ann, task) == ["hold"]
        (entry,) = await decided(at, task)
        assert (entry.actor, entry.action, entry.detail) == ("user_root", "job.adopt", "ext-1")
        assert (await at.root.get(UNKNOWN)).json() == {"jobs": []}


async def test_paying_again_names_the_attempt_so_that_a_repeated_request_buys_nothing(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], stranger=True) as at:
        task = await doubt(at)
        attempt = (await listed(at))["attemptId"]
        path = f"/api/admin/jobs/{task['videoId']}/pay-again"
        paid = await at.root.http.post(path, params={"attemptId": attempt})
        assert paid.status_code == 200
        await at.ann.comes_to(task["videoId"], "unknown", note="administrator")
        assert len(at.lab.orders) == 2
        repeated = await at.root.http.post(path, params={"attemptId": attempt})
        assert (repeated.status_code, repeated.json()["error"]["code"]) == (409, "conflict")
        assert len(at.lab.orders) == 2
        found = await listed(at)
        assert [(each["actor"], each["action"]) for each in found["decisions"]] == [
            ("user_root", "job.pay_again")
        ]
        assert await ledger(at.ann, task) == ["hold"]


async def test_giving_up_returns_the_credits(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], stranger=True) as at:
        task = await doubt(at)
        closed = await at.root.http.post(f"/api/admin/jobs/{task['videoId']}/give-up")
        assert (closed.json()["status"], closed.json()["error"]["code"]) == ("failed", "given_up")
        assert await ledger(at.ann, task) == ["hold", "release"]


@pytest.mark.parametrize("act", ["look-again", "adopt", "pay-again", "give-up"])
async def test_only_administrators_decide_and_only_on_what_is_in_doubt(tmp_path: Path, act: str) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], receipt, stranger=True) as at:
        task = await doubt(at)
        body = {"externalVideoId": "ext-1"}
        refused = await at.ann.http.post(f"/api/admin/jobs/{task['videoId']}/{act}", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
        assert (await at.ann.get(UNKNOWN)).status_code == 404
        fine = await at.ann.comes_to((await at.ann.make("another"))["videoId"], "processing")
        conflict = await at.root.http.post(f"/api/admin/jobs/{fine['videoId']}/{act}", json=body)
        assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "conflict")
        assert await decided(at, fine) == []
        assert (await at.ann.task(task["videoId"]))["stage"] == "unknown"


async def test_where_there_is_no_list_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], profile="generic") as at:
        task = await doubt(at)
        refused = await at.root.http.post(f"/api/admin/jobs/{task['videoId']}/look-again")
        assert refused.status_code == 409
        assert "lab has no list of its videos" in refused.json()["error"]["message"]


async def test_a_decision_is_taken_while_a_look_hangs(tmp_path: Path) -> None:
    async with at_the_lossy_lab(tmp_path, LOSSES["502"], stranger=True) as at:
        task = await doubt(at)
        at.lab.stuck, looks = asyncio.Event(), at.lab.lists
        looking = asyncio.ensure_future(at.root.http.post(f"/api/admin/jobs/{task['videoId']}/look-again"))
        async with asyncio.timeout(10):
            while at.lab.lists == looks:  # noqa: ASYNC110 - it is the other side of a socket
                await asyncio.sleep(0.01)
        closed = await at.root.http.post(f"/api/admin/jobs/{task['videoId']}/give-up")
        assert closed.json()["status"] == "failed"
        assert (await looking).json()["status"] == "failed"


# --- what is chosen for an upstream ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "chosen", "wanted", "free"),
    [
        ("generic", "", OnAmbiguous.HOLD, False),
        ("openai", "resubmit_if_absent", OnAmbiguous.RESUBMIT_IF_ABSENT, False),
        ("vllm-omni", "", OnAmbiguous.RESUBMIT_IF_ABSENT, True),
        ("vllm-omni", "hold", OnAmbiguous.HOLD, True),
    ],
)
async def test_the_configuration_decides_else_the_profile(
    tmp_path: Path, profile: str, chosen: str, wanted: OnAmbiguous, free: bool
) -> None:
    upstreams = Upstreams(settings_for(tmp_path), ManualClock(), {}, Seats())
    made = upstreams.add(
        "lab",
        Upstream(base_url="http://127.0.0.1:1", profile=profile, on_ambiguous=chosen),  # type: ignore[arg-type]
    )
    twin = upstreams.add("twin", Upstream(base_url="http://127.0.0.1:1/v1/"))
    other = upstreams.add("other", Upstream(base_url="http://127.0.0.1:1", api_key="sk-1"))  # type: ignore[arg-type]
    assert (made.on_ambiguous, made.free) == (wanted, free)
    assert made.account == twin.account != other.account
    assert "sk-1" not in repr(other)
    await upstreams.aclose()


async def test_a_choice_that_can_never_matter_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upstreams = Upstreams(settings_for(tmp_path), ManualClock(), {}, Seats())
    upstreams.add("lab", Upstream(base_url="http://127.0.0.1:1", on_ambiguous="resubmit_if_absent"))
    assert "upstreams.lab.on_ambiguous changes nothing" in caplog.text
    await upstreams.aclose()
