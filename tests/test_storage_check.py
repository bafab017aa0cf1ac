"""``storage check``: planted faults are found, called by their names, and repaired only where that is asked for."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from sora_gateway.cli import main
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import Deleted, Job
from sora_gateway.core.retention import Removal
from sora_gateway.core.steps import StoredState
from sora_gateway.errors import Conflict
from sora_gateway.retention.housekeeping import reconciler
from sora_gateway.retention.reconciler import Fault, Finding, Wanted
from tests.jobs import walk
from tests.keeping import DAY, HOUR, Archive, archive
from tests.stores import NOW


def told(findings: list[Finding]) -> list[tuple[Fault, str, bool]]:
    return [(finding.fault, finding.path.rpartition("/")[2], finding.repaired) for finding in findings]


def plant(at: Archive, path: str, *, ago: float = 2 * HOUR, size: int = 5) -> Path:
    """A file that nobody knows of."""
    planted = at.files.root / path
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_bytes(b"x" * size)
    os.utime(planted, (at.clock.now() - ago,) * 2)
    return planted


STRANGER = f"aa/video_{'0' * 30}aa"


async def test_files_that_are_as_their_rows_say_are_no_finding(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        await at.finished()
        await at.failed(ago=DAY)
        await at.running()
        assert await at.check(hashes=True) == []


async def test_a_file_without_a_row_is_found_and_removed_when_that_is_asked_for(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job = await at.finished()
        home = f"{job.id[-2:]}/{job.id}"
        orphans = [plant(at, f"{STRANGER}/video.mp4"), plant(at, f"{home}/video.part")]
        others = [
            plant(at, f"{home}/spritesheet.part", ago=HOUR - 1),  # its row may be on the way
            plant(at, "aa/notes.txt"),
            plant(at, "aa/video_notes/video.mp4"),
            plant(at, f"ab/video_{'0' * 30}aa/video.mp4"),  # not where a job's files lie
        ]
        found = [(Fault.ORPHAN, "video.part", False), (Fault.ORPHAN, "video.mp4", False)]
        assert sorted(told(await at.check())) == sorted(found)
        assert all(path.exists() for path in orphans + others)
        assert all(finding.repaired for finding in await at.check(repair=True))
        assert not any(path.exists() for path in orphans)
        assert not orphans[0].parent.exists()
        assert all(path.exists() for path in others)
        others[0].unlink()
        assert await at.kept(job)


async def test_the_files_of_a_job_that_is_being_made_are_nobodys_orphans(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job = await at.running(ago=3 * DAY)
        plant(at, f"{job.id[-2:]}/{job.id}/video.part", ago=2 * DAY)
        assert await at.check(repair=True) == []
        assert at.here(job) == {"reference.mp4", "video.part"}


async def test_a_file_that_is_not_there_is_found_and_written_down_as_gone(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        video, still = await at.finished(), await at.finished()
        await at.finished()
        (at.files.root / f"{video.id[-2:]}/{video.id}/video.mp4").unlink()
        (at.files.root / f"{still.id[-2:]}/{still.id}/thumbnail.mp4").unlink()
        assert told(await at.check()) == [
            (Fault.MISSING, "video.mp4", False),
            (Fault.MISSING, "thumbnail.mp4", False),
        ]
        assert (await at.now(video)).files_removed_at is None
        assert all(finding.repaired for finding in await at.check(repair=True))
        gone, here = await at.now(video), await at.now(still)
        assert (gone.files_removed_at, gone.files_removed_because) == (NOW, Removal.MISSING)
        assert set(await at.store.assets(video.id)) == {"thumbnail"}
        assert here.files_removed_at is None
        assert set(await at.store.assets(still.id)) == {"video"}
        assert await at.check() == []


async def test_a_missing_input_of_a_job_that_is_being_made_is_its_watchers(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job = await at.running()
        await at.finished()
        (at.files.root / f"{job.id[-2:]}/{job.id}/reference.mp4").unlink()
        assert told(await at.check(repair=True)) == [(Fault.MISSING, "reference.mp4", False)]


async def test_a_file_of_another_size_or_content_is_found_and_left_for_a_person(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        short, changed = await at.finished(), await at.finished()
        path = at.files.root / f"{short.id[-2:]}/{short.id}/video.mp4"
        path.write_bytes(path.read_bytes()[:-1])
        path = at.files.root / f"{changed.id[-2:]}/{changed.id}/video.mp4"
        path.write_bytes(path.read_bytes()[::-1])
        assert told(await at.check(repair=True)) == [(Fault.SIZE, "video.mp4", False)]
        assert told(await at.check(repair=True, hashes=True)) == [
            (Fault.SIZE, "video.mp4", False),
            (Fault.HASH, "video.mp4", False),
        ]
        assert await at.kept(short)
        assert await at.kept(changed)


async def test_a_disk_that_is_not_mounted_makes_no_video_gone(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job = await at.finished()
        away(at)
        assert len(await at.check()) == 2
        with pytest.raises(Conflict, match=r"not there \(2 of 2 looked at\); is the right disk mounted"):
            await at.check(repair=True)
        assert (await at.now(job)).files_removed_at is None
        # Whoever knows that it is lost says so.
        found = await at.check(repair=True, even_if_most_are_missing=True)
        assert told(found) == [(Fault.MISSING, "thumbnail.mp4", True), (Fault.MISSING, "video.mp4", True)]
        assert (await at.now(job)).files_removed_because is Removal.MISSING


async def test_another_disk_in_its_place_loses_nothing_of_what_is_on_it(tmp_path: Path) -> None:
    """Its files are nobody's as far as the database knows; the files that most rows name are not there."""
    async with archive(tmp_path) as at:
        for _ in range(3):
            await at.finished()
        away(at)
        other = plant(at, f"{STRANGER}/video.mp4")
        newest = await at.finished()
        with pytest.raises(Conflict, match=r"6 of 8 looked at"):
            await at.check(repair=True)
        assert other.exists()
        assert at.here(newest) == {"video.mp4", "thumbnail.mp4"}


