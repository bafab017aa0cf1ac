"""Many jobs, few requests: what is due together is read from the upstream's list, and nobody is woken for nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sora_gateway.core.job import ExternalId, State
from sora_gateway.core.observation import Listed, Listing, Look, LookKind
from sora_gateway.core.polling import PolicyName
from sora_gateway.errors import StorageFull
from sora_gateway.supervisor.recorder import Recorder
from tests.fakes import CountingEntropy, ManualClock, settle
from tests.listed_upstream import EVERY, Lab, ListedUpstream, lab, running
from tests.sample_videos import sample_mp4

COMPLETED = Look(LookKind.COMPLETED, "completed", 100.0)
FAILED = Look(LookKind.FAILED, "failed", code="boom", message="It broke.")
NO_LIST = Look(LookKind.TROUBLE, message="HTTP 500")


async def proven(desk: Lab) -> None:
    """Lets the first check of the list pass: from now on it is not looked at for a minute."""
    await desk.round(2)


class TestDueTogether:
    async def test_jobs_are_observed_by_one_request(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            await proven(desk)
            desk.all_say(running(40.0))
            assert await desk.round() == {"pages": 1}
            assert {(await desk.shop.job(job.id)).progress for job in jobs} == {40.0}

    async def test_two_are_asked_for_one_by_one(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(2)
            await proven(desk)
            assert await desk.round(3) == {"looks": 6}

    async def test_pages_are_turned_while_due_jobs_may_be_on_them(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(230)
            await proven(desk)
            assert await desk.round(2) == {"pages": 6}

    async def test_a_page_is_not_turned_for_one_job(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(101)
            await proven(desk)
            assert await desk.round() == {"pages": 1, "looks": 1}
            assert desk.upstream.looked_at[-1] == "ext-1", "the oldest"

    async def test_an_upstream_that_sends_its_first_page_again_is_not_asked_for_ever(
        self, tmp_path: Path
    ) -> None:
        upstream = ListedUpstream(listing="live", turns_pages=False)
        async with lab(tmp_path, upstream) as desk:
            await desk.accept(130)
            asked = await desk.round(4)
            assert asked["pages"] <= 8
            assert asked["looks"] >= 3 * 30

    @pytest.mark.parametrize("listing", ["none", "stale"])
    async def test_a_list_that_says_nothing_new_is_not_asked(self, tmp_path: Path, listing: str) -> None:
        async with lab(tmp_path, ListedUpstream(listing=listing)) as desk:  # type: ignore[arg-type]
            await desk.accept(5)
            assert await desk.round(2) == {"looks": 10}

    async def test_the_list_is_not_read_more_often_than_a_job_may_be_looked_at(self, tmp_path: Path) -> None:
        """Five groups of jobs, each due at another moment: all of them go along with the first."""
        async with lab(tmp_path) as desk:
            for _ in range(5):
                await desk.accept(4)
                await desk.clock.advance(EVERY / 5)
            await proven(desk)
            assert (await desk.round(6))["pages"] <= 6

    async def test_no_more_than_eight_are_asked_for_at_once(self, tmp_path: Path) -> None:
        async with lab(tmp_path, ListedUpstream(listing="none")) as desk:
            await desk.accept(40)
            assert (await desk.round())["looks"] == 40
            assert desk.upstream.most_at_once == 8


class TestNothingNew:
    async def test_wakes_nobody_and_stores_nothing(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(50)
            await proven(desk)
            commits, told = desk.shop.store.commits, len(desk.shop.told)
            await desk.round(20)
            assert (desk.shop.store.commits, len(desk.shop.told)) == (commits, told)

    async def test_what_many_jobs_say_is_stored_in_one_transaction(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(60)
            await proven(desk)
            desk.all_say(running(55.0))
            commits, told = desk.shop.store.commits, len(desk.shop.told)
            await desk.round()
            assert len(desk.shop.told) - told == 60
            assert desk.shop.store.commits - commits <= 2

    async def test_a_guess_at_the_progress_is_not_stored_at_every_look(self, tmp_path: Path) -> None:
        """Two minutes are expected, and it is looked at every two seconds."""
        async with lab(tmp_path, policy={"min_interval": 2.0}) as desk:
            await desk.accept(3, running(progress=None))
            told = len(desk.shop.told)
            await desk.clock.advance(120)
            guesses = [event for event in desk.shop.told[told:] if event.step == "progress"]
            assert 3 * 10 <= len(guesses) <= 3 * 21
            await desk.clock.advance(1200)
            assert len(desk.shop.told) - told <= 3 * 45

    async def test_tenths_of_a_percent_are_nothing(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(3, running(36.0))
            await proven(desk)
            told = len(desk.shop.told)
            for tenth in range(1, 10):
                desk.all_say(running(36.0 + tenth / 10))
                await desk.round()
            assert len(desk.shop.told) == told

    @pytest.mark.parametrize("watched", [True, False])
    async def test_of_a_job_that_is_not_due_percentages_are_for_who_watches_it(
        self, tmp_path: Path, watched: bool
    ) -> None:
        """Three jobs are due all the time; the fourth, far from its end, is on the same page."""
        policy = {"name": PolicyName.ADAPTIVE, "min_interval": 2.0, "watched_interval": 0.0}
        async with lab(tmp_path, policy=policy, watched=lambda _: watched) as desk:
            (quiet,) = await desk.accept(1, running(5.0))
            await desk.clock.advance(2)
            told = len(desk.shop.told)
            await desk.accept(12, running(5.0))
            for seconds in range(1, 12):
                desk.all_say(running(5.0 + seconds))
                await desk.clock.advance(1)
            mine = [event for event in desk.shop.told[told:] if event.job_id == quiet.id]
            assert len(mine) >= 3 if watched else len(mine) <= 2


class TestAJobThatIsOnNoPage:
    async def test_is_asked_for_by_itself(self, tmp_path: Path) -> None:
        async with lab(tmp_path, ListedUpstream(listing="live", file=sample_mp4())) as desk:
            jobs = await desk.accept(5)
            hidden = ExternalId("ext-2")
            desk.upstream.hidden.add(hidden)
            await proven(desk)
            assert await desk.round() == {"pages": 1, "looks": 1}
            assert desk.upstream.looked_at[-1] == hidden
            desk.upstream.jobs[hidden] = COMPLETED
            await desk.shop.reaches(jobs[1].id, State.COMPLETED, within=2 * EVERY)

    async def test_is_not_lost_however_long_that_is_so(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            desk.upstream.hidden.update(desk.upstream.jobs)
            await desk.round(100)
            assert set(await desk.states(jobs)) == {State.PROCESSING}

    async def test_is_looked_for_there_again_later(self, tmp_path: Path) -> None:
        """A list that comes a little behind its jobs is not given up."""
        async with lab(tmp_path) as desk:
            await desk.accept(5)
            desk.upstream.hidden.update(desk.upstream.jobs)
            await desk.round(2)
            desk.upstream.hidden.clear()
            await desk.round(7)
            assert await desk.round() == {"pages": 1}

    async def test_that_the_upstream_does_not_know_either_is_lost_as_ever(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            del desk.upstream.jobs[ExternalId("ext-2")]
            await desk.shop.reaches(jobs[1].id, State.UNKNOWN, step=EVERY)
            assert (await desk.states(jobs)).count(State.PROCESSING) == 4


class TestAnEnd:
    async def test_is_looked_at_before_it_is_believed_the_first_time(self, tmp_path: Path) -> None:
        async with lab(tmp_path, ListedUpstream(listing="live", file=sample_mp4())) as desk:
            jobs = await desk.accept(8)
            await proven(desk)
            for number in (1, 2):
                desk.upstream.jobs[ExternalId(f"ext-{number}")] = COMPLETED
                asked = await desk.round()
                assert asked == {"pages": 1} | ({"looks": 1} if number == 1 else {})
                await desk.shop.reaches(jobs[number - 1].id, State.COMPLETED, within=EVERY)

    async def test_that_is_bad_is_always_looked_at(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(8)
            await proven(desk)
            for number in (1, 2):
                desk.upstream.jobs[ExternalId(f"ext-{number}")] = FAILED
                assert await desk.round() == {"pages": 1, "looks": 1}
            assert (await desk.states(jobs))[:2] == [State.FAILED, State.FAILED]

    @pytest.mark.parametrize("lie", [COMPLETED, FAILED], ids=lambda look: look.kind)
    async def test_that_is_none_ends_no_job_and_the_belief_in_the_list(
        self, tmp_path: Path, lie: Look
    ) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            await proven(desk)
            desk.upstream.says[ExternalId("ext-3")] = lie
            await desk.round(4)
            assert set(await desk.states(jobs)) == {State.PROCESSING}
            asked = await desk.round(4)
            assert (asked["pages"], asked["looks"]) == (0, 20)

    async def test_that_a_list_does_not_know_of_is_found_all_the_same(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It stands still, as a copy that nobody renews."""
        async with lab(tmp_path, ListedUpstream(listing="live", file=sample_mp4())) as desk:
            jobs = await desk.accept(6)
            desk.upstream.says = dict.fromkeys(desk.upstream.jobs, running())
            await proven(desk)
            desk.all_say(COMPLETED)
            for job in jobs:
                await desk.shop.reaches(job.id, State.COMPLETED, within=200, step=5)
        assert "not true" in caplog.text

    async def test_in_between_is_no_reason_to_doubt_the_list(self, tmp_path: Path) -> None:
        """The check comes late, because the upstream is asked once in twenty seconds, and the job has ended."""
        async with lab(tmp_path, requests_per_minute=3, policy={"min_interval": 20.0}) as desk:
            await desk.accept(8)
            desk.upstream.says = dict.fromkeys(desk.upstream.jobs, running())
            for number in range(1, 4):
                await desk.clock.advance(60)
                desk.upstream.jobs[ExternalId(f"ext-{number}")] = FAILED
            pages = desk.upstream.asked["pages"]
            await desk.clock.advance(300)
            assert desk.upstream.asked["pages"] > pages


