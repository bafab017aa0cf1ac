"""Backups for tests: one that is made here and now, and what must be true of one that was put back."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from sora_gateway.backup.making import Made, make
from sora_gateway.backup.restoring import Restored, Restoring
from sora_gateway.backup.verifying import verified
from sora_gateway.clock import Clock, SystemClock
from sora_gateway.entropy import SystemEntropy
from sora_gateway.places import DataDirectory
from sora_gateway.store.snapshot import broken_promises
from tests.stores import MIGRATIONS

MOMENT = 1_800_000_000.0


def backed_up(data: Path, directory: Path, moment: float = MOMENT, *, keep: int = 0) -> Made:
    """A new backup of *data*, as the command makes it."""
    return make(DataDirectory(data), directory, moment, "0.0.test", keep=keep)


def complaints(backup: Path) -> list[str]:
    """What `restore --verify` says of it."""
    return verified(backup, MIGRATIONS).complaints


def put_back(
    backup: Path,
    data: Path,
    *,
    replace: bool = False,
    resume_queued: bool = False,
    despite_faults: bool = False,
    clock: Clock | None = None,
) -> Restored:
    """*backup* in *data*, as the command restores it."""
    restoring = Restoring(DataDirectory(data), MIGRATIONS, clock or SystemClock(), SystemEntropy())
    return restoring.run(backup, replace=replace, resume_queued=resume_queued, despite_faults=despite_faults)


def whole(data: Path) -> list[str]:
    """What is wrong with a data directory that nobody uses: its database, and every file that is named there."""
    with closing(sqlite3.connect(data / "gateway.db")) as connection:
        # Whoever was killed left commits beside it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        rows = connection.execute("SELECT path, size, sha256 FROM assets").fetchall()
    found = broken_promises(data / "gateway.db").all
    for path, size, sha256 in rows:
        file = data / "media" / path
        if not file.is_file():
            found.append(f"{path} is not there")
        elif (len(file.read_bytes()), hashlib.sha256(file.read_bytes()).hexdigest()) != (size, sha256):
            found.append(f"{path} is not what was stored")
    return found


def files_in(directory: Path) -> dict[str, bytes]:
    """Every file below *directory*, by its path there; the lock says who was here last, and nothing else."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
