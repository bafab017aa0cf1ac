"""The job machine: every pair of state and event is in the table or refused, and nothing else happens."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core import job as j
from sora_gateway.core.job import (
    ENDED,
    EVENTS,
    TRANSITIONS,
    Event,
    ExternalId,
    IllegalTransition,
    Job,
    JobId,
    State,
    advance,
)
from sora_gateway.core.money import Movement, movement
from sora_gateway.core.retention import Removal
from sora_gateway.core.visibility import Visibility

EXAMPLES: dict[type[Event], Event] = {
    j.Claimed: j.Claimed(1.0),
    j.Postponed: j.Postponed(1.0, 5.0, "busy", True),
    j.Refused: j.Refused(1.0, "invalid", "No."),
    j.Accepted: j.Accepted(1.0, ExternalId("ext-1")),
    j.AnswerLost: j.AnswerLost(1.0, "lost"),
    j.Observed: j.Observed(1.0, 30.0, False, "in_progress"),
    j.Waiting: j.Waiting(1.0, "paused"),
    j.Rerouted: j.Rerouted(1.0, "spare", "sora-2"),
    j.BecameOverdue: j.BecameOverdue(1.0),
    j.UpstreamCompleted: j.UpstreamCompleted(1.0),
    j.UpstreamFailed: j.UpstreamFailed(1.0, "moderation_blocked", "No."),
    j.LostUpstream: j.LostUpstream(1.0, "404"),
    j.Stored: j.Stored(1.0),
    j.FileLost: j.FileLost(1.0, "file_lost", "Gone."),
    j.CancelRequested: j.CancelRequested(1.0),
    j.CancelConfirmed: j.CancelConfirmed(1.0),
    j.CancelUnconfirmed: j.CancelUnconfirmed(1.0),
    j.Adopted: j.Adopted(1.0, ExternalId("ext-2")),
    j.PayAgain: j.PayAgain(1.0),
    j.GivenUp: j.GivenUp(1.0),
    j.FinalLimit: j.FinalLimit(1.0),
    j.Deleted: j.Deleted(1.0),
    j.FilesRemoved: j.FilesRemoved(1.0, Removal.AGE),
    j.FilesFound: j.FilesFound(1.0, ("video",)),
    j.VisibilityChanged: j.VisibilityChanged(1.0, Visibility.TEAM),
    j.ChargeSettled: j.ChargeSettled(1.0),
    j.ChargeReleased: j.ChargeReleased(1.0),
}


def a_job(state: State = State.QUEUED) -> Job:
    external = ExternalId("ext-0") if state in (State.PROCESSING, State.STORING, State.CANCELLING) else None
    return Job(
        JobId("video_1"), "user_1", "a boat", "sora-2", "lab", "sora-2", 4, "1280x720", 0.0,
        state=state, external_id=external, finished_at=0.5 if state in ENDED else None,
    )  # fmt: skip


def test_every_kind_of_event_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(EVENTS)
    assert {kind.__name__ for kind in EVENTS} == {kind.__name__ for kind in Event.__subclasses__()}


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(State, EVENTS)))
def test_each_pair_is_in_the_table_or_refused(state: State, kind: type[Event]) -> None:
    job = a_job(state)
    if kind in TRANSITIONS[state]:
        assert advance(job, EXAMPLES[kind]).state is TRANSITIONS[state][kind]
    else:
        with pytest.raises(IllegalTransition):
            advance(job, EXAMPLES[kind])


def test_an_ended_job_never_leaves_its_state() -> None:
    for state in ENDED:
        assert set(TRANSITIONS[state].values()) <= {state}


def test_every_unfinished_state_can_end_and_can_be_reached() -> None:
    reached = {State.QUEUED}
    for _ in State:
        reached |= {target for state in reached for target in TRANSITIONS[state].values()}
    assert reached == set(State)
    for state in set(State) - ENDED:
        assert ENDED & _reachable_from(state)


def _reachable_from(state: State) -> set[State]:
    found = {state}
    for _ in State:
        found |= {target for each in found for target in TRANSITIONS[each].values()}
    return found


def test_a_second_create_needs_proof_or_a_person() -> None:
    """Only these events lead to the queue from elsewhere, and one out of it to a create."""
    rows = ((state, row) for state, row in TRANSITIONS.items() if state is not State.QUEUED)
    back = {kind for _, row in rows for kind, target in row.items() if target is State.QUEUED}
    assert back == {j.Postponed, j.PayAgain}
    assert {state for state, row in TRANSITIONS.items() if j.Claimed in row} == {State.QUEUED}


@pytest.mark.parametrize("state", State)
def test_who_may_see_a_job_changes_nothing_else_about_it(state: State) -> None:
    shown = advance(a_job(state), j.VisibilityChanged(1.0, Visibility.TEAM))
    assert shown == replace(a_job(state), visibility=Visibility.TEAM, version=2)
    assert movement(a_job(state), j.VisibilityChanged(1.0, Visibility.TEAM), shown) is Movement.KEEP
    assert advance(shown, j.VisibilityChanged(2.0, Visibility.TEAM)) is shown


def test_no_news_is_the_same_object() -> None:
    job = advance(a_job(State.PROCESSING), j.Observed(1.0, 30.0, False, "in_progress"))
    assert advance(job, j.Observed(2.0, 30.0, False, "in_progress")) is job


def test_each_change_counts_one_version() -> None:
    job = advance(a_job(), j.Claimed(1.0))
    assert (job.version, job.attempt, job.submitted_at) == (2, 1, 1.0)


@pytest.mark.parametrize(
    ("seen", "shown"),
    [([10, 40, 30], 40), ([120], 99), ([-5], 0), ([None, None], 0), ([20, None], 20)],
)
def test_progress_never_goes_back_and_stays_below_100_until_the_file_is_here(
    seen: list[float | None], shown: float
) -> None:
    job = a_job(State.PROCESSING)
    for progress in seen:
        job = advance(job, j.Observed(1.0, progress, False, "in_progress"))
    assert job.progress == shown


def test_a_guess_never_replaces_a_number_but_a_number_replaces_a_guess() -> None:
    guessed = advance(a_job(State.PROCESSING), j.Observed(1.0, 20.0, True, ""))
    assert guessed.progress_estimated
    real = advance(guessed, j.Observed(2.0, 25.0, False, ""))
    assert (real.progress, real.progress_estimated) == (25.0, False)
    assert advance(real, j.Observed(3.0, 60.0, True, "")).progress == 25.0


def test_a_wish_to_cancel_during_a_create_is_noted_and_changes_nothing_else() -> None:
    noted = advance(a_job(State.SUBMITTING), j.CancelRequested(1.0))
    assert (noted.state, noted.cancel_requested) == (State.SUBMITTING, True)
    assert advance(noted, j.CancelRequested(2.0)) is noted


def test_too_late_to_cancel_takes_the_wish_back() -> None:
    cancelling = advance(a_job(State.PROCESSING), j.CancelRequested(1.0))
    assert not advance(cancelling, j.UpstreamCompleted(2.0)).cancel_requested


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_any_history_keeps_the_invariants(kinds: list[type[Event]]) -> None:
    """Whatever is learned in whatever order: versions count, progress is monotone per attempt, an ended job
    has a time, and its hold ends once at most by itself."""
    job, ends = a_job(), 0
    for kind in kinds:
        if kind not in TRANSITIONS[job.state]:
            continue
        before, job = job, advance(job, EXAMPLES[kind])
        assert job is before or job.version == before.version + 1
        assert job.progress >= before.progress or kind is j.PayAgain
        assert (job.progress == 100.0) == (job.state is State.COMPLETED)
        assert job.ended == (job.finished_at is not None)
        decided = kind in (j.ChargeSettled, j.ChargeReleased)  # the ledger refuses a second end
        if job is not before and movement(before, EXAMPLES[kind], job) in (Movement.SETTLE, Movement.RELEASE):
            ends += not decided
    assert ends <= 1
