"""The money table: each ending and what becomes of the hold."""

from __future__ import annotations

import itertools

import pytest

from sora_gateway.core import job as j
from sora_gateway.core.job import ENDED, EVENTS, TRANSITIONS, Event, ExternalId, State, advance
from sora_gateway.core.money import Movement, OnCancel, movement
from tests.test_job import EXAMPLES, a_job


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        (State.STORING, j.Stored(1.0), Movement.SETTLE),
        (State.SUBMITTING, j.Refused(1.0, "x", "No."), Movement.RELEASE),
        (State.QUEUED, j.CancelRequested(1.0), Movement.RELEASE),
        (State.QUEUED, j.FinalLimit(1.0), Movement.RELEASE),
        (State.PROCESSING, j.UpstreamFailed(1.0, "x", "No."), Movement.RELEASE),
        (State.CANCELLING, j.CancelConfirmed(1.0), Movement.RELEASE),
        (State.CANCELLING, j.CancelUnconfirmed(1.0), Movement.SETTLE),
        (State.SUBMITTING, j.AnswerLost(1.0, "lost"), Movement.KEEP),
        (State.UNKNOWN, j.GivenUp(1.0), Movement.RELEASE),
        (State.UNKNOWN, j.PayAgain(1.0), Movement.KEEP),
        (State.UNKNOWN, j.Adopted(1.0, ExternalId("ext-1")), Movement.KEEP),
        (State.STORING, j.FileLost(1.0, "x", "Gone."), Movement.DISPUTE),
        (State.PROCESSING, j.FinalLimit(1.0), Movement.DISPUTE),
        (State.FAILED, j.ChargeSettled(1.0), Movement.SETTLE),
        (State.FAILED, j.ChargeReleased(1.0), Movement.RELEASE),
    ],
)
def test_each_row_of_the_table(state: State, event: Event, expected: Movement) -> None:
    job = a_job(state)
    assert movement(job, event, advance(job, event)) is expected


def test_an_unconfirmed_cancel_is_released_where_the_team_says_so() -> None:
    job = a_job(State.CANCELLING)
    event = j.CancelUnconfirmed(1.0)
    assert movement(job, event, advance(job, event), OnCancel.RELEASE) is Movement.RELEASE


def test_every_ending_of_the_machine_is_in_the_money_table() -> None:
    for state, kind in itertools.product(State, EVENTS):
        target = TRANSITIONS[state].get(kind)
        if target is not None:
            job = a_job(state)
            decided = kind in (j.ChargeSettled, j.ChargeReleased)
            ends = decided or (target in ENDED and state not in ENDED)
            found = movement(job, EXAMPLES[kind], advance(job, EXAMPLES[kind]))
            assert (found is not Movement.KEEP) == ends
