"""The last moment of a job: no job outlives it, and none is ended by it unseen."""

from __future__ import annotations

from pathlib import Path

from sora_gateway.core.job import JobId, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.supervisor.decisions import PayAgain
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Limits, Upstream
from sora_gateway.upstream.adapter import ContentTrouble
from tests.fakes import CountingEntropy, ManualClock, ScriptedUpstream, settle
from tests.gateways import workshop
from tests.sample_videos import sample_mp4

COMPLETED = Look(LookKind.COMPLETED, "completed", 100.0)
DAY = 86400.0


def without_upstream(clock: ManualClock) -> dict[str, Upstream]:
    """The configuration after the operator has renamed it."""
    return {"other": Upstream(ScriptedUpstream("other"), Gate(clock, 0, 2), PollPolicy(PolicyName.STEPPED))}


async def test_a_job_that_waits_for_a_place_is_released_at_the_limit(tmp_path: Path) -> None:
    clock, upstream = ManualClock(), ScriptedUpstream()
    gate = Gate(clock, max_concurrent=1, max_creating=2)
    gate.occupy(JobId("another that takes long"))
    wired = {upstream.name: Upstream(upstream, gate, PollPolicy(PolicyName.STEPPED))}
    async with workshop(tmp_path, upstream, clock=clock, upstreams=wired) as shop:
        waiting = await shop.accept()
        await clock.advance(2 * DAY - 1)
        assert (await shop.job(waiting.id)).state is State.QUEUED
        await clock.advance(2)
        job = await shop.job(waiting.id)
        assert (job.state, job.error_code) == (State.FAILED, "final_limit")
        assert await shop.balance() == (100, 0)
        assert upstream.orders == []


async def test_a_limit_before_the_next_try_is_not_a_reason_to_try_earlier(tmp_path: Path) -> None:
    busy = ScriptedUpstream(creates=[CreateAnswer(status=429, retry_after=900.0)])
    async with workshop(tmp_path, busy, limits=Limits(final_limit=600)) as shop:
        job = await shop.reaches((await shop.accept()).id, State.FAILED, step=10)
        assert job.error_code == "final_limit"
        assert len(busy.orders) == 1
        assert await shop.balance() == (100, 0)


async def test_a_clock_that_is_set_back_does_not_stop_a_waiting_job_for_as_long(tmp_path: Path) -> None:
    upstream = ScriptedUpstream(creates=[CreateAnswer(not_sent="no route")])
    clock = ManualClock()
    async with workshop(tmp_path, upstream, clock=clock) as shop:
        await shop.accept()
        await settle()
    upstream.creates = []
    # Time and waiting are one in this clock: a month earlier is all that the next process knows.
    async with workshop(tmp_path, upstream, clock=ManualClock(clock.now() - 30 * DAY)) as shop:
        await shop.clock.advance(1000)
        assert len(upstream.orders) == 2


async def test_jobs_whose_upstream_was_removed_end_at_the_limit(tmp_path: Path) -> None:
    entropy, clock = CountingEntropy(), ManualClock()
    upstream = ScriptedUpstream(
        creates=[CreateAnswer(status=200, external_id="a"), CreateAnswer(status=200, external_id="b"),
                 CreateAnswer(not_sent="no route")],
    )  # fmt: skip
    async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
        processing = await shop.accept()
        await settle()
        upstream.looks, upstream.content_trouble = (
            [COMPLETED],
            [ContentTrouble(ContentTrouble.Kind.NOT_YET, "no")] * 9,
        )
        storing = await shop.reaches((await shop.accept()).id, State.STORING)
        queued = await shop.accept()
        await settle()
        assert (await shop.job(processing.id)).state is State.PROCESSING
    async with workshop(
        tmp_path, upstream, clock=clock, entropy=entropy, upstreams=without_upstream(clock)
    ) as shop:
        await clock.advance(DAY)
        for job in (processing, storing, queued):
            waiting = await shop.job(job.id)
            assert not waiting.ended
            assert "not in the configuration any more" in waiting.note
        await clock.advance(DAY + 60)
        for job in (processing, storing, queued):
            ended = await shop.job(job.id)
            assert (ended.state, ended.error_code) == (State.FAILED, "final_limit")
        # What was never accepted is released; the rest is for an administrator to say.
        assert await shop.balance() == (80, 20)


class TestAfterALongTimeSwitchedOff:
    """The gateway was down for longer than the limit: what the upstream has made is still fetched."""

    async def test_a_job_is_looked_at_before_it_is_given_up(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(file=sample_mp4())
        entropy, clock = CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
        await clock.advance(3 * DAY)
        upstream.looks = [COMPLETED]
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            await shop.reaches(job.id, State.COMPLETED)

    async def test_a_file_is_asked_for_before_it_is_given_up(self, tmp_path: Path) -> None:
        upstream = ScriptedUpstream(looks=[COMPLETED], file=sample_mp4())
        upstream.content_trouble = [ContentTrouble(ContentTrouble.Kind.NOT_YET, "not yet")] * 3
        entropy, clock = CountingEntropy(), ManualClock()
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            job = await shop.reaches((await shop.accept()).id, State.STORING)
        await clock.advance(3 * DAY)
        upstream.content_trouble = []
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            await shop.reaches(job.id, State.COMPLETED)


async def test_a_doubt_that_is_paid_again_after_the_limit_has_all_of_its_time_again(tmp_path: Path) -> None:
    """A doubt waits for a person for as long as it takes; what the person says then must happen."""
    upstream = ScriptedUpstream(creates=[CreateAnswer(lost="the connection broke")])
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
        await shop.clock.advance(3 * DAY)
        upstream.creates = [CreateAnswer(not_sent="no route")]
        await shop.supervisor.decide(job.id, PayAgain())
        await shop.clock.advance(DAY)
        upstream.creates, upstream.looks, upstream.file = [], [COMPLETED], sample_mp4()
        await shop.reaches(job.id, State.COMPLETED)
