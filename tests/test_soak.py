"""What the verdict of a soak is worth: a short one is clean, and each of these faults, planted into what it left, is noticed."""

from __future__ import annotations

import asyncio
import copy
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak.__main__ import page
from tests.soak.listeners import SocketListener
from tests.soak.meter import Life, Sample, slope
from tests.soak.plan import Plan
from tests.soak.soak import soak
from tests.soak.verdict import Evidence, judge
from tests.transcripts import Told

SHORT = Plan(
    1.5, seed=3, shortest=1.5, longest=1.5, calm=0.5, backup_every=0, hands=1, pause=0.15, faulty=0.0, naps=0.0, duration=0.3, patience=0.0,
    rest=0.2, config='[polling]\npolicy = "fixed"\nmin_interval = 0.1\n',
)  # fmt: skip
"""A life of a second and a half, and a last one."""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return asyncio.run(soak(tmp_path_factory.mktemp("soak"), SHORT))


def broken(evidence: Evidence) -> set[str]:
    """The promises that the verdict finds broken."""
    return {each.name for each in judge(evidence) if each.broken}


def test_a_gateway_that_is_killed_keeps_every_promise(short: Evidence) -> None:
    promises = judge(short)
    verdict = page(short, promises, 1.5, 3, 5.0)
    assert not [each for each in promises if each.broken], verdict
    assert verdict.endswith("every promise was kept")
    assert sum(life.ended != "fresh" for life in short.lives) >= 2, "it was ended and started again"
    assert len(short.books.accepted) >= 5, "people did something meanwhile"
    assert all(each.connections for each in short.listeners if each.job_id is None)


# --- what was left, with something wrong in it -----------------------------------------------------------


def lost_job(evidence: Evidence) -> None:
    job = next(iter(evidence.books.accepted))
    with closing(sqlite3.connect(evidence.directory / "gateway.db")) as database, database:
        database.execute("DELETE FROM jobs WHERE id = ?", (job,))


def job_that_stands_still(evidence: Evidence) -> None:
    with closing(sqlite3.connect(evidence.directory / "gateway.db")) as database, database:
        database.execute(
            "UPDATE jobs SET state = 'processing', progress = 1, finished_at = NULL WHERE id = (SELECT id FROM jobs"
            " WHERE state = 'completed' LIMIT 1)"
        )


def second_payment(evidence: Evidence) -> None:
    with evidence.journal.open("r+", encoding="utf-8") as journal:
        first = json.loads(journal.readline())
        journal.seek(0, 2)
        journal.write(json.dumps(first | {"id": "video_again"}) + "\n")


def second_attempt_that_nobody_wrote_down(evidence: Evidence) -> None:
    with evidence.journal.open("r+", encoding="utf-8") as journal:
        first = json.loads(journal.readline())
        journal.seek(0, 2)
        journal.write(json.dumps(first | {"id": "video_again", "client_request_id": "attempt_x"}) + "\n")


def credits_from_nowhere(evidence: Evidence) -> None:
    with closing(sqlite3.connect(evidence.directory / "gateway.db")) as database, database:
        database.execute("UPDATE users SET available = available + 5 WHERE id = 'user_ann'")


def half_a_file(evidence: Evidence) -> None:
    video = next((evidence.directory / "media").rglob("*.mp4"))
    video.write_bytes(video.read_bytes()[:-1000])


def another_file(evidence: Evidence) -> None:
    evidence.fetched[next(iter(evidence.fetched))] = "0" * 64


def final_state_that_was_not_told(evidence: Evidence) -> None:
    listener = next(
        each for each in evidence.listeners if isinstance(each, SocketListener) and each.owner is None
    )
    updates = [
        each for each in listener.transcript if isinstance(each, Told) and each.message["type"] == "update"
    ]
    listener.transcript.remove(updates[-1])


def update_that_was_told_twice(evidence: Evidence) -> None:
    listener = next(each for each in evidence.listeners if each.owner is None)
    told = [
        each for each in listener.transcript if isinstance(each, Told) and each.message["type"] == "update"
    ]
    listener.transcript.append(told[-1])


