"""Files that were assets of a job and are not kept any more: their rows say since when, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import FilesRemoved
from sora_gateway.errors import NotFound
from sora_gateway.store.readers import ONE_OF, Readers, one_of
from sora_gateway.store.writer import Transaction

_MISSED = (
    "because = 'missing' AND NOT EXISTS (SELECT 1 FROM removed_assets r"
    " WHERE r.job_id = removed_assets.job_id AND r.because <> 'missing')"
)
"""What was not where it should be, of jobs whose other files nobody has removed since."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What is known of a file that was missing."""

    size: int
    sha256: str


def record(tx: Transaction, job_id: str, event: FilesRemoved) -> None:
    """Moves the rows of what *event* takes away from the assets to here."""
    which, arguments = ("job_id = ?", [job_id])
    if event.variants:
        which, arguments = (f"job_id = ? AND variant IN {ONE_OF}", [job_id, one_of(event.variants)])
    tx.execute(
        "INSERT OR REPLACE INTO removed_assets (job_id, variant, size, sha256, removed_at, because)"  # noqa: S608
        f" SELECT job_id, variant, size, sha256, ?, ? FROM assets WHERE {which}",
        (event.at, event.because, *arguments),
    )
    tx.execute(f"DELETE FROM assets WHERE {which}", tuple(arguments))  # noqa: S608


def take_back(tx: Transaction, job_id: str, files: Sequence[StoredFile]) -> None:
    """Forgets that these files, which are assets again, were missing.

    Raises:
        NotFound: one of them is not missed (any more), or was another one.
    """
    for file in files:
        cursor = tx.execute(
            f"DELETE FROM removed_assets WHERE job_id = ? AND variant = ? AND size = ? AND sha256 = ? AND {_MISSED}",  # noqa: S608
            (job_id, file.variant, file.size, file.sha256),
        )
        if cursor.rowcount != 1:
            raise NotFound("That file is not missed.")


async def size_of(readers: Readers, because: str, after: float, before: float) -> int:
    """Bytes of what was removed between two moments for that reason."""
    row = await readers.one(
        "SELECT coalesce(sum(size), 0) FROM removed_assets WHERE because = ? AND removed_at > ? AND removed_at < ?",
        (because, after, before),
    )
    assert row is not None
    return int(row[0])


async def of_job(readers: Readers, job_id: str) -> frozenset[str]:
    """The variants of a job that were removed."""
    rows = await readers.all("SELECT variant FROM removed_assets WHERE job_id = ?", (job_id,))
    return frozenset(row["variant"] for row in rows)


async def missed_of(readers: Readers, job_ids: Sequence[str]) -> Mapping[tuple[str, str], Missed]:
    """By (job, variant) the files of these jobs that were not where they should be: they may turn up again. What people
    or housekeeping have removed since is not among them."""
    rows = await readers.all(
        f"SELECT job_id, variant, size, sha256 FROM removed_assets WHERE job_id IN {ONE_OF} AND {_MISSED}"  # noqa: S608
        " AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_id AND deleted_at IS NULL)",
        (one_of(job_ids),),
    )
    return {(row["job_id"], row["variant"]): Missed(row["size"], row["sha256"]) for row in rows}
