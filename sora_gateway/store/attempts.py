"""The paid creates: what may have been paid for, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sora_gateway.core.job import ExternalId
from sora_gateway.store.readers import Readers


async def paid_since(readers: Readers, moment: float) -> dict[str, list[tuple[str, float, int]]]:
    """By upstream, the creates that left since then and may have been paid for: attempt id, moment, seconds of video."""
    rows = await readers.all(
        "SELECT attempts.id, attempts.upstream, sent_at, coalesce(extended_by, seconds) AS billed"
        " FROM attempts JOIN jobs ON jobs.id = job_id WHERE sent_at > ?"
        " AND coalesce(outcome, '') NOT IN ('not_sent', 'refused_for_now', 'out_of_order', 'refused')",
        (moment,),
    )
    found: dict[str, list[tuple[str, float, int]]] = {}
    for row in rows:
        found.setdefault(row["upstream"], []).append((row["id"], row["sent_at"], row["billed"]))
    return found


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One paid create as the books have it."""

    id: str
    number: int
    upstream: str
    sent_at: float
    outcome: str | None
    external_id: ExternalId | None
    http_status: int | None
    detail: str
    answered_at: float | None


async def of_job(readers: Readers, job_id: str) -> list[AttemptRecord]:
    """Every create that was, or may have been, sent for a job, in order."""
    names = ", ".join(f.name for f in fields(AttemptRecord))
    rows = await readers.all(f"SELECT {names} FROM attempts WHERE job_id = ? ORDER BY number", (job_id,))  # noqa: S608
    return [AttemptRecord(**dict(row)) for row in rows]
