"""``storage check``: planted faults are found, called by their names, and repaired only where that is asked for."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from sora_gateway.cli import main
from sora_gateway.core.retention import Removal
from sora_gateway.errors import Conflict
from sora_gateway.retention.reconciler import Fault, Finding
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
        at.files.root.rename(tmp_path / "elsewhere")
        at.files.root.mkdir()
        assert len(await at.check()) == 2
        with pytest.raises(Conflict, match="is the disk mounted"):
            await at.check(repair=True)
        assert (await at.now(job)).files_removed_at is None


async def test_videos_that_were_missed_and_are_back_are_not_removed_as_nobodys(tmp_path: Path) -> None:
    """The disk was away, a video was stored in the empty place, and somebody had what was missing written down."""
    async with archive(tmp_path) as at:
        jobs = [await at.finished() for _ in range(3)]
        at.files.root.rename(tmp_path / "elsewhere")
        at.files.root.mkdir()
        newest = await at.finished()
        assert all(finding.repaired for finding in await at.check(repair=True))
        shutil.copytree(tmp_path / "elsewhere", at.files.root, dirs_exist_ok=True)
        plant(at, f"{newest.id[-2:]}/{newest.id}/video.part")
        await at.files.sweep(await at.store.kept_jobs())  # as the next start does
        found = await at.check(repair=True)
        assert sorted(told(found)) == sorted(
            [(Fault.ORPHAN, "video.part", True)]
            + [(Fault.ORPHAN, f"{name}.mp4", False) for name in ("video", "thumbnail") for _ in jobs]
        )
        assert all(at.here(job) == {"video.mp4", "thumbnail.mp4"} for job in [*jobs, newest])


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
        walk, parts = at.keeping.walk, 0
        while walk.last is None:
            await walk.stroll()
            parts += 1
        assert parts == 129  # two directories at a time, then the rows
        assert (walk.last.files, walk.last.rows) == (2, 2)
        assert walk.last.faults == {Fault.ORPHAN: 1, Fault.MISSING: 1, Fault.SIZE: 0, Fault.HASH: 0}
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
