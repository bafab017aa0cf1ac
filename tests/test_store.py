"""The store on a real file: commits that are shared, cancellations that reach nothing, a schema said twice."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sora_gateway.core import job as j
from sora_gateway.core.job import ExternalId, Job, JobId, State, advance
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.money import Movement
from sora_gateway.core.principal import Principal
from sora_gateway.errors import (
    Conflict,
    InsufficientCredits,
    NotFound,
    StartupError,
    StorageFailed,
    StorageFull,
)
from sora_gateway.store import Store, migrate, schema
from sora_gateway.store.events import EventScope
from sora_gateway.store.jobs import Answered, ExternalIdTaken, Filter, Intent, Stale
from sora_gateway.store.lock import DataDirectoryInUse, DataLock
from sora_gateway.store.writer import Transaction
from tests.gateways import MIGRATIONS

EPOCH = "0123456789abcdef"
OWNER = Principal("user_1", "one@example.org", "member", "session", "x")
OTHER = Principal("user_2", "two@example.org", "member", "session", "y")
ADMIN = Principal("user_3", "admin@example.org", "admin", "session", "z")
CLAIMED = j.Claimed(2.0)


@asynccontextmanager
async def a_store(directory: Path, told: list[StoredEvent] | None = None) -> AsyncIterator[Store]:
    database = directory / "gateway.db"
    schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
    async with Store(database, (told if told is not None else []).extend) as store:
        if not await store.people.users():
            for principal in (OWNER, OTHER, ADMIN):
                await store.people.create_user(
                    principal.user_id, principal.email, principal.role, None, 100, 0.0
                )
        yield store


def a_job(number: int = 1, owner: str = OWNER.user_id, created_at: float = 1.0, credits: int = 10) -> Job:
    return Job(
        JobId(f"video_{number:032x}"), owner, "a boat", "sora-2", "lab", "sora-2", 4, "1280x720", created_at,
        credits=credits,
    )  # fmt: skip


async def take(store: Store, job: Job, event: j.Event, movement: Movement = Movement.KEEP) -> Job:
    after = advance(job, event)
    await store.save(job, after, event, movement)
    return after


def executing(sql: str) -> Callable[[Transaction], object]:
    return lambda tx: tx.execute(sql)


async def fill(store: Store) -> None:
    for number in range(1000):
        await store.accept(replace(a_job(number, credits=0), prompt="x" * 5000))


class TestTheWriter:
    async def test_callers_that_wait_together_share_a_commit(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            before = store.commits
            await asyncio.gather(*(store.accept(a_job(number, credits=0)) for number in range(200)))
            assert store.commits - before < 50

    async def test_a_unit_that_fails_leaves_nothing_and_does_not_disturb_the_others(
        self, tmp_path: Path
    ) -> None:
        def broken(tx: Transaction) -> None:
            tx.execute("UPDATE users SET available = 0")
            raise ZeroDivisionError

        async with a_store(tmp_path) as store:
            results = await asyncio.gather(
                store.accept(a_job(1)), store.run(broken), store.accept(a_job(2)), return_exceptions=True
            )
            assert [type(result) for result in results] == [Job, ZeroDivisionError, Job]
            assert [user.available for user in await store.people.users()] == [80, 100, 100]
            assert await store.credits.check() == []

    async def test_what_a_batch_with_a_failure_did_is_told_once(self, tmp_path: Path) -> None:
        def broken(tx: Transaction) -> None:
            raise ZeroDivisionError

        told: list[StoredEvent] = []
        async with a_store(tmp_path, told) as store:
            accepted = [store.accept(a_job(number, credits=0)) for number in range(20)]
            await asyncio.gather(*accepted[:10], store.run(broken), *accepted[10:], return_exceptions=True)
            assert [event.seq for event in told] == list(range(1, 21))
            assert len({event.job_id for event in told}) == 20
            assert len(await store.unfinished()) == 20

    async def test_a_caller_that_is_cancelled_never_reaches_the_connection(self, tmp_path: Path) -> None:
        """Whether a cancelled unit counts is open; that the writer goes on and the books balance is not."""
        async with a_store(tmp_path) as store:
            tasks = [asyncio.create_task(store.accept(a_job(number, credits=0))) for number in range(300)]
            for number, task in enumerate(tasks):
                if number % 2:
                    await asyncio.sleep(0)
                    task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            acknowledged = {number for number, result in enumerate(results) if result is None}
            stored = {int(job.id[6:], 16) for job in await store.unfinished()}
            assert acknowledged <= stored
            await store.accept(a_job(1000))
            assert await store.credits.check() == []

    async def test_what_is_told_comes_after_the_commit_and_in_order(self, tmp_path: Path) -> None:
        told: list[StoredEvent] = []
        async with a_store(tmp_path, told) as store:
            await asyncio.gather(*(store.accept(a_job(number, credits=0)) for number in range(50)))
            assert [event.seq for event in told] == list(range(1, 51))
            assert await store.head() == 50

    async def test_nothing_is_told_of_what_was_not_kept(self, tmp_path: Path) -> None:
        told: list[StoredEvent] = []
        async with a_store(tmp_path, told) as store:
            with pytest.raises(InsufficientCredits):
                await store.accept(a_job(credits=1000))
            assert told == []
            assert await store.unfinished() == []

    async def test_a_full_disk_is_said_so_reads_go_on_and_it_recovers_by_itself(self, tmp_path: Path) -> None:
        def shrink(tx: Transaction) -> None:
            pages = tx.connection.execute("PRAGMA page_count").fetchone()[0]
            tx.connection.execute(f"PRAGMA max_page_count = {pages}")

        def grow(tx: Transaction) -> None:
            tx.connection.execute("PRAGMA max_page_count = 1000000")

        async with a_store(tmp_path) as store:
            await store.run(shrink)
            with pytest.raises(StorageFull, match="disk is full"):
                await fill(store)
            assert len(await store.people.users()) == 3
            await store.run(grow)
            await store.accept(a_job(5000))
            assert await store.credits.check() == []

    async def test_a_closed_writer_refuses_with_a_sentence(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            pass
        with pytest.raises(StorageFailed, match="stopping"):
            await store.accept(a_job())

    async def test_writes_are_synced_and_readers_cannot_write(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            pragma = await store.run(lambda tx: tx.connection.execute("PRAGMA synchronous").fetchone()[0])
            assert pragma == 2  # FULL
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await store._readers.all("DELETE FROM users")


class TestJobs:
    async def test_a_row_gives_back_the_job_that_was_stored(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            job = a_job()
            await store.accept(job)
            job = await take(store, job, j.Claimed(2.0))
            job = await take(store, job, j.Accepted(3.0, ExternalId("ext-1")))
            job = await take(store, job, j.Observed(4.0, 33.3, False, "in_progress"))
            assert await store.get(job.id) == job

    async def test_a_job_that_somebody_else_wrote_meanwhile_is_not_overwritten(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            job = a_job()
            await store.accept(job)
            await take(store, job, j.Claimed(2.0))
            with pytest.raises(Stale):
                await take(store, job, j.Waiting(3.0, "paused"))

    async def test_an_upstreams_id_belongs_to_one_job_for_ever(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            for number in (1, 2):
                job = a_job(number)
                await store.accept(job)
                claimed = await take(store, job, j.Claimed(2.0))
                receipt = j.Accepted(3.0, ExternalId("ext-1"))
                if number == 1:
                    await take(store, claimed, receipt)
                else:
                    with pytest.raises(ExternalIdTaken):
                        await take(store, claimed, receipt)

    async def test_an_id_stays_its_jobs_when_the_job_is_paid_for_again(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            job, other = a_job(1), a_job(2)
            for one in (job, other):
                await store.accept(one)
                await store.save(
                    one, advance(one, CLAIMED), CLAIMED, Movement.KEEP, Intent(f"attempt of {one.id}")
                )
            job, other = advance(job, CLAIMED), advance(other, CLAIMED)
            receipt = j.Accepted(3.0, ExternalId("ext-1"))
            accepted = advance(job, receipt)
            await store.save(job, accepted, receipt, Movement.KEEP, Answered("receipt", "ext-1", 200))
            lost = await take(store, accepted, j.LostUpstream(4.0, "no such video"))
            await take(store, lost, j.PayAgain(5.0))
            with pytest.raises(ExternalIdTaken):
                await take(store, other, receipt)

    async def test_files_of_jobs_that_have_none_are_not_kept(self, tmp_path: Path) -> None:
        """What a job that failed had fetched is removed with its end; a crash in between leaves it to the sweep."""
        async with a_store(tmp_path) as store:
            waiting, failed, cancelled = a_job(1), a_job(2), a_job(3)
            for job in (waiting, failed, cancelled):
                await store.accept(job)
            refused = await take(store, failed, CLAIMED)
            await take(store, refused, j.Refused(3.0, "no", "No."), Movement.RELEASE)
            await take(store, cancelled, j.CancelRequested(3.0), Movement.RELEASE)
            assert await store.kept_jobs() == {waiting.id}

    async def test_an_attempt_is_written_before_the_create_and_completed_after_it(
        self, tmp_path: Path
    ) -> None:
        async with a_store(tmp_path) as store:
            job = a_job()
            await store.accept(job)
            claimed, lost = j.Claimed(2.0), j.AnswerLost(3.0, "gone")
            after = advance(job, claimed)
            await store.save(job, after, claimed, Movement.KEEP, Intent("attempt_1"))
            assert [(a.outcome, a.sent_at) for a in await store.attempts(job.id)] == [(None, 2.0)]
            await store.save(
                after, advance(after, lost), lost, Movement.KEEP, Answered("unknown", None, 502, "bad")
            )
            (attempt,) = await store.attempts(job.id)
            assert (attempt.outcome, attempt.http_status, attempt.detail) == ("unknown", 502, "bad")

    async def test_either_id_finds_a_job_but_only_for_those_who_may_see_it(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            job = a_job()
            await store.accept(job)
            job = await take(store, job, j.Claimed(2.0))
            job = await take(store, job, j.Accepted(3.0, ExternalId("ext-1")))
            for text in (job.id, "ext-1"):
                assert await store.find(text, OWNER) == job
                assert await store.find(text, ADMIN) == job
                with pytest.raises(NotFound):
                    await store.find(text, OTHER)

    async def test_an_upstreams_id_that_is_ambiguous_finds_nothing(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            for number, upstream in ((1, "lab"), (2, "other")):
                job = replace(a_job(number), upstream=upstream)
                await store.accept(job)
                job = await take(store, job, j.Claimed(2.0))
                await take(store, job, j.Accepted(3.0, ExternalId("ext-1")))
            with pytest.raises(NotFound):
                await store.find("ext-1", OWNER)

    async def test_a_hostile_upstream_cannot_take_over_our_ids(self, tmp_path: Path) -> None:
        """An external id that looks like one of ours never shadows the job that really has it."""
        async with a_store(tmp_path) as store:
            mine, hostile = a_job(1), a_job(2, owner=OTHER.user_id)
            await store.accept(mine)
            await store.accept(hostile)
            hostile = await take(store, hostile, j.Claimed(2.0))
            await take(store, hostile, j.Accepted(3.0, ExternalId(mine.id)))
            assert (await store.find(mine.id, ADMIN)).id == mine.id
            assert (await store.find(mine.id, OWNER)).id == mine.id

    async def test_pages_neither_repeat_nor_lose_jobs_of_the_same_moment(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            for number in range(25):
                await store.accept(a_job(number, created_at=float(number // 10), credits=0))
            for ascending in (False, True):
                seen: list[str] = []
                after = None
                more = True
                while more:
                    page, more = await store.page(OWNER, Filter(limit=4, after=after, ascending=ascending))
                    seen += [job.id for job in page]
                    after = page[-1].id
                assert len(seen) == len(set(seen)) == 25
            assert await store.page(OTHER, Filter()) == ([], False)

    async def test_deleting_while_paging_loses_no_page(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            for number in range(3):
                await store.accept(a_job(number, created_at=float(number), credits=0))
            (newest,), _ = await store.page(OWNER, Filter(limit=1))
            ended = await take(store, newest, j.CancelRequested(9.0), Movement.RELEASE)
            await take(store, ended, j.Deleted(9.0))
            rest, _ = await store.page(OWNER, Filter(after=newest.id))
            assert [int(job.id[6:], 16) for job in rest] == [1, 0]
            with pytest.raises(NotFound):
                await store.page(OTHER, Filter(after=newest.id))


class TestTheBooks:
    async def test_an_entry_can_be_neither_changed_nor_removed(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            for sql in ("UPDATE ledger SET available = 0", "DELETE FROM ledger"):
                with pytest.raises(sqlite3.IntegrityError, match="immutable"):
                    await store.run(executing(sql))

    async def test_the_last_credit_is_spent_once(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            results = await asyncio.gather(
                *(store.accept(a_job(number, credits=10)) for number in range(60)), return_exceptions=True
            )
            assert sum(isinstance(result, Job) for result in results) == 10
            assert await store.credits.check() == []

    async def test_a_hold_ends_once(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            job = a_job()
            await store.accept(job)
            await store.accept(a_job(2))  # so that there would be enough held for a second release
            job = await take(store, job, j.CancelRequested(2.0), Movement.RELEASE)
            with pytest.raises(Conflict):
                await take(store, job, j.Deleted(3.0), Movement.RELEASE)
            assert await store.credits.of_job(job.id) == [("hold", -10, 10), ("release", 10, -10)]

    async def test_the_schema_refuses_a_second_end_as_well(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            job = a_job()
            await store.accept(job)
            await take(store, job, j.CancelRequested(2.0), Movement.RELEASE)
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                await store.run(
                    lambda tx: tx.execute(
                        "INSERT INTO ledger (user_id, job_id, kind, available, held, note, at)"
                        " VALUES ('user_1', ?, 'settle', 0, -10, '', 3.0)",
                        (job.id,),
                    )
                )


class TestEvents:
    async def test_are_read_by_job_by_owner_or_all(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            await store.accept(a_job(1))
            await store.accept(a_job(2, owner=OTHER.user_id))
            for scope, jobs in (
                (EventScope(job_id=a_job(1).id), [1]),
                (EventScope(owner=OTHER.user_id), [2]),
                (EventScope(), [1, 2]),
            ):
                replay = await store.events_after(scope, 0, 10)
                assert [int(event.job_id[6:], 16) for event in replay.events] == jobs
                assert replay.complete

    async def test_a_replay_that_is_cut_short_says_so(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            for number in range(5):
                await store.accept(a_job(number, credits=0))
            replay = await store.events_after(EventScope(), 1, 3)
            assert ([event.seq for event in replay.events], replay.complete) == ([2, 3, 4], False)

    async def test_a_number_is_never_given_out_twice(self, tmp_path: Path) -> None:
        async with a_store(tmp_path) as store:
            await store.accept(a_job(1))
            await store.run(lambda tx: tx.execute("DELETE FROM events"))
            await store.accept(a_job(2))
            assert await store.head() == 2


NEWEST = schema.HEAD


class TestTheSchema:
    def test_the_script_is_what_the_migrations_build(self) -> None:
        assert (MIGRATIONS / "schema.sql").read_text() == migrate.schema_script(MIGRATIONS), (
            "run `make schema`"
        )

    def test_the_models_are_what_the_migrations_build(self) -> None:
        assert migrate.differences(MIGRATIONS) == []

    def test_the_head_is_the_newest_migration(self) -> None:
        assert migrate.revisions(MIGRATIONS)[0] == schema.HEAD

    def test_sql_and_python_list_the_same_states(self) -> None:
        script = (MIGRATIONS / "schema.sql").read_text()
        check = re.search(r"ck_jobs_state CHECK \(state IN \(([^)]*)\)\)", script)
        assert check is not None
        assert {name.strip(" '") for name in check[1].split(",")} == {state.value for state in State}

    @pytest.mark.parametrize(
        "change",
        [
            "state = 'dancing'",
            "state = 'processing', attempt = 1, external_id = NULL",
            "state = 'submitting', attempt = 0",
            "state = 'completed', external_id = 'x', attempt = 1, progress = 100, finished_at = NULL",
            "state = 'failed', finished_at = 1.0, error_code = NULL",
            "finished_at = 1.0",
            "progress = 100",
            "progress = -1",
        ],
    )
    async def test_a_row_that_contradicts_itself_is_refused(self, tmp_path: Path, change: str) -> None:
        async with a_store(tmp_path) as store:
            await store.accept(a_job())
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                await store.run(lambda tx: tx.execute(f"UPDATE jobs SET {change}"))

    def test_a_newer_database_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        database = tmp_path / "gateway.db"
        schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        before = database.read_bytes()
        with pytest.raises(StartupError, match="newer sora-gateway"):
            schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
        assert database.read_bytes() == before

    def test_something_else_is_not_taken_for_a_database(self, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("hello " * 1000)
        with pytest.raises(StartupError, match="cannot be read as a database"):
            schema.prepare(tmp_path / "text.db", MIGRATIONS, 0.0, EPOCH)
        with sqlite3.connect(tmp_path / "other.db") as connection:
            connection.execute("CREATE TABLE guests (name TEXT)")
        connection.close()
        with pytest.raises(StartupError, match="not of sora-gateway"):
            schema.prepare(tmp_path / "other.db", MIGRATIONS, 0.0, EPOCH)

    def test_a_creation_that_was_killed_is_taken_up_again(self, tmp_path: Path) -> None:
        database = tmp_path / "gateway.db"
        with sqlite3.connect(database, isolation_level=None) as connection:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            connection.executescript(f"BEGIN IMMEDIATE;\n{(MIGRATIONS / 'schema.sql').read_text()}")
            for left in tmp_path.glob("gateway.db*"):
                (tmp_path / f"copy-{left.name}").write_bytes(left.read_bytes())
            connection.execute("ROLLBACK")
        connection.close()
        schema.prepare(tmp_path / "copy-gateway.db", MIGRATIONS, 0.0, EPOCH)
        assert schema.current_revision(tmp_path / "copy-gateway.db") == schema.HEAD

    def test_a_database_that_cannot_be_made_is_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "gateway.db").symlink_to(tmp_path / "nowhere" / "gateway.db")
        with pytest.raises(StartupError, match="cannot be made"):
            schema.prepare(tmp_path / "gateway.db", MIGRATIONS, 0.0, EPOCH)

    def test_a_copy_that_cannot_be_made_stops_the_migration_with_one_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        migrations = a_chain(tmp_path)
        database = tmp_path / "gateway.db"
        schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
        monkeypatch.setattr(schema, "HEAD", "9000")
        (tmp_path / "backups").mkdir()
        (tmp_path / "backups" / f"before-migration-{NEWEST}-19700101T000000.db").mkdir()
        with pytest.raises(StartupError, match="could not be copied"):
            schema.prepare(database, migrations, 0.0, EPOCH)
        assert schema.current_revision(database) == NEWEST

    def test_an_older_database_is_copied_then_migrated_with_its_rows(self, tmp_path: Path) -> None:
        """A chain of two migrations, the second of which rebuilds a table that others point to."""
        migrations = a_chain(tmp_path)
        database = tmp_path / "gateway.db"
        schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
        with sqlite3.connect(database) as connection:
            connection.execute(
                "INSERT INTO users (id, email, role, available, held, created_at) VALUES ('u', 'e', 'admin', 0, 0, 0)"
            )
            connection.execute(
                "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ('hash', 'u', 0, 1)"
            )
        connection.close()
        migrate.upgrade(database, migrations)
        with sqlite3.connect(database) as connection:
            assert connection.execute("SELECT id, shoe_size FROM users").fetchall() == [("u", 42)]
            assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        connection.close()

    def test_a_database_of_the_first_release_comes_along_with_its_jobs_and_files(
        self, tmp_path: Path
    ) -> None:
        database = tmp_path / "gateway.db"
        migrate.upgrade(database, MIGRATIONS, "0001")
        with sqlite3.connect(database) as connection:
            connection.execute(
                "INSERT INTO users (id, email, role, available, held, created_at) VALUES ('u', 'e', 'admin', 0, 0, 0)"
            )
            connection.execute(
                "INSERT INTO jobs (id, owner, prompt, model, upstream, upstream_model, seconds, size, created_at,"
                " state, version, attempt, refusals, not_before, external_id, progress, progress_estimated,"
                " upstream_status, overdue, cancel_requested, finished_at, note, credits)"
                " VALUES ('video_1', 'u', 'a boat', 'm', 'lab', 'm', 4, '720x1280', 1.0,"
                " 'completed', 5, 1, 0, 0, 'x', 100, 0, '', 0, 0, 2.0, '', 0)"
            )
            connection.execute("INSERT INTO assets VALUES ('video_1', 'video', 'p', 'video/mp4', 3, 'hash')")
            connection.execute(
                "INSERT INTO ledger (user_id, job_id, kind, available, held, note, at)"
                " VALUES ('u', 'video_1', 'hold', 0, 0, '', 1.0), ('u', 'video_1', 'settle', 0, 0, '', 2.0)"
            )
        connection.close()
        backup = schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
        assert backup is not None
        assert schema.current_revision(database) == schema.HEAD
        with sqlite3.connect(database) as connection:
            assert connection.execute("SELECT operation, source_id, characters FROM jobs").fetchall() == [
                ("create", None, "")
            ]
            assert connection.execute("SELECT job_id, variant, size FROM assets").fetchall() == [
                ("video_1", "video", 3)
            ]
        connection.close()

    def test_a_migration_that_breaks_changes_nothing_and_leaves_a_copy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        migrations = a_chain(tmp_path, broken=True)
        database = tmp_path / "gateway.db"
        schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
        monkeypatch.setattr(schema, "HEAD", "9000")
        with pytest.raises(StartupError, match="nothing was changed, and a copy is at"):
            schema.prepare(database, migrations, 0.0, EPOCH)
        assert schema.current_revision(database) == NEWEST
        (backup,) = (tmp_path / "backups").iterdir()
        assert schema.current_revision(backup) == NEWEST


def a_chain(directory: Path, broken: bool = False) -> Path:
    """The shipped migrations and one more."""
    migrations = directory / "migrations"
    (migrations / "versions").mkdir(parents=True)
    for path in [MIGRATIONS / "env.py", *MIGRATIONS.glob("versions/*.py")]:
        target = migrations / path.relative_to(MIGRATIONS)
        target.write_text(path.read_text())
    (migrations / "versions" / "9000_more.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision = '9000'\ndown_revision = '{NEWEST}'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('users', recreate='always') as batch:\n"
        "        batch.add_column(sa.Column('shoe_size', sa.Integer(), nullable=False, server_default='42'))\n"
        + ("    op.execute('SELECT nothing FROM nowhere')\n" if broken else "")
    )
    return migrations


class TestTheLock:
    def test_a_second_process_is_refused_in_under_a_second_with_the_first_ones_number(
        self, tmp_path: Path
    ) -> None:
        second = (
            "import sys; from pathlib import Path; from sora_gateway.store.lock import DataLock\n"
            "try:\n    DataLock(Path(sys.argv[1])).__enter__()\n"
            "except Exception as error:\n    print(error); sys.exit(3)\n"
        )
        with DataLock(tmp_path):
            started = time.monotonic()
            run = subprocess.run(
                [sys.executable, "-c", second, str(tmp_path)], capture_output=True, text=True, check=False
            )
            assert run.returncode == 3
            assert "Another sora-gateway (process" in run.stdout
            assert time.monotonic() - started < 5  # the process's own start included

    def test_is_free_again_afterwards(self, tmp_path: Path) -> None:
        with DataLock(tmp_path), pytest.raises(DataDirectoryInUse):
            DataLock(tmp_path).__enter__()
        with DataLock(tmp_path):
            pass
