"""Files of a backup: linked, copied with their hash, and on the disk before anybody relies on them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from sora_gateway.errors import StartupError
from sora_gateway.media.files import sync_directory
from sora_gateway.store.snapshot import Stopped, never

CHUNK = 1 << 20


def link(source: Path, target: Path) -> bool:
    """Whether *target* is now another name of *source*; not every file system can, and no two disks."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        return False
    return True


def copied(source: Path, target: Path, stopped: Stopped) -> tuple[int, str]:
    """Copies a file into a new one, its owner's alone and durable; returns its size and its hash.

    Raises:
        StartupError: the work was given up.
        OSError: it cannot be read or written.
    """
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as sink:
            found = _through(file.read, sink.write, stopped)
            sink.flush()
            os.fsync(descriptor)
    return found


def measured(path: Path, stopped: Stopped = never) -> tuple[int, str]:
    """Size and hash of a file. Raises OSError."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return _through(file.read, lambda _: None, stopped)


def _through(
    read: Callable[[int], bytes], write: Callable[[bytes], object], stopped: Stopped
) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while chunk := read(CHUNK):
        go_on(stopped)
        size += len(chunk)
        digest.update(chunk)
        write(chunk)
    return size, digest.hexdigest()


def write(path: Path, data: bytes) -> None:
    """A new file, its owner's alone and durable. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def go_on(stopped: Stopped) -> None:
    """Raises StartupError when the work is to be given up."""
    if stopped():
        raise StartupError("The work was given up because the gateway is stopping.")


def sync_tree(root: Path, stopped: Stopped = never) -> None:
    """Every name below *root* outlives a power cut.

    Raises:
        StartupError: the work was given up.
        OSError: the disk is failing.
    """
    for directory, _, _ in os.walk(root):
        go_on(stopped)
        sync_directory(Path(directory))


def account_of(directory: Path) -> tuple[int, int] | None:
    """Whose a *directory* is (user, group), where root works in that of somebody else; else None. Raises OSError."""
    status = directory.stat()
    return (status.st_uid, status.st_gid) if os.geteuid() == 0 != status.st_uid else None


def given_to(account: tuple[int, int], path: Path) -> None:
    """*path* and all below it is *account*'s from now on. Raises OSError."""
    os.chown(path, *account, follow_symlinks=False)
    # By descriptors: that account may exchange a name meanwhile for a link to what is not its own.
    for _, directories, names, descriptor in os.fwalk(path):
        for name in (*directories, *names):
            os.chown(name, *account, dir_fd=descriptor, follow_symlinks=False)