class TestAListThatIsNone:
    @pytest.mark.parametrize(
        "answer", [NO_LIST, Look(LookKind.MISSING, message="HTTP 404")], ids=["500", "404"]
    )
    async def test_is_left_alone_and_tried_again(self, tmp_path: Path, answer: Look) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            await proven(desk)
            desk.upstream.instead = answer
            desk.all_say(running(70.0))
            asked = await desk.round(5)
            assert asked["pages"] <= 2
            assert asked["looks"] >= 20
            assert {(await desk.shop.job(job.id)).progress for job in jobs} == {70.0}
            desk.upstream.instead = None
            await desk.round(30)
            assert await desk.round() == {"pages": 1}

    async def test_because_its_rows_do_not_say_how_the_jobs_are(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            desk.upstream.says = dict.fromkeys(desk.upstream.jobs, Look(LookKind.TROUBLE))
            desk.all_say(running(70.0))
            await desk.round(2)
            assert {(await desk.shop.job(job.id)).progress for job in jobs} == {70.0}

    async def test_because_reading_it_breaks(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        class Breaking(ListedUpstream):
            async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
                raise ZeroDivisionError

        async with lab(tmp_path, Breaking(listing="live")) as desk:
            await desk.accept(5)
            assert (await desk.round(2))["looks"] == 10
        assert "could not be read" in caplog.text

    async def test_with_other_peoples_jobs_alone_changes_nothing(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(5)
            strange = tuple(Listed(ExternalId(f"other-{number}"), FAILED) for number in range(100))
            desk.upstream.instead = Listing(strange, more=True)
            asked = await desk.round(6)
            assert asked["pages"] <= 4, "pages of strangers are not turned for ever"
            assert set(await desk.states(jobs)) == {State.PROCESSING}


class TestAfterARestart:
    async def test_hundreds_of_jobs_are_looked_at_by_a_few_requests(self, tmp_path: Path) -> None:
        upstream, clock, entropy = ListedUpstream(listing="live"), ManualClock(), CountingEntropy(0.0)
        async with lab(tmp_path, upstream, clock=clock, entropy=entropy) as desk:
            jobs = await desk.accept(230)
            await clock.advance(3600)
        upstream.asked.clear()
        desk.all_say(running(60.0))
        async with lab(tmp_path, upstream, clock=clock, entropy=entropy) as desk:
            await clock.advance(1)
            assert upstream.asked["pages"] == 3
            assert upstream.asked["looks"] <= 1
            assert {(await desk.shop.job(job.id)).progress for job in jobs} == {60.0}

    @pytest.mark.parametrize("listing", ["none", "live"])
    async def test_without_a_list_they_are_not_asked_for_all_at_once(
        self, tmp_path: Path, listing: str
    ) -> None:
        upstream = ListedUpstream(listing=listing, instead=NO_LIST)  # type: ignore[arg-type]
        clock, entropy = ManualClock(), CountingEntropy(0.0)
        policy = {"min_interval": 60.0}
        async with lab(tmp_path, upstream, clock=clock, entropy=entropy, policy=policy) as desk:
            await desk.accept(100)
            await clock.advance(600)
        upstream.asked.clear()
        async with lab(tmp_path, upstream, clock=clock, entropy=entropy, policy=policy) as desk:
            await clock.advance(1)
            assert upstream.asked["looks"] <= 8 + 21
            await clock.advance(6)
            assert upstream.asked["looks"] == 100

    async def test_what_ended_meanwhile_is_noticed_at_once(self, tmp_path: Path) -> None:
        upstream, clock, entropy = ListedUpstream(listing="live"), ManualClock(), CountingEntropy(0.0)
        upstream.file = sample_mp4()
        policy = {"name": PolicyName.ADAPTIVE, "min_interval": 2.0}
        async with lab(tmp_path, upstream, clock=clock, entropy=entropy, policy=policy) as desk:
            jobs = await desk.accept(3)
            await clock.advance(20)
        for external_id in upstream.jobs:
            upstream.jobs[external_id] = COMPLETED
        async with lab(tmp_path, upstream, clock=clock, entropy=entropy, policy=policy) as desk:
            await clock.advance(0.1)
            assert State.PROCESSING not in await desk.states(jobs)
            done = [await desk.shop.reaches(job.id, State.COMPLETED, within=60) for job in jobs]
            assert {job.took for job in done} == {None}, "nobody knows when"


class TestPatience:
    async def test_a_retry_after_is_for_the_whole_upstream(self, tmp_path: Path) -> None:
        async with lab(tmp_path, ListedUpstream(listing="none")) as desk:
            await desk.accept(4)
            await desk.round()
            busy = Look(LookKind.TROUBLE, message="HTTP 429", retry_after=120.0)
            desk.all_say(busy)
            asked = await desk.round(12)
            assert asked["looks"] <= 8, "those that had left already"
            desk.all_say(running(90.0))
            assert (await desk.round(3))["looks"] > 4

    async def test_the_requests_of_a_minute_are_not_exceeded(self, tmp_path: Path) -> None:
        async with lab(tmp_path, ListedUpstream(listing="none"), requests_per_minute=60) as desk:
            await desk.accept(20)
            await desk.clock.advance(60)
            asked = await desk.round(6)
            assert asked["looks"] <= 61, "not the 120 that are due"

    async def test_looks_that_are_no_requests_cost_none(self, tmp_path: Path) -> None:
        upstream = ListedUpstream(listing="none", looks_are_requests=False)
        async with lab(tmp_path, upstream, requests_per_minute=60) as desk:
            await desk.accept(40)
            await desk.clock.advance(60)
            assert (await desk.round(6))["looks"] == 240


class TestALookNow:
    async def test_is_taken_at_once_and_alone(self, tmp_path: Path) -> None:
        upstream = ListedUpstream(listing="live", file=sample_mp4())
        async with lab(tmp_path, upstream, policy={"min_interval": 600.0}) as desk:
            jobs = await desk.accept(5)
            upstream.jobs[ExternalId("ext-4")] = COMPLETED
            assert desk.shop.supervisor.look_now("lab", ExternalId("ext-4"))
            await settle()
            assert upstream.asked == {"looks": 1}
            await desk.shop.reaches(jobs[3].id, State.COMPLETED, within=60)

    async def test_while_it_is_being_looked_at_is_taken_once_more(self, tmp_path: Path) -> None:
        async with lab(tmp_path, policy={"min_interval": 600.0}) as desk:
            (job,) = await desk.accept(1)
            for _ in range(5):
                assert desk.shop.supervisor.look_now("lab", ExternalId("ext-1"))
            await desk.clock.advance(1)
            assert desk.upstream.asked == {"looks": 2}
            assert (await desk.shop.job(job.id)).state is State.PROCESSING

    async def test_at_what_nobody_follows_is_none(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            await desk.accept(1)
            assert not desk.shop.supervisor.look_now("lab", ExternalId("ext-9"))
            assert not desk.shop.supervisor.look_now("nowhere", ExternalId("ext-1"))
            await settle()
            assert desk.upstream.asked == {}


class TestProgressThatIsBeingStored:
    """Together with that of others, in a transaction that takes its time."""

    @staticmethod
    def slow(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        gate, together = asyncio.Event(), Recorder.together
        gate.set()

        async def slowly(self: Recorder, changes: object) -> None:
            await gate.wait()
            await together(self, changes)  # type: ignore[arg-type]

        monkeypatch.setattr(Recorder, "together", slowly)
        return gate

    async def test_lets_a_person_cancel_after_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = self.slow(monkeypatch)
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(4)
            await proven(desk)
            desk.all_say(running(50.0))
            gate.clear()
            await desk.round()
            cancelled = asyncio.ensure_future(desk.shop.supervisor.cancel(jobs[0]))
            await settle()
            assert not cancelled.done()
            gate.set()
            assert (await cancelled).progress == 50.0
            await settle()
            assert await desk.states(jobs) == [State.CANCELLED, *[State.PROCESSING] * 3]
            assert {(await desk.shop.job(job.id)).progress for job in jobs} == {50.0}

    async def test_and_cannot_be_is_insisted_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(self: Recorder, changes: object) -> None:
            raise StorageFull("The disk is full.")

        monkeypatch.setattr(Recorder, "together", full)
        async with lab(tmp_path) as desk:
            jobs = await desk.accept(4)
            await proven(desk)
            desk.all_say(running(50.0))
            await desk.round()
            assert {(await desk.shop.job(job.id)).progress for job in jobs} == {50.0}

    async def test_when_the_gateway_stops_is_stored_or_learned_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = self.slow(monkeypatch)
        async with lab(tmp_path) as desk:
            await desk.accept(4)
            await proven(desk)
            desk.all_say(running(50.0))
            gate.clear()
            await desk.round()
        # Leaving the block ends every task and checks the books.


class TestSomebodyWhoBeginsToWatch:
    @pytest.mark.parametrize("by_job", [True, False], ids=["one job", "all of theirs"])
    async def test_does_not_wait_for_a_look_that_was_planned_before(
        self, tmp_path: Path, by_job: bool
    ) -> None:
        watching: list[str] = []
        policy = {"name": PolicyName.ADAPTIVE, "min_interval": 2.0, "watched_interval": 5.0}
        async with lab(tmp_path, policy=policy, watched=lambda job: job.owner in watching) as desk:
            (job,) = await desk.accept(1, running(progress=None))
            await desk.clock.advance(50)
            supervisor, now = desk.shop.supervisor, desk.clock.now
            while (look := supervisor.next_look(job.id) or 0.0) - now() <= 5.5:
                await desk.clock.advance(0.5)
            watching.append(job.owner)
            supervisor.watching(job.id if by_job else None, job.owner)
            sooner = supervisor.next_look(job.id)
            assert sooner is not None
            assert now() < sooner <= now() + 5.5 < look
            looks = desk.upstream.asked["looks"]
            await desk.clock.advance(5.6)
            assert desk.upstream.asked["looks"] == looks + 1

    async def test_puts_nothing_off(self, tmp_path: Path) -> None:
        async with lab(tmp_path) as desk:
            (job,) = await desk.accept(1)
            await desk.clock.advance(EVERY / 2)
            look = desk.shop.supervisor.next_look(job.id)
            desk.shop.supervisor.watching(None, job.owner)
            desk.shop.supervisor.watching("video_of_nobody", "nobody")
            assert desk.shop.supervisor.next_look(job.id) == look


class TestHowLongItTook:
    async def test_is_the_middle_between_not_yet_and_done(self, tmp_path: Path) -> None:
        async with lab(tmp_path, ListedUpstream(listing="live", file=sample_mp4())) as desk:
            jobs = await desk.accept(3)
            await desk.clock.advance(3 * EVERY + 3)
            desk.all_say(COMPLETED)
            for job in jobs:
                done = await desk.shop.reaches(job.id, State.COMPLETED, within=2 * EVERY, step=0.5)
                assert done.took == pytest.approx(3.5 * EVERY, abs=0.2)

    @pytest.mark.parametrize(("told", "took"), [(33.0, 33.0), (5.0, 30.0), (99999.0, 40.0)])
    async def test_is_what_the_upstream_says_where_that_can_be(
        self, tmp_path: Path, told: float, took: float
    ) -> None:
        async with lab(tmp_path, ListedUpstream(listing="none", file=sample_mp4())) as desk:
            (job,) = await desk.accept(1)
            await desk.clock.advance(3 * EVERY + 3)
            desk.all_say(replace(COMPLETED, took=told))
            done = await desk.shop.reaches(job.id, State.COMPLETED, within=2 * EVERY, step=0.5)
            assert done.took == pytest.approx(took, abs=0.2)


async def test_a_bug_in_a_round_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from sora_gateway.core.sweep import Sweep

    broken = [True]

    def breaks(self: Sweep) -> bool:
        if broken.pop() if broken else False:
            raise ZeroDivisionError
        return original(self)

    original = Sweep.worth_going_on
    monkeypatch.setattr(Sweep, "worth_going_on", breaks)
    async with lab(tmp_path) as desk:
        jobs = await desk.accept(5)
        desk.all_say(running(70.0))
        await desk.round(2)
        assert {(await desk.shop.job(job.id)).progress for job in jobs} == {70.0}
    assert "broke; going on" in caplog.text
