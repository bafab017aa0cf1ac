"""The one writer: a thread that owns the only write connection and all checkpoints.

Callers hand it a unit of work, a function on the open transaction, and await its result. Whatever has
queued up while the previous commit ran shares the next ``BEGIN IMMEDIATE ... COMMIT`` (group commit: it
tunes itself, a lone caller waits for nobody). If one of them fails, all are run again, each in a savepoint
of its own: savepoints cost a fifth of a batch's time and are rarely needed. A caller that is cancelled never reaches the connection: its unit commits or not as if nothing had happened, so units are
idempotent and their results can be read again.

Events that units append are handed to ``on_commit`` on the event loop, in the order of their sequence
numbers, after the commit and before any caller goes on: stored before told.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sora_gateway.clock import Clock, SystemClock
from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.tally import Histogram
from sora_gateway.errors import StorageFailed, StorageFull

log = logging.getLogger(__name__)

T = TypeVar("T")
MAX_BATCH = 512

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    # 16 MiB of log between checkpoints: four times SQLite's default is a tenth more saves a second.
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-32768",
    "PRAGMA mmap_size=0",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)


@dataclass(slots=True)
class Transaction:
    """What a unit of work gets: the open transaction and the place for what is to be told after it."""

    connection: sqlite3.Connection
    events: list[StoredEvent] = field(default_factory=list)

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, parameters)

    def one(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.connection.execute(sql, parameters).fetchone()
        return row


@dataclass(slots=True)
class _Unit:
    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Commits:
    """What the writer's transactions were like; all of it belongs to the event loop."""

    def __init__(self) -> None:
        self.seconds = Histogram((0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5))
        """From ``BEGIN`` to the end of ``COMMIT``."""
        self.units = Histogram((1, 2, 4, 8, 16, 32, 64, 128, 256, MAX_BATCH))
        """Units of work that shared one."""
        self.failed = 0
        """Transactions of which nothing, or not all, could be kept because of the disk."""
        self.failing = False
        """Whether the latest was one of those."""
        self.at = 0.0
        """The end of the latest that was told of, by the monotonic clock."""

    def add(self, began: float, ended: float, units: int, *, failed: bool) -> None:
        self.failing = failed
        self.failed += failed
        self.at = ended
        self.seconds.add(ended - began)
        self.units.add(units)


