"""A simulated job is a pure function of its record and the time, and so are the faults in a prompt."""

from __future__ import annotations

import itertools
import json
import math
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.upstream.simulator.faults import (
    FAULTS,
    Faults,
    Value,
    applies,
    parse_faults,
    without_directives,
)
from sora_gateway.upstream.simulator.timeline import Record, drawn_duration, moment, video_object

START = 1_800_000_000.0

ages = st.floats(min_value=0, max_value=1_000)
durations = st.floats(min_value=0, max_value=500)
failures = st.sampled_from(["", "moderation_blocked", "video_generation_failed"])


def record(duration: float = 100.0, failure: str = "", faults: Faults | None = None) -> Record:
    return Record(
        "video_sim_1", "a boat", "sora-2", "4", "720x1280", START, duration, failure, "", faults or {}
    )


@given(durations, failures, ages, ages)
def test_a_job_only_goes_forward(duration: float, failure: str, one: float, other: float) -> None:
    job = record(duration, failure)
    early, late = (moment(job, START + age) for age in sorted((one, other)))
    order = ["queued", "in_progress", "failed" if failure else "completed"]
    assert order.index(early.status) <= order.index(late.status)
    assert early.progress is not None
    assert late.progress is not None
    assert 0 <= early.progress <= late.progress <= 100


@given(durations, failures, ages)
def test_only_a_completed_job_is_at_100_and_only_at_its_end(
    duration: float, failure: str, age: float
) -> None:
    now = moment(record(duration, failure), START + age)
    assert (now.progress == 100) == (now.status == "completed")
    assert now.ended == (START + age - START >= duration)


@given(durations, failures, ages)
def test_what_is_stored_is_all_that_is_needed(duration: float, failure: str, age: float) -> None:
    job = record(duration, failure, {"stuck": 30.0, "no_progress": None})
    stored = Record(**json.loads(json.dumps(job.as_json())))
    assert video_object(stored, START + age) == video_object(job, START + age)


@given(durations)
def test_a_clock_that_went_back_does_not_undo_the_create(duration: float) -> None:
    assert moment(record(duration), START - 5) == moment(record(duration), START)


def test_a_failed_job_says_why() -> None:
    video = video_object(record(failure="moderation_blocked"), START + 100)
    assert video["status"] == "failed"
    assert video["error"] == {
        "code": "moderation_blocked",
        "message": "Your request was blocked by our moderation system.",
    }
    assert video["completed_at"] is None


@given(st.floats(min_value=0, max_value=1, exclude_max=True), st.floats(min_value=0, max_value=3))
def test_a_duration_is_always_a_positive_number(fraction: float, sigma: float) -> None:
    assert 0 < drawn_duration(8.0, sigma, fraction) < math.inf


def test_durations_are_log_normal_around_their_median() -> None:
    drawn = [drawn_duration(120.0, 0.5, (index + 0.5) / 1000) for index in range(1000)]
    assert median(drawn) == pytest.approx(120.0, rel=0.01)
    logs = [math.log(duration / 120.0) for duration in drawn]
    assert math.sqrt(sum(value**2 for value in logs) / len(logs)) == pytest.approx(0.5, rel=0.02)
    assert drawn_duration(120.0, 0.0, 0.999) == 120.0


# Faults of the job.


def test_a_job_that_never_ends_stays_at_99() -> None:
    now = moment(record(faults={"never": None}), START + 1e9)
    assert (now.status, now.progress) == ("in_progress", 99)


def test_stuck_progress_does_not_stop_the_job() -> None:
    job = record(faults={"stuck": 42.0})
    assert moment(job, START + 99).progress == 42
    assert moment(job, START + 100).progress == 100


def test_progress_falls_back_once_and_recovers() -> None:
    job = record(faults={"backwards": None})
    seen = [moment(job, START + age).progress or 0 for age in range(0, 101)]
    falls = [(before, after) for before, after in itertools.pairwise(seen) if after < before]
    assert len(falls) == 1
    assert seen[-1] == 100


def test_without_progress_the_status_still_tells() -> None:
    job = record(faults={"no_progress": None})
    assert moment(job, START + 50).progress is None
    assert moment(job, START + 100).status == "completed"


# Directives.


def test_faults_are_read_from_the_prompt() -> None:
    prompt = "a boat [[fault:create_429=2]] in the [[fault:amnesia]] rain [[fault:fail=broken]]"
    assert parse_faults(prompt) == {"create_429": 2.0, "amnesia": None, "fail": "broken"}
    assert without_directives(prompt) == "a boat in the rain"


@given(st.text(max_size=100))
def test_ordinary_text_has_no_faults(text: str) -> None:
    if "[[fault:" not in text:
        assert parse_faults(text) == {}


@given(st.text(alphabet="[]fault:=_create500 0123.x", max_size=60))
def test_any_text_is_faults_or_a_sentence_about_them(text: str) -> None:
    try:
        names = set(parse_faults(text))
    except ValueError as error:
        names = set()
        sentence = str(error)
    else:
        sentence = "."
    assert names <= set(FAULTS)
    assert sentence.endswith(".")


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_takes_what_it_says(name: str) -> None:
    wanted = FAULTS[name].value
    number, word = f"[[fault:{name}=3]]", f"[[fault:{name}=word]]"
    if wanted in (Value.NUMBER, Value.OPTIONAL):
        assert parse_faults(number) == {name: 3.0}
    if wanted is Value.WORD:
        assert parse_faults(word) == {name: "word"}
    else:
        with pytest.raises(ValueError, match=name):
            parse_faults(word)
    if wanted is Value.NUMBER:
        with pytest.raises(ValueError, match="needs a number"):
            parse_faults(f"[[fault:{name}]]")


def test_an_unknown_fault_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no fault called flood; .*truncate"):
        parse_faults("[[fault:flood]]")


def test_a_counted_fault_meets_the_first_requests_and_an_uncounted_one_all() -> None:
    assert [applies({"truncate": 2.0}, "truncate", earlier) for earlier in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert applies({"truncate": None}, "truncate", 1000)
    assert not applies({}, "truncate", 0)
