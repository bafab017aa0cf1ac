"""Files that were assets of a job and are not kept any more: their rows say since when, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sora_gateway.core.job import FilesRemoved
from sora_gateway.store.readers import ONE_OF, Readers, one_of
from sora_gateway.store.writer import Transaction


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


async def missing_of(readers: Readers, job_ids: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Those (job, variant) of these jobs that were not where they should be: they may turn up again."""
    rows = await readers.all(
        f"SELECT job_id, variant FROM removed_assets WHERE because = 'missing' AND job_id IN {ONE_OF}",  # noqa: S608
        (one_of(job_ids),),
    )
    return frozenset((row["job_id"], row["variant"]) for row in rows)
