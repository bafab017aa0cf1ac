"""Many files as one ZIP archive that is made while it is sent: neither the whole of it nor of any file is in memory.

Videos are compressed already, so they are stored. Whoever reads slowly makes this read slowly.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from sora_gateway.media.threads import finish_in_thread

CHUNK = 256 * 1024
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
"""Before it there is no time in an archive."""
_READABLE = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its *name* there, when it was made (epoch seconds), and what is in it; an open file is
    closed once it was read."""

    name: str
    made_at: float
    content: BinaryIO | bytes


def opened(path: Path) -> BinaryIO:
    """A file for a member. Raises OSError, also for a symbolic link."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


class _Sink:
    """What ``zipfile`` writes to and cannot go back in: what was written waits to be taken."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


async def zipped(members: AsyncIterator[Member]) -> AsyncIterator[bytes]:
    """The bytes of the archive with *members*, each of which is asked for when it is its turn.

    Raises:
        OSError: a file broke off while it was read; the archive has no end then, and whoever reads it can tell.
    """
    sink = _Sink()
    archive = ZipFile(sink, "w", ZIP_STORED)  # type: ignore[call-overload] # write and flush are all it needs
    async for member in members:
        info = _info(member)
        if isinstance(member.content, bytes):
            archive.writestr(info, member.content)
            yield sink.taken()
            continue
        with member.content as file:
            # From its size it follows whether the archive has its sizes in 4 bytes or in 8.
            info.file_size = os.fstat(file.fileno()).st_size
            left = info.file_size
            with archive.open(info, "w") as target:
                while left:
                    chunk = await finish_in_thread(file.read, min(CHUNK, left))
                    if not chunk:
                        raise OSError(f"{member.name} broke off")
                    left -= len(chunk)
                    await finish_in_thread(target.write, chunk)
                    yield sink.taken()
        yield sink.taken()
    # Not in a with statement: one that broke off gets no end, which would make it look whole.
    archive.close()
    yield sink.taken()


def _info(member: Member) -> ZipInfo:
    made = datetime.fromtimestamp(max(EARLIEST, member.made_at), UTC)
    info = ZipInfo(member.name, (made.year, made.month, made.day, made.hour, made.minute, made.second))
    info.external_attr = _READABLE
    return info
