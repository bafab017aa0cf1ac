"""Where saved reference images lie: ``<root>/<last two hex digits>/<image id>.png`` (or ``.jpg``, ``.webp``).

As with the files of jobs, every name is made here and no symbolic link is followed. A file is there before its
row and goes after it, so that no row is without its file; what a crash leaves in between is swept at start-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from pathlib import Path

from sora_gateway.core.asset import StoredFile
from sora_gateway.errors import StorageFailed, StorageFull
from sora_gateway.media.files import SUFFIXES, sync_directory
from sora_gateway.media.sniff import IMAGE_TYPES
from sora_gateway.media.threads import finish_in_thread

OPENED_AT_ONCE = 4
"""Images that are in memory at once: a request of a hundred bytes names one of many million."""

_IMAGE_ID = re.compile(r"ref_[0-9a-f]{30}([0-9a-f]{2})")
_NAMED_BY_US = re.compile(r"([0-9a-f]{2})/ref_[0-9a-f]{30}\1\.(jpg|png|webp|part)")


class ReferenceLibrary:
    """The files below *root*, which is created if need be. Image ids must be of our form, else ValueError."""

    def __init__(self, root: Path) -> None:
        self._opened = asyncio.Semaphore(OPENED_AT_ONCE)
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root = root.resolve()

    async def put(self, image_id: str, data: bytes, media_type: str) -> StoredFile:
        """Stores an image of :data:`IMAGE_TYPES`, durable when this returns; nobody ever sees half of it.

        Raises:
            StorageFull, StorageFailed: it was not kept.
        """
        try:
            return await finish_in_thread(self._put, image_id, data, media_type)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("The gateway's disk is full; free some space and try again.") from None
            raise StorageFailed("The image could not be stored; nothing was kept.") from error

    def resolve(self, stored: str) -> Path:
        """The absolute path of a stored image from its :attr:`StoredFile.path`.

        Raises:
            FileNotFoundError: there is no such file (any more), or *stored* is not a path of ours.
        """
        match, path = _NAMED_BY_US.fullmatch(stored), self._root / stored
        if match is None or match[2] == "part" or path.parent.is_symlink() or path.is_symlink():
            raise FileNotFoundError("There is no such file.")
        if not path.is_file():
            raise FileNotFoundError("There is no such file.")
        return path

    @asynccontextmanager
    async def opened(self, stored: str) -> AsyncIterator[bytes]:
        """The bytes of a stored image; only few are in memory at once, until their blocks are left.

        Raises:
            FileNotFoundError: it is not there (any more).
            OSError: it cannot be read.
        """
        async with self._opened:
            yield await finish_in_thread(lambda: self.resolve(stored).read_bytes())

    async def delete(self, stored: str) -> None:
        """Removes a stored image; none is no error.

        Raises:
            OSError: it cannot be removed.
        """
        with contextlib.suppress(FileNotFoundError):
            await finish_in_thread(lambda: self.resolve(stored).unlink())

    async def sweep(self, known: AbstractSet[str]) -> list[str]:
        """Removes what is named like an image of ours and is not in *known*, by path; returns what it removed.

        For start-up: an image that is saved while it runs would be taken for an orphan.
        """
        return await finish_in_thread(self._sweep, known)

    def free_bytes(self) -> int:
        """Free space for us on the disk that holds the images."""
        return shutil.disk_usage(self._root).free

    def _put(self, image_id: str, data: bytes, media_type: str) -> StoredFile:
        match = _IMAGE_ID.fullmatch(image_id)
        if match is None or media_type not in IMAGE_TYPES:
            raise ValueError("not an image of ours")
        directory = self._root / match[1]
        directory.mkdir(exist_ok=True, mode=0o700)
        if not stat.S_ISDIR(directory.lstat().st_mode):
            raise NotADirectoryError(f"{directory} is not a directory")
        part = directory / f"{image_id}.part"
        target = part.with_suffix(SUFFIXES[media_type])
        try:
            _write(part, data)
            part.rename(target)
            for step in (directory, self._root):
                sync_directory(step)
        except OSError:
            for rest in (part, target):
                with contextlib.suppress(OSError):
                    rest.unlink()
            raise
        path = target.relative_to(self._root).as_posix()
        return StoredFile("reference", path, media_type, len(data), hashlib.sha256(data).hexdigest())

    def _sweep(self, known: AbstractSet[str]) -> list[str]:
        orphans = [
            stored
            for directory in self._root.glob("[0-9a-f][0-9a-f]")
            if directory.is_dir() and not directory.is_symlink()
            for entry in directory.iterdir()
            if not entry.is_dir()
            for stored in [entry.relative_to(self._root).as_posix()]
            if _NAMED_BY_US.fullmatch(stored) and stored not in known
        ]
        for stored in orphans:
            (self._root / stored).unlink()
        return orphans


def _write(part: Path, data: bytes) -> None:
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
