"""The money table end to end: every way a job can end, asked for over the API, and what it leaves in the books."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.supervisor.decisions import Adopt
from tests.lab import (
    PRICE,
    Lab,
    at_the_lab,
    closing,
    ledger,
    opportunity,
    outcomes,
    says,
    unused_port,
)
from tests.raw_server import Handler, Received, Wire, serving_raw
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4

FINISHED: dict[str, object] = {"status": "completed", "progress": 100}


async def close_at_once(_: Received, wire: Wire) -> None:
    """Takes the create and answers nothing."""


async def balance(ann: Person) -> tuple[int, int]:
    """Available and held credits."""
    user = await ann.gateway.store.people.by_email("ann@example.org")
    return user.available, user.held


async def cancelled(ann: Person, task: Json, stage: str = "cancelled") -> Json:
    response = await ann.http.post(f"/api/video/tasks/{task['videoId']}/cancel")
    assert response.status_code == 200, response.text
    return await ann.comes_to(task["videoId"], stage)


@asynccontextmanager
async def administrator(ann: Person) -> AsyncIterator[Callable[[Json, str], Awaitable[None]]]:
    """Decides on tasks, over the API."""
    async with person(ann.gateway, "root", "admin") as root:

        async def decide(task: Json, decision: str) -> None:
            answer = await root.http.post(f"/api/admin/jobs/{task['videoId']}/{decision}")
            assert answer.status_code == 200, answer.text

        yield decide


# --- completed: settled ------------------------------------------------------------------------------


async def test_a_stored_video_is_settled(tmp_path: Path) -> None:
    lab = Lab(looks=FINISHED, content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.make()
        assert task["credits"] == PRICE
        await ann.comes_to(task["videoId"], "completed")
        assert await ledger(ann, task) == ["hold", "settle"]
        assert await balance(ann) == (100 - PRICE, 0)
        # Deleting the video moves nothing.
        assert (await ann.http.delete(f"/api/video/tasks/{task['videoId']}")).status_code == 204
        assert await ledger(ann, task) == ["hold", "settle"]


# --- never accepted: released ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refusal", [says(400), says(429)], ids=["refused at once", "refused until it was given up"]
)
async def test_what_was_refused_is_released(refusal: Handler, tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(creates=[refusal])) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "failed")
        assert await ledger(ann, task) == ["hold", "release"]
        assert await balance(ann) == (100, 0)


async def test_what_was_cancelled_while_queued_is_released(tmp_path: Path) -> None:
    lab = Lab()
    async with at_the_lab(tmp_path, lab, upstream={"max_concurrent": 1}) as ann:
        first = await ann.comes_to((await ann.make())["videoId"], "processing")
        second = await ann.make("no place for it")
        assert (await cancelled(ann, second))["error"]["code"] == "cancelled"
        assert await ledger(ann, second) == ["hold", "release"]
        assert await ledger(ann, first) == ["hold"]
        assert len(lab.orders) == 1


async def test_what_could_not_be_sent_before_the_final_limit_is_released(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    async with at_the_lab(tmp_path, Lab(), url=url, jobs={"final_limit": 60.0}) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "failed")
        assert task["error"]["code"] == "final_limit"
        assert await ledger(ann, task) == ["hold", "release"]


async def test_what_cannot_be_paid_is_not_taken(tmp_path: Path) -> None:
    lab = Lab()
    async with at_the_lab(tmp_path, lab, balance=PRICE + 1) as ann:
        await ann.make()
        refused = await ann.http.post("/api/video/tasks", json={"prompt": "one too many"})
        assert refused.status_code == 402
        assert refused.json()["error"]["message"] == (
            f"This video costs {PRICE} credits and 1 are left; {PRICE - 1} more are needed."
            " Redeem a code, or ask an administrator."
        )
        assert await balance(ann) == (1, PRICE)
        assert len((await ann.get("/api/video/tasks")).json()["tasks"]) == 1


# --- the upstream says failed: released --------------------------------------------------------------


async def test_what_the_upstream_failed_at_is_released(tmp_path: Path) -> None:
    failed: dict[str, object] = {"status": "failed", "error": {"code": "gpu_lost", "message": "A GPU broke."}}
    async with at_the_lab(tmp_path, Lab(looks=failed)) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "failed")
        assert task["error"] == {"code": "gpu_lost", "message": "A GPU broke."}
        assert await ledger(ann, task) == ["hold", "release"]


# --- cancelled after acceptance ----------------------------------------------------------------------


async def test_what_the_upstream_confirms_to_have_stopped_is_released(tmp_path: Path) -> None:
    lab = Lab(delete=closing(200, {"deleted": True}))
    async with at_the_lab(tmp_path, lab, upstream={"profile": "simulator"}) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        await cancelled(ann, task)
        assert lab.deletes == 1
        assert await ledger(ann, task) == ["hold", "release"]


@pytest.mark.parametrize(("on_cancel", "ending"), [("settle", "settle"), ("release", "release")])
async def test_what_cannot_be_stopped_is_the_operators_choice(
    on_cancel: str, ending: str, tmp_path: Path
) -> None:
    lab = Lab()
    async with at_the_lab(tmp_path, lab, credits={"on_cancel": on_cancel}) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        await cancelled(ann, task)
        assert lab.deletes == 0  # where DELETE only forgets a job it is never sent
        assert await ledger(ann, task) == ["hold", ending]


async def test_a_stop_that_the_upstream_never_answers_is_settled(tmp_path: Path) -> None:
    lab = Lab(delete=closing(500))
    async with at_the_lab(tmp_path, lab, upstream={"profile": "simulator"}) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        await cancelled(ann, task)
        assert lab.deletes > 1
        assert await ledger(ann, task) == ["hold", "settle"]


async def test_what_was_finished_before_it_could_be_stopped_is_delivered_and_settled(tmp_path: Path) -> None:
    lab = Lab(delete=closing(404), content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    # Nobody looks by themselves between that and the wish.
    rarely = {"min_interval": 5000}
    async with at_the_lab(tmp_path, lab, upstream={"profile": "simulator"}, polling=rarely) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        lab.looks = FINISHED
        await cancelled(ann, task, stage="completed")
        assert await ledger(ann, task) == ["hold", "settle"]


# --- unknown: held, until a person says --------------------------------------------------------------


async def test_a_doubt_that_is_given_up_is_released(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(creates=[close_at_once])) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "unknown")
        assert await balance(ann) == (100 - PRICE, PRICE)
        async with administrator(ann) as decide:
            await decide(task, "give-up")
        assert (await ann.comes_to(task["videoId"], "failed"))["error"]["code"] == "given_up"
        assert await ledger(ann, task) == ["hold", "release"]
        assert await balance(ann) == (100, 0)


async def test_a_doubt_that_is_paid_again_keeps_its_one_hold(tmp_path: Path) -> None:
    lab = Lab(creates=[close_at_once, says(200, {"id": "ext-2"})])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "unknown")
        async with administrator(ann) as decide:
            await decide(task, "pay-again")
        task = await ann.comes_to(task["videoId"], "processing")
        assert len(lab.orders) == 2
        assert await outcomes(ann, task) == ["pay_again", "receipt"]
        assert await ledger(ann, task) == ["hold"]
        assert await balance(ann) == (100 - PRICE, PRICE)
        lab.looks, lab.content = FINISHED, closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
        await ann.comes_to(task["videoId"], "completed")
        assert await ledger(ann, task) == ["hold", "settle"]


async def test_a_doubt_that_is_found_goes_on_with_its_hold(tmp_path: Path) -> None:
    lab = Lab(creates=[close_at_once])
    async with at_the_lab(tmp_path, lab) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "unknown")
        await ann.gateway.supervisor.decide(JobId(task["videoId"]), Adopt(ExternalId("ext-9")))
        task = await ann.comes_to(task["videoId"], "processing")
        assert task["externalVideoId"] == "ext-9"
        assert len(lab.orders) == 1
        assert await ledger(ann, task) == ["hold"]


async def test_a_wish_to_cancel_a_doubt_releases_nothing(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(creates=[close_at_once])) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "unknown")
        wished = await cancelled(ann, task, stage="unknown")
        await opportunity()
        assert wished["cancelRequested"]
        assert await ledger(ann, task) == ["hold"]


# --- failed, and an administrator has to say: held ---------------------------------------------------


async def test_a_finished_video_whose_file_cannot_be_had_stays_held(tmp_path: Path) -> None:
    lab = Lab(looks=FINISHED, content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    async with at_the_lab(tmp_path, lab, media={"max_file": 1024}) as ann:  # it is larger than that
        task = await ann.comes_to((await ann.make())["videoId"], "failed")
        assert task["error"]["code"] == "file_lost"
        assert await ledger(ann, task) == ["hold"]
        assert await balance(ann) == (100 - PRICE, PRICE)


async def test_an_accepted_video_past_the_final_limit_stays_held(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), jobs={"final_limit": 100.0, "overdue_after": 50.0}) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "processing")
        late = await ann.comes_to(task["videoId"], "failed")
        assert late["overdue"]
        assert late["error"]["code"] == "final_limit"
        assert await ledger(ann, task) == ["hold"]


@pytest.mark.parametrize("decision", ["settle", "release"])
@pytest.mark.parametrize("why", ["file_lost", "final_limit"])
async def test_what_stays_held_is_decided_once_by_an_administrator(
    why: str, decision: str, tmp_path: Path
) -> None:
    lab = Lab(content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"}))
    lab.looks = FINISHED if why == "file_lost" else lab.looks
    limits: Json = {"jobs": {"final_limit": 100.0, "overdue_after": 50.0}} if why == "final_limit" else {}
    async with at_the_lab(tmp_path, lab, media={"max_file": 1024}, **limits) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "failed")
        assert task["error"]["code"] == why
        # Its owner deletes it meanwhile: the hold is there to be decided on all the same.
        assert (await ann.http.delete(f"/api/video/tasks/{task['videoId']}")).status_code == 204
        assert await ledger(ann, task) == ["hold"]
        async with administrator(ann) as decide, person(ann.gateway, "ada", "admin") as ada:
            await decide(task, decision)
            again = await ada.http.post(f"/api/admin/jobs/{task['videoId']}/{decision}")
            assert again.status_code == 409
        assert await ledger(ann, task) == ["hold", decision]
        assert await balance(ann) == ((100 - PRICE, 0) if decision == "settle" else (100, 0))


# --- the price is the one that was told --------------------------------------------------------------


async def test_a_price_list_that_changes_meanwhile_changes_no_hold(tmp_path: Path) -> None:
    lab = Lab()
    async with serving_raw(lab.handle) as server:
        async with at_the_lab(tmp_path, lab, url=server.url) as ann:
            old = await ann.comes_to((await ann.make())["videoId"], "processing")
        async with at_the_lab(tmp_path, lab, url=server.url, pricing={"per_video": 3 * PRICE}) as ann:
            new = await ann.comes_to((await ann.make())["videoId"], "processing")
            assert (await ann.task(old["videoId"]))["credits"] == PRICE
            assert new["credits"] == 3 * PRICE
            lab.looks, lab.content = FINISHED, closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
            for task in (old, new):
                await ann.comes_to(task["videoId"], "completed")
            assert await ledger(ann, old) == ["hold", "settle"]
            assert await balance(ann) == (100 - 4 * PRICE, 0)
            lines = (await ann.get("/api/credits/ledger")).json()["entries"]
            versions = {line["videoId"]: line["priceVersion"] for line in lines if line["kind"] == "hold"}
            assert all(versions.values())
            assert len(set(versions.values())) == 2


# --- what the upstream took --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"cost": 0.42}, 0.42),
        ({"cost": "0.42"}, 0.42),
        ({"usage": {"cost": 0.42, "is_byok": False}}, 0.42),
        ({"cost": {"free": "form"}, "usage": {"cost": 1}}, 1.0),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "a lot"}, None),
        ({"cost": 1e300}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_what_the_upstream_says_that_it_took_stands_beside_the_credits(
    said: Json, kept: float | None, tmp_path: Path
) -> None:
    video = closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
    async with at_the_lab(tmp_path, Lab(looks=FINISHED | said, content=video)) as ann:
        task = await ann.comes_to((await ann.make())["videoId"], "completed")
        assert task["upstreamCost"] == kept
        assert await ledger(ann, task) == ["hold", "settle"]
        (used,) = await ann.gateway.store.credits.usage("user_ann", 0.0, 1e12)
        assert (used.settled, used.cost) == (PRICE, kept)


# --- a retry pays for itself -------------------------------------------------------------------------


async def test_a_retry_has_a_hold_of_its_own(tmp_path: Path) -> None:
    lab = Lab(creates=[says(400), says(200, {"id": "ext-2"})])
    async with at_the_lab(tmp_path, lab) as ann:
        first = await ann.comes_to((await ann.make())["videoId"], "failed")
        again = (await ann.http.post(f"/api/video/tasks/{first['videoId']}/retry")).json()
        await ann.comes_to(again["videoId"], "processing")
        assert again["retryOf"] == first["videoId"]
        assert await ledger(ann, first) == ["hold", "release"]
        assert await ledger(ann, again) == ["hold"]
        assert await balance(ann) == (100 - PRICE, PRICE)
