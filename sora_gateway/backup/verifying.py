"""Looks through a backup without touching it: every hash, the database's integrity, and what the gateway promises."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.backup import manifest
from sora_gateway.backup.files import measured
from sora_gateway.backup.making import Say
from sora_gateway.backup.manifest import DATABASE, Entry, Manifest
from sora_gateway.errors import StartupError
from sora_gateway.store import schema, snapshot
from sora_gateway.store.snapshot import Broken


@dataclass(frozen=True, slots=True)
class Verdict:
    """*complaints* is every way in which the backup is not what it should be, one sentence each."""

    manifest: Manifest
    complaints: list[str]


def verified(backup: Path, migrations: Path, say: Say = lambda _: None) -> Verdict:
    """What is to be said of *backup*.

    Raises:
        NoBackup: it is none, or its manifest is damaged.
        StartupError: its database is none that this program can bring to its schema.
    """
    found = manifest.read(backup)
    say(f"checking {len(found.files)} files")
    complaints = [complaint for entry in found.files if (complaint := _complaint(backup, entry))]
    complaints += _strangers(backup, found)
    if not any(complaint.startswith(f"{DATABASE} ") for complaint in complaints):
        say("checking the database")
        complaints += _differences(backup / DATABASE, found)
        complaints += promises_of(backup / DATABASE, migrations).all
    return Verdict(found, complaints)


def _complaint(backup: Path, entry: Entry) -> str:
    try:
        size, sha256 = measured(backup / entry.path)
    except OSError as error:
        return f"{entry.path} cannot be read ({error.strerror})"
    if size != entry.size:
        return f"{entry.path} has {size} bytes and should have {entry.size}"
    return "" if sha256 == entry.sha256 else f"{entry.path} is not the file that was saved"


def _strangers(backup: Path, found: Manifest) -> list[str]:
    """What lies among the files of the gateway and is not in the manifest."""
    known = {entry.path for entry in found.files}
    return [
        f"{path} is not in the manifest"
        for place in ("media", "references", "secrets")
        for path in sorted(
            file.relative_to(backup).as_posix() for file in (backup / place).rglob("*") if not file.is_dir()
        )
        if path not in known
    ]


def _differences(database: Path, found: Manifest) -> list[str]:
    """What the manifest says of the database, and the database does not."""
    contents = snapshot.contents(database)
    listed = {(entry.path, entry.size, entry.sha256) for entry in found.files}
    complaints = [
        f"{file.path} is in the database and not in the manifest"
        for file in contents.files
        if (file.path, file.size, file.sha256) not in listed and file.path not in found.missing
    ]
    same = (contents.revision, contents.epoch, contents.rows) == (found.schema, found.epoch, found.rows)
    return complaints if same else [*complaints, "the manifest is that of another database"]


def promises_of(database: Path, migrations: Path) -> Broken:
    """What a *database* does not keep, once it is of this program's schema; an older one is tried in a copy.

    Raises:
        StartupError: it cannot be brought to this program's schema.
    """
    if snapshot.contents(database).revision == schema.HEAD:
        return snapshot.broken_promises(database)
    with tempfile.TemporaryDirectory(prefix="sora-gateway-") as directory:
        trial = Path(directory) / DATABASE
        shutil.copyfile(database, trial)
        trial.chmod(0o600)
        try:
            schema.prepare(trial, migrations, 0.0, "")
        except StartupError as error:
            raise StartupError(str(error).replace(str(trial), str(database))) from None
        return snapshot.broken_promises(trial)
