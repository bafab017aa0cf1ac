"""Rows and files held against each other, a part at a time: what is on the disk that no row has, and the reverse."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sora_gateway.clock import Clock
from sora_gateway.core.asset import StoredFile
from sora_gateway.errors import Conflict
from sora_gateway.media.files import MEDIA_TYPES
from sora_gateway.media.inventory import SHARDS, Inventory, Seen
from sora_gateway.store import Store
from sora_gateway.store.removed_files import Missed
from sora_gateway.store.upkeep import FileRow
from sora_gateway.supervisor.removing import Remover

YOUNG = 3600.0
"""Seconds for which a file without a row is nobody's fault: its row may be on the way."""
ROWS = 500
"""Rows that are held against the disk in one step."""
SAMPLE = 2000
"""Files by which is judged whether most are missing; with fewer than that all of them."""
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
    BACK = "back"
    """A file that was written down as missing and is there again."""


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a walk is to do. It only looks, unless *repair*: then orphans are removed, what is missing is written down as
    gone, and what was so written down and is there again, byte for byte, is given back. What has the wrong size or hash
    stays for a person to look at."""

    hashes: bool = False
    """Whether every file is read and its hash compared; of what is given back it is anyway."""
    repair: bool = False
    even_if_most_are_missing: bool = False
    """Without it nothing is removed or written down as gone while more than half of the files are not there."""


LOOK = Wanted()


class Reconciler:
    """Takes the walk, a part at a time."""

    def __init__(self, store: Store, inventory: Inventory, remover: Remover, clock: Clock) -> None:
        self._store = store
        self._inventory = inventory
        self._remover = remover
        self._clock = clock

    async def step(self, after: str = "", wanted: Wanted = LOOK, *, shards: int = _SHARDS_AT_ONCE) -> Step:
        """Looks at the part that follows *after*: first *shards* of the directories, then :data:`ROWS` rows at a time.

        Raises:
            ValueError: *after* is not what a step gave.
            Conflict: a repair is asked for, and most files are missing.
            OSError: the disk is failing.
        """
        kind, _, place = after.partition(":")
        if kind in ("", "files"):
            number, _, passed = place.partition("/")
            return await self._files(int(number or 0), passed, shards, wanted)
        if kind != "rows":
            raise ValueError("no part of a walk")
        job_id, _, variant = place.partition("/")
        return await self._rows((job_id, variant), wanted)

    async def _beware(self, wanted: Wanted) -> None:
        """Before anything goes: a disk that is not mounted, or another one, looks as if most had been lost."""
        if wanted.even_if_most_are_missing:
            return
        paths = await self._store.upkeep.some_paths(SAMPLE)
        missing = (await self._inventory.sizes(paths)).count(None)
        if missing * 2 > len(paths):
            raise Conflict(
                f"Most of the stored files are not there ({missing} of {len(paths)} looked at); is the right disk mounted?"
                " Nothing was repaired after this. If they are really lost, add --even-if-most-are-missing."
            )

    # --- from files to rows ------------------------------------------------------------------------

    async def _files(self, first: int, passed: str, shards: int, wanted: Wanted) -> Step:
        end = min(first + shards, SHARDS)
        files = [file for number in range(first, end) for file in await self._inventory.shard(number)]
        seen = sorted((file for file in files if file.path > passed), key=lambda file: file.path)
        strays = await self._strays(seen)
        missed = await self._store.upkeep.missed(sorted({file.job_id for file in strays}))
        back = {file.path: missed[_key(file)] for file in strays if _key(file) in missed}
        part = _first(seen, back if wanted.hashes or wanted.repair else {})
        covered = {file.path for file in part}
        strays = [file for file in strays if file.path in covered]
        findings = await self._orphans([file for file in strays if file.path not in back], wanted)
        findings += await self._back([file for file in strays if file.path in back], back, wanted)
        if len(part) < len(seen):
            return Step(len(part), 0, findings, f"files:{int(part[-1].path[:2], 16)}/{part[-1].path}")
        return Step(len(part), 0, findings, f"files:{end}" if end < SHARDS else "rows:")

    async def _strays(self, seen: Sequence[Seen]) -> list[Seen]:
        """Those that no row has, and no job that is being made."""
        job_ids = sorted({file.job_id for file in seen})
        # In this order: a job that ends in between has its rows then.
        being_made = await self._store.upkeep.unfinished_among(job_ids)
        known = {row.path for row in await self._store.upkeep.files_of(job_ids, _ALL)}
        return [file for file in seen if file.job_id not in being_made and file.path not in known]

    async def _orphans(self, strays: Sequence[Seen], wanted: Wanted) -> list[Finding]:
        old = [file for file in strays if file.modified_at < self._clock.now() - YOUNG]
        if old and wanted.repair:
            await self._beware(wanted)
            await self._inventory.remove([file.path for file in old])
        return [Finding(Fault.ORPHAN, file.job_id, file.path, file.size, wanted.repair) for file in old]

    async def _back(
        self, strays: Sequence[Seen], back: Mapping[str, Missed], wanted: Wanted
    ) -> list[Finding]:
        """What was missing and is there again; given back where that is wanted and it is what it was."""
        faults: dict[Seen, Fault] = {}
        given: dict[str, list[StoredFile]] = {}
        for file in strays:
            fault = faults[file] = await self._fault_of(file, back[file.path], wanted)
            if fault is Fault.BACK and wanted.repair:
                variant, media_type = Path(file.path).stem, MEDIA_TYPES[Path(file.path).suffix]
                stored = StoredFile(variant, file.path, media_type, file.size, back[file.path].sha256)
                given.setdefault(file.job_id, []).append(stored)
        repaired = {
            job_id for job_id, files in given.items() if await self._remover.note_found(job_id, files)
        }
        return [
            Finding(fault, file.job_id, file.path, file.size, fault is Fault.BACK and file.job_id in repaired)
            for file, fault in faults.items()
        ]

    async def _fault_of(self, file: Seen, known: Missed, wanted: Wanted) -> Fault:
        if file.size != known.size:
            return Fault.SIZE
        if wanted.hashes or wanted.repair:
            return Fault.BACK if await self._inventory.sha256(file.path) == known.sha256 else Fault.HASH
        return Fault.BACK

    # --- from rows to files ------------------------------------------------------------------------

    async def _rows(self, after: tuple[str, str], wanted: Wanted) -> Step:
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
            elif wanted.hashes:
                hashed += size
                if await self._inventory.sha256(row.path) not in (row.sha256, None):
                    findings.append(Finding(Fault.HASH, row.job_id, row.path, size))
                if hashed > HASHED:
                    break
        if missing:
            findings += await self._missing(missing, wanted)
        done = looked == len(rows) < ROWS
        last = rows[looked - 1] if looked else None
        next_part = None if done or last is None else f"rows:{last.job_id}/{last.variant}"
        return Step(0, looked, findings, next_part)

    async def _missing(self, suspects: Sequence[FileRow], wanted: Wanted) -> list[Finding]:
        """Those that are really missing: a job may have lost its files in the ordinary way since the rows were read."""
        rows = await self._store.upkeep.files_of(sorted({row.job_id for row in suspects}), _ALL)
        paths = {row.path for row in suspects}
        again = [row for row in rows if row.path in paths]
        sizes = await self._inventory.sizes([row.path for row in again])
        missing = [row for row, size in zip(again, sizes, strict=True) if size is None]
        if missing and wanted.repair:
            await self._beware(wanted)
        repaired = set()
        for job_id in sorted({row.job_id for row in missing if row.ended}) if wanted.repair else ():
            variants = [row.variant for row in missing if row.job_id == job_id]
            if await self._remover.note_missing(job_id, variants):
                repaired.add(job_id)
        return [
            Finding(Fault.MISSING, row.job_id, row.path, row.size, row.job_id in repaired) for row in missing
        ]


def _key(file: Seen) -> tuple[str, str]:
    """The (job, variant) that a stored file of that name would have; of another name no job's."""
    name = Path(file.path)
    return (file.job_id, name.stem if name.suffix in MEDIA_TYPES else "")


def _first(seen: Sequence[Seen], read: Container[str]) -> Sequence[Seen]:
    """As many of *seen* as are enough for a step that reads those of the paths *read*."""
    size = 0
    for count, file in enumerate(seen, 1):
        size += file.size if file.path in read else 0
        if size > HASHED:
            return seen[:count]
    return seen


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
