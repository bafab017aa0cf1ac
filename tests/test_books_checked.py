"""The checker of the books: what it notices, and that it looks at every store that a test has used."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from sora_gateway.core import job as j
from sora_gateway.store import Store, ledger
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.codes import create as create_code
from tests.books_plugin import complaints, forged, looked
from tests.jobs import make_job, walk
from tests.stores import NOW, open_store

FORGED = {
    "a balance is not the sum of its entries": ["UPDATE users SET available = 7 WHERE id = 'user_ada'"],
    "a balance is negative": [
        "UPDATE users SET available = available - 100 WHERE id = 'user_ada'",
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ada', 'adjust', -100, 0, '', 1)",
    ],
    "a balance was negative once": [
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ada', 'adjust', -100, 0, '', 1)",
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ada', 'adjust', 100, 0, '', 1)",
    ],
    "what is held is not what the jobs with open holds cost": [
        "UPDATE users SET held = held + 1, available = available - 1 WHERE id = 'user_ben'",
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ben', 'adjust', -1, 1, '', 1)",
    ],
    "a job has no hold": ["DROP TRIGGER ledger_refuses_delete", "DELETE FROM ledger WHERE kind = 'hold'"],
    "a hold is not its job's price, or not its owner's": ["UPDATE jobs SET credits = 3"],
    "an end is not that of its hold": [
        "DROP TRIGGER ledger_refuses_update",
        "UPDATE ledger SET available = 1 WHERE kind = 'release'",
    ],
    "an unfinished job's hold has ended": ["UPDATE jobs SET state = 'queued'"],
    "a completed job is not settled": ["UPDATE jobs SET state = 'completed'"],
    "a cancelled job is neither settled nor released": [
        "DROP TRIGGER ledger_refuses_delete",
        "DELETE FROM ledger WHERE kind = 'release'",
    ],
    "a failed job is neither settled nor released": [
        "UPDATE jobs SET state = 'failed', error_code = 'refused' WHERE state = 'queued'"
    ],
    "a grant, redeemed code or correction moves what it must not": [
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ben', 'grant', 0, 0, '', 1)"
    ],
    "credits of a code were never redeemed": [
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ben', 'redeem', 4, 0, '', 1)"
    ],
    "a redeemed code gave no credits": [
        "INSERT INTO redemptions (code_id, user_id, at) VALUES ('c', 'user_ada', 9)"
    ],
    "an amount is no whole number": [
        "INSERT INTO ledger (user_id, kind, available, held, note, at) VALUES ('user_ben', 'adjust', 0.5, 0, '', 1)"
    ],
}


@pytest.mark.parametrize("complaint", FORGED)
async def test_the_checker_notices(complaint: str, tmp_path: Path) -> None:
    """Ada has a queued job and a cancelled one, and there is a code for five credits that nobody has redeemed."""
    code = CodeRecord("c", "c", 5, None, None, 1, "", "root", NOW)
    async with open_store(tmp_path, balance=50) as store:
        await store.accept(make_job(credits=10))
        cancelled = make_job(credits=5)
        await store.accept(cancelled)
        await walk(store, cancelled, j.CancelRequested(NOW))
        await store.run(lambda tx: create_code(tx, code, "hash", AuditEntry(NOW, "root", "code", "c")))
        assert await store.credits.check() == []
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in FORGED[complaint]:
            connection.execute(statement)
        connection.commit()
    async with Store(tmp_path / "gateway.db", lambda events: None) as store:
        forged(store)
        assert complaint in [each.partition(": ")[0] for each in await store.credits.check()]
    assert complaint in [each.partition(": ")[0] for each in complaints(tmp_path / "gateway.db")]


def test_every_complaint_has_its_forgery() -> None:
    assert FORGED.keys() == ledger.CHECKS.keys()


async def test_every_store_that_a_test_closes_is_looked_at(tmp_path: Path) -> None:
    async with open_store(tmp_path):
        assert tmp_path / "gateway.db" not in looked
    assert tmp_path / "gateway.db" in looked
