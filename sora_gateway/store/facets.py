"""By what the jobs in a list differ, and how many there are of each: what a list can be narrowed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sora_gateway.core.principal import Principal
from sora_gateway.store.jobs import VISIBLE, Filter, scope
from sora_gateway.store.readers import Readers

MOST = 200
"""Of each kind; those with the most jobs."""


@dataclass(frozen=True, slots=True)
class PersonJobs:
    id: str
    email: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The most frequent first."""

    models: Mapping[str, int]
    tags: Mapping[str, int]
    people: list[PersonJobs]


async def of(readers: Readers, principal: Principal, wanted: Filter) -> Facets:
    """Of all visible jobs, those of *wanted*'s owner, or those that the team may see."""
    listed = (
        f"deleted_at IS NULL AND {VISIBLE} AND (? IS NULL OR owner = ?) AND (NOT ? OR visibility = 'team')"
    )
    arguments = (*scope(principal), wanted.owner, wanted.owner, wanted.team, MOST)
    models = await readers.all(
        f"SELECT model, count(*) AS jobs FROM jobs WHERE {listed} GROUP BY model ORDER BY jobs DESC, model LIMIT ?",  # noqa: S608 - our own words
        arguments,
    )
    tags = await readers.all(
        f"SELECT tag, count(*) AS jobs FROM jobs JOIN job_tags ON job_id = id WHERE {listed}"  # noqa: S608
        " GROUP BY tag ORDER BY jobs DESC, tag LIMIT ?",
        arguments,
    )
    people = await readers.all(
        f"SELECT owner, (SELECT email FROM users WHERE id = owner) AS email, count(*) AS jobs FROM jobs WHERE {listed}"  # noqa: S608
        " GROUP BY owner ORDER BY jobs DESC, owner LIMIT ?",
        arguments,
    )
    return Facets(
        {row["model"]: row["jobs"] for row in models},
        {row["tag"]: row["jobs"] for row in tags},
        [PersonJobs(row["owner"], row["email"], row["jobs"]) for row in people],
    )
