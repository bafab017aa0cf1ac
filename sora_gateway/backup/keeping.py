"""A directory of backups: what they are called, which one is the newest, and which ones have had their time."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sora_gateway.backup.manifest import MANIFEST
from sora_gateway.errors import StartupError

PARTIAL = ".partial"
AHEAD = 60.0
"""Seconds by which a clock that is right may have been ahead."""
_NAME = re.compile(r"sora-gateway-(\d{8}T\d{6}Z)(?:-(\d{1,4}))?")
_LEFT = re.compile(rf"\.{_NAME.pattern}{re.escape(PARTIAL)}")


def backups(directory: Path) -> list[Path]:
    """The finished backups in *directory*, oldest first by their names. Raises OSError."""
    found = [
        (match[1], int(match[2] or 1), path)
        for path in (directory.iterdir() if directory.is_dir() else ())
        if (match := _NAME.fullmatch(path.name)) and (path / MANIFEST).is_file()
    ]
    return [path for _, _, path in sorted(found)]


def latest(directory: Path, now: float) -> float | None:
    """When the newest of :func:`backups` was begun, in seconds since the epoch; None when there is none.

    What claims to be from after *now* was made by a clock that was ahead, nobody knows when. Raises OSError.
    """
    moments = [_moment(path) for path in backups(directory)]
    return max((moment for moment in moments if moment <= now + AHEAD), default=None)


def _moment(backup: Path) -> float:
    """What the name says."""
    stamp = backup.name.removeprefix("sora-gateway-")[:16]
    try:
        return datetime.strptime(f"{stamp}+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
    except ValueError:
        return float("inf")  # no date: it was given by somebody else


def free_name(directory: Path, moment: float) -> str:
    """A name for the backup of *moment* that nothing in *directory* has."""
    name = f"sora-gateway-{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%SZ}"
    number, found = 1, name
    while (directory / found).exists():
        number += 1
        found = f"{name}-{number}"
    return found


@contextmanager
def taken(directory: Path) -> Iterator[None]:
    """Makes *directory* if need be, and holds it: one backup at a time. What a killed one left is removed.

    Raises:
        StartupError: another backup is being made there, or it cannot be written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(
            f"Backups cannot be written to {directory} ({error.strerror}); choose another directory."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StartupError(f"Another backup is being made in {directory}; wait for it.") from None
    try:
        for path in directory.iterdir():
            if _LEFT.fullmatch(path.name):
                shutil.rmtree(path)
        yield
    finally:
        os.close(descriptor)


def remove_older(directory: Path, keep: int, newest: Path) -> list[Path]:
    """Removes all but *newest*, which has just been made, and *keep* - 1 others of *directory*, which is :func:`taken`;
    returns those removed."""
    made = backups(directory)
    # What claims to be younger was made by a clock that was ahead, so it is older.
    end = made.index(newest) + 1
    old = [*made[end:], *made[:end]][:-keep]
    for path in old:
        # Half of one must not look like a backup, however this ends.
        doomed = path.with_name(f".{path.name}{PARTIAL}")
        path.rename(doomed)
        shutil.rmtree(doomed)
    return old
