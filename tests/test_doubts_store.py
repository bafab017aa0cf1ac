"""What the store says of creates without an id, of whose the listed ids are, and of who decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from sora_gateway.core import job as j
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.job import Event, ExternalId, Job, advance
from sora_gateway.core.money import movement
from sora_gateway.core.reconcile import Standing
from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.jobs import Answered, ExternalIdTaken
from tests.jobs import NOW, accepted, make_job, to_processing, walk
from tests.stores import ADA, open_store

LOST = (j.Claimed(NOW), j.AnswerLost(NOW + 1, "HTTP 500"))


async def decided(store: Store, job: Job, event: Event, answered: Answered) -> Job:
    after = advance(job, event)
    await store.save(job, after, event, movement(job, event, after), answered)
    return after


async def doubtful(store: Store, **fields: object) -> Job:
    """A job whose create's answer was lost, as the supervisor leaves it."""
    job = await walk(store, await accepted(store, **fields), LOST[0])
    return await decided(store, job, LOST[1], Answered("unknown", http_status=500, detail="<html>"))


async def test_a_doubt_has_everything_that_helps_to_find_it(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        job = await doubtful(store)
        await accepted(store)
        (doubt,) = await store.doubts()
        assert (doubt.job, doubt.email, doubt.http_status, doubt.detail) == (job, ADA.email, 500, "<html>")
        (create,) = await store.unanswered(["lab"], NOW)
        assert (create.job_id, create.attempt_id) == (job.id, doubt.attempt_id)
        assert (create.owner, create.prompt, create.model) == (job.owner, job.prompt, "wan-2.2")
        assert (create.sent_at, create.number, create.standing) == (NOW, 1, Standing.DOUBTFUL)


async def test_a_doubt_about_what_was_never_to_be_sent_is_one_too(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        job = await accepted(store)
        for event in LOST:
            # As when a job that cannot be sent any more is ended, and the process dies in between.
            after = advance(job, event)
            await store.save(job, after, event, movement(job, event, after))
            job = after
        (doubt,) = await store.doubts()
        assert (doubt.job.id, doubt.attempt_id, doubt.detail) == (job.id, "", "")


async def test_creates_that_may_own_a_video_are_those_without_an_id(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        under_way = await walk(store, await accepted(store), j.Claimed(NOW))
        again = await doubtful(store)
        again = await decided(store, again, j.PayAgain(NOW + 2), Answered("pay_again"))
        given_up = await decided(store, await doubtful(store), j.GivenUp(NOW + 2), Answered("given_up"))
        await walk(store, await accepted(store), *to_processing("ext-1"))
        lost = await walk(store, await accepted(store), *to_processing("ext-2"))
        await walk(store, lost, j.LostUpstream(NOW, "404"))
        refused = await walk(store, await accepted(store), j.Claimed(NOW))
        await decided(store, refused, j.Refused(NOW, "x", "No."), Answered("refused"))
        await accepted(store)
        assert {each.job_id: each.standing for each in await store.unanswered(["lab"], NOW)} == {
            under_way.id: Standing.UNDER_WAY,
            again.id: Standing.CLOSED,
            given_up.id: Standing.CLOSED,
        }
        assert await store.unanswered(["lab"], NOW + 1) == []
        assert await store.unanswered(["other"], NOW) == []


async def test_equal_words_over_other_files_are_told_apart(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        jobs = [make_job(), make_job(), make_job(characters="char_1"), make_job()]
        for job, digest in zip(jobs, ("a", "b", None, None), strict=True):
            files = (StoredFile("reference", "r", "image/png", 1, digest * 64),) if digest else ()
            await store.accept(job, files)
            await walk(store, job, j.Claimed(NOW))
        found = {each.job_id: each.made_from for each in await store.unanswered(["lab"], NOW)}
        assert len(set(found.values())) == 4
        assert found[jobs[3].id] == "create"


async def test_an_id_belongs_to_whoever_had_it_at_one_of_the_upstreams(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await walk(store, await accepted(store), *to_processing("ext-1"))
        lost = await walk(store, await accepted(store), *to_processing("ext-2"))
        lost = await walk(store, lost, j.LostUpstream(NOW, "404"))
        await decided(store, lost, j.PayAgain(NOW), Answered("pay_again"))
        await walk(store, await accepted(store, upstream="other"), *to_processing("ext-3"))
        ids = [ExternalId(f"ext-{number}") for number in range(1, 1500)]
        assert await store.linked(["lab"], ids) == {"ext-1", "ext-2"}
        assert await store.linked(["lab", "other"], ids) == {"ext-1", "ext-2", "ext-3"}
        assert await store.linked(["lab"], []) == frozenset()


async def test_who_decided_is_kept_with_what_was_decided_or_neither_is(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await walk(store, await accepted(store), *to_processing("ext-1"))
        job = await doubtful(store)
        entry = AuditEntry(NOW + 2, ADA.user_id, "job.adopt", job.id, "ext-1")
        event = j.Adopted(NOW + 2, ExternalId("ext-1"))
        with pytest.raises(ExternalIdTaken):
            await store.save(
                job, advance(job, event), event, movement(job, event, advance(job, event)), None, (), entry
            )
        assert await store.audited(job.id) == []
        event = j.Adopted(NOW + 2, ExternalId("ext-2"))
        after = advance(job, event)
        await store.save(job, after, event, movement(job, event, after), None, (), entry)
        await store.audit(AuditEntry(NOW + 3, "command line", "job.look_again", job.id))
        assert [each.action for each in await store.audited(job.id)] == ["job.adopt", "job.look_again"]
