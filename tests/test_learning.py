"""What jobs took is read from the store once, learned from as jobs end, and lent to kinds that are new."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sora_gateway.core.durations import PRIOR_MEDIAN, prior
from sora_gateway.core.job import Job, State
from sora_gateway.core.trend import NO_TREND, Trend
from sora_gateway.errors import StorageFailed
from sora_gateway.store import Store
from sora_gateway.store import durations as stored
from sora_gateway.store.durations import Sample
from sora_gateway.supervisor.durations import Kind, LearnedDurations
from tests.jobs import NOW, make_job
from tests.stores import open_store


def drawn(count: int, median: float) -> list[float]:
    chance = Random(f"{count} {median}")
    return [median * math.exp(0.2 * chance.gauss(0, 1)) for _ in range(count)]


async def ended(store: Store, took: float | None, number: int, **fields: Any) -> None:
    """An ended job in the store, *number* seconds later than the first."""
    job = make_job(**fields)
    await store.accept(job)
    await store.run(
        lambda tx: tx.execute(
            # Past the final limit: its hold stays open, as the books have it.
            "UPDATE jobs SET state = ?, error_code = 'final_limit', took = ?, finished_at = ? WHERE id = ?",
            (State.FAILED, took, NOW + number, job.id),
        )
    )


class Shelf:
    """Samples as a store would give them, and how often it was asked."""

    def __init__(self, *samples: Sample) -> None:
        self.samples = samples
        self.asked = 0

    async def durations(self, upstream: str) -> Sequence[Sample]:
        self.asked += 1
        return self.samples if upstream == "lab" else ()


def samples(lengths: Sequence[float], model: str = "wan-2.2", seconds: int = 8) -> list[Sample]:
    return [Sample(model, seconds, "1280x720", took) for took in lengths]


# --- the store ---------------------------------------------------------------------------------------


async def test_the_newest_samples_come_first_and_only_of_jobs_that_ended(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number, took in enumerate([30.0, 10.0, 20.0]):
            await ended(store, took, number)
        await ended(store, None, 9)
        await ended(store, 99.0, 10, upstream="other")
        await store.accept(make_job())
        assert [sample.took for sample in await store.durations("lab")] == [20.0, 10.0, 30.0]
        assert await store.durations("lab") == samples([20.0, 10.0, 30.0])
        assert [sample.took for sample in await store.durations("other")] == [99.0]
        assert await store.durations("nobody") == []


async def test_one_kind_of_job_does_not_crowd_out_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "NEWEST", 2)
    async with open_store(tmp_path) as store:
        await ended(store, 500.0, 0, seconds=12)
        for number in range(1, 5):
            await ended(store, float(number), number)
        assert await store.durations("lab") == [*samples([4.0, 3.0]), *samples([500.0], seconds=12)]


async def test_samples_are_read_by_the_index(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        plan = await store.run(
            lambda tx: tx.execute(f"EXPLAIN QUERY PLAN {stored._SELECT}", ("lab", 10, 10)).fetchall()
        )
    assert any("USING INDEX ix_jobs_took" in row["detail"] for row in plan)


# --- the memory --------------------------------------------------------------------------------------


async def test_an_upstream_is_read_once_and_known_from_then_on() -> None:
    shelf = Shelf(*samples(drawn(100, 600.0)))
    learned = LearnedDurations(shelf.durations)
    assert learned.of(make_job()) is prior()
    await learned.load("lab")
    await learned.load("lab")
    assert shelf.asked == 1
    assert learned.of(make_job()).median == pytest.approx(600, rel=0.1)
    assert learned.of(make_job(upstream="other")) is prior()


async def test_hundreds_of_jobs_of_a_restart_share_one_reading_and_go_on_together() -> None:
    """One that went ahead would be asked for alone, and the others by a list."""
    shelf = Shelf(*samples(drawn(100, 600.0)))

    async def in_a_thread(upstream: str) -> Sequence[Sample]:
        return await asyncio.to_thread(asyncio.run, shelf.durations(upstream))

    learned = LearnedDurations(in_a_thread)
    going_on: list[int] = []
    after_the_first: list[int] = []

    async def job(number: int) -> None:
        await learned.load("lab")
        if not going_on:
            asyncio.get_running_loop().call_soon(lambda: after_the_first.append(len(going_on)))
        going_on.append(number)

    await asyncio.gather(*map(job, range(300)))
    assert shelf.asked == 1
    assert after_the_first == [300]


async def test_a_reading_that_fails_is_tried_again_by_the_next() -> None:
    shelf = Shelf(*samples(drawn(100, 600.0)))

    async def once_broken(upstream: str) -> Sequence[Sample]:
        found = await shelf.durations(upstream)
        if shelf.asked == 1:
            raise StorageFailed("lab")
        return found

    learned = LearnedDurations(once_broken)
    first, second = await asyncio.gather(learned.load("lab"), learned.load("lab"), return_exceptions=True)
    assert isinstance(first, StorageFailed)
    assert second is None
    assert learned.of(make_job()).median == pytest.approx(600, rel=0.1)


async def test_a_new_kind_borrows_from_its_model_then_from_its_upstream() -> None:
    shelf = Shelf(*samples(drawn(50, 600.0)), *samples(drawn(50, 20.0), model="turbo"))
    learned = LearnedDurations(shelf.durations)
    await learned.load("lab")
    assert learned.of(make_job(seconds=12)).median == pytest.approx(600, rel=0.1)
    assert learned.of(make_job(upstream_model="turbo", size="720x1280")).median == pytest.approx(20, rel=0.1)
    stranger = learned.of(make_job(upstream_model="unheard-of"))
    assert 20 < stranger.percentile(0.5) < 600
    assert stranger.share_longer(50) == pytest.approx(0.5, abs=0.1)


async def test_it_learns_as_jobs_end() -> None:
    learned = LearnedDurations(Shelf().durations)
    job = make_job()
    learned.note(job, 600.0)
    assert learned.of(job) is prior(), "an upstream that was not read yet is read with this one"
    await learned.load("lab")
    for took in drawn(40, 600.0):
        learned.note(job, took)
    assert learned.of(job).median == pytest.approx(600, rel=0.1)
    assert learned.of(job).samples >= 38


async def test_the_same_answer_is_the_same_object_until_a_job_ends() -> None:
    """Thousands of jobs ask; nothing is made for each of them."""
    learned = LearnedDurations(Shelf(*samples(drawn(100, 60.0))).durations)
    await learned.load("lab")
    job = make_job()
    assert learned.of(job) is learned.of(make_job())
    before = learned.of(job)
    learned.note(job, 61.0)
    assert learned.of(job) is before, "one more of a hundred changes nothing yet"
    for took in drawn(30, 61.0):
        learned.note(job, took)
    assert learned.of(job) is not before


async def test_what_percentages_are_worth_is_learned_for_each_model() -> None:
    learned = LearnedDurations(Shelf(*samples(drawn(100, 100.0))).durations)
    await learned.load("lab")
    trend = Trend().after(30, 30).after(60, 60)
    unsure = learned.of(make_job()).guess(60, trend)
    for took in drawn(30, 100.0):
        moved = NO_TREND.after(0.3 * took, 30).after(0.6 * took, 60)
        learned.note(make_job(seconds=4), took, moved)
    sure = learned.of(make_job()).guess(60, trend)
    assert unsure is not None
    assert sure is not None
    assert sure.deviation < 0.5 * unsure.deviation
    other = learned.of(make_job(upstream_model="turbo")).guess(60, trend)
    assert other is not None
    assert other.deviation > sure.deviation


async def test_people_are_told_of_every_kind_what_is_known() -> None:
    shelf = Shelf(*samples(drawn(100, 600.0)), *samples([50.0], model="turbo"))
    learned = LearnedDurations(shelf.durations)
    await learned.load("lab")
    told = learned.percentiles("lab")
    assert list(told) == [Kind("lab", "turbo", 8, "1280x720"), Kind("lab", "wan-2.2", 8, "1280x720")]
    known = told[Kind("lab", "wan-2.2", 8, "1280x720")]
    assert known.samples == 100
    assert known.p50 == pytest.approx(600, rel=0.1)
    assert known.p50 < known.p90 < known.p99
    assert learned.percentiles("other") == {}


async def test_many_kinds_of_jobs_take_little_memory() -> None:
    learned = LearnedDurations(Shelf().durations)
    await learned.load("lab")
    jobs: list[Job] = [make_job(upstream_model=f"model-{number}") for number in range(400)]
    for job in jobs:
        learned.note(job, PRIOR_MEDIAN)
        assert learned.of(job).samples == 1
    assert len(learned._models) <= 257
