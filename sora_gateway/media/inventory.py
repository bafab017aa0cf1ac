"""What really lies where files of jobs should lie, looked at a part at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.media.files import directory_of
from sora_gateway.media.threads import finish_in_thread

SHARDS = 256
"""Directories below the root, by the end of the job's id: each is a part that fits into memory."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file in the directory of a job. *path* is relative to the root, *size* in bytes, *modified_at* in epoch seconds."""

    job_id: str
    path: str
    size: int
    modified_at: float


class Inventory:
    """The files below *root*, by what the disk says. Symbolic links are not followed, and are nobody's files."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def shard(self, number: int) -> list[Seen]:
        """Every file in a directory of a job, in the part *number* (0 to 255). What is not named like a job is left out.

        Raises:
            OSError: the disk is failing.
        """
        return await finish_in_thread(lambda: list(self._shard(number)))

    async def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """The sizes of stored files, None of each that is not there.

        Raises:
            OSError: nobody knows.
        """
        return await finish_in_thread(lambda: [self._size(path) for path in paths])

    async def sha256(self, path: str) -> str | None:
        """The hash of a stored file in hex, None if it is not there. Raises OSError."""
        return await finish_in_thread(self._sha256, path)

    async def shared(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Those of these jobs whose files have, most of their bytes, other names too, as in a backup on the same disk:
        removing them gives no room back. Raises OSError."""
        return await finish_in_thread(
            lambda: frozenset(job_id for job_id in job_ids if self._is_shared(job_id))
        )

    async def remove(self, paths: Sequence[str]) -> None:
        """Removes files that :meth:`shard` named; one that is gone already is no error. Raises OSError."""
        await finish_in_thread(self._remove, paths)

    def _shard(self, number: int) -> Iterator[Seen]:
        directory = self._root / f"{number:02x}"
        if directory.is_symlink() or not directory.is_dir():
            return
        for job in directory.iterdir():
            if directory_of(job.name) != directory.name or job.is_symlink() or not job.is_dir():
                continue
            for name, status in _regular(job):
                path = f"{directory.name}/{job.name}/{name}"
                yield Seen(job.name, path, status.st_size, status.st_mtime)

    def _is_shared(self, job_id: str) -> bool:
        directory = self._root / (directory_of(job_id) or "") / job_id
        if not directory.is_dir():
            return False
        sizes = {False: 0, True: 0}
        for _, status in _regular(directory):
            sizes[status.st_nlink > 1] += status.st_size
        return sizes[True] > sizes[False]

    def _size(self, path: str) -> int | None:
        try:
            status = (self._root / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _sha256(self, path: str) -> str | None:
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with open(descriptor, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            (self._root / path).unlink(missing_ok=True)
        for directory in {(self._root / path).parent for path in paths}:
            with contextlib.suppress(OSError):  # not empty: the rest is the job's
                directory.rmdir()


def _regular(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files in *directory*."""
    with os.scandir(directory) as entries:
        for entry in entries:
            # Whatever goes meanwhile was somebody's to remove.
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield entry.name, status
