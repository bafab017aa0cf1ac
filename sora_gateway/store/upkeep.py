"""What housekeeping asks of the store: which files may go, which rows, and what should be on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sora_gateway.core.job import JobId
from sora_gateway.core.retention import Cutoff, Kept, Removal
from sora_gateway.store import claims, pruning, removed_files
from sora_gateway.store.jobs import UNFINISHED
from sora_gateway.store.pruning import Slice
from sora_gateway.store.readers import ONE_OF, Readers, one_of
from sora_gateway.store.removed_files import Missed
from sora_gateway.store.writer import Writer

_WITH_FILES = (
    "SELECT j.id AS job_id, j.owner, j.finished_at,"
    " (SELECT sum(size) FROM assets a WHERE a.job_id = j.id) AS size FROM jobs j"
    # As in ix_jobs_with_files, word for word, or the index is not used.
    " WHERE finished_at IS NOT NULL AND deleted_at IS NULL"
    " AND (files_removed_because IS NULL OR files_removed_because = 'missing')"
    " AND EXISTS (SELECT 1 FROM assets a WHERE a.job_id = j.id)"
    # A disputed one: whether it is owed is still to be said, and what there is of it may help.
    " AND (j.state <> 'failed' OR EXISTS (SELECT 1 FROM ledger l WHERE l.job_id = j.id AND l.kind IN ('settle', 'release')))"
    " AND NOT EXISTS (SELECT 1 FROM job_tags t WHERE t.job_id = j.id AND t.tag = ?)"
)
"""Jobs whose files may go, but for their age. The parameter is the tag that spares."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A stored file, as its row has it, and whether its job has *ended*."""

    job_id: str
    variant: str
    path: str
    size: int
    sha256: str
    ended: bool


class Upkeep:
    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    # --- files -----------------------------------------------------------------------------------

    async def old_files(self, cutoff: Cutoff, spared_by: str, limit: int) -> list[Kept]:
        """Jobs whose files have been kept long enough by *cutoff*, oldest first."""
        which, arguments = "", [spared_by, cutoff.moment]
        if cutoff.owners is not None:
            which, arguments = f"AND j.owner IN {ONE_OF}", [*arguments, one_of(cutoff.owners)]
        elif cutoff.others:
            which, arguments = f"AND j.owner NOT IN {ONE_OF}", [*arguments, one_of(cutoff.others)]
        return await self._kept(f"AND j.finished_at <= ? {which}", [*arguments, limit])

    async def oldest_files(self, ended_before: float, spared_by: str, limit: int) -> list[Kept]:
        """The same by whoever ended first, to make room."""
        return await self._kept("AND j.finished_at <= ?", [spared_by, ended_before, limit])

    async def _kept(self, which: str, arguments: list[Any]) -> list[Kept]:
        rows = await self._readers.all(
            f"{_WITH_FILES} {which} ORDER BY j.finished_at, j.id LIMIT ?", arguments
        )
        return [Kept(**dict(row)) for row in rows]

    async def stored(self) -> int:
        """Bytes of all files of jobs."""
        row = await self._readers.one("SELECT coalesce(sum(size), 0) FROM assets")
        assert row is not None
        return int(row[0])

    async def removed_within(self, seconds: float, now: float, because: Removal) -> int:
        """Bytes that went for that reason so lately before *now*, or after it: the clock may have been set back."""
        return await removed_files.size_of(self._readers, because, now - seconds, now + seconds)

    async def removed(self, job_id: str) -> frozenset[str]:
        """The files that a job had and that are not kept any more."""
        return await removed_files.of_job(self._readers, job_id)

    async def missed(self, job_ids: Sequence[str]) -> Mapping[tuple[str, str], Missed]:
        """By (job, variant) the files of these jobs that were written down as not being there, and may turn up again."""
        return await removed_files.missed_of(self._readers, job_ids)

    async def prompts(self, job_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """What each of these jobs shows, and the address of whoever asked for it."""
        rows = await self._readers.all(
            f"SELECT j.id, j.prompt, u.email FROM jobs j JOIN users u ON u.id = j.owner WHERE j.id IN {ONE_OF}",  # noqa: S608
            (one_of(job_ids),),
        )
        return {row["id"]: (row["prompt"], row["email"]) for row in rows}

    # --- rows and files held against each other ----------------------------------------------------

    async def file_rows(self, after: tuple[str, str], limit: int) -> list[FileRow]:
        """Stored files beyond (job, variant) *after*, in that order."""
        return await self._file_rows("WHERE (a.job_id, a.variant) > (?, ?)", [*after, limit])

    async def files_of(self, job_ids: Sequence[str], limit: int) -> list[FileRow]:
        """The stored files of these jobs."""
        return await self._file_rows(f"WHERE a.job_id IN {ONE_OF}", [one_of(job_ids), limit])

    async def some_paths(self, limit: int) -> list[str]:
        """The paths of so many stored files; as good as drawn by lot, because the order is that of their hashes."""
        rows = await self._readers.all("SELECT path FROM assets ORDER BY sha256, path LIMIT ?", (limit,))
        return [row["path"] for row in rows]

    async def _file_rows(self, which: str, arguments: list[Any]) -> list[FileRow]:
        rows = await self._readers.all(
            "SELECT a.job_id, a.variant, a.path, a.size, a.sha256, j.finished_at IS NOT NULL AS ended"  # noqa: S608
            f" FROM assets a JOIN jobs j ON j.id = a.job_id {which} ORDER BY a.job_id, a.variant LIMIT ?",
            arguments,
        )
        return [FileRow(**{**dict(row), "ended": bool(row["ended"])}) for row in rows]

    async def unfinished_among(self, job_ids: Sequence[str]) -> frozenset[JobId]:
        """Those of these jobs that are being made: their files come and go."""
        rows = await self._readers.all(
            f"SELECT id FROM jobs WHERE id IN {ONE_OF} AND {UNFINISHED}",  # noqa: S608
            (one_of(job_ids),),
        )
        return frozenset(JobId(row["id"]) for row in rows)

    # --- rows ------------------------------------------------------------------------------------

    async def last_written(self) -> float | None:
        """The moment of the latest event; None when there is none."""
        row = await self._readers.one("SELECT at FROM events ORDER BY seq DESC LIMIT 1")
        return row["at"] if row else None

    async def trim_events(self, before: float, after: int, limit: int) -> Slice:
        return await self._writer.run(lambda tx: pruning.events(tx, before, after, limit))

    async def trim_audit(self, before: float, limit: int) -> int:
        return await self._writer.run(lambda tx: pruning.audit(tx, before, limit))

    async def forget_expired(self, now: float, limit: int) -> int:
        return await self._writer.run(lambda tx: pruning.expired(tx, now, limit))

    async def forget_claims(self, now: float) -> int:
        return await self._writer.run(lambda tx: claims.forget(tx, now))

    async def free_pages(self) -> int:
        """Pages that the database could give back to the disk; 0 in one that was made by an older version, which
        only uses them again."""
        mode = await self._readers.one("PRAGMA auto_vacuum")
        free = await self._readers.one("PRAGMA freelist_count")
        assert mode is not None
        assert free is not None
        return int(free[0]) if mode[0] == 2 else 0

    async def give_back(self, pages: int) -> None:
        await self._writer.run(lambda tx: pruning.vacuum(tx, pages))
