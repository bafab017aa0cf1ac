"""A small pool of connections that can only read.

Rows are fetched whole before anything else is awaited, so no reader holds up a checkpoint.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiosqlite

POOL_SIZE = 2
ONE_OF = "(SELECT value FROM json_each(?))"
"""For ``IN``, with what :func:`one_of` makes: any number of values, where question marks are limited."""


def one_of(values: Iterable[str] | Iterable[int]) -> str:
    """*values* as one parameter of a statement."""
    return json.dumps(list(values))


class Readers:
    """``async with Readers(path) as readers``."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode=ro"
        self._all: list[aiosqlite.Connection] = []
        self._free: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()

    async def __aenter__(self) -> Readers:
        for _ in range(POOL_SIZE):
            connection = await aiosqlite.connect(self._uri, uri=True, isolation_level=None)
            self._all.append(connection)
            connection.row_factory = sqlite3.Row
            for pragma in ("query_only=ON", "wal_autocheckpoint=0", "busy_timeout=2000", "mmap_size=0"):
                await connection.execute_fetchall(f"PRAGMA {pragma}")
            self._free.put_nowait(connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._all:
            await connection.close()

    async def all(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """Every row of one short statement."""
        connection = await self._free.get()
        try:
            return list(await connection.execute_fetchall(sql, parameters))
        finally:
            self._free.put_nowait(connection)

    async def one(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row, if any."""
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None
