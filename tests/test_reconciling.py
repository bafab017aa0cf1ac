"""What becomes of a create whose answer was lost, on a manual clock: days pass in milliseconds, the store is real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.core.actor import Actor
from sora_gateway.core.asset import InputFile
from sora_gateway.core.job import ExternalId, Job, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.core.polling import PollPolicy
from sora_gateway.core.reconcile import Kind, OnAmbiguous
from sora_gateway.errors import Conflict, Unavailable
from sora_gateway.supervisor.decisions import Adopt, GiveUp, LookAgain, PayAgain
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Limits, Upstream
from tests.fakes import CountingEntropy, ManualClock, settle
from tests.gateways import Workshop, workshop
from tests.lossy_upstream import LOST, MISSING, RUNNING, LossyUpstream

ROOT = Actor("user_root", "203.0.113.7", "req_1")
RESUBMIT = OnAmbiguous.RESUBMIT_IF_ABSENT


class Case:
    """One clock, one upstream and one directory, over any number of gateways."""

    def __init__(self, directory: Path, **upstream: Any) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.entropy = CountingEntropy()
        self.upstream = LossyUpstream(**({"listing": "live"} | upstream), clock=self.clock)

    @asynccontextmanager
    async def gateway(self, limits: Limits | None = None, **of_upstream: Any) -> AsyncIterator[Workshop]:
        """One more; *of_upstream* are fields of :class:`Upstream`."""
        wired = {"lab": Upstream(self.upstream, Gate(self.clock, 0, 2), PollPolicy(), **of_upstream)}
        async with workshop(
            self.directory, self.upstream, clock=self.clock, entropy=self.entropy, upstreams=wired,
            limits=limits,
        ) as shop:  # fmt: skip
            yield shop


async def doubt(shop: Workshop, prompt: str = "a paper boat", credits: int = 10) -> Job:
    """A job whose create's answer was lost a moment ago."""
    return await shop.reaches((await shop.accept(prompt, credits)).id, State.UNKNOWN, step=0.01)


async def outcomes(shop: Workshop, job: Job) -> list[str | None]:
    return [attempt.outcome for attempt in await shop.store.attempts(job.id)]


# --- found in the list -------------------------------------------------------------------------------


