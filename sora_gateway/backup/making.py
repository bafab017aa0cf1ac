"""Makes a backup: a copy of the database first, then the files that it names, then what is needed to read it.

Files of videos never change once they have their name, so a hard link to one is as good as a copy; on another disk
those of the backup before are linked. The whole appears under its name when everything is on the disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.backup import keeping, manifest
from sora_gateway.backup.files import copied, go_on, link, measured, sync_tree, write
from sora_gateway.backup.manifest import DATABASE, Entry, Manifest, NoBackup
from sora_gateway.errors import StartupError
from sora_gateway.media.files import sync_directory
from sora_gateway.places import DataDirectory
from sora_gateway.store import snapshot
from sora_gateway.store.snapshot import Expected, Stopped

ROUNDS = 5
"""Copies of the database at most: a file that is deleted meanwhile makes another one necessary."""
Say = Callable[[str], None]


class _Wrong(Exception):
    """A file is not what its row says."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there. *linked* of its files take no room of their own, *removed* older ones made way."""

    path: Path
    manifest: Manifest
    linked: int
    removed: int

    def summary(self) -> str:
        """One line about it."""
        files = len(self.manifest.files)
        parts = [
            f"{self.path}: {self.manifest.rows['jobs']} jobs, {files} files, {self.manifest.size / 1e6:.1f} MB"
        ]
        if self.linked:
            parts.append(f"{self.linked} of them shared with other copies")
        if self.removed:
            parts.append(f"{self.removed} older removed")
        if self.manifest.missing:
            parts.append(f"{len(self.manifest.missing)} files of the gateway are gone or damaged")
        if self.manifest.secrets:
            parts.append("it holds the gateway's keys: keep it as secret as the data directory")
        return "; ".join(parts) + "."


def make(
    places: DataDirectory,
    directory: Path,
    moment: float,
    version: str,
    *,
    secrets: bool = True,
    keep: int = 0,
    say: Say = lambda _: None,
    stopped: Stopped = snapshot.never,
) -> Made:
    """A new backup of *places* in *directory*; the newest *keep* stay afterwards, 0 keeps all. Blocks.

    *moment* is now, *version* this program's. A gateway may run on the data directory meanwhile, or not.

    Raises:
        StartupError: it could not be made; what was begun is removed, by the next backup if the work was given up.
    """
    directory = directory.resolve()
    _check(places, directory)
    with keeping.taken(directory):
        before = keeping.backups(directory)
        name = keeping.free_name(directory, moment)
        unfinished = directory / f".{name}{keeping.PARTIAL}"
        try:
            unfinished.mkdir(mode=0o700)
            making = _Making(places, unfinished, before[-1] if before else None, stopped, say)
            made = making.all(moment, version, secrets=secrets)
            unfinished.rename(directory / name)
            sync_directory(directory)
        except OSError as error:
            raise StartupError(
                f"The backup could not be made ({error.strerror or error}); what was begun is removed."
            ) from None
        finally:
            # A hundred thousand links take a while to remove; whoever is told to stop leaves them to the next backup.
            if not stopped():
                shutil.rmtree(unfinished, ignore_errors=True)
        removed = keeping.remove_older(directory, keep, directory / name) if keep else []
    return Made(directory / name, made, making.linked, len(removed))


def _check(places: DataDirectory, directory: Path) -> None:
    if not places.database.is_file():
        raise StartupError(f"There is nothing to back up: {places.root} has no database.")
    root = places.root.resolve()
    own = (places.media, places.references, places.secrets, places.scratch, places.simulator)
    if directory == root or any(directory.is_relative_to(each.resolve()) for each in own):
        raise StartupError(
            f"{directory} is a part of the data directory; choose one outside, best on another disk."
        )


class _Making:
    def __init__(
        self, places: DataDirectory, target: Path, before: Path | None, stopped: Stopped, say: Say
    ) -> None:
        self._places = places
        self._target = target
        self._before = before
        self._known = _entries(before)
        self._stopped = stopped
        self._say = say
        self.linked = 0

    def all(self, moment: float, version: str, *, secrets: bool) -> Manifest:
        contents, missing = self._database_and_files()
        entries = [Entry(DATABASE, *measured(self._target / DATABASE, self._stopped))]
        entries += [
            Entry(file.path, file.size, file.sha256) for file in contents.files if file.path not in missing
        ]
        kept = sorted(self._places.secrets.glob("*.key")) if secrets else []
        for key in kept:
            path = f"secrets/{key.name}"
            size, sha256 = copied(key, self._place_for(path), self._stopped)
            entries.append(Entry(path, size, sha256))
        made = Manifest(
            version, contents.revision, manifest.stamped(moment), contents.epoch, bool(kept), contents.rows,
            tuple(entries), tuple(sorted(missing)),
        )  # fmt: skip
        for name, text in manifest.written(made).items():
            write(self._target / name, text)
        sync_tree(self._target, self._stopped)
        return made

    def _database_and_files(self) -> tuple[snapshot.Contents, set[str]]:
        """The copy that names no file that was deleted while the files were gathered, and what is lost for good."""
        there: set[str] = set()
        missing: set[str] = set()
        for _ in range(ROUNDS):
            self._say("copying and checking the database")
            (self._target / DATABASE).unlink(missing_ok=True)
            snapshot.copy(self._places.database, self._target / DATABASE, self._stopped)
            contents = snapshot.contents(self._target / DATABASE)
            self._say(f"gathering {len(contents.files)} files")
            before, missing = missing, set()
            for file in contents.files:
                go_on(self._stopped)
                if file.path in there:
                    continue
                try:
                    self._gather(file)
                    there.add(file.path)
                except (FileNotFoundError, _Wrong):
                    missing.add(file.path)
            if not missing or missing == before:
                break
        for path in there - {file.path for file in contents.files}:
            (self._target / path).unlink()
        return contents, missing

    def _gather(self, file: Expected) -> None:
        target, source = self._place_for(file.path), self._places.root / file.path
        if source.lstat().st_size != file.size or not source.is_file() or source.is_symlink():
            raise _Wrong
        known = self._known.get(file.path)
        older = self._before / file.path if self._before and known == (file.size, file.sha256) else None
        for candidate in (source, older):
            if candidate is not None and link(candidate, target):
                self.linked += 1
                return
        if copied(source, target, self._stopped) != (file.size, file.sha256):
            target.unlink()
            raise _Wrong

    def _place_for(self, path: str) -> Path:
        target = self._target / path
        for step in reversed(target.parents):
            if step.is_relative_to(self._target):
                step.mkdir(mode=0o700, exist_ok=True)
        return target


def _entries(backup: Path | None) -> Mapping[str, tuple[int, str]]:
    """Size and hash of each file of an older backup; empty when there is none that can be read."""
    if backup is None:
        return {}
    try:
        return {entry.path: (entry.size, entry.sha256) for entry in manifest.read(backup).files}
    except NoBackup:
        return {}
