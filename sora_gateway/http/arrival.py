"""A request body on its way in: in memory while it is small, in a file without a name from then on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from starlette.requests import Request

from sora_gateway.errors import StorageFull, TooLarge

IN_MEMORY = 1 << 20
"""Bytes of one body that are held in memory while it arrives."""


class Arrived:
    """A whole body. *size* in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._head: list[bytes] = []
        self._held = 0
        self._file: IO[bytes] | None = None

    @property
    def large(self) -> bool:
        """Whether it was too much to hold."""
        return self._file is not None

    async def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self._held += len(piece)
        self._head.append(piece)
        if self._held > IN_MEMORY:
            try:
                await asyncio.to_thread(self._put_away)
            except OSError:
                raise StorageFull("The disk has no room for this upload; try again later.") from None

    def _put_away(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # close() does it
        self._file.write(b"".join(self._head))
        self._head, self._held = [], 0

    def read(self) -> bytes:
        """All of it. Blocks while a file is read."""
        if self._file is None:
            return b"".join(self._head)
        self._put_away()
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@asynccontextmanager
async def arrived(request: Request, limit: int | None = None) -> AsyncIterator[Arrived]:
    """The body, once all of it is here; nothing of it is left on the disk afterwards.

    Raises:
        TooLarge: it has more than *limit* bytes.
        StorageFull: the disk cannot hold it.
    """
    body = Arrived()
    try:
        async for piece in request.stream():
            if limit is not None and body.size + len(piece) > limit:
                raise TooLarge(f"A body of this kind may have {limit} bytes; send multipart/form-data.")
            await body.add(piece)
        yield body
    finally:
        body.close()
