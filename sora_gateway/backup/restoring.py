"""Puts a backup back. What it must not do is pay again for what the gateway paid for after the backup was taken.

So unless somebody says that the old gateway never ran after it, every job that was waiting or being sent is taken for
one whose answer was lost, and nothing of before is bought again by itself (``supervisor/reconciling.py``).

Everything is made ready in a directory beside; the old files then move aside and the new ones in. Nothing is deleted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.backup import manifest
from sora_gateway.backup.files import account_of, copied, given_to, measured, sync_tree
from sora_gateway.backup.making import Say
from sora_gateway.backup.manifest import DATABASE, Entry
from sora_gateway.backup.verifying import promises_of
from sora_gateway.clock import Clock
from sora_gateway.core import job as j
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.job import Job, State
from sora_gateway.core.money import OnCancel
from sora_gateway.entropy import Entropy
from sora_gateway.errors import StartupError
from sora_gateway.media.files import sync_directory
from sora_gateway.places import DataDirectory
from sora_gateway.store import Store, audit, schema, snapshot
from sora_gateway.store.jobs import Answered, Intent
from sora_gateway.store.lock import LOCK, DataLock
from sora_gateway.supervisor.recorder import Recorder

SIDE_FILES = ("gateway.db-wal", "gateway.db-shm")
REASON = "it was restored from a backup and may have been sent after that"


@dataclass(frozen=True, slots=True)
class Source:
    """What is put back: a whole backup, or the copy of a database alone, with the moment it is from."""

    directory: Path
    files: tuple[Entry, ...]
    moment: float
    places: frozenset[str]
    """What it replaces in a data directory, besides the database."""


@dataclass(frozen=True, slots=True)
class Restored:
    """*held* jobs wait for a person now, *sessions* were ended; the old files are at *asides*: the one in the
    data directory first, if there were any, and one on each other disk that they were on. *faults* is what the database says wrongly, if it was put back all the same."""

    moment: str
    held: int
    sessions: int
    asides: tuple[Path, ...]
    faults: list[str]


@dataclass(frozen=True, slots=True)
class _Anew:
    """What became of the database: jobs that were held, sessions that ended, names of the files that it has."""

    held: int
    sessions: int
    known: set[str]


class Restoring:
    """One restore into the data directory *places*; *migrations* are this program's. Blocks."""

    def __init__(
        self,
        places: DataDirectory,
        migrations: Path,
        clock: Clock,
        entropy: Entropy,
        say: Say = lambda _: None,
    ) -> None:
        self._places = places
        self._migrations = migrations
        self._clock = clock
        self._entropy = entropy
        self._say = say

    def run(
        self, backup: Path, *, replace: bool, resume_queued: bool, despite_faults: bool = False
    ) -> Restored:
        """Puts *backup* in the place of what is there, if *replace*; with *resume_queued* jobs go on that waited, with
        *despite_faults* its rows may say what the gateway never would. What is damaged is never put back.

        Raises:
            DataDirectoryInUse: a gateway runs on the data directory.
            StartupError: it cannot be restored; what was there is there.
        """
        source = _source(backup)
        self._places.make()
        with DataLock(self._places.root):
            there = self._in_the_way(source)
            if there and not replace:
                raise StartupError(
                    f"{self._places.root} is not empty; --replace moves what is there aside and deletes nothing."
                )
            staged = self._places.root / f"{schema.RESTORING}.partial"
            shutil.rmtree(staged, ignore_errors=True)
            try:
                self._room_for(source)
                faults = self._stage(source, staged)
                if faults and not despite_faults:
                    raise StartupError(
                        f"The backup's database is not right ({'; '.join(faults[:3])}). Take another one; if there is none,"
                        " --despite-faults puts it back as it is."
                    )
                anew = asyncio.run(self._anew(source, staged / DATABASE, resume_queued))
                self._give(staged)
                sync_tree(staged)
                asides = self._put_in_place(source, staged, anew.known)
                # What else this has made: the lock, which a gateway opens, and where the old files are.
                self._give(self._places.root / LOCK, *asides)
            except OSError as error:
                raise StartupError(f"The restore did not succeed ({error.strerror or error}).") from None
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        return Restored(manifest.stamped(source.moment), anew.held, anew.sessions, asides, faults)

    # --- before anything is changed ----------------------------------------------------------------

    def _in_the_way(self, source: Source) -> list[Path]:
        names = (DATABASE, *SIDE_FILES, *sorted(source.places), schema.RESTORING)
        return [path for name in names if (path := self._places.root / name).exists()]

    def _room_for(self, source: Source) -> None:
        free = shutil.disk_usage(self._places.root).free
        needed = sum(entry.size for entry in source.files)
        if needed > free:
            raise StartupError(
                f"There is no room in {self._places.root}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free."
            )

    def _stage(self, source: Source, staged: Path) -> list[str]:
        """Copies everything, and compares what was copied with what was saved; returns the database's faults."""
        self._say(f"copying {len(source.files)} files")
        for place in ("", *source.places):
            (staged / place).mkdir(mode=0o700)
        for entry in source.files:
            target = staged / entry.path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                found = copied(source.directory / _name_in(source, entry), target, snapshot.never)
            except FileNotFoundError:
                raise StartupError(
                    f"The backup is damaged: {entry.path} is not there. Take another one."
                ) from None
            if found != (entry.size, entry.sha256):
                raise StartupError(
                    f"The backup is damaged: {entry.path} is not what was saved. Take another one."
                )
        self._say("checking the database")
        promises = promises_of(staged / DATABASE, self._migrations)
        if promises.damage:
            raise StartupError(
                f"The backup's database is not whole ({'; '.join(promises.damage[:3])}). Take another one."
            )
        return promises.faults

    def _give(self, *paths: Path) -> None:
        """What root writes for a gateway that runs under another account must be that account's."""
        root = self._places.root
        account = account_of(root)
        if account is None:
            return
        try:
            for path in paths:
                given_to(account, path)
        except OSError as error:  # as on a disk that does not let root
            self._say(
                f"what is written stays root's ({error.strerror}); give {root} to the gateway's account before it starts"
            )

    # --- the database ------------------------------------------------------------------------------

    async def _anew(self, source: Source, database: Path, resume_queued: bool) -> _Anew:
        """Makes the staged database fit to be served."""
        now = self._clock.now()
        epoch = self._entropy.new_id("epoch")[-16:]
        copy = schema.prepare(database, self._migrations, now, epoch)
        if copy is not None:
            shutil.rmtree(copy.parent)  # the backup is that copy
        async with Store(database, lambda _: None) as store:
            # None of these events has to do with money.
            recorder = Recorder(store, self._clock, OnCancel.SETTLE)
            held = []
            if not resume_queued:
                unfinished = await store.unfinished()
                held = [job for job in unfinished if job.state in (State.QUEUED, State.SUBMITTING)]
                await asyncio.gather(*(self._hold(recorder, job, source.moment, now) for job in held))
            said = f"of {manifest.stamped(source.moment)}, {len(held)} jobs held"
            entry = audit.entry(COMMAND_LINE, now, "gateway.restore", "gateway", said)
            sessions = await store.begin_anew(epoch, entry, last_word=resume_queued)
            jobs, images = await store.kept_jobs(), await store.reference_paths()
        known = {*jobs, *(Path(image).name for image in images)}
        return _Anew(len(held), sessions, known)

    async def _hold(self, recorder: Recorder, job: Job, moment: float, now: float) -> None:
        """What was waiting may have been sent right after the backup, what was being sent may have been sent again."""
        if job.state is State.QUEUED:
            sent = j.Claimed(max(moment, job.created_at))
            job = await recorder.record(job, sent, Intent(self._entropy.new_id("attempt")))
        await recorder.record(job, j.AnswerLost(now, REASON), Answered("unknown", detail=REASON))

    # --- the change --------------------------------------------------------------------------------

    def _put_in_place(self, source: Source, staged: Path, known: set[str]) -> tuple[Path, ...]:
        """From the renaming on nobody can start before this has succeeded: a gateway would begin with half of it."""
        root = self._places.root
        ready = root / schema.RESTORING
        old = [path for path in self._in_the_way(source) if path != ready]
        if not source.places:
            # The next start would sweep away what its database does not name, and some of it was paid for.
            old += [
                path
                for place in (self._places.media, self._places.references)
                for path in place.glob("[0-9a-f][0-9a-f]/*")
                if path.name not in known
            ]
        _refuse_disks(old)
        interrupted = ready.exists()
        _make_ready(staged, ready)
        sync_directory(root)
        aside = self._aside()
        asides: dict[Path, None] = {}
        moved: list[tuple[Path, Path]] = []

        def move(path: Path, target: Path) -> None:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.rename(target)
            moved.append((path, target))

        def move_aside(path: Path) -> None:
            within = path.relative_to(root)
            asides[aside] = None
            try:
                move(path, aside / within)
            except OSError as error:
                if error.errno != errno.EXDEV or len(within.parts) == 1:
                    raise
                # The files have a disk of their own: there, where neither a gateway nor a sweep looks.
                beside = root / within.parts[0] / aside.name
                asides[beside] = None
                move(path, beside.joinpath(*within.parts[1:]))

        try:
            for path in old:
                move_aside(path)
            for path in sorted(ready.iterdir()):
                move(path, root / path.name)
            sync_directory(root)
        except OSError:
            # What was there is there again; of half a restore before it stays said that it is half of one.
            for path, target in reversed(moved):
                target.rename(path)
            if not interrupted:
                ready.rename(staged)
            raise
        ready.rmdir()
        sync_directory(root)
        return tuple(asides)

    def _aside(self) -> Path:
        stamp = manifest.stamped(self._clock.now()).replace(":", "").replace("-", "")[:15]
        number, found = 1, self._places.root / f"replaced-{stamp}"
        while found.exists():
            number += 1
            found = found.with_name(f"replaced-{stamp}-{number}")
        return found


