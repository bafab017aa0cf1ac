"""What jobs took: the samples from which the gateway learns when to look."""

from __future__ import annotations

from typing import NamedTuple

from sora_gateway.store.readers import Readers

NEWEST = 500
"""Samples of one kind of job at most."""
SCANNED = 5000
"""The newest jobs of an upstream among which they are looked for: a bound for the one reading at its first use."""

# ix_jobs_took gives the newest jobs of one upstream without a sort.
_SELECT = """
SELECT upstream_model, seconds, size, took FROM (
    SELECT upstream_model, seconds, size, took, finished_at,
           row_number() OVER (PARTITION BY upstream_model, seconds, size ORDER BY finished_at DESC) AS nth
    FROM (SELECT upstream_model, seconds, size, took, finished_at FROM jobs
          WHERE upstream = ? AND took IS NOT NULL AND finished_at IS NOT NULL
          ORDER BY finished_at DESC LIMIT ?)
) WHERE nth <= ? ORDER BY finished_at DESC
"""


class Sample(NamedTuple):
    """An ended job: what it was, and the seconds from its receipt to the upstream's end."""

    upstream_model: str
    seconds: int
    size: str
    took: float


async def newest(readers: Readers, upstream: str) -> list[Sample]:
    """The newest samples of *upstream*, newest first, at most :data:`NEWEST` of each model, length and size."""
    rows = await readers.all(_SELECT, (upstream, SCANNED, NEWEST))
    return [Sample(row["upstream_model"], row["seconds"], row["size"], row["took"]) for row in rows]
