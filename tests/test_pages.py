"""A page of jobs is what is seen of them, newest first; it is read from indexes and never sorted, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.job import Job
from sora_gateway.core.principal import Principal
from sora_gateway.core.visibility import Visibility
from sora_gateway.store.jobs import Filter
from sora_gateway.store.readers import Readers
from tests.examples import examples
from tests.jobs import NOW, make_job
from tests.stores import ADA, BEN, ROOT, VERA, open_store

READERS = (ADA, BEN, VERA, ROOT)
OWNERS = (ADA.user_id, BEN.user_id)

one_job = st.builds(
    lambda owner, visibility, at, model, deleted: make_job(
        owner=owner, visibility=visibility, created_at=NOW + at, model=model, deleted_at=NOW if deleted else None
    ),
    st.sampled_from(OWNERS), st.sampled_from(Visibility), st.integers(0, 3), st.sampled_from(["sora-2", "wan"]), st.booleans(),
)  # fmt: skip
a_filter = st.builds(
    Filter,
    limit=st.integers(1, 4),
    ascending=st.booleans(),
    owner=st.sampled_from([None, *OWNERS]),
    person=st.sampled_from([None, *OWNERS]),
    team=st.booleans(),
    models=st.sampled_from([(), ("wan",)]),
)


def seen(all_jobs: Sequence[Job], reader: Principal, wanted: Filter) -> list[Job]:
    """By the rules alone."""
    return sorted(
        (
            job for job in all_jobs
            if job.deleted_at is None
            and (reader.sees_all or job.owner == reader.user_id or job.visibility is Visibility.TEAM)
            and wanted.owner in (None, job.owner) and wanted.person in (None, job.owner)
            and (not wanted.team or job.visibility is Visibility.TEAM)
            and (not wanted.models or job.model in wanted.models)
        ),
        key=lambda job: (job.created_at, job.id), reverse=not wanted.ascending,
    )  # fmt: skip


@given(some=st.lists(one_job, max_size=12), reader=st.sampled_from(READERS), wanted=a_filter)
@settings(max_examples=examples(40), deadline=None)
async def test_pages_have_every_visible_job_once_and_in_order(
    some: list[Job], reader: Principal, wanted: Filter, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_store(tmp_path_factory.mktemp("pages")) as store:
        for job in some:
            await store.accept(job)
        found, after, more = list[str](), None, True
        while more:
            page, more = await store.page(reader, replace(wanted, after=after))
            assert len(page) == wanted.limit or not more
            found += [job.id for job in page]
            after = found[-1] if found else None
    assert found == [job.id for job in seen(some, reader, wanted)]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.role + reader.user_id)
@pytest.mark.parametrize(
    "wanted", [Filter(), Filter(team=True), Filter(owner="user_ada"), Filter(owner="user_ben"), Filter(ascending=True)]
)  # fmt: skip
async def test_no_list_is_sorted(
    tmp_path: Path, reader: Principal, wanted: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Sequence[object]]] = []
    read = Readers.all

    async def overheard(readers: Readers, sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        asked.append((sql, parameters))
        return await read(readers, sql, parameters)

    monkeypatch.setattr(Readers, "all", overheard)
    async with open_store(tmp_path) as store:
        await store.page(reader, wanted)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        plan = [
            row[3] for sql, values in asked for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    assert plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan
