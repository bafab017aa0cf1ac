"""Files and rows go when their time is over, or when there is no room; what is protected never does."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sora_gateway.core.job import Job, Observed, UpstreamFailed, VisibilityChanged
from sora_gateway.core.retention import Kept, Removal, allowed, cutoffs, lacking, making_room
from sora_gateway.core.steps import StoredState
from sora_gateway.core.visibility import Visibility
from sora_gateway.retention.janitor import FIRST, Janitor
from sora_gateway.retention.old_files import Hindrance, Shortage
from sora_gateway.retention_settings import Retention
from sora_gateway.section import Bytes
from sora_gateway.settings import Settings
from sora_gateway.store import Store, snapshot
from sora_gateway.store.events import EventScope
from sora_gateway.supervisor.inputs import stored_inputs
from sora_gateway.supervisor.removing import Remover
from tests.examples import examples
from tests.fakes import ManualClock
from tests.generated import ROOT
from tests.jobs import walk
from tests.keeping import DAY, HOUR, Archive, archive, lived
from tests.snippets import block
from tests.stores import ADA, BEN, NOW, VERA

# --- what is said ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [(7, 7), ("7", 7), ("5 GB", 5 * 10**9), ("5gb", 5 * 10**9), ("1.5 KiB", 1536), (" 2 TiB ", 2 << 40)],
)
def test_a_size_is_a_number_or_has_a_unit(said: object, meant: int) -> None:
    assert TypeAdapter(Bytes).validate_python(said) == meant


@pytest.mark.parametrize("said", ["", "much", "-5 GB", -5, "5 PB", "5 GB or so", "٥ GB"])
def test_what_is_no_size_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Bytes).validate_python(said)


def test_where_to_stop_says_nothing_without_where_to_begin() -> None:
    with pytest.raises(ValidationError, match="free_below has to say where to begin"):
        Retention.model_validate({"free_above": "6 GB"})
    said = Retention.model_validate({"free_below": "5 GB", "free_above": "6 GB"})
    assert (said.free_below, said.free_above) == (5 * 10**9, 6 * 10**9)


def test_the_example_of_the_documentation_is_taken() -> None:
    said = tomllib.loads(block(ROOT / "docs/operating.md", "retention"))
    configured = Settings.model_validate(said)
    assert configured.retention.keep_days == 90
    assert (configured.retention.free_below, configured.retention.free_above) == (5 * 10**9, 10 * 10**9)
    assert configured.retention.free_below > configured.media.min_free_disk
    assert configured.plans["archive"].keep_days == 3650


async def test_nothing_is_removed_unless_somebody_says_so(tmp_path: Path) -> None:
    async with archive(tmp_path, room=2000) as at:
        old = await at.finished(ago=3000 * DAY)
        await at.tidy()
        assert await at.kept(old)


# --- by age --------------------------------------------------------------------------------------------


async def test_files_go_when_they_have_been_kept_long_enough(tmp_path: Path) -> None:
    async with archive(tmp_path, keep_days=30) as at:
        old = await at.finished(ago=30 * DAY)
        young = await at.finished(ago=30 * DAY - 1)
        await at.tidy()
        assert (await at.kept(old), await at.kept(young)) == (False, True)
        await at.clock.advance(1)
        await at.tidy()
        assert not await at.kept(young)


async def test_the_job_stays_and_says_that_its_files_are_gone_since_when_and_why(tmp_path: Path) -> None:
    async with archive(tmp_path, keep_days=1) as at:
        job = await at.finished(ago=2 * DAY)
        at.told.clear()
        await at.tidy()
        now = await at.now(job)
        assert (now.state, now.progress, now.prompt) == (job.state, 100.0, job.prompt)
        assert (now.files_removed_at, now.files_removed_because) == (NOW, Removal.AGE)
        assert await at.store.upkeep.removed(job.id) == {"video", "thumbnail"}
        (told,) = at.told
        said = StoredState.model_validate_json(told.payload)
        assert (said.step, said.status, said.variants, told.job_seq) == (
            "removed",
            "completed",
            [],
            now.version,
        )
        assert "kept for as long as" in said.message
        # It is told of what happens to it later as of any other, and nothing brings its files back.
        shown = await walk(at.store, now, VisibilityChanged(NOW, Visibility.TEAM))
        assert StoredState.model_validate_json(at.told[-1].payload).variants == []
        assert shown.files_removed_at == NOW


async def test_a_plan_says_for_how_long_the_files_of_its_people_are_kept(tmp_path: Path) -> None:
    plans = {"short": {"keep_days": 2}, "long": {"keep_days": 90}, "none": {"per_day": 3}}
    async with archive(tmp_path, keep_days=30, plans=plans) as at:
        await at.give(BEN.user_id, "short")
        await at.give(VERA.user_id, "long")
        jobs = {who.user_id: await at.finished(ago=40 * DAY, owner=who.user_id) for who in (ADA, BEN, VERA)}
        bens = await at.finished(ago=DAY, owner=BEN.user_id)
        rules = at.keeping.rules
        assert rules.any
        assert rules.kept_until(bens, ()) == NOW + DAY
        assert rules.kept_until(bens, ("keep",)) is None
        assert rules.kept_until(jobs[VERA.user_id], ("boat",)) == NOW + 50 * DAY
        await at.tidy()
        assert [await at.kept(job) for job in jobs.values()] == [False, False, True]
        assert await at.kept(bens)
        # What the plan does not say the configuration does.
        await at.give(VERA.user_id, "none")
        await at.tidy()
        assert not await at.kept(jobs[VERA.user_id])


async def test_the_default_plan_speaks_for_everybody_without_another(tmp_path: Path) -> None:
    async with archive(tmp_path, plans={"default": {"keep_days": 3}, "plain": {}}) as at:
        await at.give(BEN.user_id, "plain")
        adas, bens = [await at.finished(ago=4 * DAY, owner=who.user_id) for who in (ADA, BEN)]
        await at.tidy()
        assert (await at.kept(adas), await at.kept(bens)) == (False, True)


async def test_who_has_a_plan_that_is_not_known_any_more_loses_nothing_by_that(tmp_path: Path) -> None:
    """A plan that is missing in the configuration after a restart comes back with the next; files would not."""
    plans = {"archive": {"keep_days": 3650}}
    async with archive(tmp_path, keep_days=30, plans=plans) as at:
        await at.give(BEN.user_id, "archive")
        adas, bens = [await at.finished(ago=100 * DAY, owner=who.user_id) for who in (ADA, BEN)]
        at.plans._configured.pop("archive")
        assert at.keeping.rules.kept_until(bens, ()) is None
        await at.tidy()
        assert (await at.kept(adas), await at.kept(bens)) == (False, True)


async def test_what_a_removed_video_was_made_from_is_not_forgotten_when_it_is_made_again(
    tmp_path: Path,
) -> None:
    async with archive(tmp_path, keep_days=1) as at:
        job = await at.failed(ago=2 * DAY)
        plain = await at.finished(ago=2 * DAY)
        assert at.here(job) == {"reference.mp4"}
        await at.tidy()
        assert not await at.kept(job)
        with pytest.raises(FileNotFoundError):  # and not: without its image
            await stored_inputs(at.store, at.files, job.id)
        assert await stored_inputs(at.store, at.files, plain.id) == ()


async def test_a_removed_video_is_no_candidate_any_more_and_the_index_finds_who_is(tmp_path: Path) -> None:
    async with archive(tmp_path, keep_days=1) as at:
        await at.finished(ago=2 * DAY)
        await at.tidy()
        before = at.store.commits
        await at.tidy()
        # Only the units that say how little there was to do.
        assert at.store.commits - before <= 6
        seen: list[str] = []

        async def watched(sql: str, parameters: object = ()) -> list[object]:
            seen.append(sql)
            return []

        readers = at.store.upkeep._readers
        ask = readers.all
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(readers, "all", watched)
            await at.store.upkeep.oldest_files(0.0, "", 5)
        (plan, *_) = [
            " ".join(str(row["detail"]) for row in await ask(f"EXPLAIN QUERY PLAN {sql}", ("", 0.0, 5)))
            for sql in seen
        ]
        assert "ix_jobs_with_files" in plan
        assert "TEMP B-TREE" not in plan


async def test_a_clock_that_is_ahead_at_the_start_takes_no_files_for_a_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until then it is set right; a gateway that really was away for so long has no hurry."""
    async with archive(tmp_path, keep_days=30, last_written=NOW - 40 * DAY) as at:
        job = await at.finished(ago=40 * DAY)
        assert "nothing is removed by its age for a day" in caplog.text
        await at.clock.advance(DAY - 1)
        await at.tidy()
        assert await at.kept(job)
        await at.clock.advance(1)
        await at.tidy()
        assert not await at.kept(job)


