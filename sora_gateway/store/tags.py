"""Words that owners give to their jobs, to find them again."""

from __future__ import annotations

from collections.abc import Sequence

from sora_gateway.core.job import JobId
from sora_gateway.core.principal import Principal
from sora_gateway.store.readers import ONE_OF, Readers, one_of
from sora_gateway.store.writer import Transaction


def put(tx: Transaction, job_id: str, tags: Sequence[str]) -> None:
    """Replaces the tags of a job."""
    tx.execute("DELETE FROM job_tags WHERE job_id = ?", (job_id,))
    for tag in dict.fromkeys(tags):
        tx.execute("INSERT INTO job_tags (job_id, tag) VALUES (?, ?)", (job_id, tag))


async def of_many(readers: Readers, job_ids: Sequence[JobId]) -> dict[str, list[str]]:
    """The tags of each of these jobs that has any, in the order in which they were given."""
    found: dict[str, list[str]] = {}
    for row in await readers.all(
        f"SELECT job_id, tag FROM job_tags WHERE job_id IN {ONE_OF} ORDER BY rowid",  # noqa: S608
        (one_of(job_ids),),
    ):
        found.setdefault(row["job_id"], []).append(row["tag"])
    return found


async def counts(readers: Readers, principal: Principal) -> dict[str, int]:
    """The caller's own tags, and how many of their visible jobs have each."""
    rows = await readers.all(
        "SELECT tag, count(*) AS jobs FROM job_tags JOIN jobs ON jobs.id = job_id"
        " WHERE owner = ? AND deleted_at IS NULL GROUP BY tag ORDER BY tag",
        (principal.user_id,),
    )
    return {row["tag"]: row["jobs"] for row in rows}
