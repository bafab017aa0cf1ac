"""A request body on its way in: in memory while it is small, in a file without a name from then on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.requests import Request

from sora_gateway.errors import StorageFailed, StorageFull, TooLarge, Unavailable

IN_MEMORY = 1 << 18
"""Bytes of one body that are held in memory while it arrives; one that has more is large."""

_TRY_AGAIN = 5.0
"""Seconds after which it is worth it."""


@dataclass(frozen=True, slots=True)
class Spool:
    """Where large bodies lie until they are read.

    *directory* exists; None is the system's for temporary files. *reserve* is how many bytes of its disk bodies
    leave free. *at_once* is how many large ones of a kind may be arriving or lie there.
    """

    directory: Path | None = None
    reserve: int = 0
    at_once: int = 64


class Arrivals:
    """Takes bodies of one kind in; others cannot take the places of its large ones."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._places = asyncio.Semaphore(spool.at_once)

    @asynccontextmanager
    async def body(self, request: Request, limit: int | None = None) -> AsyncIterator[Arrived]:
        """The body, once all of it is here; nothing of it is left on the disk afterwards.

        Raises:
            TooLarge: it has more than *limit* bytes.
            Unavailable: too many large ones are here; one that says its length is then not even begun to be read.
            StorageFull, StorageFailed: the disk cannot hold it.
        """
        declared = request.headers.get("content-length", "")
        async with AsyncExitStack() as held:
            body = Arrived(self._spool)
            held.callback(body.close)
            if declared.isdecimal() and int(declared) > IN_MEMORY:
                await self._place(body, held)
            async for piece in request.stream():
                if limit is not None and body.size + len(piece) > limit:
                    raise TooLarge(f"A body of this kind may have {limit} bytes; send multipart/form-data.")
                if body.add(piece) > IN_MEMORY:
                    if not body.large:
                        await self._place(body, held)
                    await body.put_away()
            if body.large:
                await body.put_away()
            yield body

    async def _place(self, body: Arrived, held: AsyncExitStack) -> None:
        if self._places.locked():
            raise Unavailable(
                "Too many large requests are arriving; try again in a moment.", retry_after=_TRY_AGAIN
            )
        await held.enter_async_context(self._places)
        body.large = True


class Arrived:
    """A whole body. *size* in bytes; *large* says whether it was too much to hold."""

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self.large = False
        self._spool = spool
        self._pieces: list[bytes] = []
        self._held = 0
        self._file: IO[bytes] | None = None

    def add(self, piece: bytes) -> int:
        """Returns how many bytes are held in memory now."""
        self.size += len(piece)
        self._held += len(piece)
        self._pieces.append(piece)
        return self._held

    async def put_away(self) -> None:
        """Moves to the disk what is held. Raises Unavailable, StorageFull, StorageFailed."""
        await asyncio.to_thread(self._put_away)

    def _put_away(self) -> None:
        with _told():
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._spool.directory)  # noqa: SIM115  # close() does it
            if shutil.disk_usage(self._file.fileno()).free < self._spool.reserve + self._held:
                raise OSError(errno.ENOSPC, "the rest of the disk is not for bodies")
            self._file.write(b"".join(self._pieces))
            self._pieces, self._held = [], 0

    def read(self) -> bytes:
        """All of it. Blocks while a file is read. Raises StorageFull, StorageFailed."""
        if self._file is None:
            return b"".join(self._pieces)
        with _told():
            self._file.seek(0)
            return self._file.read()

    def close(self) -> None:
        if self._file is not None:
            # What could not be written is not needed any more.
            with contextlib.suppress(OSError):
                self._file.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turns what a disk may say into what people are told."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise Unavailable(
                "Too many files are open here; try again in a moment.", retry_after=_TRY_AGAIN
            ) from None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("The disk has no room for this upload; try again later.") from None
        raise StorageFailed(
            "The upload could not be put aside; try again in a moment.", retry_after=_TRY_AGAIN
        ) from error