async def test_a_clock_that_leaps_ahead_takes_no_files_and_is_believed_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with archive(tmp_path, keep_days=30, last_written=NOW - 29 * DAY) as at:
        job, old = await at.finished(ago=DAY), await at.finished(ago=30 * DAY - HOUR)
        at.clock.leap = 20_000 * DAY
        for _ in range(3):
            await at.tidy()
        assert (await at.kept(job), await at.kept(old)) == (True, True)
        at.clock.leap = 0.0
        await at.clock.advance(HOUR)
        await at.tidy()
        assert (await at.kept(job), await at.kept(old)) == (True, False)


# --- by room -------------------------------------------------------------------------------------------


async def test_below_the_floor_the_oldest_go_until_there_is_room_again(tmp_path: Path) -> None:
    async with archive(tmp_path, room=10_000, free_below=3000, free_above=5000) as at:
        jobs = [await at.finished(ago=(10 - number) * DAY, size=1500) for number in range(5)]
        assert at.files.free_bytes() == 2500
        await at.tidy()
        assert [await at.kept(job) for job in jobs] == [False, False, True, True, True]
        assert at.files.free_bytes() == 5500
        assert (await at.now(jobs[0])).files_removed_because is Removal.DISK
        # Above the floor nothing goes, although it is below what was to be reached.
        at.files.room -= 2000
        await at.tidy()
        assert await at.kept(jobs[2])


