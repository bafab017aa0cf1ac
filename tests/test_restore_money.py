"""What a restored gateway pays for: nothing by itself of what the old one may have paid for after the backup.

The old gateway goes on after its backup was taken, pays for everything, and is gone; the restored one knows none of
that. Clock and upstream are the same for both; days pass in milliseconds, the store is real.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sora_gateway.backup import keeping
from sora_gateway.core.job import ExternalId, Job, State
from sora_gateway.core.reconcile import OnAmbiguous
from sora_gateway.supervisor.decisions import Adopt, LookAgain, PayAgain
from tests.backups import backed_up, put_back
from tests.gateways import Workshop
from tests.test_reconciling import RESUBMIT, Case, doubt

HOLD = OnAmbiguous.HOLD


async def two_sent_and_two_waiting(case: Case, kept: Path, policy: OnAmbiguous) -> list[Job]:
    """The jobs of a gateway that was backed up in the middle; by its end it has paid for all four."""
    async with case.gateway(on_ambiguous=policy) as shop:
        case.upstream.answering.clear()
        jobs = [await shop.accept(f"boat {number}") for number in range(4)]
        await case.clock.advance(5)
        states = [(await shop.job(job.id)).state for job in jobs]
        assert states == [State.SUBMITTING] * 2 + [State.QUEUED] * 2
        await asyncio.to_thread(backed_up, case.directory, kept, case.clock.now())
        case.upstream.answering.set()
        for job in jobs:
            await shop.reaches(job.id, State.PROCESSING)
        assert len(case.upstream.took) == 4
    return jobs


async def restored(case: Case, kept: Path, *, resume_queued: bool = False) -> None:
    """From here on *case* is about the gateway that was restored, a day later."""
    await case.clock.advance(7200)
    (backup,) = keeping.backups(kept)
    case.directory = case.directory.with_name("restored")
    await asyncio.to_thread(put_back, backup, case.directory, resume_queued=resume_queued, clock=case.clock)


async def notes(shop: Workshop, jobs: list[Job]) -> list[str]:
    return [(await shop.job(job.id)).note for job in jobs]


@pytest.mark.parametrize(
    ("policy", "idempotent", "listing"),
    [(HOLD, False, "live"), (RESUBMIT, False, "live"), (HOLD, True, "live"), (RESUBMIT, True, "none")],
)
async def test_what_may_have_been_paid_for_after_the_backup_is_never_paid_for_again_by_itself(
    tmp_path: Path, policy: OnAmbiguous, idempotent: bool, listing: str
) -> None:
    """Whatever the upstream's rules: neither its key nor its list says what the old gateway did."""
    (tmp_path / "old").mkdir()
    case = Case(tmp_path / "old", losing=0, idempotent=idempotent, listing=listing)
    jobs = await two_sent_and_two_waiting(case, tmp_path / "kept", policy)
    await restored(case, tmp_path / "kept")
    async with case.gateway(on_ambiguous=policy) as shop:
        for _ in range(3):
            await case.clock.advance(86400)
        if listing == "live":
            # A person's wish to look is no wish to pay.
            asking = asyncio.ensure_future(shop.supervisor.decide(jobs[0].id, LookAgain()))
            await case.clock.advance(60)
            await asking
        assert len(case.upstream.orders) == len(case.upstream.took) == 4
        for job in jobs:
            assert (await shop.job(job.id)).state is State.UNKNOWN
        for note in await notes(shop, jobs):
            assert "restored from a backup" in note
            assert note.endswith("an administrator has to decide.")
        assert await shop.balance() == (60, 40)

        # With a person's word it is found, or paid for; and what a person pays for is an ordinary create again.
        await shop.supervisor.decide(jobs[0].id, Adopt(ExternalId("lab-1")))
        await shop.supervisor.decide(jobs[3].id, PayAgain())
        await shop.reaches(jobs[3].id, State.PROCESSING)
        assert len(case.upstream.took) == 5


