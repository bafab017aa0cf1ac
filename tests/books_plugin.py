"""Fails every test that leaves books that do not balance: in a store of its own process, at the moment it is closed,
and in the data directory of any other gateway under its ``tmp_path``.

Looking costs about a millisecond for each store; it reads beside whoever has the database open, and changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from types import TracebackType

import pytest

from sora_gateway.store import Store, ledger

_NO_BOOKS = (
    "no such table",
    "no such column",
    "not a database",
    "malformed",
    "unable to open",
    "disk I/O error",
)
"""What SQLite says of a file that is none of ours, not yet or not any more: some tests are about those."""

_complaints: list[str] = []
_open: set[Path] = set()
_forged: set[Path] = set()
_patch = pytest.MonkeyPatch()
looked: list[Path] = []
"""What was looked at, in order."""


def complaints(database: Path) -> list[str]:
    """Every way in which the books in the file do not balance; what the gateway's own checker says."""
    found = []
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            for complaint, sql in ledger.CHECKS.items():
                found += [f"{complaint}: {row[0]}" for row in connection.execute(f"{sql} LIMIT 3")]
    except sqlite3.DatabaseError as error:
        if not any(words in str(error) for words in _NO_BOOKS):
            raise
    looked.append(database)
    return found


def look(database: Path) -> None:
    """Has the running test fail if the books in the file do not balance."""
    _complaints.extend(f"{database}: {each}" for each in complaints(database.resolve()))


def forged(store: Store) -> None:
    """The test has forged the books of *store* and looks at them itself."""
    _forged.add(store.database)


def pytest_configure() -> None:
    enter, leave = Store.__aenter__, Store.__aexit__

    async def entered(store: Store) -> Store:
        _open.add(store.database.resolve())
        return await enter(store)

    async def left(
        store: Store,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if store.database not in _forged:
            look(store.database)
        await leave(store, kind, error, trace)
        _open.discard(store.database.resolve())

    _patch.setattr(Store, "__aenter__", entered)
    _patch.setattr(Store, "__aexit__", left)


def pytest_unconfigure() -> None:
    _patch.undo()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    directory = getattr(item, "funcargs", {}).get("tmp_path")
    if isinstance(directory, Path):
        for database in directory.rglob("gateway.db"):
            # Whoever still has it open in this process looks when closing it.
            if database.resolve() not in _open and database not in _forged:
                look(database)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    found, _complaints[:] = list(_complaints), []
    if found and not report.failed:
        report.outcome = "failed"
        report.longrepr = "The books do not balance: " + "; ".join(sorted(set(found)))
    return report
