"""Where files of jobs lie, and how one gets there: the only module that knows.

``<root>/<first two hex digits>/<job id>/video.mp4``. Every name is made here, from an id that was checked and
a media type that was sniffed; no name from outside becomes part of a path, and no symbolic link is followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Set as AbstractSet
from pathlib import Path

from sora_gateway.core.asset import InputFile, StoredFile
from sora_gateway.media.threads import finish_in_thread

INPUTS = frozenset({"reference", "source"})
"""What a job is made from; the other variants are what came of it."""
VARIANTS = frozenset({"video", "thumbnail", "spritesheet"}) | INPUTS
SUFFIXES = {
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "image/webp": ".webp",
    "image/jpeg": ".jpg",
    "image/png": ".png",
}
MEDIA_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
# The end of an id is random, its beginning is when it was made: the end spreads jobs over directories.
_JOB_ID = re.compile(r"video_[0-9a-f]{30}([0-9a-f]{2})")
_STORED = re.compile(
    r"([0-9a-f]{2})/(video_[0-9a-f]{30}\1)/(?:video|thumbnail|spritesheet|reference|source)\.(?:mp4|webm|webp|jpg|png)"
)


def directory_of(name: str) -> str | None:
    """The directory in which the directory of the job *name* lies; None if it is no job's."""
    match = _JOB_ID.fullmatch(name)
    return match[1] if match else None