async def test_what_a_complete_list_does_not_have_any_more_is_not_bought_again_after_a_restore(
    tmp_path: Path,
) -> None:
    """The old gateway paid, fetched the videos and had them deleted: absent is not unpaid."""
    (tmp_path / "old").mkdir()
    case = Case(tmp_path / "old", losing=0)
    jobs = await two_sent_and_two_waiting(case, tmp_path / "kept", RESUBMIT)
    await restored(case, tmp_path / "kept")
    case.upstream.rows = []
    async with case.gateway(on_ambiguous=RESUBMIT) as shop:
        for _ in range(3):
            await case.clock.advance(86400)
        assert len(case.upstream.orders) == len(case.upstream.took) == 4
        for note in await notes(shop, jobs):
            assert note.endswith("does not have it: an administrator has to decide.")


async def test_who_says_that_nothing_came_after_it_and_is_wrong_pays_twice(tmp_path: Path) -> None:
    """What every restore would do without holding anything: these tests would notice."""
    (tmp_path / "old").mkdir()
    case = Case(tmp_path / "old", losing=0)
    jobs = await two_sent_and_two_waiting(case, tmp_path / "kept", HOLD)
    await restored(case, tmp_path / "kept", resume_queued=True)
    async with case.gateway() as shop:
        for job in jobs[2:]:
            await shop.reaches(job.id, State.PROCESSING)
        assert len(case.upstream.took) == 6


async def test_a_video_that_looks_the_same_is_shown_and_only_our_own_word_is_taken(tmp_path: Path) -> None:
    """Of jobs that came after the backup nothing is known, and their videos may look the same."""
    (tmp_path / "old").mkdir()
    case = Case(tmp_path / "old", losing=0)
    jobs = await two_sent_and_two_waiting(case, tmp_path / "kept", HOLD)
    await restored(case, tmp_path / "kept")
    (own,) = (row for row in case.upstream.rows if row.prompt == "boat 2")
    case.upstream.rows = [
        replace(row, token=f"{jobs[2].id}-1") if row is own else row for row in case.upstream.rows
    ]
    async with case.gateway() as shop:
        found = await shop.reaches(jobs[2].id, State.PROCESSING, within=600)
        assert found.external_id == own.external_id
        await case.clock.advance(600)
        (note,) = await notes(shop, [jobs[3]])
        assert "has 1 like it, none of them for certain" in note
        finding = shop.supervisor.finding(await shop.job(jobs[3].id))
        assert finding is not None
        assert [row.prompt for row in finding.verdict.candidates] == ["boat 3"]


async def test_what_is_asked_for_after_the_restore_is_looked_for_as_ever(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    case = Case(tmp_path / "old", losing=0)
    await two_sent_and_two_waiting(case, tmp_path / "kept", HOLD)
    await restored(case, tmp_path / "kept")
    async with case.gateway() as shop:
        await case.clock.advance(1)
        case.upstream.losing = 1
        job = await doubt(shop, "a new boat")
        found = await shop.reaches(job.id, State.PROCESSING, within=30)
        assert found.external_id == "lab-5"


async def test_when_the_old_gateway_never_ran_again_its_waiting_jobs_are_sent(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    case = Case(tmp_path / "old", losing=0)
    async with case.gateway() as shop:
        case.upstream.answering.clear()
        jobs = [await shop.accept(f"boat {number}") for number in range(4)]
        await case.clock.advance(5)
        await asyncio.to_thread(backed_up, case.directory, tmp_path / "kept", case.clock.now())
        # What is on the wire is taken; then the machine is gone.
        case.upstream.losing = 1_000_000
        await shop.supervisor.stop(0)
    case.upstream.answering.set()
    case.upstream.losing = 0
    await restored(case, tmp_path / "kept", resume_queued=True)
    async with case.gateway() as shop:
        for job in jobs[2:]:
            await shop.reaches(job.id, State.PROCESSING)
        # The two whose answers were lost are looked for, as after any crash.
        for job in jobs[:2]:
            await shop.reaches(job.id, State.PROCESSING, within=600)
        assert sorted(order.prompt for order in case.upstream.orders) == [f"boat {each}" for each in range(4)]