async def test_a_video_whose_receipt_was_lost_is_found_and_watched_on(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
        found = await shop.reaches(job.id, State.PROCESSING, within=20)
        assert found.external_id == "lab-1"
        assert await outcomes(shop, job) == ["adopted"]
        assert len(case.upstream.took) == 1
        assert await shop.balance() == (90, 10)
        assert await shop.store.credits.of_job(job.id) == [("hold", -10, 10)]


async def test_what_appears_late_is_found_at_a_later_look(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
        hidden, case.upstream.rows = case.upstream.rows, []
        await case.clock.advance(50)
        case.upstream.rows = hidden
        await shop.reaches(job.id, State.PROCESSING, within=15)
        assert len(case.upstream.lists) == 2


async def test_five_at_once_are_found_with_one_look_and_paired_in_order(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        jobs = [await shop.accept() for _ in range(5)]
        for job in jobs:
            await shop.reaches(job.id, State.PROCESSING, within=30)
        assert len(case.upstream.lists) == 1
        sent = {attempt.rpartition(" ")[0]: found for attempt, found in case.upstream.took.items()}
        for job in jobs:
            (attempt,) = await shop.store.attempts(job.id)
            assert attempt.external_id == sent[attempt.id]
        assert len(case.upstream.took) == 5


async def test_equal_wishes_of_two_people_are_left_to_an_administrator(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        await shop.store.people.create_user("user_ben", "ben@example.org", "member", None, 100, 0.0)
        hers = await doubt(shop)
        order = shop.order("a paper boat", owner="user_ben")
        his = await shop.reaches((await shop.supervisor.accept(order)).id, State.UNKNOWN, step=0.01)
        await case.clock.advance(3600)
        for job in (await shop.job(hers.id), await shop.job(his.id)):
            assert job.state is State.UNKNOWN
            assert "2 videos in the list of lab may be it" in job.note
            assert job.note.endswith("an administrator has to decide.")
        assert await shop.balance() == (90, 10)


async def test_another_create_under_way_is_waited_for(tmp_path: Path) -> None:
    case = Case(tmp_path, losing=1)
    async with case.gateway(limits=Limits(create_timeout=60)) as shop:
        job = await doubt(shop)
        case.upstream.answering.clear()
        twin = await shop.accept()
        await case.clock.advance(30)
        assert (await shop.job(job.id)).state is State.UNKNOWN, "either video may be the twin's"
        case.upstream.answering.set()
        await shop.reaches(twin.id, State.PROCESSING)
        found = await shop.reaches(job.id, State.PROCESSING, within=60)
        assert (found.external_id, (await shop.job(twin.id)).external_id) == ("lab-1", "lab-2")


async def test_an_upstream_whose_clock_is_an_hour_off_is_understood(tmp_path: Path) -> None:
    case = Case(tmp_path, ahead=-3600.0)
    async with case.gateway() as shop:
        case.upstream.add("older", ago=300)
        found = await shop.reaches((await doubt(shop)).id, State.PROCESSING, within=20)
        assert found.external_id == "lab-1"


async def test_a_list_without_prompts_is_enough_for_one(tmp_path: Path) -> None:
    case = Case(tmp_path, tells_prompts=False)
    async with case.gateway() as shop:
        await shop.reaches((await doubt(shop)).id, State.PROCESSING, within=20)


async def test_the_list_is_read_back_to_the_time_of_the_create(tmp_path: Path) -> None:
    case = Case(tmp_path, page=10)
    async with case.gateway() as shop:
        for number in range(200):
            case.upstream.add(f"older-{number}", prompt="another", ago=1000 - number)
        job = await doubt(shop)
        for number in range(35):
            case.upstream.add(f"newer-{number}", prompt="another")
        asked: list[ExternalId | None] = []
        list_jobs = case.upstream.list_jobs

        async def counted(after: ExternalId | None = None) -> Any:
            asked.append(after)
            return await list_jobs(after)

        case.upstream.list_jobs = counted  # type: ignore[method-assign]
        await shop.reaches(job.id, State.PROCESSING, within=20)
        assert len(asked) == 4, "not into the past"


async def test_a_look_that_finds_a_video_of_another_job_changes_nothing(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway() as shop:
        case.upstream.taking, case.upstream.losing = True, 0
        other = await shop.reaches((await shop.accept()).id, State.PROCESSING, step=0.01)
        case.upstream.taking, case.upstream.losing = False, 1
        job = await doubt(shop)
        await case.clock.advance(300)
        assert (await shop.job(job.id)).state is State.UNKNOWN
        assert (await shop.job(other.id)).external_id == "lab-1"


# --- not found ---------------------------------------------------------------------------------------


async def test_what_is_not_there_keeps_its_hold_and_is_never_sent_again(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway() as shop:
        job = await doubt(shop)
        sent_at = job.submitted_at
        assert sent_at is not None
        await case.clock.advance(100_000)
        waiting = await shop.job(job.id)
        assert waiting.state is State.UNKNOWN
        assert waiting.note == (
            "Its answer was lost (the connection broke after sending), and the list of lab does not have it: "
            "an administrator has to decide."
        )
        looks = [round(moment - sent_at) for moment in case.upstream.lists]
        assert [15 <= looks[0] < 20, 60 <= looks[1] < 65, 180 <= looks[2] < 185, len(looks)] == [
            True,
            True,
            True,
            3,
        ]
        assert len(case.upstream.orders) == 1
        assert await shop.balance() == (90, 10)


async def test_an_upstream_without_a_list_is_for_a_person_at_once(tmp_path: Path) -> None:
    case = Case(tmp_path, listing="none")
    async with case.gateway() as shop:
        job = await doubt(shop)
        await case.clock.advance(1)
        assert (
            "lab has no list of its videos: an administrator has to decide" in (await shop.job(job.id)).note
        )
        with pytest.raises(Conflict, match="nowhere to look"):
            await shop.supervisor.decide(job.id, LookAgain())
        await case.clock.advance(86400)
        assert (case.upstream.lists, len(case.upstream.orders)) == ([], 1)


async def test_a_list_that_cannot_be_had_is_asked_for_until_it_can(tmp_path: Path) -> None:
    case = Case(tmp_path, trouble=[Look(LookKind.TROUBLE, message="HTTP 502")] * 5)
    async with case.gateway() as shop:
        job = await doubt(shop)
        await case.clock.advance(250)
        assert "the list of lab cannot be had (HTTP 502)" in (await shop.job(job.id)).note
        await shop.reaches(job.id, State.PROCESSING, within=600, step=10)


async def test_a_list_that_can_never_be_had_is_left_alone_in_the_end(tmp_path: Path) -> None:
    case = Case(tmp_path, trouble=[Look(LookKind.TROUBLE, message="HTTP 502")] * 1000)
    async with case.gateway() as shop:
        job = await doubt(shop)
        await case.clock.advance(10 * 86400)
        assert len(case.upstream.lists) == 14
        assert (await shop.job(job.id)).state is State.UNKNOWN


# --- resubmit_if_absent ------------------------------------------------------------------------------


async def test_where_it_is_allowed_what_is_provably_absent_is_sent_again_once(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        job = await doubt(shop)
        await case.clock.advance(179)
        assert len(case.upstream.orders) == 1, "not before the end of the search"
        await case.clock.advance(21)
        assert len(case.upstream.orders) == 2
        await case.clock.advance(86400)
        assert len(case.upstream.orders) == 2, "once per job"
        assert (await shop.job(job.id)).state is State.UNKNOWN
        assert await outcomes(shop, job) == ["pay_again", "unknown"]
        (first, _) = await shop.store.attempts(job.id)
        assert "resubmit_if_absent" in first.detail
        assert await shop.store.credits.of_job(job.id) == [("hold", -10, 10)]


async def test_what_was_sent_again_and_answered_goes_on_on_the_one_hold(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False, losing=1)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        job = await doubt(shop)
        case.upstream.taking = True
        done = await shop.reaches(job.id, State.PROCESSING, within=200)
        assert (done.external_id, done.attempt) == ("lab-1", 2)
        assert await shop.store.credits.of_job(job.id) == [("hold", -10, 10)]


@pytest.mark.parametrize("cut", ["more pages than are read", "a page that breaks", "pages out of order"])
async def test_a_list_that_is_not_complete_proves_nothing(tmp_path: Path, cut: str) -> None:
    case = Case(tmp_path, taking=False, page=2)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        job = await doubt(shop)
        for number in range(100):
            case.upstream.add(f"newer-{number}", prompt="another")
        if cut == "pages out of order":
            case.upstream.rows = case.upstream.rows[:6]
            case.upstream.add("older", prompt="another", ago=9999)
        if cut == "a page that breaks":
            list_jobs, page = case.upstream.list_jobs, Look(LookKind.TROUBLE, message="HTTP 502")

            async def breaking(after: ExternalId | None = None) -> Any:
                return page if after else await list_jobs(after)

            case.upstream.list_jobs = breaking  # type: ignore[method-assign]
        await case.clock.advance(86400)
        if cut == "pages out of order":
            # It was read to its very end.
            assert len(case.upstream.orders) == 2
        else:
            assert len(case.upstream.orders) == 1
            assert "says too little, or ends too early" in (await shop.job(job.id)).note


@pytest.mark.parametrize("pages", [True, False])
async def test_a_full_page_is_not_the_whole_list_because_it_does_not_say_that_there_is_more(
    tmp_path: Path, pages: bool
) -> None:
    case = Case(tmp_path, taking=False, tells_when_more=False)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        await doubt(shop)
        for number in range(100):
            case.upstream.add(f"newer-{number}", prompt="another")
        if not pages:
            case.upstream.page = 100_000
            list_jobs = case.upstream.list_jobs

            async def the_same_again(after: ExternalId | None = None) -> Any:
                return await list_jobs(None)

            case.upstream.list_jobs = the_same_again  # type: ignore[method-assign]
        await case.clock.advance(86400)
        assert len(case.upstream.orders) == (2 if pages else 1)


async def test_what_is_like_it_but_not_it_proves_nothing(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        job = await doubt(shop)
        case.upstream.add("renamed", model="sora-2-2025-10-06")
        await case.clock.advance(86400)
        assert len(case.upstream.orders) == 1
        assert "has 1 like it" in (await shop.job(job.id)).note


async def test_a_cancelled_one_that_is_absent_is_cancelled_and_not_sent(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        job = await doubt(shop)
        assert (await shop.supervisor.cancel(job)).state is State.UNKNOWN
        await shop.reaches(job.id, State.CANCELLED, within=200)
        assert len(case.upstream.orders) == 1
        assert await shop.balance() == (100, 0)


# --- idempotency keys --------------------------------------------------------------------------------


async def test_where_keys_are_honoured_the_same_create_is_sent_again(tmp_path: Path) -> None:
    case = Case(tmp_path, idempotent=True, losing=2, listing="none")
    image = InputFile("reference", b"\x89PNG", "image/png")
    async with case.gateway() as shop:
        job = await shop.reaches((await shop.accept(inputs=(image,))).id, State.UNKNOWN, step=0.01)
        found = await shop.reaches(job.id, State.PROCESSING, within=60)
        assert (found.external_id, found.attempt, len(case.upstream.took)) == ("lab-1", 1, 1)
        first, *others = case.upstream.orders
        assert others == [first, first]
        assert first.idempotency_key == f"{job.id}-1"
        assert await outcomes(shop, job) == ["receipt"]
        assert await shop.balance() == (90, 10)


async def test_a_create_that_never_arrived_is_bought_by_its_second_sending(tmp_path: Path) -> None:
    case = Case(tmp_path, idempotent=True, taking=False, losing=1)
    async with case.gateway() as shop:
        job = await doubt(shop)
        case.upstream.taking = True
        await shop.reaches(job.id, State.PROCESSING, within=60)
        assert len(case.upstream.took) == 1


async def test_409_to_our_own_key_names_the_job(tmp_path: Path) -> None:
    known = CreateAnswer(status=409, external_id="lab-1", own_key=True)
    case = Case(tmp_path, idempotent=True, creates=[LOST, known])
    async with case.gateway() as shop:
        job = await doubt(shop)
        assert (await shop.reaches(job.id, State.PROCESSING, within=60)).external_id == "lab-1"
        assert await outcomes(shop, job) == ["known"]


async def test_sending_again_ends_after_some_tries_and_within_the_keys_life(tmp_path: Path) -> None:
    case = Case(tmp_path, idempotent=True, listing="none", creates=[LOST])
    async with case.gateway() as shop:
        job = await doubt(shop)
        await case.clock.advance(3 * 86400)
        assert len(case.upstream.orders) == 13
        assert "never answered when it was sent again" in (await shop.job(job.id)).note
        assert len(case.upstream.took) == 1
        with pytest.raises(Conflict, match="never answered when it was sent again"):
            await shop.supervisor.decide(job.id, LookAgain())


async def test_after_the_keys_life_it_is_only_looked_for(tmp_path: Path) -> None:
    case = Case(tmp_path, idempotent=True)
    async with case.gateway() as shop:
        job = await doubt(shop)
    await case.clock.advance(2 * 86400)
    async with case.gateway() as shop:
        assert (await shop.reaches(job.id, State.PROCESSING, within=20)).external_id == "lab-1"
        assert len(case.upstream.orders) == 1


@pytest.mark.parametrize(
    ("answer", "sendings"),
    [
        (CreateAnswer(not_sent="no route"), 13),
        (CreateAnswer(status=429, retry_after=900.0), 13),
        (CreateAnswer(status=401), 13),
        (CreateAnswer(status=500), 13),
        (CreateAnswer(status=200, external_id="lab-0"), 13),
        (CreateAnswer(status=422, error_code="mismatch", error_message="Another body."), 2),
        (CreateAnswer(status=400, error_code="moderation_blocked", error_message="No."), 2),
    ],
    ids=str,
)
async def test_no_answer_but_an_id_ends_the_doubt(
    tmp_path: Path, answer: CreateAnswer, sendings: int
) -> None:
    case = Case(tmp_path, idempotent=True, listing="none", losing=0)
    async with case.gateway() as shop:
        # Another job has the id that one of the answers names.
        case.upstream.creates = [CreateAnswer(status=200, external_id="lab-0")]
        await shop.reaches((await shop.accept(credits=0)).id, State.PROCESSING, step=0.01)
        case.upstream.creates = [LOST, answer]
        before = len(case.upstream.orders)
        job = await doubt(shop)
        await case.clock.advance(2 * 86400)
        waiting = await shop.job(job.id)
        assert (waiting.state, waiting.attempt) == (State.UNKNOWN, 1)
        assert waiting.note.endswith("an administrator has to decide.")
        assert 2 <= len(case.upstream.orders) - before <= sendings
        assert await shop.balance() == (90, 10)


async def test_a_paused_upstream_is_sent_nothing_again(tmp_path: Path) -> None:
    case = Case(tmp_path, idempotent=True)
    async with case.gateway() as shop:
        job = await doubt(shop)
        upstream = shop.supervisor._upstreams["lab"]
        upstream.gate.hold("it is being repaired")
        await case.clock.advance(3600)
        assert len(case.upstream.orders) == 1
        upstream.gate.release()
        case.upstream.losing = 0
        await shop.reaches(job.id, State.PROCESSING, within=60)


async def test_what_it_was_made_from_must_still_be_here(tmp_path: Path) -> None:
    case = Case(tmp_path, idempotent=True, listing="none")
    image = InputFile("reference", b"\x89PNG", "image/png")
    async with case.gateway() as shop:
        job = await shop.reaches((await shop.accept(inputs=(image,))).id, State.UNKNOWN, step=0.01)
        for file in (tmp_path / "media").rglob("reference*"):
            file.unlink()
        await case.clock.advance(86400)
        assert len(case.upstream.orders) == 1
        assert "not in the gateway's files any more" in (await shop.job(job.id)).note


# --- restarts ----------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_the_search_was(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway() as shop:
        job = await doubt(shop)
        await case.clock.advance(30)
        assert len(case.upstream.lists) == 1
    for moment in (40, 100):
        async with case.gateway() as shop:
            await case.clock.advance(moment - 30)
    async with case.gateway() as shop:
        await case.clock.advance(86400)
        assert "does not have it" in (await shop.job(job.id)).note
    assert 4 <= len(case.upstream.lists) <= 6


async def test_many_old_doubts_are_one_look_after_a_restart(tmp_path: Path) -> None:
    case = Case(tmp_path, taking=False)
    async with case.gateway() as shop:
        for number in range(20):
            await shop.accept(f"prompt {number}", credits=0)
        # After some of them the breaker lets one through at a time.
        await case.clock.advance(86400)
        versions = [job.version for job in await shop.store.unfinished()]
    looks = len(case.upstream.lists)
    async with case.gateway() as shop:
        await case.clock.advance(86400)
        assert len(case.upstream.lists) == looks + 1
        assert [job.version for job in await shop.store.unfinished()] == versions, "nothing new was said"


async def test_a_crash_in_the_middle_of_a_create_is_searched_for_from_its_sending_on(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.upstream.answering.clear()
    async with case.gateway() as shop:
        job = await shop.accept()
        await settle()
        await shop.supervisor.stop(grace=0)
    await case.clock.advance(7200)
    async with case.gateway() as shop:
        assert (await shop.reaches(job.id, State.PROCESSING, within=5)).external_id == "lab-1"
        assert len(case.upstream.orders) == 1


# --- a job that the upstream had and denies ----------------------------------------------------------


async def forgotten(shop: Workshop, upstream: LossyUpstream) -> Job:
    """An accepted job of which its upstream says that it does not know it."""
    upstream.losing, upstream.looks = 0, [RUNNING, MISSING]
    job = await shop.reaches((await shop.accept()).id, State.UNKNOWN, step=10)
    assert job.external_id == "lab-1"
    return job


async def test_a_job_that_comes_back_is_watched_on_with_its_own_clock(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await forgotten(shop, case.upstream)
        await case.clock.advance(100)
        waiting = await shop.job(job.id)
        assert waiting.note.startswith("Its upstream lost it (no such video), and lab cannot say how it is")
        case.upstream.looks = [RUNNING]
        found = await shop.reaches(job.id, State.PROCESSING, within=600, step=10)
        assert (found.external_id, found.accepted_at) == ("lab-1", job.accepted_at)
        assert await outcomes(shop, job) == ["receipt"]


async def test_a_job_that_stays_lost_is_asked_for_ever_more_rarely(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        job = await forgotten(shop, case.upstream)
        asked = case.upstream.looked
        await case.clock.advance(5 * 86400)
        assert case.upstream.looked == asked + 6
        assert len(case.upstream.orders) == 1, "it was certainly paid for"
        assert (await shop.job(job.id)).state is State.UNKNOWN
        assert await shop.balance() == (90, 10)


@pytest.mark.parametrize("listed", [False, True])
async def test_where_nothing_is_paid_a_lost_job_is_sent_again_if_no_list_has_it(
    tmp_path: Path, listed: bool
) -> None:
    case = Case(tmp_path)
    async with case.gateway(on_ambiguous=RESUBMIT, free=True) as shop:
        job = await forgotten(shop, case.upstream)
        if not listed:
            case.upstream.rows = []
        case.upstream.looks = [MISSING] * 1 + [RUNNING] if not listed else [MISSING]
        await case.clock.advance(600)
        assert len(case.upstream.orders) == (1 if listed else 2)
        assert (await shop.job(job.id)).state is (State.UNKNOWN if listed else State.PROCESSING)


async def test_trouble_says_nothing_about_a_lost_job(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway(on_ambiguous=RESUBMIT, free=True) as shop:
        await forgotten(shop, case.upstream)
        case.upstream.rows, case.upstream.looks = [], [Look(LookKind.TROUBLE, message="HTTP 502")]
        await case.clock.advance(86400)
        assert len(case.upstream.orders) == 1


# --- people ------------------------------------------------------------------------------------------


async def test_a_person_can_have_it_looked_for_now(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
        looking = asyncio.ensure_future(shop.supervisor.decide(job.id, LookAgain(), ROOT))
        await case.clock.advance(5)
        assert (await looking).state is State.PROCESSING
        (entry,) = await shop.store.audited(job.id)
        assert (entry.actor, entry.action) == ("user_root", "job.look_again")


async def test_a_look_that_finds_nothing_says_so_and_shows_what_is_like_it(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
        case.upstream.add("another")
        assert shop.supervisor.finding(job) is None
        looking = asyncio.ensure_future(shop.supervisor.decide(job.id, LookAgain()))
        await case.clock.advance(5)
        assert (await looking).state is State.UNKNOWN
        finding = shop.supervisor.finding(job)
        assert finding is not None
        assert finding.verdict.kind is Kind.AMBIGUOUS
        assert [row.external_id for row in finding.verdict.candidates] == ["another", "lab-1"]
        await shop.supervisor.decide(job.id, Adopt(ExternalId("lab-1")), ROOT)
        assert shop.supervisor.finding(job) is None
        actions = [(each.action, each.detail) for each in await shop.store.audited(job.id)]
        assert actions == [("job.look_again", ""), ("job.adopt", "lab-1")]


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        (Adopt(ExternalId("lab-1")), State.PROCESSING),
        (PayAgain(), State.PROCESSING),
        (GiveUp(), State.FAILED),
    ],
    ids=["adopt", "pay again", "give up"],
)
@pytest.mark.parametrize("moment", ["between two looks", "during a look", "while it is sent again"])
async def test_a_person_can_decide_at_any_moment(
    tmp_path: Path, decision: Any, state: State, moment: str
) -> None:
    case = Case(tmp_path, idempotent=moment == "while it is sent again", losing=1)
    async with case.gateway() as shop:
        job = await doubt(shop)
        case.upstream.answering.clear()
        if moment == "during a look":
            stuck = asyncio.Event()

            async def hanging(after: ExternalId | None = None) -> Any:
                await stuck.wait()

            case.upstream.list_jobs = hanging  # type: ignore[method-assign]
            await case.clock.advance(20)
        elif moment == "while it is sent again":
            await case.clock.advance(10)
            assert len(case.upstream.orders) == 2
        decided = await shop.supervisor.decide(job.id, decision, ROOT)
        assert decided.state is not State.UNKNOWN
        case.upstream.answering.set()
        await case.clock.advance(30)
        assert (await shop.job(job.id)).state is state
        assert [entry.actor for entry in await shop.store.audited(job.id)] == ["user_root"]


async def test_an_id_that_is_taken_or_none_is_neither_adopted_nor_audited(tmp_path: Path) -> None:
    case = Case(tmp_path, losing=0, listing="none")
    async with case.gateway() as shop:
        other = await shop.reaches((await shop.accept()).id, State.PROCESSING, step=0.01)
        case.upstream.losing = 1
        job = await doubt(shop)
        assert other.external_id is not None
        with pytest.raises(Conflict, match="already has that id"):
            await shop.supervisor.decide(job.id, Adopt(other.external_id))
        assert await shop.store.audited(job.id) == []


async def test_a_cancel_of_a_doubtful_video_is_honoured_when_it_is_found(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
        noted = await shop.supervisor.cancel(job)
        assert (noted.state, noted.cancel_requested) == (State.UNKNOWN, True)
        await shop.reaches(job.id, State.CANCELLED, within=20)


async def test_only_a_doubtful_job_is_looked_for(tmp_path: Path) -> None:
    case = Case(tmp_path, losing=0)
    async with case.gateway() as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING, step=0.01)
        with pytest.raises(Conflict, match="only a video whose outcome is unknown"):
            await shop.supervisor.decide(job.id, LookAgain())
        assert await shop.store.audited(job.id) == []


async def test_without_a_gateway_nobody_looks(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
    async with workshop(
        tmp_path, case.upstream, clock=case.clock, entropy=case.entropy, entered=False
    ) as shop:
        with pytest.raises(Unavailable, match="looks by itself"):
            await shop.supervisor.decide(job.id, LookAgain())


async def test_who_waits_for_a_look_is_told_when_the_gateway_stops(tmp_path: Path) -> None:
    case = Case(tmp_path)
    async with case.gateway() as shop:
        job = await doubt(shop)
        looking = asyncio.ensure_future(shop.supervisor.decide(job.id, LookAgain()))
        await settle()
        await shop.supervisor.stop(grace=0)
        assert (await looking).state is State.UNKNOWN


# --- one account under two names ---------------------------------------------------------------------


async def test_what_was_made_through_another_name_of_the_same_account_is_not_adopted(tmp_path: Path) -> None:
    case = Case(tmp_path, losing=0)
    wired = {
        name: Upstream(case.upstream, Gate(case.clock, 0, 2), PollPolicy(), account="one")
        for name in ("lab", "slow")
    }
    async with workshop(
        tmp_path, case.upstream, clock=case.clock, entropy=case.entropy, upstreams=wired
    ) as shop:
        order = shop.order("a paper boat", upstream="slow")
        other = await shop.reaches((await shop.supervisor.accept(order)).id, State.PROCESSING, step=0.01)
        case.upstream.losing, case.upstream.taking = 1, False
        job = await doubt(shop)
        await case.clock.advance(300)
        assert (await shop.job(job.id)).state is State.UNKNOWN
        assert (await shop.job(other.id)).external_id == "lab-1"
