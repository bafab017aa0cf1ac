"""Where files lie: names from inside only, and nobody ever reads half a file."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.asset import StoredFile
from sora_gateway.media.files import MediaFiles

JOB = "video_" + "0" * 30 + "ab"
OTHER = "video_" + "1" * 30 + "cd"


@pytest.fixture
def files(tmp_path: Path) -> MediaFiles:
    return MediaFiles(tmp_path / "files")


def walked(root: Path) -> list[tuple[Path, list[str]]]:
    """Every directory below *root* and the files in it."""
    return [(Path(directory), names) for directory, _, names in os.walk(root)]


async def placed(files: MediaFiles, job_id: str = JOB, body: bytes = b"frames") -> StoredFile:
    part = files.part_path(job_id, "video")
    part.write_bytes(body)
    return await files.place(part, job_id, "video", "video/mp4")


async def test_a_placed_file_has_its_size_and_hash_and_a_name_of_ours(files: MediaFiles) -> None:
    stored = await placed(files)
    assert stored == StoredFile(
        variant="video",
        path=f"ab/{JOB}/video.mp4",
        media_type="video/mp4",
        size=6,
        sha256=hashlib.sha256(b"frames").hexdigest(),
    )
    assert files.resolve(stored.path).read_bytes() == b"frames"
    assert not files.part_path(JOB, "video").exists()


async def test_a_part_is_not_a_file_that_anybody_can_read(files: MediaFiles) -> None:
    files.part_path(JOB, "video").write_bytes(b"half")
    for name in ("video.part", "video.mp4"):
        with pytest.raises(FileNotFoundError):
            files.resolve(f"ab/{JOB}/{name}")


async def test_a_file_that_cannot_be_placed_leaves_the_stored_one_alone(files: MediaFiles) -> None:
    stored = await placed(files)
    with pytest.raises(FileNotFoundError):
        await files.place(files.part_path(JOB, "video"), JOB, "video", "video/mp4")
    assert files.resolve(stored.path).read_bytes() == b"frames"


async def test_only_the_part_of_the_same_job_and_variant_can_be_placed(
    files: MediaFiles, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    for part in (secret, files.part_path(OTHER, "video"), files.part_path(JOB, "thumbnail")):
        with pytest.raises(ValueError, match="not the part"):
            await files.place(part, JOB, "video", "video/mp4")
    assert secret.exists()


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        "video_",
        "../../etc",
        "video_../../etc/passwd",
        JOB.upper(),
        JOB + "0",
        JOB + "\n",
        "video_" + "٣" * 32,
    ],
)
async def test_what_is_no_job_id_never_becomes_a_path(files: MediaFiles, job_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a job id"):
        files.part_path(job_id, "video")
    with pytest.raises(ValueError, match="not a job id"):
        await files.delete(job_id)
    assert walked(tmp_path) == [(tmp_path, []), (tmp_path / "files", [])]


def test_what_is_no_variant_never_becomes_a_path(files: MediaFiles) -> None:
    with pytest.raises(ValueError, match="no variant"):
        files.part_path(JOB, "../video")


@given(path=st.one_of(st.text(), st.sampled_from(["..", "/etc/passwd", f"ab/{JOB}", f"cd/{JOB}/video.mp4"])))
def test_no_path_from_outside_is_resolved(path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    files = MediaFiles(tmp_path_factory.getbasetemp() / "given")
    with pytest.raises(FileNotFoundError):
        files.resolve(path)


async def test_symbolic_links_are_not_followed(files: MediaFiles, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    stored = await placed(files)
    files.resolve(stored.path).unlink()
    (tmp_path / "files" / stored.path).symlink_to(secret)
    with pytest.raises(FileNotFoundError):
        files.resolve(stored.path)

    files.part_path(JOB, "video").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        await files.place(files.part_path(JOB, "video"), JOB, "video", "video/mp4")

    (tmp_path / "files" / "cd").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        files.part_path(OTHER, "video")
    assert secret.read_text() == "not yours"


async def test_deleting_takes_every_file_of_one_job_and_none_of_another(files: MediaFiles) -> None:
    mine, other = await placed(files), await placed(files, OTHER)
    files.part_path(JOB, "thumbnail").write_bytes(b"half")
    await files.delete(JOB)
    await files.delete(JOB)
    with pytest.raises(FileNotFoundError):
        files.resolve(mine.path)
    assert not (files.resolve(other.path).parents[2] / "ab" / JOB).exists()


async def test_a_sweep_takes_what_no_job_owns_and_leaves_strangers_alone(
    files: MediaFiles, tmp_path: Path
) -> None:
    kept, orphan = await placed(files), await placed(files, OTHER)
    note = tmp_path / "files" / "cd" / "video_notes.txt"
    note.write_text("mine")
    assert await files.sweep({JOB}) == [OTHER]
    assert files.resolve(kept.path).exists()
    assert note.exists()
    with pytest.raises(FileNotFoundError):
        files.resolve(orphan.path)


async def test_a_reader_never_sees_half_a_file(files: MediaFiles) -> None:
    bodies = [bytes([number]) * 300_000 for number in range(2)]
    stored = await placed(files, body=bodies[0])
    done = asyncio.Event()

    async def read_on() -> int:
        reads = 0
        while not done.is_set():
            assert await asyncio.to_thread(files.resolve(stored.path).read_bytes) in bodies
            reads += 1
        return reads

    reader = asyncio.create_task(read_on())
    for number in range(20):
        await placed(files, body=bodies[number % 2])
    done.set()
    assert await reader > 0


def test_free_space_is_told(files: MediaFiles) -> None:
    assert files.free_bytes() > 0
