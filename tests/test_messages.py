"""The wire messages: what clients may say, what they are told, and the cursor between."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core import job as j
from sora_gateway.core.job import EVENTS, TRANSITIONS, ExternalId, State, advance
from sora_gateway.core.messages import (
    LOG_STEPS,
    BadMessage,
    Cursor,
    Ping,
    StoredEvent,
    Subscribe,
    log_of,
    parse_client_message,
    stored_state,
    update_of,
)
from sora_gateway.core.steps import StoredState, sentence_of, step_of
from sora_gateway.core.views import Beside, task_view, video_view
from tests.test_job import EXAMPLES, a_job


def test_a_cursor_survives_the_wire() -> None:
    cursor = Cursor("0123456789abcdef", 42)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "0123456789abcdef",
        "0123456789abcdef-",
        "0123456789abcdef-042",
        "0123456789ABCDEF-1",
        "0123456789abcdef--1",
    ],
)
def test_what_is_no_cursor(text: str) -> None:
    assert Cursor.parse(text) is None


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_not(text: str) -> None:
    cursor = Cursor.parse(text)
    assert cursor is None or str(cursor) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "Invalid JSON"),
        ("{}", "discriminator"),
        ('{"type":"subscribe"}', "exactly one"),
        ('{"type":"subscribe","all":true,"videoId":"x"}', "exactly one"),
        ('{"type":"subscribe","all":false}', "all"),
        ('{"type":"ping","more":1}', "more"),
        ('{"type":"dance"}', "dance"),
        ('{"type":"auth","token":7}', "token"),
    ],
)
def test_what_a_client_may_not_say(text: str, complaint: str) -> None:
    with pytest.raises(BadMessage, match=complaint):
        parse_client_message(text)


def test_what_a_client_may_say() -> None:
    assert parse_client_message('{"type":"ping"}') == Ping(type="ping")
    message = parse_client_message('{"type":"subscribe","externalVideoId":"x","pending":true,"since":"c"}')
    assert isinstance(message, Subscribe)
    assert not message.log
    assert (message.name, message.pending, message.since) == ("external:x", True, "c")


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_message_or_refused_with_a_sentence(text: str) -> None:
    with contextlib.suppress(BadMessage):
        assert parse_client_message(text).type in {"auth", "subscribe", "unsubscribe", "ping"}


def test_every_transition_is_told_with_a_step_and_a_sentence() -> None:
    for state in State:
        for kind in EVENTS:
            if kind in TRANSITIONS[state]:
                after = advance(a_job(state), EXAMPLES[kind])
                step, payload = stored_state(after, EXAMPLES[kind], 1.0, ["video"])
                told = StoredState.model_validate_json(payload, strict=False, extra="forbid", by_name=False)
                assert told.model_dump_json(by_alias=True) == payload
                assert told.message
                assert told.step == step == step_of(EXAMPLES[kind], after)
                assert told.error is None or after.ended


MINUTE, HOUR = 60.0, 3600.0


@pytest.mark.parametrize(
    ("elapsed", "remaining", "sentence"),
    [
        (80.0, 125.0, "42 % done after 1 min 20 s; about 2 min to go."),
        (80.0, None, "42 % done after 1 min 20 s."),
        (9.7, 1.0, "42 % done after 9 s; about 5 s to go."),
        (HOUR, 58.0, "42 % done after 1 h; about 1 min to go."),
        (HOUR + 5 * MINUTE, 100 * MINUTE, "42 % done after 1 h 5 min; about 1 h 40 min to go."),
        (-3.0, 32.0, "42 % done after 0 s; about 30 s to go."),  # a clock was set back
    ],
)
def test_progress_is_told_with_the_time_that_passed_and_the_time_that_is_left(
    elapsed: float, remaining: float | None, sentence: str
) -> None:
    sent = advance(a_job(State.QUEUED), j.Claimed(1000.0))
    job = advance(sent, j.Accepted(1001.0, ExternalId("sora_1")))
    event = j.Observed(1000.0 + elapsed, 42.0, remaining=remaining)
    assert sentence_of("progress", advance(job, event), event, event.at) == sentence
    guess = replace(event, estimated=True)
    assert sentence_of("progress", advance(job, guess), guess, guess.at) == f"About {sentence}"


def test_the_sentences_of_a_video_on_its_way() -> None:
    told = [json.loads(event.payload)["message"] for event in the_life_of_a_job(progress_reports=1)]
    assert told == [
        "Checked and accepted; waiting for a free place.",
        "Sending it to lab.",
        "lab has it, as sora_1.",
        "0 % done after 1 s.",
    ]


def test_what_takes_long_is_told_with_how_long_it_took() -> None:
    sent = replace(a_job(State.PROCESSING), submitted_at=0.0)
    event = j.BecameOverdue(12 * MINUTE)
    sentence = sentence_of("overdue", advance(sent, event), event, event.at)
    assert sentence == "Not ready after 12 min, which is longer than usual; still watching."


def test_an_update_is_the_stored_state_with_a_cursor_and_addresses_made_for_the_reader() -> None:
    job = advance(a_job(State.STORING), j.Stored(2.0))
    _, payload = stored_state(job, j.Stored(2.0), 2.0, ["video"])
    event = StoredEvent(7, job.id, job.owner, job.version, "done", payload, 2.0, True)
    update = json.loads(
        update_of(
            event, "0123456789abcdef", lambda job_id, names: {name: f"/{name}" for name in names}
        ).model_dump_json(by_alias=True)
    )
    assert update["type"] == "update"
    assert update["cursor"] == "0123456789abcdef-7"
    assert (update["status"], update["stage"], update["step"]) == ("completed", "completed", "done")
    assert update["assets"]["videoUrl"] == "/video"


def the_life_of_a_job(progress_reports: int) -> list[StoredEvent]:
    """What is stored of a job from its accept until so many reports of progress."""
    job, told = a_job(State.QUEUED), list[StoredEvent]()
    reports = [j.Observed(float(n), n / 10) for n in range(1, progress_reports + 1)]
    for event in (None, j.Claimed(0.0), j.Accepted(0.0, ExternalId("sora_1")), *reports):
        job = job if event is None else advance(job, event)
        at = 0.0 if event is None else event.at
        step, payload = stored_state(job, event, at)
        told.append(StoredEvent(len(told) + 7, job.id, job.owner, job.version, step, payload, at, False))
    return told


def test_a_step_log_tells_the_steps_as_the_updates_told_them() -> None:
    events = the_life_of_a_job(progress_reports=2)
    log = log_of("external:sora_1", events[0].job_id, events)
    assert (log.type, log.topic, log.video_id, log.truncated) == (
        "log",
        "external:sora_1",
        events[0].job_id,
        False,
    )
    assert [step.step for step in log.steps] == [
        "accepted",
        "submitting",
        "submitted",
        "progress",
        "progress",
    ]
    updates = [update_of(event, "0123456789abcdef", lambda job_id, names: {}) for event in events]
    for step, update in zip(log.steps, updates, strict=True):
        assert step.model_dump().items() <= update.model_dump().items()


def test_a_long_step_log_has_the_newest_steps_and_says_so() -> None:
    events = the_life_of_a_job(progress_reports=LOG_STEPS)
    log = log_of("all", events[0].job_id, events)
    assert (len(log.steps), log.truncated) == (LOG_STEPS, True)
    assert log.steps[-1].seq == events[-1].job_seq


def test_a_step_log_whose_oldest_events_are_trimmed_says_so() -> None:
    events = the_life_of_a_job(progress_reports=2)
    assert log_of("all", events[0].job_id, events[2:]).truncated
    assert log_of("all", events[0].job_id, []).truncated


def test_a_cancelled_video_is_a_failed_one_for_openai_clients() -> None:
    job = advance(a_job(State.QUEUED), j.CancelRequested(2.0))
    assert task_view(job, Beside({}), reader=job.owner).status == "cancelled"
    video = video_view(job)
    assert (video.status, video.error and video.error.code) == ("failed", "cancelled")
