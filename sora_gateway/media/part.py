"""The beginning of a file that is on its way: appended to, hashed meanwhile, and kept over a restart.

Beside it, in ``<part>.etag``, lies what is needed to go on: which version of the file it is, how long the whole
is, and in which run of this machine it was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Which file the bytes are from: its validator and its declared length."""

    etag: str | None = None
    total: int | None = None


class PartFile:
    """An open part file. Every method blocks and may raise OSError; none is for two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = 0
        self.origin = Origin()
        self._file = -1
        self._hash = hashlib.sha256()
        self._hashed = 0

    def open(self) -> None:
        """Finds what an earlier try left, or begins an empty part."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        remembered = self._remembered()
        if remembered is None:
            os.ftruncate(self._file, 0)
        self.length = os.fstat(self._file).st_size
        self.origin = remembered or Origin()

    @property
    def resumable(self) -> int:
        """How many bytes the next transfer need not bring.

        A file of undeclared length is fetched anew: who declares none does not serve ranges of it either.
        """
        total = self.origin.total
        return self.length if total is not None and self.length <= total else 0

    def start(self, offset: int, origin: Origin) -> None:
        """Keeps the first *offset* bytes; what is appended next follows them and is from *origin*."""
        assert offset <= self.length, "a part has no holes"
        os.ftruncate(self._file, offset)
        os.lseek(self._file, offset, os.SEEK_SET)
        self.length = offset
        self.origin = origin
        self._hash, self._hashed = hashlib.sha256(), 0
        text = json.dumps({**asdict(origin), "boot": _boot()})
        _note(self.path).write_text(text, encoding="utf-8")

    def append(self, data: bytes | bytearray) -> None:
        self._catch_up()
        view = memoryview(data)
        while view:
            written = os.write(self._file, view)
            self._hash.update(view[:written])
            self.length += written
            self._hashed = self.length
            view = view[written:]

    def sha256(self) -> str:
        self._catch_up()
        return self._hash.hexdigest()

    def head(self, length: int) -> bytes:
        return os.pread(self._file, length, 0)

    def drop(self) -> None:
        """Removes the part: the next try starts from nothing."""
        discard(self.path)

    def forget(self) -> None:
        """Removes the note, when the part has become the file."""
        _note(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        if self._file != -1:
            os.close(self._file)
            self._file = -1

    def _catch_up(self) -> None:
        """Hashes what an earlier try left."""
        while self._hashed < self.length:
            block = os.pread(self._file, min(_BLOCK, self.length - self._hashed), self._hashed)
            if not block:
                raise OSError("the part file became shorter")
            self._hash.update(block)
            self._hashed += len(block)

    def _remembered(self) -> Origin | None:
        """What the note says; None when it is torn, or older than the machine's last start: bytes that were
        not synced may then be holes, which no check of the container sees."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            note = json.loads(_note(self.path).read_text(encoding="utf-8"))
            if note["boot"] == _boot():
                return Origin(note["etag"], note["total"])
        return None


def discard(part: Path) -> None:
    """Removes the part file at *part* and its note; none is no error."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""
