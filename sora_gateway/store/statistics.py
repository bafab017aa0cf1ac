"""What came of the videos that ended: how many, and how long people waited for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sora_gateway.store.readers import Readers

By = Literal["day", "model", "upstream", "all"]

_NAMES: Mapping[By, str] = {
    "day": "strftime('%Y-%m-%d', finished_at, 'unixepoch')",
    "model": "model",
    "upstream": "upstream",
    "all": "''",
}

# Percentiles by the nearest rank: of ten, the fifth and the ninth.
_ENDED = """
SELECT name, sum(state = 'completed') AS completed, sum(state = 'failed') AS failed,
       sum(state = 'cancelled') AS cancelled,
       max(CASE WHEN state = 'completed' AND nth = (n + 1) / 2 THEN took END) AS median,
       max(CASE WHEN state = 'completed' AND nth = (9 * n + 9) / 10 THEN took END) AS p90
FROM (SELECT *, row_number() OVER (PARTITION BY name, state ORDER BY took) AS nth,
             count(*) OVER (PARTITION BY name, state) AS n
      FROM (SELECT {name} AS name, state, finished_at - created_at AS took FROM jobs
            WHERE finished_at >= ? AND finished_at < ?))
GROUP BY name ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """Videos that ended, of one *name*: a day (UTC, ``2026-11-22``), a model or an upstream. *median* and *p90* are
    seconds from the order to the video, None without one."""

    name: str
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    median: float | None = None
    p90: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why videos failed: a code of the catalogue."""

    code: str
    videos: int


class Statistics:
    """Readings over all jobs, deleted ones too: they were made and paid for."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def ended(self, by: By, since: float, until: float) -> list[Ended]:
        """What ended from *since* until before *until*, in order of the names; nothing for a name without any."""
        rows = await self._readers.all(_ENDED.format(name=_NAMES[by]), (since, until))
        return [Ended(**dict(row)) for row in rows]

    async def reasons(self, since: float, until: float) -> list[Reason]:
        """Why videos failed, the most frequent first."""
        rows = await self._readers.all(
            "SELECT error_code AS code, count(*) AS videos FROM jobs"
            " WHERE state = 'failed' AND finished_at >= ? AND finished_at < ?"
            " GROUP BY error_code ORDER BY videos DESC, code",
            (since, until),
        )
        return [Reason(**dict(row)) for row in rows]