class Writer:
    """``async with Writer(path, on_commit) as writer``: entering opens the database, leaving drains, takes
    a last checkpoint and closes."""

    def __init__(
        self, path: Path, on_commit: Callable[[list[StoredEvent]], None], clock: Clock | None = None
    ) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self.measured = Commits()
        self._on_commit = on_commit
        self._units: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.commits = 0
        """Transactions so far; fewer than units when callers shared."""

    async def __aenter__(self) -> Writer:
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="sora-gateway writer", daemon=True
        )
        self._thread.start()
        await opened
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._units.put(None)
        assert self._thread is not None
        await asyncio.to_thread(self._thread.join)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """The result of *work*, once it is durable. *work* runs in the writer's thread and must not block.

        Raises:
            StorageFull: the disk is full; nothing was kept.
            StorageFailed: the commit failed or the writer is closed; nothing was kept.
            Exception: whatever *work* raised; nothing of it was kept.
        """
        if self._closing:
            raise StorageFailed("The gateway is stopping; try again in a moment.", retry_after=5)
        future: asyncio.Future[T] = self._loop.create_future()
        self._units.put(_Unit(work, future))
        # A future of our own: cancelling the caller cancels the wait, never the unit.
        return await future

    async def writable(self) -> bool:
        """Whether what is to be kept now can be. Writes something if the latest could not be kept, and only then:
        maybe nobody else comes to find out that there is room again."""
        if not self.measured.failing:
            return True
        try:
            await self.run(_need_room)
        except (StorageFull, StorageFailed):
            return False
        return True

    # --- in the thread ---------------------------------------------------------------------------

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, cached_statements=256)
            connection.row_factory = sqlite3.Row
            for pragma in PRAGMAS:
                connection.execute(pragma).fetchall()
        except sqlite3.Error as error:
            self._loop.call_soon_threadsafe(opened.set_exception, storage_error(error))
            return
        self._loop.call_soon_threadsafe(opened.set_result, None)
        try:
            while batch := self._next_batch():
                began = self._clock.monotonic()
                events = self._commit(connection, batch)
                ended = self._clock.monotonic()
                try:
                    self._loop.call_soon_threadsafe(self._deliver, batch, events, began, ended)
                except RuntimeError:
                    return  # The loop is gone: nobody is left to be told.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            log.warning("the last checkpoint did not succeed: %s", error)
        finally:
            connection.close()

    def _next_batch(self) -> list[_Unit]:
        """Everything that is waiting, at least one; empty when the writer closes."""
        first = self._units.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                unit = self._units.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                self._units.put(None)
                break
            batch.append(unit)
        return batch

    def _commit(self, connection: sqlite3.Connection, batch: list[_Unit]) -> list[StoredEvent]:
        """Runs and commits *batch*; each unit has its result or its error afterwards."""
        # Whatever a unit raises: nothing was kept, and the second run finds out whose it was.
        with contextlib.suppress(BaseException):
            return self._transact(connection, batch, self._together)
        try:
            return self._transact(connection, batch, self._apart)
        except BaseException as error:
            # The transaction itself is gone (disk full, I/O error): the batch fails as one, the thread goes on.
            failure = storage_error(error)
            for unit in batch:
                unit.error = unit.error or failure
            return []

    def _transact(
        self,
        connection: sqlite3.Connection,
        batch: list[_Unit],
        work: Callable[[sqlite3.Connection, list[_Unit]], list[StoredEvent]],
    ) -> list[StoredEvent]:
        """*work* on *batch* in a transaction; whatever it raises, nothing is kept."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            events = work(connection, batch)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits += 1
        return events

    @staticmethod
    def _together(connection: sqlite3.Connection, batch: list[_Unit]) -> list[StoredEvent]:
        transaction = Transaction(connection)
        for unit in batch:
            unit.result = unit.work(transaction)
        return transaction.events

    @staticmethod
    def _apart(connection: sqlite3.Connection, batch: list[_Unit]) -> list[StoredEvent]:
        """If a unit fails, nothing of it stays in the shared transaction, and the others go on."""
        events = []
        for unit in batch:
            transaction = Transaction(connection)
            connection.execute("SAVEPOINT unit")
            try:
                unit.result = unit.work(transaction)
            except BaseException as error:
                # Whatever a unit raises is its caller's to see.
                unit.error = storage_error(error) if isinstance(error, sqlite3.OperationalError) else error
                if not connection.in_transaction:
                    raise
                connection.execute("ROLLBACK TO unit")
            else:
                events += transaction.events
            connection.execute("RELEASE unit")
        return events

    # --- on the loop -----------------------------------------------------------------------------

    def _deliver(self, batch: list[_Unit], events: list[StoredEvent], began: float, ended: float) -> None:
        failed = any(isinstance(unit.error, StorageFull | StorageFailed) for unit in batch)
        self.measured.add(began, ended, len(batch), failed=failed)
        if events:
            self._on_commit(events)
        for unit in batch:
            if unit.future.cancelled():
                continue
            if unit.error is not None:
                unit.future.set_exception(unit.error)
            else:
                unit.future.set_result(unit.result)


def _need_room(tx: Transaction) -> None:
    """Writes some pages, and takes them back: what only changes what is there finds a place on a full disk too."""
    tx.execute("INSERT INTO meta (key, value) VALUES ('room', hex(zeroblob(16384)))")
    tx.execute("DELETE FROM meta WHERE key = 'room'")


def storage_error(error: BaseException) -> StorageFull | StorageFailed:
    """What SQLite's or the system's complaint means to a caller."""
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or (
        isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    )
    log.error("storage: %s", error)
    if full:
        return StorageFull("The gateway's disk is full; free some space and try again.")
    return StorageFailed("The gateway could not store this; nothing was kept. Try again.", retry_after=5)
