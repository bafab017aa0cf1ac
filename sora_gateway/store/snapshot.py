"""Copies of a database that somebody may be writing, and looks at files that nobody writes.

``VACUUM INTO`` through a read-only connection of its own: one consistent state, however many commits happen meanwhile,
and no lock that the writer would wait for. (The backup API begins anew whenever another connection commits.)
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.clock import Clock
from sora_gateway.errors import StartupError
from sora_gateway.store import ledger

Stopped = Callable[[], bool]
"""Says whether the work is to be given up; asked often."""
_STEPS = 20_000
"""SQLite's own steps between two questions: about a millisecond."""
_UNCOUNTED = frozenset({"alembic_version", "meta"})

_GAPS = (
    # What is old may have been pruned, from the beginning; between what is kept nothing is missing.
    "SELECT j.id FROM jobs j JOIN events e ON e.job_id = j.id GROUP BY j.id HAVING max(e.job_seq) <> j.version"
    " OR count(DISTINCT e.job_seq) <> count(*) OR count(*) <> max(e.job_seq) - min(e.job_seq) + 1"
)
_UNTOLD = (
    "SELECT id FROM jobs WHERE state NOT IN ('completed', 'failed', 'cancelled')"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE job_id = jobs.id)"
)


class CopyFailed(StartupError):
    """A database could not be copied or looked through; the text says why."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A file that a row names: *path* is below the data directory, *sha256* in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database has. *newest* is the moment of its last event, 0 when it has none."""

    revision: str
    epoch: str
    rows: dict[str, int]
    files: list[Expected]
    newest: float


@dataclass(frozen=True, slots=True)
class Broken:
    """Promises that a database does not keep, one sentence each: *damage* as a file and in its references, *faults* in
    what its rows say: books that do not balance, events that are missing."""

    damage: list[str]
    faults: list[str]

    @property
    def all(self) -> list[str]:
        return self.damage + self.faults


def never() -> bool:
    """For work that nobody gives up."""
    return False


def copy(database: Path, target: Path, stopped: Stopped = never) -> None:
    """A copy of *database*, checked, durable and its owner's alone: at *target* whole, or not at all.

    Raises:
        CopyFailed: the database is damaged, the disk is full, or the work was given up.
        OSError: the target cannot be written.
    """
    unfinished = target.with_name(f".{target.name}.partial")
    unfinished.unlink(missing_ok=True)
    # An empty file for its owner only, before anything is in it.
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with _reading(database, stopped) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        damage = damage_of(unfinished, stopped)
        if damage:
            raise CopyFailed(
                f"{database} is damaged ({'; '.join(damage[:3])}); restore a backup from before that."
            )
        _sync(unfinished)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync(target.parent)


def damage_of(database: Path, stopped: Stopped = never) -> list[str]:
    """What is wrong with a *database* that nobody writes, as a file and in its references; also rows that break a
    CHECK, such as a state that there is not."""
    with _reading(database, stopped, alone=True) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        if not found:
            found = [
                f"a foreign key leads nowhere: {tuple(row)}"
                for row in connection.execute("PRAGMA foreign_key_check").fetchmany(5)
            ]
    return found


def broken_promises(database: Path) -> Broken:
    """Every promise that a *database* of the newest schema, which nobody writes, does not keep."""
    return Broken(damage_of(database), _faults_of(database))


def _faults_of(database: Path) -> list[str]:
    found: list[str] = []
    with _reading(database, never, alone=True) as connection:
        for complaint, sql in ledger.CHECKS.items():
            found += [f"{complaint}: {row[0]}" for row in connection.execute(f"{sql} LIMIT 3")]
        for complaint, sql in {
            "its events have a gap": _GAPS,
            "it goes on, and no event tells of it": _UNTOLD,
        }.items():
            found += [f"{row[0]}: {complaint}" for row in connection.execute(f"{sql} LIMIT 3")]
    return found


def contents(database: Path) -> Contents:
    """What is in a *database* that nobody writes, of whatever schema of ours.

    Raises:
        CopyFailed: it is no database of ours.
    """
    with _reading(database, never, alone=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if not {"alembic_version", "meta", "jobs", "events"} <= set(tables):
            raise CopyFailed(f"{database} is no database of sora-gateway.")
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        counted = {
            table: int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 - its own names
            for table in sorted(tables)
            if table not in _UNCOUNTED and not table.startswith("sqlite_")
        }
        files = [
            Expected(f"media/{path}", size, sha256)
            for path, size, sha256 in connection.execute(
                "SELECT path, size, sha256 FROM assets ORDER BY path"
            )
        ]
        if "reference_images" in tables:
            saved = connection.execute("SELECT path, size, sha256 FROM reference_images ORDER BY path")
            files += [Expected(f"references/{path}", size, sha256) for path, size, sha256 in saved]
        newest = connection.execute("SELECT max(at) FROM events").fetchone()[0]
    return Contents(
        str(revision[0]) if revision else "", epoch[0] if epoch else "", counted, files, newest or 0.0
    )


def quick_check(database: Path, clock: Clock, seconds: float = 1.0) -> None:
    """Looks through *database* before it is opened, for so many *seconds* at most.

    Raises:
        StartupError: it is damaged.
    """
    end = clock.monotonic() + seconds
    try:
        with closing(_opened(f"{database.resolve().as_uri()}?mode=ro")) as connection:
            connection.set_progress_handler(lambda: int(clock.monotonic() > end), _STEPS)
            found = [row[0] for row in connection.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        if _code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            # It is large, and what was seen is whole; or it cannot be looked at now, which is no damage.
            return
        found = [str(error)]
    if found:
        raise StartupError(
            f"{database} is damaged ({'; '.join(found)}); nothing was changed. Restore a backup, or repair a copy of it"
            " with SQLite's `.recover`."
        )


@contextmanager
def _reading(database: Path, stopped: Stopped, *, alone: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; *alone* says that nobody else has the file, which then gets no companions."""
    uri = f"{database.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        with closing(_opened(uri)) as connection:
            connection.set_progress_handler(lambda: int(stopped()), _STEPS)
            yield connection
    except sqlite3.Error as error:
        if _code(error) == sqlite3.SQLITE_INTERRUPT:
            raise CopyFailed("The work was given up because the gateway is stopping.") from None
        if _code(error) == sqlite3.SQLITE_FULL:
            raise CopyFailed("The disk is full; nothing was kept.") from None
        raise CopyFailed(f"{database} cannot be read or copied ({error}).") from None


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's own, without its finer distinctions; Python's complaints have none."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _opened(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
