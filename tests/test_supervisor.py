"""The supervisor's story on a manual clock: hours pass in milliseconds, the store is real."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sora_gateway.core.job import ExternalId, State
from sora_gateway.core.money import OnCancel
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.errors import (
    AlreadyEnded,
    Conflict,
    InsufficientCredits,
    NotFinished,
    StorageFull,
    Unavailable,
)
from sora_gateway.supervisor.decisions import Adopt, GiveUp, PayAgain
from sora_gateway.supervisor.watcher import Limits
from sora_gateway.upstream.adapter import CancelAnswer, ContentTrouble, CreateOrder
from tests.fakes import CountingEntropy, ManualClock, ScriptedUpstream, settle
from tests.gateways import workshop
from tests.sample_videos import sample_mp4

COMPLETED = Look(LookKind.COMPLETED, "completed", 100.0)
RUNNING = Look(LookKind.ALIVE, "in_progress", 40.0)


async def test_a_prompt_becomes_a_stored_video(tmp_path: Path) -> None:
    upstream = ScriptedUpstream(looks=[RUNNING, COMPLETED], file=sample_mp4())
    async with workshop(tmp_path, upstream) as shop:
        accepted = await shop.accept()
        assert await shop.balance() == (90, 10)
        job = await shop.reaches(accepted.id, State.COMPLETED)
        assert (job.external_id, job.progress) == ("ext-1", 100.0)
        assert (await shop.store.assets(job.id))["video"].size == len(sample_mp4())
        assert await shop.balance() == (90, 0)
        assert [event.step for event in shop.told] == [
            "accepted", "submitting", "submitted", "progress", "downloading", "done"
        ]  # fmt: skip
        assert len(upstream.orders) == 1


async def test_events_are_told_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    upstream = ScriptedUpstream(looks=[RUNNING, COMPLETED], file=sample_mp4())
    async with workshop(tmp_path, upstream) as shop:
        jobs = [await shop.accept(credits=0) for _ in range(5)]
        for job in jobs:
            await shop.reaches(job.id, State.COMPLETED)
        assert [event.seq for event in shop.told] == list(range(1, len(shop.told) + 1))
        for job in jobs:
            mine = [event.job_seq for event in shop.told if event.job_id == job.id]
            assert mine == list(range(1, len(mine) + 1))


async def test_a_person_without_credits_is_told_so_before_anything_is_sent(tmp_path: Path) -> None:
    upstream = ScriptedUpstream()
    async with workshop(tmp_path, upstream, balance=5) as shop:
        with pytest.raises(InsufficientCredits, match="costs 10 credits and 5 are left"):
            await shop.accept()
        assert upstream.orders == []
        assert await shop.balance() == (5, 0)


async def test_at_most_two_creates_are_in_flight_so_a_crash_leaves_few_doubts(tmp_path: Path) -> None:
    upstream = ScriptedUpstream()
    upstream.answering.clear()
    async with workshop(tmp_path, upstream) as shop:
        for _ in range(5):
            await shop.accept(credits=0)
        await settle()
        assert len(upstream.orders) == 2
        upstream.answering.set()
        await settle()
        assert len(upstream.orders) == 5


async def test_an_upstream_gets_no_more_jobs_at_once_than_it_may_have(tmp_path: Path) -> None:
    upstream = ScriptedUpstream(file=sample_mp4())
    async with workshop(tmp_path, upstream, max_concurrent=1) as shop:
        first, second = await shop.accept(credits=0), await shop.accept(credits=0)
        await shop.clock.advance(60)
        assert (await shop.job(second.id)).state is State.QUEUED
        upstream.looks = [COMPLETED]
        await shop.reaches(first.id, State.COMPLETED)
        await shop.reaches(second.id, State.COMPLETED)


class TestACrash:
    """A workshop that is left without being closed properly stands for a killed process."""

    async def test_in_the_middle_of_a_create_leaves_an_unknown_outcome_with_its_hold(
        self, tmp_path: Path
    ) -> None:
        upstream = ScriptedUpstream()
        upstream.answering.clear()
        entropy, clock = CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.accept()
            await settle()
            assert (await shop.job(job.id)).state is State.SUBMITTING
            await shop.supervisor.stop(grace=0)
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            await settle()
            assert (await shop.job(job.id)).state is State.UNKNOWN
            assert await shop.balance() == (90, 10)
            await clock.advance(86400)
            assert len(upstream.orders) == 1

    async def test_while_processing_resumes_polling_by_the_external_id(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(looks=[RUNNING], file=sample_mp4())
        entropy, clock = CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.accept()
            accepted = await shop.reaches(job.id, State.PROCESSING)
        upstream.looks = [COMPLETED]
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            done = await shop.reaches(job.id, State.COMPLETED)
            assert done.accepted_at == accepted.accepted_at
            assert len(upstream.orders) == 1

    async def test_while_cancelling_asks_the_upstream_again(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(cancels=[CancelAnswer.TROUBLE])
        entropy, clock = CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.accept()
            await shop.supervisor.cancel(await shop.reaches(job.id, State.PROCESSING))
        upstream.cancels = [CancelAnswer.CONFIRMED]
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            await shop.reaches(job.id, State.CANCELLED)
            assert await shop.balance() == (100, 0)

    async def test_while_queued_goes_on_as_if_nothing_had_happened(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(creates=[CreateAnswer(not_sent="connection refused")])
        entropy, clock = CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.accept()
            await clock.advance(1)
        upstream.creates, upstream.looks, upstream.file = [], [COMPLETED], sample_mp4()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            await shop.reaches(job.id, State.COMPLETED)


class TestAnUnknownOutcome:
    @staticmethod
    def lost() -> ScriptedUpstream:
        return ScriptedUpstream(
            creates=[CreateAnswer(lost="the connection broke after sending")], file=sample_mp4()
        )

    async def test_can_be_adopted_by_the_id_that_a_person_found(self, tmp_path: Path) -> None:
        upstream = self.lost()
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
            upstream.looks = [COMPLETED]
            await shop.supervisor.decide(job.id, Adopt(ExternalId("found-1")))
            done = await shop.reaches(job.id, State.COMPLETED)
            assert (done.external_id, len(upstream.orders)) == ("found-1", 1)
            assert [attempt.outcome for attempt in await shop.store.attempts(job.id)] == ["adopted"]

    async def test_can_be_paid_again_on_the_one_hold(self, tmp_path: Path) -> None:
        upstream = self.lost()
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
            upstream.creates, upstream.looks = [], [COMPLETED]
            await shop.supervisor.decide(job.id, PayAgain())
            await shop.reaches(job.id, State.COMPLETED)
            assert len(upstream.orders) == 2
            assert await shop.store.credits.of_job(job.id) == [("hold", -10, 10), ("settle", 0, -10)]

    async def test_can_be_given_up_and_the_credits_come_back(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, self.lost()) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
            given_up = await shop.supervisor.decide(job.id, GiveUp())
            assert (given_up.state, given_up.error_code) == (State.FAILED, "given_up")
            assert await shop.balance() == (100, 0)

    async def test_that_its_owner_cancelled_is_cancelled_once_it_is_found(self, tmp_path: Path) -> None:
        upstream = self.lost()
        upstream.cancels = [CancelAnswer.CONFIRMED]
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
            assert (await shop.supervisor.cancel(job)).state is State.UNKNOWN
            await shop.supervisor.decide(job.id, Adopt(ExternalId("found-1")))
            await shop.reaches(job.id, State.CANCELLED)
            assert await shop.balance() == (100, 0)

    async def test_is_not_adopted_under_an_id_that_another_video_has(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream()
        async with workshop(tmp_path, upstream) as shop:
            other = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            upstream.creates = [CreateAnswer(lost="gone")]
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
            assert other.external_id is not None
            with pytest.raises(Conflict, match="already has that id"):
                await shop.supervisor.decide(job.id, Adopt(other.external_id))

    async def test_is_the_only_thing_that_can_be_decided_on(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            with pytest.raises(Conflict, match="only a video whose outcome is unknown"):
                await shop.supervisor.decide(job.id, PayAgain())

    async def test_can_be_decided_without_a_running_supervisor(self, tmp_path: Path) -> None:
        upstream, entropy, clock = self.lost(), CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy, entered=False) as shop:
            assert (await shop.supervisor.decide(job.id, GiveUp())).state is State.FAILED


class TestCancelling:
    async def test_a_queued_video_costs_nothing(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(creates=[CreateAnswer(not_sent="connection refused")])
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.accept()
            await settle()
            assert (await shop.supervisor.cancel(job)).state is State.CANCELLED
            assert await shop.balance() == (100, 0)

    async def test_while_the_create_is_on_the_wire_waits_for_its_answer(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(cancels=[CancelAnswer.CONFIRMED])
        upstream.answering.clear()
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.accept()
            await settle()
            noted = await shop.supervisor.cancel(job)
            assert (noted.state, noted.cancel_requested) == (State.SUBMITTING, True)
            upstream.answering.set()
            await shop.reaches(job.id, State.CANCELLED)
            assert await shop.balance() == (100, 0)

    @pytest.mark.parametrize(
        ("policy", "balance"), [(OnCancel.SETTLE, (90, 0)), (OnCancel.RELEASE, (100, 0))]
    )
    async def test_what_cannot_be_stopped_upstream_is_charged_as_configured(
        self, tmp_path: Path, policy: OnCancel, balance: tuple[int, int]
    ) -> None:
        async with workshop(tmp_path, ScriptedUpstream(), on_cancel=policy) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            await shop.supervisor.cancel(job)
            await shop.reaches(job.id, State.CANCELLED)
            assert await shop.balance() == balance

    async def test_too_late_still_brings_the_video(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(
            looks=[RUNNING, COMPLETED], cancels=[CancelAnswer.FINISHED], file=sample_mp4()
        )
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            await settle()
            await shop.supervisor.cancel(job)
            await shop.reaches(job.id, State.COMPLETED)

    async def test_during_the_download_ends_at_once(self, tmp_path: Path) -> None:
        trouble = ContentTrouble(ContentTrouble.Kind.INTERRUPTED, "the line broke")
        upstream = ScriptedUpstream(looks=[COMPLETED], content_trouble=[trouble] * 50)
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.STORING)
            assert (await shop.supervisor.cancel(job)).state is State.CANCELLED
            assert await shop.balance() == (90, 0)

    async def test_an_ended_video_is_refused(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream(looks=[COMPLETED], file=sample_mp4())) as shop:
            job = await shop.reaches((await shop.accept()).id, State.COMPLETED)
            with pytest.raises(AlreadyEnded):
                await shop.supervisor.cancel(job)


class TestWatching:
    async def test_trouble_with_looking_never_ends_a_job(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(looks=[Look(LookKind.TROUBLE, message="HTTP 500")])
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            await shop.clock.advance(1200)
            assert (await shop.job(job.id)).state is State.PROCESSING

    async def test_a_late_video_is_called_overdue_and_watched_on(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(looks=[RUNNING], file=sample_mp4())
        async with workshop(tmp_path, upstream, limits=Limits(overdue_after=600)) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            await shop.clock.advance(700)
            late = await shop.job(job.id)
            assert (late.state, late.overdue) == (State.PROCESSING, True)
            upstream.looks = [COMPLETED]
            await shop.reaches(job.id, State.COMPLETED, step=60)

    async def test_the_final_limit_ends_it_and_leaves_the_hold_for_an_administrator(
        self, tmp_path: Path
    ) -> None:
        async with workshop(tmp_path, ScriptedUpstream(), limits=Limits(final_limit=7200)) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
            failed = await shop.reaches(job.id, State.FAILED, within=9000, step=300)
            assert failed.error_code == "final_limit"
            assert await shop.balance() == (90, 10)

    async def test_a_404_right_after_the_receipt_is_the_upstreams_own_delay(self, tmp_path: Path) -> None:
        missing = Look(LookKind.MISSING, message="not found")
        upstream = ScriptedUpstream(looks=[missing, missing, COMPLETED], file=sample_mp4())
        async with workshop(tmp_path, upstream) as shop:
            await shop.reaches((await shop.accept()).id, State.COMPLETED)

    async def test_an_upstream_that_forgets_a_job_leaves_it_unknown_with_its_hold(
        self, tmp_path: Path
    ) -> None:
        upstream = ScriptedUpstream(looks=[RUNNING, Look(LookKind.MISSING, message="no such video")])
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN, step=10)
            assert "no such video" in job.note
            assert await shop.balance() == (90, 10)

    async def test_a_job_that_nobody_can_be_asked_about_any_more_is_unknown_at_once(
        self, tmp_path: Path
    ) -> None:
        lost = Look(LookKind.LOST, message="the connection broke before the video was ready")
        upstream = ScriptedUpstream(looks=[RUNNING, lost])
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.reaches((await shop.accept()).id, State.UNKNOWN, within=60)
            assert (job.note, upstream.looked) == (lost.message, 2)
            assert await shop.balance() == (90, 10)
            await shop.clock.advance(86400)
            assert len(upstream.orders) == 1

    async def test_a_finished_video_that_is_nowhere_any_more_is_left_to_an_administrator(
        self, tmp_path: Path
    ) -> None:
        gone = ContentTrouble(ContentTrouble.Kind.GONE, "its address came once and was lost")
        upstream = ScriptedUpstream(looks=[COMPLETED], content_trouble=[gone])
        async with workshop(tmp_path, upstream) as shop:
            failed = await shop.reaches((await shop.accept()).id, State.FAILED, within=60)
            assert failed.error_code == "file_lost"
            assert await shop.balance() == (90, 10)

    async def test_a_watcher_that_breaks_takes_the_job_up_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Breaking(ScriptedUpstream):
            async def look(self, external_id: ExternalId) -> Look:
                if self.looked == 0:
                    self.looked += 1
                    raise ZeroDivisionError
                return await super().look(external_id)

        upstream = Breaking(looks=[COMPLETED], file=sample_mp4())
        async with workshop(tmp_path, upstream) as shop:
            await shop.reaches((await shop.accept()).id, State.COMPLETED)
        assert "broke; taking the job up again" in caplog.text


class TestStopping:
    async def test_waits_for_the_answer_that_has_been_paid_for(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream()
        upstream.answering.clear()
        async with workshop(tmp_path, upstream) as shop:
            job = await shop.accept()
            await settle()
            stop = asyncio.create_task(shop.supervisor.stop())
            await settle()
            assert not stop.done()
            upstream.answering.set()
            await stop
            assert (await shop.job(job.id)).external_id == "ext-1"

    async def test_does_not_take_up_again_what_breaks_meanwhile(self, tmp_path: Path) -> None:
        """It has been paid for, so it is waited for; but not for the pause after a bug."""

        class Buggy(ScriptedUpstream):
            async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
                await super().create(order, timeout)
                raise RuntimeError("a bug of ours")

        upstream = Buggy()
        upstream.answering.clear()
        async with workshop(tmp_path, upstream) as shop:
            await shop.accept()
            await settle()
            stop = asyncio.create_task(shop.supervisor.stop())
            await settle()
            upstream.answering.set()
            await settle()
            assert stop.done(), "no time has passed"

    async def test_takes_nothing_new(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            shop.supervisor.begin_stopping()
            with pytest.raises(Unavailable):
                await shop.accept()

    async def test_leaves_no_task_behind(self, tmp_path: Path) -> None:
        before = asyncio.all_tasks()
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            for _ in range(20):
                await shop.accept(credits=0)
            await settle()
        assert asyncio.all_tasks() == before


async def test_an_ended_video_can_be_deleted_and_stays_in_the_books(tmp_path: Path) -> None:
    async with workshop(tmp_path, ScriptedUpstream(looks=[COMPLETED], file=sample_mp4())) as shop:
        accepted = await shop.accept()
        with pytest.raises(NotFinished):
            await shop.supervisor.delete(accepted)
        job = await shop.reaches(accepted.id, State.COMPLETED)
        await settle()
        await shop.supervisor.delete(job)
        assert await shop.store.assets(job.id) == {}
        assert not list((tmp_path / "media").rglob("*.mp4"))
        assert await shop.balance() == (90, 0)


async def test_with_a_nearly_full_disk_nothing_is_taken(tmp_path: Path) -> None:
    async with workshop(tmp_path, ScriptedUpstream(), limits=Limits(min_free_disk=1 << 62)) as shop:
        with pytest.raises(StorageFull):
            await shop.accept()


async def test_two_people_deleting_the_same_video_delete_it_once(tmp_path: Path) -> None:
    async with workshop(tmp_path, ScriptedUpstream(looks=[COMPLETED], file=sample_mp4())) as shop:
        job = await shop.reaches((await shop.accept()).id, State.COMPLETED)
        await settle()
        results = await asyncio.gather(
            shop.supervisor.delete(job), shop.supervisor.delete(job), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "NotFound"]