async def test_half_of_the_files_may_be_missing_and_not_more(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        jobs = [await at.finished() for _ in range(2)]
        shutil.rmtree(at.files.root / f"{jobs[0].id[-2:]}/{jobs[0].id}")
        assert all(finding.repaired for finding in await at.check(repair=True))


# --- what is there again -------------------------------------------------------------------------------


def away(at: Archive) -> Path:
    """The place of the files as it is while their disk is not mounted; where they are."""
    elsewhere = at.files.root.with_name("elsewhere")
    at.files.root.rename(elsewhere)
    at.files.root.mkdir()
    return elsewhere


async def wrongly_repaired(at: Archive, count: int = 1) -> list[Job]:
    """Videos that somebody had written down as gone while the disk was away; it is back."""
    jobs = [await at.finished(ago=DAY) for _ in range(count)]
    elsewhere = away(at)
    await at.check(repair=True, even_if_most_are_missing=True)
    assert [await at.kept(job) for job in jobs] == [False] * count
    shutil.copytree(elsewhere, at.files.root, dirs_exist_ok=True)
    at.told.clear()
    return jobs


BACK = [(Fault.BACK, "thumbnail.mp4"), (Fault.BACK, "video.mp4")]


async def test_videos_that_were_missed_and_are_back_are_given_back_by_a_repair_alone(tmp_path: Path) -> None:
    async with archive(tmp_path, interval=60) as at:
        (job,) = await wrongly_repaired(at)
        before = await at.now(job)
        await at.files.sweep(await at.store.kept_jobs())  # as the next start does
        assert told(await at.check(hashes=True)) == [(*each, False) for each in BACK]
        await at.tidy()
        assert await at.now(job) == before
        assert at.told == []

        assert told(await at.check(repair=True)) == [(*each, True) for each in BACK]
        after = await at.now(job)
        assert (after.files_removed_at, after.files_removed_because) == (None, None)
        assert (after.state, after.version, after.finished_at) == (
            job.state,
            before.version + 1,
            job.finished_at,
        )
        assert await at.store.assets(job.id) == {
            path.stem: StoredFile(
                path.stem,
                path.relative_to(at.files.root).as_posix(),
                "video/mp4",
                path.stat().st_size,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in at.files.root.glob(f"*/{job.id}/*")
        }
        assert await at.store.upkeep.removed(job.id) == frozenset()
        (event,) = at.told
        said = StoredState.model_validate_json(event.payload)
        assert (said.step, said.status, said.variants, event.job_seq) == (
            "found", "completed", ["thumbnail", "video"], after.version,
        )  # fmt: skip
        assert said.message == "The file of this video is on the gateway's disk again."
        assert await at.check(hashes=True) == []


async def test_a_still_that_is_back_says_so_and_makes_no_video_of_what_has_none(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job, _ = await at.finished(), await at.finished()
        home = at.files.root / f"{job.id[-2:]}/{job.id}"
        kept = {path.name: path.read_bytes() for path in home.iterdir()}
        shutil.rmtree(home)
        await at.check(repair=True)
        home.mkdir()
        (home / "thumbnail.mp4").write_bytes(kept["thumbnail.mp4"])  # a moment ago: its age says nothing
        await at.check(repair=True)
        assert StoredState.model_validate_json(at.told[-1].payload).message == (
            "On the gateway's disk again: thumbnail."
        )
        assert (await at.now(job)).files_removed_because is Removal.MISSING
        assert set(await at.store.assets(job.id)) == {"thumbnail"}


async def test_what_is_back_with_something_else_in_it_is_left_for_a_person(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        short, changed = await wrongly_repaired(at, 2)
        path = at.files.root / f"{short.id[-2:]}/{short.id}/video.mp4"
        path.write_bytes(path.read_bytes()[:-1])
        path = at.files.root / f"{changed.id[-2:]}/{changed.id}/video.mp4"
        path.write_bytes(path.read_bytes()[::-1])
        found = told(await at.check(repair=True))
        assert [each for each in found if each[0] is not Fault.BACK] == [
            (Fault.SIZE, "video.mp4", False),
            (Fault.HASH, "video.mp4", False),
        ]
        for job in (short, changed):
            assert (await at.now(job)).files_removed_because is Removal.MISSING
            assert at.here(job) == {"video.mp4", "thumbnail.mp4"}


async def test_a_part_of_a_file_that_was_missed_is_nobodys(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        (job,) = await wrongly_repaired(at)
        plant(at, f"{job.id[-2:]}/{job.id}/video.part")
        assert (Fault.ORPHAN, "video.part", True) in told(await at.check(repair=True))
        assert await at.kept(job)


async def test_a_video_that_was_deleted_while_it_was_missed_does_not_come_back(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        (job,) = await wrongly_repaired(at)
        await walk(at.store, await at.now(job), Deleted(NOW))
        for path in at.files.root.rglob("*.mp4"):
            os.utime(path, (0, 0))
        assert {each[0] for each in told(await at.check(repair=True))} == {Fault.ORPHAN}
        assert at.here(job) == set()


async def test_what_housekeeping_has_removed_since_does_not_come_back(tmp_path: Path) -> None:
    async with archive(tmp_path, keep_days=30) as at:
        job, _ = await at.finished(ago=29 * DAY), await at.finished()
        video = at.files.root / f"{job.id[-2:]}/{job.id}/video.mp4"
        data = video.read_bytes()
        video.unlink()
        await at.check(repair=True)
        await at.clock.advance(DAY)
        await at.tidy()
        assert at.here(job) == set()
        plant(at, video.relative_to(at.files.root).as_posix()).write_bytes(data)
        os.utime(video, (0, 0))
        assert told(await at.check(repair=True)) == [(Fault.ORPHAN, "video.mp4", True)]
        assert (await at.now(job)).files_removed_at is not None


async def test_two_repairs_at_once_give_a_video_back_once(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        jobs = await wrongly_repaired(at, 3)
        await asyncio.gather(*(at.check(repair=True) for _ in range(3)))
        assert [await at.kept(job) for job in jobs] == [True] * 3
        assert len(at.told) == 3


async def test_many_that_are_back_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sora_gateway.retention.reconciler.HASHED", 900)
    async with archive(tmp_path) as at:
        jobs = await wrongly_repaired(at, 3)
        first = await reconciler(at.store, at.files, at.files.root, at.clock).step("", Wanted(repair=True))
        assert (first.files, first.after) == (
            2,
            f"files:{int(jobs[0].id[-2:], 16)}/{first.findings[-1].path}",
        )
        found = first.findings + await at.check(repair=True)
        assert told(found) == [(*each, True) for _ in jobs for each in BACK]
        assert [await at.kept(job) for job in jobs] == [True] * 3


async def test_links_lead_nowhere(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        await at.finished()
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "video.mp4").write_bytes(b"somebody else's")
        (at.files.root / "aa").mkdir()
        (at.files.root / STRANGER).symlink_to(outside)
        (at.files.root / "bb").symlink_to(outside)
        assert await at.check(repair=True) == []
        assert (outside / "video.mp4").exists()


async def test_the_slow_walk_comes_round_and_only_looks(tmp_path: Path) -> None:
    async with archive(tmp_path) as at:
        job = await at.finished()
        (at.files.root / f"{job.id[-2:]}/{job.id}/thumbnail.mp4").unlink()
        orphan = plant(at, f"{STRANGER}/video.mp4")
        slow, parts = at.keeping.walk, 0
        while slow.last is None:
            await slow.stroll()
            parts += 1
        assert parts == 129  # two directories at a time, then the rows
        assert (slow.last.files, slow.last.rows) == (2, 2)
        assert slow.last.faults == dict.fromkeys(Fault, 0) | {Fault.ORPHAN: 1, Fault.MISSING: 1}
        assert orphan.exists()
        assert (await at.now(job)).version == job.version


async def test_the_parts_of_a_walk_follow_each_other_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sora_gateway.retention.reconciler.ROWS", 3)
    monkeypatch.setattr("sora_gateway.retention.reconciler.HASHED", 900)
    async with archive(tmp_path) as at:
        jobs = [await at.finished() for _ in range(5)]
        for job in jobs:
            (at.files.root / f"{job.id[-2:]}/{job.id}/thumbnail.mp4").unlink()
        found = await at.check(hashes=True)
        assert [finding.job_id for finding in found] == sorted(job.id for job in jobs)


def test_the_command_says_what_it_found_and_whether_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a gateway it looks itself; tests/test_retention_live.py asks one that runs."""
    command = ["storage", "check", "--data-dir", str(tmp_path)]

    async def prepared() -> None:
        async with archive(tmp_path) as at:
            job = await at.finished()
            (at.files.root / f"{job.id[-2:]}/{job.id}/thumbnail.mp4").unlink()
            plant(at, f"{STRANGER}/video.mp4")
            for path in at.files.root.rglob("*"):
                os.utime(path, (0, 0))

    asyncio.run(prepared())
    assert main([*command, "--hashes"]) == 1
    said = capsys.readouterr().out
    assert f"orphan: {STRANGER}/video.mp4 (5 bytes) no row has it\n" in said
    assert said.endswith("2 files, 2 rows: 1 missing, 1 orphan.\n")
    assert main([*command, "--repair"]) == 0
    assert "thumbnail.mp4 (500 bytes) is not there; repaired" in capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().out == "1 files, 1 rows: nothing wrong.\n"