def end_that_no_webhook_told(evidence: Evidence) -> None:
    evidence.heard.clear()


def error_in_the_log(evidence: Evidence) -> None:
    with evidence.log.open("a", encoding="utf-8") as log:
        log.write("2026-11-22T15:31:22.123Z ERROR sora_gateway.app: something broke\n")


def wrong_answer(evidence: Evidence) -> None:
    evidence.books.complaints.append("GET /api/video/tasks was answered 500 internal")


def memory_that_grows(evidence: Evidence) -> None:
    """By half a megabyte in a second, in lives of half a minute."""
    for began in range(0, 300, 30):
        grown = [Sample(age, 60 + 0.5 * age, 70 + 0.5 * age, 40) for age in range(30)]
        evidence.lives.append(Life(began, 0.5, 30.0, "killed", grown))


def memory_that_grows_from_life_to_life(evidence: Evidence) -> None:
    for began in range(0, 300, 30):
        flat = [Sample(age, 60 + began / 10, 70 + began / 10, 40) for age in range(30)]
        evidence.lives.append(Life(began, 0.5, 30.0, "killed", flat))


def descriptors_that_are_not_closed(evidence: Evidence) -> None:
    assert evidence.left is not None
    evidence.left = replace(evidence.left, descriptors=evidence.left.descriptors + 20)


def descriptors_that_grow(evidence: Evidence) -> None:
    for began in range(0, 300, 30):
        evidence.lives.append(
            Life(began, 0.5, 30.0, "killed", [Sample(age, 60, 70, 40 + age) for age in range(30)])
        )


def gateway_that_ended_by_itself(evidence: Evidence) -> None:
    evidence.complaints.append("the gateway ended by itself, with 1")


FAULTS: dict[Callable[[Evidence], None], str] = {
    lost_job: "nothing accepted is lost",
    job_that_stands_still: "nothing accepted is lost",
    second_payment: "nobody pays twice",
    second_attempt_that_nobody_wrote_down: "nobody pays twice",
    credits_from_nowhere: "the books balance",
    half_a_file: "files are whole",
    another_file: "files are whole",
    final_state_that_was_not_told: "followers see every end",
    update_that_was_told_twice: "followers see every end",
    end_that_no_webhook_told: "webhooks tell every end",
    error_in_the_log: "no answer or log is wrong",
    wrong_answer: "no answer or log is wrong",
    gateway_that_ended_by_itself: "no answer or log is wrong",
    memory_that_grows: "memory is flat (RSS)",
    memory_that_grows_from_life_to_life: "memory is flat (RSS)",
    descriptors_that_are_not_closed: "descriptors are flat",
    descriptors_that_grow: "descriptors are flat",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(
    fault: Callable[[Evidence], None], short: Evidence, tmp_path: Path
) -> None:
    shutil.copytree(short.directory, tmp_path / "left")
    for file in (short.journal, short.log):
        shutil.copy(file, tmp_path)
    planted = replace(
        short, directory=tmp_path / "left", journal=tmp_path / short.journal.name, log=tmp_path / short.log.name,
        books=copy.deepcopy(short.books), lives=list(short.lives), fetched=dict(short.fetched), heard=dict(short.heard),
        listeners=[replace(each, transcript=list(each.transcript)) for each in short.listeners],
        complaints=list(short.complaints),
    )  # fmt: skip
    fault(planted)
    assert FAULTS[fault] in broken(planted)
    shutil.rmtree(planted.directory)  # else books that do not balance are left behind by a test


def test_a_slope_is_not_moved_by_a_few_outliers() -> None:
    """A process that has forked shares half of its memory for a moment."""
    points = [(float(second), 30.0 if second == 7 else 60.0 + 2 * second) for second in range(20)]
    assert slope(points) == 2.0
    assert slope([(0.0, 1.0)]) == 0.0
