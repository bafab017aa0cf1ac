"""The books balance, whatever is done in whatever order, and however often the process dies in between.

The machine below does everything that moves credits to a real store on a disk, and keeps books of its own beside it:
after every step the two must say the same, entry by entry, and the store's own checker must find nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sora_gateway.core import job as j
from sora_gateway.core.claim import KeyClaim
from sora_gateway.core.job import Job, State
from sora_gateway.core.money import Movement, OnCancel, movement
from sora_gateway.core.plans import Allowance
from sora_gateway.errors import Conflict, InsufficientCredits, NotFound
from sora_gateway.store import Store, ledger, schema
from sora_gateway.store.accepting import NewJob
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.codes import create as create_code
from sora_gateway.store.jobs import Answered, Intent, Stale
from tests.books import ORDINARY, Books, ending, event_of
from tests.examples import examples
from tests.jobs import make_job, stored_file
from tests.stores import ADA, BEN, EPOCH, MIGRATIONS, NOW, VERA, add_person

T = TypeVar("T")
PEOPLE = (ADA, BEN, VERA)
START = 20

people = st.sampled_from([person.user_id for person in PEOPLE])
prices = st.integers(0, 12)
which = st.integers(0, 1000)


class BooksMachine(RuleBasedStateMachine):
    """One store on a disk; every rule ends with the store having answered.

    What a crash leaves is chance, so which rules there are must not depend on it: those with nothing to do return.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.root = Path(tempfile.mkdtemp())
        self.books = Books()
        self.store: Store
        self.copies = 0
        self.now = NOW

    def run(self, call: Awaitable[T]) -> T:
        async def wait() -> T:
            return await call

        return self.runner.run(wait())

    def moment(self) -> float:
        self.now += 1.0
        return self.now

    @initialize()
    def furnish(self) -> None:
        database = self.root / "gateway.db"
        schema.prepare(database, MIGRATIONS, NOW, EPOCH)
        self.store = self.run(Store(database, lambda events: None).__aenter__())
        for person in PEOPLE:
            self.run(add_person(self.store, person, START))
            self.books.move(person.user_id, "grant", START)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.__aexit__(None, None, None))
        self.runner.close()
        shutil.rmtree(self.root)

    # --- credits come ------------------------------------------------------------------------------

    @rule(user=people, amount=st.integers(1, 15))
    def grant(self, user: str, amount: int) -> None:
        self.run(self.store.credits.grant(user, amount, "a gift", self.entry("grant", user)))
        self.books.move(user, "grant", amount)

    @rule(user=people, amount=st.integers(-25, 25).filter(bool))
    def adjust(self, user: str, amount: int) -> None:
        adjusting = self.store.credits.adjust(user, amount, "put right", self.entry("adjust", user))
        if self.books.available[user] + amount < 0:
            with pytest.raises(Conflict):
                self.run(adjusting)
        else:
            self.run(adjusting)
            self.books.move(user, "adjust", amount)

    @rule(user=people, month=st.sampled_from(["2027-01", "2027-02"]), amount=st.integers(0, 9))
    def monthly(self, user: str, month: str, amount: int) -> None:
        at = self.moment()
        self.run(self.store.run(lambda tx: ledger.grant_monthly(tx, user, amount, month, at)))
        self.comes_monthly(user, month, amount)

    def comes_monthly(self, user: str, month: str, amount: int) -> None:
        if amount and (user, month) not in self.books.months:
            self.books.months.add((user, month))
            self.books.move(user, "grant", amount)

    @rule(credits=st.integers(0, 9), uses=st.integers(1, 2))
    def make_code(self, credits: int, uses: int) -> None:
        name, at = f"code{len(self.books.codes)}-{credits}", self.moment()
        plan, days = (None, None) if credits else ("better", 30)
        code = CodeRecord(name, name[:6], credits, plan, days, uses, "", "root", at)
        self.run(
            self.store.run(lambda tx: create_code(tx, code, f"hash of {name}", self.entry("code", name)))
        )
        self.books.codes[name] = uses

    @rule(users=st.lists(people, min_size=1, max_size=3), number=which)
    def redeem(self, users: list[str], number: int) -> None:
        """At once, if there are several: the last use is one person's, and nobody's twice."""
        if not self.books.codes:
            return
        name = sorted(self.books.codes)[number % len(self.books.codes)]

        async def all_at_once() -> Sequence[object]:
            entries = [self.entry("redeem", user) for user in users]
            calls = (
                self.store.credits.redeem(f"hash of {name}", user, entry, {"default", "better"})
                for user, entry in zip(users, entries, strict=True)
            )
            return await asyncio.gather(*calls, return_exceptions=True)

        for user, result in zip(users, self.run(all_at_once()), strict=True):
            if not self.books.codes[name]:
                assert isinstance(result, NotFound)
            elif (name, user) in self.books.redeemed:
                assert isinstance(result, Conflict)
            else:
                assert isinstance(result, tuple)
                self.books.codes[name] -= 1
                self.books.redeemed.add((name, user))
                if worth := int(name.rpartition("-")[2]):
                    self.books.move(user, "redeem", worth)

    # --- credits are set aside ---------------------------------------------------------------------

    @rule(user=people, price=prices)
    def accept_one(self, user: str, price: int) -> None:
        job = self.order(user, price)
        if price > self.books.available[user]:
            with pytest.raises(InsufficientCredits):
                self.run(self.store.accept(job))
        else:
            self.run(self.store.accept(job))
            self.books.hold(job)

    @rule(
        user=people, wanted=st.lists(prices, min_size=1, max_size=5), month=st.sampled_from(["", "2027-03"])
    )
    def accept_many(self, user: str, wanted: list[int], month: str) -> None:
        """All of them or none, and if none then nothing else of it either."""
        jobs = [self.order(user, price) for price in wanted]
        allowance = Allowance("any", month, monthly_credits=5) if month else None
        comes = 5 if month and (user, month) not in self.books.months else 0
        accepting = self.store.accept_together([NewJob(job) for job in jobs], None, allowance)
        if sum(wanted) > self.books.available[user] + comes:
            with pytest.raises(InsufficientCredits):
                self.run(accepting)
        else:
            self.run(accepting)
            self.comes_monthly(user, month, comes)
            for job in jobs:
                self.books.hold(job)

    @rule(users=st.lists(people, min_size=2, max_size=8), price=prices)
    def accept_at_once(self, users: list[str], price: int) -> None:
        """The last credit: they share commits, and are served in the order in which they came."""
        jobs = [self.order(user, price) for user in users]

        async def all_at_once() -> Sequence[object]:
            return await asyncio.gather(*map(self.store.accept, jobs), return_exceptions=True)

        for job, result in zip(jobs, self.run(all_at_once()), strict=True):
            if price > self.books.available[job.owner]:
                assert isinstance(result, InsufficientCredits)
            else:
                assert result == job
                self.books.hold(job)

    @rule(user=people, price=prices, key=st.sampled_from("abc"))
    def send_again(self, user: str, price: int, key: str) -> None:
        """With one key: what it made before, or a new job if that came to nothing."""
        claim = KeyClaim(user, "POST /api/video/tasks", key, "the same")
        job = self.order(user, price)
        earlier = self.books.claims.get(user + key)
        if earlier is not None:
            assert [each.id for each in self.run(self.store.accept_together([NewJob(job)], claim))] == earlier
        elif price > self.books.available[user]:
            with pytest.raises(InsufficientCredits):
                self.run(self.store.accept(job, (), claim))
        else:
            self.run(self.store.accept(job, (), claim))
            self.books.claims[user + key] = [job.id]
            self.books.hold(job)

    # --- holds end ---------------------------------------------------------------------------------

    @rule(number=which, choice=which, on_cancel=st.sampled_from(OnCancel))
    def something_happens(self, number: int, choice: int, on_cancel: OnCancel) -> None:
        """Any event that the table allows, with what belongs to it in one transaction; told once more it is stale."""
        if not self.books.jobs:
            return
        job = self.a_job(number)
        possible = sorted(ORDINARY & j.TRANSITIONS[job.state].keys(), key=lambda kind: kind.__name__)
        if not possible or job.deleted_at is not None:
            return
        event = event_of(possible[choice % len(possible)], job, self.moment())
        after = j.advance(job, event)
        if after is job:
            return
        saving = (job, after, event, movement(job, event, after, on_cancel), *self.beside(event, after))
        self.run(self.store.save(*saving))
        kind = ending(job.state, event, on_cancel)
        if kind is not None:
            self.books.end(job, kind)
        self.books.jobs[job.id] = after
        with pytest.raises(Stale):
            self.run(self.store.save(*saving))

    @rule(number=which, settle=st.booleans(), twice=st.booleans())
    def decide(self, number: int, settle: bool, twice: bool) -> None:
        """An administrator ends what is still open of a failed job, and nothing else."""
        failed = [job for job in self.books.jobs.values() if job.state is State.FAILED]
        if not failed:
            return
        job = failed[number % len(failed)]
        for _ in range(1 + twice):
            at = self.moment()
            event = j.ChargeSettled(at) if settle else j.ChargeReleased(at)
            after = j.advance(job, event)
            money = Movement.SETTLE if settle else Movement.RELEASE
            deciding = self.store.save(
                job,
                replace(after, version=job.version + 1),
                event,
                money,
                decided=self.entry("decide", job.id),
            )
            if job.id in self.books.open:
                self.run(deciding)
                self.books.end(job, "settle" if settle else "release")
                job = self.books.jobs[job.id] = replace(after, version=job.version + 1)
            else:
                with pytest.raises(Conflict):
                    self.run(deciding)

    @rule(number=which)
    def told_twice(self, number: int) -> None:
        """The same unit once more, as after a commit whose answer nobody heard."""
        if not self.books.jobs:
            return
        job = self.a_job(number)
        with pytest.raises(sqlite3.IntegrityError):
            self.run(self.store.accept(job))
        if job.id not in self.books.open:
            at = self.moment()
            for money in (Movement.SETTLE, Movement.RELEASE):
                with pytest.raises(Conflict):
                    self.run(self.store.run(partial(ledger.apply, job=job, movement=money, at=at)))

    # --- the process dies --------------------------------------------------------------------------

    @rule()
    def crash(self) -> None:
        """What is on the disk at this moment is all there is afterwards."""
        copy = self.copied()
        self.run(self.store.__aexit__(None, None, None))
        self.store = self.run(Store(copy, lambda events: None).__aenter__())

    @rule(
        user=people,
        batches=st.lists(st.lists(prices, min_size=1, max_size=3), min_size=1, max_size=4),
        turns=which,
    )
    def crash_in_the_middle(self, user: str, batches: list[list[int]], turns: int) -> None:
        """Of batches on their way each is there whole, with its holds, or not at all."""
        wanted = [[self.order(user, price) for price in batch] for batch in batches]

        async def begin() -> Path:
            calls = [
                asyncio.ensure_future(self.store.accept_together([NewJob(job) for job in batch]))
                for batch in wanted
            ]
            for _ in range(turns % 7):
                await asyncio.sleep(0)
            copy = self.copied()
            await asyncio.gather(*calls, return_exceptions=True)
            return copy

        copy = self.run(begin())
        self.run(self.store.__aexit__(None, None, None))
        self.store = self.run(Store(copy, lambda events: None).__aenter__())
        for batch in wanted:
            kept = [self.run(self.store.get(job.id)) is not None for job in batch]
            assert len(set(kept)) == 1
            if kept[0]:
                for job in batch:
                    self.books.hold(job)

    def copied(self) -> Path:
        """The database as a power cut would leave it: its file and its log, whoever has them open."""
        self.copies += 1
        directory = self.root / str(self.copies)
        directory.mkdir()
        # The log first: what a checkpoint moves meanwhile from it into the file is then in both, not in neither.
        for suffix in ("-wal", ""):
            source = self.store.database.with_name(self.store.database.name + suffix)
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(source, directory / source.name)
        return directory / self.store.database.name

    # --- after every step --------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.run(self.store.credits.check()) == []
        lines = self.run(self.store.credits.lines(None, 0, 10_000))
        assert [
            (line.user_id, line.kind, line.available, line.held, line.job_id) for line in lines
        ] == self.books.lines
        for person in PEOPLE:
            user = person.user_id
            balance = self.run(self.store.credits.balance(user))
            assert (balance.available, balance.held) == (self.books.available[user], self.books.held[user])
            mine = [job for job in self.books.jobs.values() if job.owner == user]
            assert balance.available >= 0
            assert balance.held == sum(job.credits for job in mine if job.id in self.books.open)
        for job in self.books.jobs.values():
            if not job.ended:
                assert job.id in self.books.open
            elif job.state is not State.FAILED:
                assert job.id not in self.books.open
        disputed = {dispute.job_id for dispute in self.run(self.store.credits.disputes())}
        assert disputed == {job_id for job_id in self.books.open if self.books.jobs[job_id].ended}

    # --- pieces ------------------------------------------------------------------------------------

    def entry(self, action: str, target: str) -> AuditEntry:
        return AuditEntry(self.moment(), "root", action, target)

    def order(self, user: str, price: int) -> Job:
        return make_job(owner=user, credits=price, created_at=self.moment())

    def a_job(self, number: int) -> Job:
        return list(self.books.jobs.values())[number % len(self.books.jobs)]

    def beside(self, event: j.Event, after: Job) -> tuple[Intent | Answered | None, tuple[Any, ...]]:
        """What is stored together with the event."""
        if isinstance(event, j.Claimed):
            return Intent(f"attempt-{after.id}-{after.attempt}"), ()
        if isinstance(event, j.Accepted):
            return Answered("receipt", event.external_id), ()
        return None, (stored_file(after),) if isinstance(event, j.Stored) else ()


TestTheBooks = BooksMachine.TestCase
TestTheBooks.settings = settings(max_examples=examples(30), stateful_step_count=30)