async def test_a_file_that_is_still_being_sent_counts_as_free(tmp_path: Path) -> None:
    """Its room comes back when it is closed; more files instead would not bring it sooner."""
    async with archive(tmp_path, free_below=1000) as at:
        at.keeping.old_files._free = lambda: 500
        jobs = [await at.finished(ago=(5 - number) * DAY, size=600) for number in range(3)]
        await at.tidy()
        assert [await at.kept(job) for job in jobs] == [False, True, True]


async def test_files_that_a_backup_on_the_same_disk_has_too_are_not_removed_for_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Backups link them: without these names they take as much room as before, look after look, until none is left."""
    async with archive(tmp_path, room=5000, free_below=4000) as at:
        jobs = [await at.finished(ago=(5 - number) * DAY) for number in range(4)]
        backup = shutil.copytree(at.files.root, tmp_path / "backup", copy_function=os.link)
        await at.finished(ago=2 * HOUR)  # after the backup
        for _ in range(3):
            await at.tidy()
        assert [await at.kept(job) for job in jobs] == [True] * 4
        assert "would free nothing, because a backup on the same disk has them too" in caplog.text
        assert at.keeping.old_files.shortage == Shortage(4000, Hindrance.BACKUP)
        shutil.rmtree(backup)
        await at.tidy()
        assert [await at.kept(job) for job in jobs] == [False] * 4
        assert at.keeping.old_files.shortage is None


async def test_another_program_that_fills_the_disk_takes_a_share_of_the_videos_a_day_and_not_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with archive(tmp_path, room=30_000, free_below=8000, free_above=9000, free_share=0.1) as at:
        jobs = [await at.finished(ago=(50 - number) * DAY) for number in range(20)]

        async def gone() -> int:
            """The oldest that have no files any more."""
            kept = [await at.kept(job) for job in jobs]
            assert kept == sorted(kept)
            return kept.count(False)

        await at.tidy()
        assert await gone() == 0
        at.files.room = 0  # a log that grows, a download: whatever is removed is taken at once
        for _ in range(3):
            await at.tidy()
        assert await gone() == 2
        assert at.keeping.old_files.held_back
        assert "is something else filling it?" in caplog.text
        assert at.keeping.old_files.shortage == Shortage(9000 - at.files.free_bytes(), Hindrance.SHARE)
        await at.clock.advance(DAY - 1)
        await at.tidy()
        assert await gone() == 2
        await at.clock.advance(1)
        await at.tidy()
        assert await gone() == 4
        at.files.room = 30_000
        await at.tidy()
        assert not at.keeping.old_files.held_back
        assert await gone() == 4


async def test_a_share_that_does_not_reach_the_upper_mark_is_no_trouble_above_the_lower(
    tmp_path: Path,
) -> None:
    async with archive(tmp_path, room=10_500, free_below=1000, free_above=5000, free_share=0.1) as at:
        for number in range(10):
            await at.finished(ago=(50 - number) * DAY)
        await at.tidy()
        assert at.files.free_bytes() == 1500
        assert at.keeping.old_files.shortage is None


async def test_what_has_just_ended_is_spared_however_full_the_disk_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with archive(tmp_path, room=0, free_below=1) as at:
        just, before = await at.finished(ago=HOUR - 1), await at.finished(ago=HOUR)
        await at.tidy()
        assert (await at.kept(just), await at.kept(before)) == (True, False)
        assert "there are no files left that may be removed" in caplog.text
        assert at.keeping.old_files.shortage == Shortage(1 - at.files.free_bytes(), Hindrance.NOTHING_LEFT)


async def test_a_full_disk_on_which_nothing_is_stored_is_not_said_to_have_lost_its_share(
    tmp_path: Path,
) -> None:
    async with archive(tmp_path, room=0, free_below=1, free_share=0.1) as at:
        await at.tidy()
        assert at.keeping.old_files.shortage == Shortage(1, Hindrance.NOTHING_LEFT)


async def test_what_goes_next_is_known_beforehand(tmp_path: Path) -> None:
    plans = {"short": {"keep_days": 2}}
    async with archive(tmp_path / "age", keep_days=30, plans=plans) as at:
        await at.give(BEN.user_id, "short")
        adas, bens = [await at.finished(ago=DAY, owner=who.user_id) for who in (ADA, BEN)]
        await at.finished(ago=29 * DAY, tags=["keep"])
        upcoming = await at.keeping.old_files.upcoming(10)
        assert [(each.kept.job_id, each.at) for each in upcoming] == [
            (bens.id, NOW + DAY),
            (adas.id, NOW + 29 * DAY),
        ]
        assert await at.store.upkeep.prompts([bens.id]) == {bens.id: (bens.prompt, BEN.email)}
    async with archive(tmp_path / "disk", free_below=10) as at:
        jobs = [await at.finished(ago=(5 - number) * DAY) for number in range(2)]
        upcoming = await at.keeping.old_files.upcoming(10)
        assert [(each.kept.job_id, each.at) for each in upcoming] == [(job.id, None) for job in jobs]


# --- whatever is said, and whatever there is -----------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """One job of an example."""

    kind: str
    hours: int
    owner: str
    size: int
    tagged: bool


DAYS = {"": 0, "short": 2, "long": 9}
PASTS = st.builds(
    Past,
    st.sampled_from(["finished"] * 5 + ["failed", "disputed", "in_doubt", "running"]),
    st.sampled_from([0, 1, 23, 24, 48, 5 * 24, 9 * 24, 300]),
    st.sampled_from([ADA.user_id, BEN.user_id]),
    st.integers(20, 900),
    st.sampled_from([False, False, True]),
)


async def _lived_through(past: Past, at: Archive) -> Job:
    ago = past.hours * HOUR
    match past.kind:
        case "finished":
            tags = ["keep"] if past.tagged else ["boat"]
            return await at.finished(ago=ago, owner=past.owner, size=past.size, tags=tags)
        case "in_doubt":
            return await at.in_doubt(ago=ago)
        case "running":
            return await at.running(ago=ago)
    return await at.failed(ago=ago, disputed=past.kind == "disputed")


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(PASTS, min_size=3, max_size=7),
    st.sampled_from([1, 5, 0]),
    st.sampled_from(sorted(DAYS)),
    st.integers(0, 4000),
    st.integers(0, 2000),
    st.sampled_from([0, 1, 30]),
    st.sampled_from([1.0, 0.5, 0.1]),
)
def test_whatever_there_is_the_protected_stay_and_the_others_go(
    pasts: list[Past], keep_days: int, bens_plan: str, below: int, above: int, spare_hours: int, share: float
) -> None:
    async def example(directory: Path) -> None:
        plans = {name: {"keep_days": days} for name, days in DAYS.items() if name}
        said = {"keep_days": keep_days, "free_below": below, "spare_hours": spare_hours}
        said |= {"free_above": above} if below else {}
        async with archive(directory, room=4000, plans=plans, free_share=share, **said) as at:
            if bens_plan:
                await at.give(BEN.user_id, bens_plan)
            jobs = [(past, await _lived_through(past, at)) for past in pasts]
            free_before = at.files.free_bytes()
            sizes = {job.id: at.size(job) for _, job in jobs}
            await at.tidy()
            removed = {job.id: await at.now(job) for _, job in jobs if not await at.kept(job)}
            reasons = {job_id: job.files_removed_because for job_id, job in removed.items()}

            def ended(past: Past) -> bool:
                return past.kind == "failed" or (past.kind == "finished" and not past.tagged)

            def expired(past: Past) -> bool:
                ben = past.owner == BEN.user_id and past.kind == "finished"
                days = (ben and DAYS[bens_plan]) or keep_days
                return ended(past) and bool(days) and past.hours >= days * 24

            for past, job in jobs:
                assert ended(past) or job.id not in removed, "protected"
                assert expired(past) == (reasons.get(job.id) is Removal.AGE)
                assert reasons.get(job.id) is not Removal.DISK or past.hours >= spare_hours
            free = at.files.free_bytes()
            rest = [past for past, job in jobs if ended(past) and job.id not in removed]
            spared = all(past.hours < spare_hours for past in rest)
            for_room = [past.hours for past, job in jobs if reasons.get(job.id) is Removal.DISK]
            oldest_first = sorted(jobs, key=lambda each: (-each[0].hours, each[1].id))
            went = [sizes[job.id] for _, job in oldest_first if reasons.get(job.id) is Removal.DISK]
            most = share * (at.files.room - free + sum(went))
            bounded = sum(went) >= most
            if for_room:
                assert free_before < below or keep_days or bens_plan
                assert free >= max(below, above) or spared or bounded
                # A share, the last video of it whole.
                assert sum(went) - went[-1] < most
                assert at.keeping.old_files.held_back == (bounded and free < below)
                # The oldest first.
                assert all(past.hours <= min(for_room) or past.hours < spare_hours for past in rest)
            else:
                assert free >= below or spared
            # Another pass finds nothing more to do.
            told = len(at.told)
            if free >= below or bounded:
                await at.tidy()
                assert len(at.told) == told

    with tempfile.TemporaryDirectory() as directory:
        lived(example(Path(directory)))


@given(
    st.lists(st.integers(0, 100), max_size=10), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)
)
def test_no_more_is_freed_than_is_needed(sizes: list[int], free: int, below: int, above: int) -> None:
    needed = lacking(free, below, above)
    assert (needed > 0) == (free < below)
    kept = [Kept(str(number), "ada", float(number), size) for number, size in enumerate(sizes)]
    chosen = making_room(kept, needed)
    assert chosen == kept[: len(chosen)]
    assert sum(each.size for each in chosen) >= needed or chosen == kept
    assert not chosen or sum(each.size for each in chosen[:-1]) < needed


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.sampled_from([0.001, 0.1, 0.5, 1.0]))
def test_the_share_of_a_day_is_that_of_all_that_was_there(stored: int, removed: int, share: float) -> None:
    left = allowed(stored, removed, share)
    assert left <= stored
    # Nothing has gone: something may. As much has gone as may: nothing more may, however it was sliced.
    assert (left > 0) or removed or not stored
    gone = max(0, left)
    assert allowed(stored - gone, removed + gone, share) <= 0


def test_whoever_keeps_for_ever_is_in_nobodys_cutoff() -> None:
    (cutoff,) = cutoffs(100 * DAY, 10, {"ben": 0, "vera": 10})
    assert (cutoff.moment, cutoff.owners, cutoff.others) == (90 * DAY, None, ("ben",))
    assert cutoffs(NOW, 0, {}) == []


# --- rows ----------------------------------------------------------------------------------------------


async def _events(store: Store) -> list[tuple[str, int]]:
    replay = await store.events_after(EventScope(), 0, 10_000)
    return [(event.job_id, event.seq) for event in replay.events]


async def test_old_steps_of_ended_jobs_go_and_those_of_the_others_stay(tmp_path: Path) -> None:
    async with archive(tmp_path, events_days=10) as at:
        running = await at.running(ago=20 * DAY)
        ended = await at.finished(ago=15 * DAY)
        young = await at.finished(ago=5 * DAY)
        before = await _events(at.store)
        await at.tidy()
        left = await _events(at.store)
        assert left == [event for event in before if event[0] != ended.id]
        assert {job_id for job_id, _ in left} == {running.id, young.id}
        # The oldest that is there is older than the log is whole.
        gone = max(seq for job_id, seq in before if job_id == ended.id)
        assert min(seq for _, seq in left) < gone
        assert await at.store.oldest_event() == gone + 1


async def test_a_job_that_ends_late_takes_nothing_back_of_how_far_the_log_is_trimmed(tmp_path: Path) -> None:
    """Its first steps are the oldest of all; a cursor from after them would be honoured, with gaps."""
    async with archive(tmp_path, events_days=10) as at:
        late, _ = await at.running(ago=30 * DAY), await at.running(ago=30 * DAY)
        await at.finished(ago=20 * DAY)
        await at.finished(ago=DAY)
        await at.tidy()
        whole_from = await at.store.oldest_event()
        await walk(at.store, late, UpstreamFailed(NOW, "failed", "It failed."))
        await at.tidy()
        first = min(seq for _, seq in await _events(at.store))
        assert first < whole_from, "the other one still has its steps from before"
        assert await at.store.oldest_event() == whole_from


async def _complaints(at: Archive, tmp_path: Path) -> list[str]:
    """What a restore would say of a backup that is taken now."""
    copy = tmp_path / "copy.db"
    await asyncio.to_thread(snapshot.copy, tmp_path / "gateway.db", copy)
    return (await asyncio.to_thread(snapshot.broken_promises, copy)).all


async def test_a_clock_that_was_set_back_for_a_while_leaves_no_gap_in_a_jobs_steps(tmp_path: Path) -> None:
    async with archive(tmp_path, events_days=10) as at:
        job = await at.running(ago=5 * DAY)
        job = await walk(at.store, job, Observed(NOW - 3000 * DAY, 10.0))
        await walk(at.store, job, UpstreamFailed(NOW - 4 * DAY, "failed", "It failed."))
        before = await _events(at.store)
        await at.tidy()
        assert await _events(at.store) == before
        assert await _complaints(at, tmp_path) == []
        await at.clock.advance(6 * DAY - 1)
        await at.tidy()
        assert len(await _events(at.store)) == 1
        assert await _complaints(at, tmp_path) == []


async def test_a_job_that_ends_between_two_slices_has_no_gap_in_its_steps(tmp_path: Path) -> None:
    """A backup of that moment could not be restored."""
    async with archive(tmp_path, events_days=10) as at:
        job = await at.running(ago=20 * DAY)
        await at.finished(ago=20 * DAY)
        job = await walk(at.store, job, Observed(NOW - 15 * DAY, 10.0))
        first = await at.store.upkeep.trim_events(NOW - 10 * DAY, 0, 5)
        assert first.reached is not None
        await walk(at.store, job, UpstreamFailed(NOW, "failed", "It failed."))
        await at.store.upkeep.trim_events(NOW - 10 * DAY, first.reached, 100)
        assert await _complaints(at, tmp_path) == []
        await at.tidy()
        assert [event[0] for event in await _events(at.store)] == [job.id]


async def test_a_long_log_is_trimmed_in_slices(tmp_path: Path) -> None:
    async with archive(tmp_path, events_days=1) as at:
        old = [await at.finished(ago=(20 - number) * DAY) for number in range(3)]
        between = await at.running(ago=3 * DAY)
        before = len(await _events(at.store))
        reached, removed, slices = 0, 0, 0
        while True:
            done = await at.store.upkeep.trim_events(NOW - DAY, reached, 4)
            assert done.removed <= 4
            removed, slices = removed + done.removed, slices + 1
            if done.reached is None:
                break
            reached = done.reached
        assert slices > 3
        left = await _events(at.store)
        assert removed == before - len(left)
        assert {job_id for job_id, _ in left} == {between.id}
        assert len(old) == 3


async def test_the_audit_log_is_kept_unless_somebody_says_for_how_long(tmp_path: Path) -> None:
    async with archive(tmp_path / "kept") as at:
        await at.give(BEN.user_id, "default")
        await at.clock.advance(3000 * DAY)
        await at.tidy()
        assert len(await at.store.audited(BEN.user_id)) == 1
    async with archive(tmp_path / "short", audit_days=7) as at:
        await at.give(BEN.user_id, "default")
        await at.clock.advance(6 * DAY)
        await at.give(BEN.user_id, "default")
        await at.clock.advance(1 * DAY + 1)
        await at.tidy()
        assert len(await at.store.audited(BEN.user_id)) == 1
        assert at.keeping.janitor.done["audit"] == 1


async def test_what_has_ended_by_itself_is_forgotten(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job = await at.finished()
        moment = at.clock.now()
        rows = {
            "sessions": "(token_hash, user_id, created_at, expires_at) VALUES ('{0}', 'user_ada', 0, {1})",
            "one_time_links": "(token_hash, id, kind, created_by, created_at, expires_at)"
            " VALUES ('{0}', 'link_{0}', 'invite', 'user_root', 0, {1})",
            "share_links": "(id, job_id, created_by, created_at, expires_at)"
            f" VALUES ('{{0}}', '{job.id}', 'user_ada', 0, {{1}})",
            "idempotency_keys": "(user_id, route, key, fingerprint, made_id, created_at)"
            f" VALUES ('user_ada', 'r', '{{0}}', 'f', '{job.id}', {{1}} - 86400)",
            "resends": "(made_id, credential, fingerprint, count, at) VALUES ('{0}', 'c', 'f', 1, {1} - 900)",
        }

        statements = [
            f"INSERT INTO {table} {values.format(name, until)}"
            for table, values in rows.items()
            for name, until in (("over", moment - 1), ("good", moment + 1))
        ]
        await at.store.run(lambda tx: [tx.execute(sql) for sql in statements])
        await at.tidy()
        for table in rows:
            count = await at.store.run(lambda tx, table=table: tx.one(f"SELECT count(*) AS n FROM {table}"))  # type: ignore[misc]
            assert count is not None
            assert count["n"] == 1, table
        assert at.keeping.janitor.done["expired"] == 3
        assert at.keeping.janitor.done["claims"] == 2


async def test_the_room_of_what_was_pruned_goes_back_to_the_disk_a_little_at_a_time(
    tmp_path: Path,
) -> None:
    async with archive(tmp_path, events_days=1) as at:
        job = await at.finished(ago=3 * DAY)
        payload = "x" * 3000

        def fill(tx: object) -> None:
            tx.connection.executemany(  # type: ignore[attr-defined]
                "INSERT INTO events (job_id, owner, job_seq, step, payload, at, final) VALUES (?, 'o', 1, 's', ?, 0, 0)",
                [(job.id, payload)] * 2500,
            )

        await at.store.run(fill)
        await at.store.run(lambda tx: tx.execute("UPDATE events SET at = 0"))
        await at.tidy()
        assert await _events(at.store) == []
        assert at.keeping.janitor.done["pages"] > 500
        assert await at.store.upkeep.free_pages() == 1000
    assert (tmp_path / "gateway.db").stat().st_size < 2500 * 3000


# --- the janitor ---------------------------------------------------------------------------------------


async def test_one_chore_that_fails_keeps_no_other_from_being_done() -> None:
    clock, done = ManualClock(), list[str]()

    async def broken() -> int:
        done.append("broken")
        raise OSError("the disk is away")

    async def fine() -> int:
        done.append("fine")
        return 3

    janitor = Janitor({"broken": broken, "fine": fine}, clock, 300.0)
    assert (janitor.last_run, janitor.done) == (None, {"broken": 0, "fine": 0})
    async with janitor:
        await clock.advance(FIRST - 1)
        assert done == []
        await clock.advance(1)
        assert done == ["broken", "fine"]
        assert (janitor.failed, janitor.last_run) == ({"broken": "the disk is away"}, clock.now())
        await clock.advance(300)
        assert (len(done), janitor.done["fine"]) == (4, 6)
    await clock.advance(1000)
    assert len(done) == 4


async def test_leaving_cuts_a_pass_short() -> None:
    clock, begun = ManualClock(), asyncio.Event()

    async def long() -> int:
        begun.set()
        await asyncio.sleep(3600)
        return 1

    async with Janitor({"long": long}, clock, 300.0) as janitor:
        await clock.advance(FIRST)
        assert begun.is_set()
    assert janitor.done == {"long": 0}


async def test_a_file_that_cannot_be_removed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with archive(tmp_path, keep_days=1) as at:
        job = await at.finished(ago=2 * DAY)

        async def refused(job_id: str) -> None:
            raise PermissionError("not yours")

        with monkeypatch.context() as patch:
            patch.setattr(at.files, "delete", refused)
            await at.tidy()
        assert "its files cannot be removed yet" in caplog.text
        assert (await at.now(job)).files_removed_at == NOW
        assert at.here(job)
        await at.tidy()
        assert not await at.kept(job)
        assert at.keeping.janitor.done["left_over"] == 1


async def test_a_video_that_somebody_deletes_meanwhile_is_nobodys_trouble(tmp_path: Path) -> None:
    async with archive(tmp_path, keep_days=1) as at:
        job = await at.finished(ago=2 * DAY)
        await at.store.run(lambda tx: tx.execute("UPDATE jobs SET deleted_at = 1 WHERE id = ?", (job.id,)))
        assert not await Remover(at.store, at.files, at.clock).remove(job.id, Removal.AGE)
        assert at.here(job)
