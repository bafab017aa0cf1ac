"""Wishes of people at awkward moments: twice at once, while the gateway stops, while a watcher breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sora_gateway.core.job import Event, ExternalId, Job, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.errors import InvalidRequest, Unavailable
from sora_gateway.supervisor.decisions import Adopt
from sora_gateway.upstream.adapter import CancelAnswer
from tests.fakes import CountingEntropy, ManualClock, ScriptedUpstream, settle
from tests.gateways import Workshop, workshop


class CountingClock(ManualClock):
    """Counts how often anybody began to wait."""

    waits = 0

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> bool:
        self.waits += 1
        return await super().sleep(seconds, wake)


@asynccontextmanager
async def slow_disk(shop: Workshop) -> AsyncIterator[None]:
    """Nothing is stored before the block is left."""
    free = threading.Event()
    holding = asyncio.create_task(shop.store.run(lambda tx: free.wait()))
    try:
        yield
    finally:
        free.set()
        await holding


async def a_moment() -> None:
    """Everybody gets as far as they can without the disk."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_second_click_on_cancel_while_the_first_is_stored_keeps_nobody_awake(tmp_path: Path) -> None:
    """A watcher that waits with its bell still ringing waits in circles; on the real clock nobody else runs then."""
    upstream, clock = ScriptedUpstream(cancels=[CancelAnswer.TROUBLE]), CountingClock()
    async with workshop(tmp_path, upstream, clock=clock) as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
        async with slow_disk(shop):
            first = asyncio.create_task(shop.supervisor.cancel(job))
            await a_moment()
            second = asyncio.create_task(shop.supervisor.cancel(job))
            await a_moment()
        await settle()
        assert (await first).state is (await second).state is State.CANCELLING
        before = clock.waits
        await settle()
        assert clock.waits == before


async def test_a_second_click_during_the_create_keeps_nobody_awake(tmp_path: Path) -> None:
    upstream = ScriptedUpstream()
    upstream.answering.clear()
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.accept()
        await settle()
        async with slow_disk(shop):
            first = asyncio.create_task(shop.supervisor.cancel(job))
            await a_moment()
            second = asyncio.create_task(shop.supervisor.cancel(job))
            await a_moment()
        await settle()
        assert (await first).cancel_requested
        assert (await second).cancel_requested
        assert not shop.supervisor._watchers[job.id]._wake.is_set()
        upstream.answering.set()


async def test_a_wish_that_is_being_stored_when_the_gateway_stops_is_answered(tmp_path: Path) -> None:
    async with workshop(tmp_path, ScriptedUpstream()) as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
        async with slow_disk(shop):
            wish = asyncio.create_task(shop.supervisor.cancel(job))
            await a_moment()
            await shop.supervisor.stop()
            await a_moment()
            assert wish.done()
        with pytest.raises(Unavailable):
            await wish


async def test_a_wish_that_breaks_its_watcher_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop(tmp_path, ScriptedUpstream()) as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING)

        async def breaks(job: Job, event: Event, *rest: object) -> Job:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(shop.supervisor._recorder, "record", breaks)
            with pytest.raises(Unavailable):
                await asyncio.wait_for(shop.supervisor.cancel(job), 5)
        # The next one finds the watcher at work again.
        wish = asyncio.create_task(shop.supervisor.cancel(job))
        await shop.reaches(job.id, State.CANCELLED)
        await wish


async def test_cancelling_while_the_gateway_stops_is_for_later(tmp_path: Path) -> None:
    async with workshop(tmp_path, ScriptedUpstream()) as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
        await shop.supervisor.stop()
        with pytest.raises(Unavailable):
            await shop.supervisor.cancel(job)


async def test_a_job_that_the_upstream_stopped_for_us_is_cancelled_and_has_not_failed(tmp_path: Path) -> None:
    """We died before its first answer was stored; the second time it only says that there is nothing to stop."""
    upstream = ScriptedUpstream(cancels=[CancelAnswer.FINISHED])
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
        upstream.looks = [Look(LookKind.CANCELLED, "cancelled")]
        await shop.supervisor.cancel(job)
        await shop.reaches(job.id, State.CANCELLED)
        assert await shop.balance() == (100, 0)


@pytest.mark.parametrize("text", ["", "..", "with space", "line\nbreak", "x" * 513, "\ud800"])
async def test_what_cannot_be_an_id_is_not_adopted(text: str, tmp_path: Path) -> None:
    upstream = ScriptedUpstream(creates=[CreateAnswer(lost="the connection broke")])
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.reaches((await shop.accept()).id, State.UNKNOWN)
        with pytest.raises(InvalidRequest):
            await asyncio.wait_for(shop.supervisor.decide(job.id, Adopt(ExternalId(text))), 5)
        assert (await shop.job(job.id)).state is State.UNKNOWN


async def test_a_failed_video_can_be_deleted_the_moment_it_is_told(tmp_path: Path) -> None:
    """Its watcher may still be tidying up."""
    upstream = ScriptedUpstream(looks=[Look(LookKind.FAILED, "failed", code="x", message="no")])
    async with workshop(tmp_path, upstream, entered=True) as shop:
        tidying = asyncio.Event()
        delete = shop.supervisor._files.delete

        async def slow_delete(job_id: str) -> None:
            await tidying.wait()
            await delete(job_id)

        shop.supervisor._files.delete = slow_delete  # type: ignore[method-assign]
        job = await shop.reaches((await shop.accept()).id, State.FAILED)
        deleting = asyncio.create_task(shop.supervisor.delete(job))
        await a_moment()
        tidying.set()
        await deleting
        assert (await shop.job(job.id)).deleted_at is not None


async def test_a_watcher_that_is_ended_before_it_began_leaves_nobody_waiting(tmp_path: Path) -> None:
    entropy, clock = CountingEntropy(), ManualClock()
    async with workshop(tmp_path, ScriptedUpstream(), clock=clock, entropy=entropy) as shop:
        job = await shop.reaches((await shop.accept()).id, State.PROCESSING)
    async with workshop(tmp_path, ScriptedUpstream(), clock=clock, entropy=entropy) as shop:
        await shop.supervisor.stop()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(shop.supervisor.cancel(job), 5)