class MediaFiles:
    """The files below *root*, which is created if need be. Job ids must be of our form, else ValueError."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root = root.resolve()
        self.swept: int | None = None
        """Of how many jobs :meth:`sweep` removed files; None before it ran."""

    def part_path(self, job_id: str, variant: str) -> Path:
        """Where a file of *job_id* grows before it is placed; its directory exists afterwards.

        Raises:
            OSError: the directory cannot be made.
        """
        if variant not in VARIANTS:
            raise ValueError(f"{variant!r} is no variant")
        directory = self._directory(job_id)
        for step in (directory.parent, directory):
            step.mkdir(exist_ok=True, mode=0o700)
            if not stat.S_ISDIR(step.lstat().st_mode):
                raise NotADirectoryError(f"{step} is not a directory")
        return directory / f"{variant}.part"

    async def place(
        self, part: Path, job_id: str, variant: str, media_type: str, sha256: str | None = None
    ) -> StoredFile:
        """Makes *part* the stored file: durable first, then visible, in one step, to whoever reads it.

        *part* is the path that :meth:`part_path` gave; *sha256* its hash in hex if it is known.

        Raises:
            OSError: the disk is full or failing; the part, or the stored file, is still there.
        """
        return await finish_in_thread(self._place, part, job_id, variant, media_type, sha256)

    def placed(self, job_id: str, variant: str) -> Path | None:
        """The file that an earlier process placed for a job and died before it could say so; None if it did not.

        Raises:
            OSError: nobody knows.
        """
        directory = self.part_path(job_id, variant).parent
        found = [directory / f"{variant}{suffix}" for suffix in SUFFIXES.values()]
        return next((path for path in found if path.is_file() and not path.is_symlink()), None)

    async def keep(self, path: Path, variant: str, media_type: str) -> StoredFile:
        """The stored file that :meth:`placed` found, its name as durable as :meth:`place` would have made it.

        Raises:
            OSError: it cannot be read, or the disk is failing.
        """
        return await finish_in_thread(self._keep, path, variant, media_type)

    def resolve(self, stored: str) -> Path:
        """The absolute path of a stored file from its :attr:`StoredFile.path`.

        Raises:
            FileNotFoundError: there is no such file (any more), or *stored* is not a path of ours.
        """
        match = _STORED.fullmatch(stored)
        path = self._root / stored
        if match is None or any(step.is_symlink() for step in (path, path.parent, path.parent.parent)):
            raise FileNotFoundError("There is no such file.")
        if not path.is_file():
            raise FileNotFoundError("There is no such file.")
        return path

    async def put(self, job_id: str, file: InputFile) -> StoredFile:
        """Stores an input of a job that is about to be accepted, durable when this returns.

        Raises:
            OSError: the disk is full or failing.
        """
        return await finish_in_thread(self._put, job_id, file)

    async def read(self, stored: StoredFile) -> bytes:
        """The whole of a stored input.

        Raises:
            FileNotFoundError: it is not there (any more).
            OSError: it cannot be read.
        """
        return await finish_in_thread(lambda: self.resolve(stored.path).read_bytes())

    async def clear(self, job_id: str) -> None:
        """Removes what came of a job that failed; what it was made from stays, so that it can be made again.

        Raises:
            OSError: a file cannot be removed.
        """
        await finish_in_thread(_clear, self._directory(job_id))

    async def delete(self, job_id: str) -> None:
        """Removes every file of a job, parts too; none is no error.

        Raises:
            OSError: a file cannot be removed.
        """
        directory = self._directory(job_id)
        await finish_in_thread(_remove, directory)

    async def sweep(self, known_job_ids: AbstractSet[str]) -> list[str]:
        """Removes the files of jobs that are not in *known_job_ids* and returns their ids.

        For start-up: a job that is accepted while it runs would be taken for an orphan. What is not named
        like a job is left alone.
        """
        removed = await finish_in_thread(self._sweep, known_job_ids)
        self.swept = len(removed)
        return removed

    def free_bytes(self) -> int:
        """Free space for us on the disk that holds the files."""
        return shutil.disk_usage(self._root).free

    def disk_bytes(self) -> int:
        """Size of that disk."""
        return shutil.disk_usage(self._root).total

    def _directory(self, job_id: str) -> Path:
        directory = directory_of(job_id)
        if directory is None:
            raise ValueError("not a job id")
        return self._root / directory / job_id

    def _place(
        self, part: Path, job_id: str, variant: str, media_type: str, sha256: str | None
    ) -> StoredFile:
        if part != self.part_path(job_id, variant):
            raise ValueError("not the part of this job and variant")
        target = part.with_suffix(SUFFIXES[media_type])
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            if sha256 is None:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
            os.fsync(file.fileno())
        part.rename(target)
        self._sync_name(target)
        return StoredFile(variant, target.relative_to(self._root).as_posix(), media_type, size, sha256)

    def _put(self, job_id: str, file: InputFile) -> StoredFile:
        part = self.part_path(job_id, file.variant)
        with open(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb"
        ) as target:
            target.write(file.data)
        return self._place(part, job_id, file.variant, file.media_type, None)

    def _keep(self, path: Path, variant: str, media_type: str) -> StoredFile:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
        self._sync_name(path)
        return StoredFile(variant, path.relative_to(self._root).as_posix(), media_type, size, sha256)

    def _sync_name(self, path: Path) -> None:
        """A new name, and the directories that may be as new, outlive a power cut only when they are synced too."""
        for directory in (path.parent, path.parent.parent, self._root):
            sync_directory(directory)

    def _sweep(self, known: AbstractSet[str]) -> list[str]:
        orphans = [
            entry
            for entry in self._root.glob("[0-9a-f][0-9a-f]/video_*")
            if _JOB_ID.fullmatch(entry.name) and entry.name not in known and not entry.is_symlink()
        ]
        for entry in orphans:
            _remove(entry)
        return [entry.name for entry in orphans]


def _remove(directory: Path) -> None:
    if directory.is_symlink():
        raise NotADirectoryError(f"{directory} is a symbolic link")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


def _clear(directory: Path) -> None:
    if not directory.is_dir() or directory.is_symlink():
        return
    for entry in directory.iterdir():
        if entry.stem not in INPUTS:
            entry.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: it has inputs
        directory.rmdir()


def sync_directory(directory: Path) -> None:
    """The names in *directory* outlive a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
