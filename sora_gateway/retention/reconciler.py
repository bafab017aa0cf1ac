"""Rows and files held against each other, a part at a time: what is on the disk that no row has, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sora_gateway.clock import Clock
from sora_gateway.errors import Conflict
from sora_gateway.media.inventory import SHARDS, Inventory, Seen
from sora_gateway.store import Store
from sora_gateway.store.upkeep import FileRow
from sora_gateway.supervisor.removing import Remover

YOUNG = 3600.0
"""Seconds for which a file without a row is nobody's fault: its row may be on the way."""
ROWS = 500
"""Rows that are held against the disk in one step."""
HASHED = 1 << 30
"""Bytes after which a step that hashes ends: a command waits for each step."""
_ALL = 1_000_000
_SHARDS_AT_ONCE = 16


class Fault(StrEnum):
    ORPHAN = "orphan"
    """A file that no row has."""
    MISSING = "missing"
    """A row whose file is not there."""
    SIZE = "size"
    """A file that is not as long as its row says."""
    HASH = "hash"
    """A file that is as long as it should be, with something else in it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. *size* in bytes: the file's, or of a missing one what it should be."""

    fault: Fault
    job_id: str
    path: str
    size: int
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a part came to. *after* is where to go on; None at the end of everything."""

    files: int
    rows: int
    findings: list[Finding]
    after: str | None


class Reconciler:
    """Only looks, unless it is told to repair: then orphans are removed, and what is missing is written down as gone.
    What has the wrong size or hash stays for a person to look at, and so does what was missing and is there again: the
    disk may have been another one."""

    def __init__(self, store: Store, inventory: Inventory, remover: Remover, clock: Clock) -> None:
        self._store = store
        self._inventory = inventory
        self._remover = remover
        self._clock = clock

    async def step(
        self, after: str = "", *, hashes: bool = False, repair: bool = False, shards: int = _SHARDS_AT_ONCE
    ) -> Step:
        """Looks at the part that follows *after*: first *shards* of the directories, then :data:`ROWS` rows at a time.

        Raises:
            ValueError: *after* is not what a step gave.
            Conflict: there are rows, not one file, and a repair is asked for.
            OSError: the disk is failing.
        """
        kind, _, place = after.partition(":")
        if kind in ("", "files"):
            return await self._files(int(place or 0), shards, repair)
        if kind != "rows":
            raise ValueError("no part of a walk")
        job_id, _, variant = place.partition("/")
        return await self._rows((job_id, variant), hashes, repair)

    # --- from files to rows ------------------------------------------------------------------------

    async def _files(self, first: int, shards: int, repair: bool) -> Step:
        end = min(first + shards, SHARDS)
        seen = [file for number in range(first, end) for file in await self._inventory.shard(number)]
        orphans = await self._orphans(seen)
        going: set[str] = set()
        if repair:
            missed = await self._store.upkeep.noted_missing(sorted({file.job_id for file in orphans}))
            going = {file.path for file in orphans if (file.job_id, Path(file.path).stem) not in missed}
            await self._inventory.remove(sorted(going))
        findings = [
            Finding(Fault.ORPHAN, file.job_id, file.path, file.size, file.path in going) for file in orphans
        ]
        return Step(len(seen), 0, findings, f"files:{end}" if end < SHARDS else "rows:")

    async def _orphans(self, seen: Sequence[Seen]) -> list[Seen]:
        old = [file for file in seen if file.modified_at < self._clock.now() - YOUNG]
        job_ids = sorted({file.job_id for file in old})
        # In this order: a job that ends in between has its rows then.
        being_made = await self._store.upkeep.unfinished_among(job_ids)
        known = {row.path for row in await self._store.upkeep.files_of(job_ids, _ALL)}
        return [file for file in old if file.job_id not in being_made and file.path not in known]

    # --- from rows to files ------------------------------------------------------------------------

    async def _rows(self, after: tuple[str, str], hashes: bool, repair: bool) -> Step:
        rows = await self._store.upkeep.file_rows(after, ROWS)
        sizes = await self._inventory.sizes([row.path for row in rows])
        findings, looked, hashed = [], 0, 0
        missing: list[FileRow] = []
        for row, size in zip(rows, sizes, strict=True):
            looked += 1
            if size is None:
                missing.append(row)
            elif size != row.size:
                findings.append(Finding(Fault.SIZE, row.job_id, row.path, size))
            elif hashes:
                hashed += size
                if await self._inventory.sha256(row.path) not in (row.sha256, None):
                    findings.append(Finding(Fault.HASH, row.job_id, row.path, size))
                if hashed > HASHED:
                    break
        if missing:
            findings += await self._missing(missing, repair)
        done = looked == len(rows) < ROWS
        last = rows[looked - 1] if looked else None
        next_part = None if done or last is None else f"rows:{last.job_id}/{last.variant}"
        return Step(0, looked, findings, next_part)

    async def _missing(self, suspects: Sequence[FileRow], repair: bool) -> list[Finding]:
        """Those that are really missing: a job may have lost its files in the ordinary way since the rows were read."""
        rows = await self._store.upkeep.files_of(sorted({row.job_id for row in suspects}), _ALL)
        paths = {row.path for row in suspects}
        again = [row for row in rows if row.path in paths]
        sizes = await self._inventory.sizes([row.path for row in again])
        missing = [row for row, size in zip(again, sizes, strict=True) if size is None]
        if missing and repair and await self._inventory.is_empty():
            raise Conflict(
                "Not one of the stored files is there; is the disk mounted? Nothing was repaired after this."
            )
        repaired = set()
        for job_id in sorted({row.job_id for row in missing if row.ended}) if repair else ():
            variants = [row.variant for row in missing if row.job_id == job_id]
            if await self._remover.note_missing(job_id, variants):
                repaired.add(job_id)
        return [
            Finding(Fault.MISSING, row.job_id, row.path, row.size, row.job_id in repaired) for row in missing
        ]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a whole walk came to. *ended_at* in epoch seconds."""

    ended_at: float
    files: int
    rows: int
    faults: dict[Fault, int]


class SlowWalk:
    """The same walk at the pace of housekeeping: one part at a time, only looking."""

    def __init__(self, reconciler: Reconciler, clock: Clock) -> None:
        self._reconciler = reconciler
        self._clock = clock
        self._begin()
        self.last: Tally | None = None
        """The latest whole walk; None before the first one."""

    def _begin(self) -> None:
        self._after = ""
        self._files = self._rows = 0
        self._faults = dict.fromkeys(Fault, 0)

    async def stroll(self) -> int:
        """One part of the walk; how many faults it has. Raises OSError."""
        step = await self._reconciler.step(self._after, shards=2)
        self._files += step.files
        self._rows += step.rows
        for finding in step.findings:
            self._faults[finding.fault] += 1
        if step.after is None:
            self.last = Tally(self._clock.now(), self._files, self._rows, self._faults)
            self._begin()
        else:
            self._after = step.after
        return len(step.findings)