def _refuse_disks(paths: list[Path]) -> None:
    """A disk of its own cannot be moved aside."""
    for path in paths:
        if path.is_mount():
            raise StartupError(
                f"{path} is a disk of its own and cannot be moved aside; restore into a new --data-dir, then move the"
                " files there."
            )


def _make_ready(staged: Path, ready: Path) -> None:
    """Gives *staged* the name *ready*, which does not go away for a moment: where it is there already, from a restore
    that was interrupted, the data directory is half of something."""
    if not ready.exists():
        staged.rename(ready)
        return
    for path in ready.iterdir():  # copies of a backup
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in sorted(staged.iterdir()):
        path.rename(ready / path.name)


def _source(backup: Path) -> Source:
    """A backup by its directory, or the copy of a database by its file. Raises StartupError."""
    if backup.is_dir():
        found = manifest.read(backup)
        places = {"media", "references", *(["secrets"] if found.secrets else [])}
        return Source(backup, found.files, found.moment, frozenset(places))
    if not backup.is_file():
        raise StartupError(f"There is no backup at {backup}.")
    if (beside := backup.with_name(f"{backup.name}-wal")).exists() and beside.stat().st_size:
        raise StartupError(
            f"{backup} is a database that is in use or was not closed ({beside.name} is beside it); copy it with"
            " `sora-gateway backup`."
        )
    contents = snapshot.contents(backup)
    size, sha256 = measured(backup)
    # Nothing tells when it was made; whatever it does not know was done after the last that it knows.
    return Source(backup, (Entry(DATABASE, size, sha256),), contents.newest, frozenset())


def _name_in(source: Source, entry: Entry) -> str:
    """Where the file is below the source; a source that is a file is the database itself."""
    return entry.path if source.directory.is_dir() else os.curdir
