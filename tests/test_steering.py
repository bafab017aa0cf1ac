"""When a client that polls should ask again: a job and two moments in, seconds out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.job import Job, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.states import ENDED
from sora_gateway.core.steering import kept_interval, poll_after
from tests.fakes import ScriptedUpstream
from tests.gateways import workshop
from tests.jobs import NOW, make_job

JOB = make_job()
UNFINISHED = [state for state in State if state not in ENDED]


def a_job(state: State, **fields: Any) -> Job:
    return replace(JOB, state=state, **fields)


def after(job: Job, next_look: float | None = None, now: float = NOW) -> float:
    seconds = poll_after(job, next_look, now)
    assert seconds is not None
    return seconds


# --- by state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(ENDED))
def test_nobody_asks_again_for_what_has_ended(state: State) -> None:
    assert poll_after(a_job(state), NOW + 5, NOW) is None


@pytest.mark.parametrize(("waited", "seconds"), [(0, 1), (15, 2), (45, 4), (60, 5), (3600, 5), (-10, 0.25)])
def test_what_is_queued_is_asked_for_less_often_the_longer_it_has_waited(
    waited: float, seconds: float
) -> None:
    assert after(a_job(State.QUEUED), now=NOW + waited) == pytest.approx(seconds, abs=0.09)


def test_what_may_not_be_sent_yet_is_not_asked_for_before() -> None:
    assert after(a_job(State.QUEUED, not_before=NOW + 12)) == 12
    assert after(a_job(State.QUEUED, not_before=NOW - 12)) == 1


def test_what_is_paid_again_has_just_begun_to_wait() -> None:
    assert after(a_job(State.QUEUED, queued_again_at=NOW + 3600), now=NOW + 3600) == 1


def test_what_is_processing_is_asked_for_just_after_the_gateway_has_looked() -> None:
    assert after(a_job(State.PROCESSING), NOW + 12) == 12.25
    assert after(a_job(State.PROCESSING), NOW) == 0.25


def test_a_look_that_is_due_may_answer_at_any_moment() -> None:
    assert after(a_job(State.PROCESSING), NOW - 3) == 0.25


def test_an_overdue_video_is_looked_at_every_ten_minutes_and_asked_for_every_half() -> None:
    assert after(a_job(State.PROCESSING, overdue=True), NOW + 600) == 30


def test_other_stages_have_a_pace_of_their_own() -> None:
    assert after(a_job(State.PROCESSING)) == 5
    assert after(a_job(State.UNKNOWN)) == 15
    for state in (State.SUBMITTING, State.STORING, State.CANCELLING):
        # The look that was planned before is no news of these.
        assert after(a_job(state), NOW + 20) == 1


# --- whatever comes ----------------------------------------------------------------------------------

moments = st.floats(NOW - 1e9, NOW + 1e9)


@given(st.sampled_from(UNFINISHED), st.none() | moments, moments, moments, st.none() | moments)
def test_it_is_always_between_a_quarter_of_a_second_and_half_a_minute(
    state: State, next_look: float | None, now: float, not_before: float, again: float | None
) -> None:
    job = a_job(state, not_before=not_before, queued_again_at=again)
    assert 0.25 <= after(job, next_look, now) <= 30


@given(moments, moments, moments)
def test_a_later_look_is_asked_for_later(one: float, other: float, now: float) -> None:
    job = a_job(State.PROCESSING)
    assert after(job, min(one, other), now) <= after(job, max(one, other), now)


@given(moments, moments, moments)
def test_the_nearer_the_look_the_sooner(look: float, one: float, other: float) -> None:
    job = a_job(State.PROCESSING)
    assert after(job, look, max(one, other)) <= after(job, look, min(one, other))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_who_has_waited_longer_in_the_queue_asks_no_more_often(one: float, other: float) -> None:
    job = a_job(State.QUEUED)
    assert after(job, now=NOW + min(one, other)) <= after(job, now=NOW + max(one, other)) <= 5


@given(st.floats(0.3, 29.0))
def test_who_asks_when_told_finds_the_look_behind_them(wait: float) -> None:
    look = NOW + wait
    assert NOW + after(a_job(State.PROCESSING), look) > look


@given(st.floats(0.25, 30), st.floats(0.25, 30))
def test_an_interval_that_is_kept_is_neither_a_storm_nor_a_sleep(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 2 <= kept_interval(low) <= kept_interval(high) <= 10
    assert kept_interval(5) == 5


# --- what it is derived from -------------------------------------------------------------------------


async def test_the_supervisor_says_when_it_looks_next(tmp_path: Path) -> None:
    upstream = ScriptedUpstream()
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.accept()
        assert shop.supervisor.next_look(job.id) is None, "it is not there to be looked at"
        job = await shop.reaches(job.id, State.PROCESSING)
        for _ in range(3):
            look, looked = shop.supervisor.next_look(job.id), upstream.looked
            assert look is not None
            assert look > shop.clock.now()
            seconds = poll_after(await shop.job(job.id), look, shop.clock.now())
            assert seconds is not None
            await shop.clock.advance(seconds - 0.3)
            assert upstream.looked == looked, "nothing could have been new"
            await shop.clock.advance(0.3)
            assert upstream.looked == looked + 1, "who asks now gets what the look has found"
        upstream.looks = [Look(LookKind.FAILED, "failed")]
        await shop.reaches(job.id, State.FAILED)
        assert shop.supervisor.next_look(job.id) is None
