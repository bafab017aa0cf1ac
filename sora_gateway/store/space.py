"""What is stored, by its rows: nobody has to walk over the files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.store.readers import Readers


@dataclass(frozen=True, slots=True)
class Kind:
    """Files of one kind: a variant of the videos' files, or ``library`` for saved reference images."""

    name: str
    files: int
    size: int
    """Bytes of all of them."""


@dataclass(frozen=True, slots=True)
class Large:
    """A video file, and whose it is."""

    job_id: str
    email: str
    prompt: str
    model: str
    size: int
    finished_at: float


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """Bytes of the database, of what was committed and is not in it yet (the WAL), and of the copies from before
    migrations."""

    main: int
    log: int
    backups: int


class Space:
    """Readings of what the rows say; the files are written before their rows, and removed after them."""

    def __init__(self, database: Path, readers: Readers) -> None:
        self._database = database
        self._readers = readers

    async def kinds(self) -> list[Kind]:
        """Every kind of which there is a file, the largest first."""
        rows = await self._readers.all(
            "SELECT variant AS name, count(*) AS files, sum(size) AS size FROM assets GROUP BY variant"
            " UNION ALL SELECT 'library', count(*), sum(size) FROM reference_images HAVING count(*) > 0"
            " ORDER BY size DESC, name"
        )
        return [Kind(**dict(row)) for row in rows]

    async def largest(self, limit: int) -> list[Large]:
        """The largest video files, largest first."""
        rows = await self._readers.all(
            "SELECT j.id AS job_id, u.email, j.prompt, j.model, a.size, j.finished_at"
            " FROM assets a JOIN jobs j ON j.id = a.job_id JOIN users u ON u.id = j.owner"
            " WHERE a.variant = 'video' AND j.finished_at IS NOT NULL AND j.deleted_at IS NULL"
            " ORDER BY a.size DESC, j.id LIMIT ?",
            (limit,),
        )
        return [Large(**dict(row)) for row in rows]

    async def database(self) -> DatabaseSize:
        """Looked up among the files, of which there are few."""
        return await asyncio.to_thread(self._measured)

    def _measured(self) -> DatabaseSize:
        log = self._database.with_name(f"{self._database.name}-wal")
        backups = self._database.parent.glob("backups/*.db")
        return DatabaseSize(
            self._database.stat().st_size,
            log.stat().st_size if log.exists() else 0,
            sum(path.stat().st_size for path in backups),
        )
