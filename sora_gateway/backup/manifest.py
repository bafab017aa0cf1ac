"""What a backup says of itself: ``manifest.json``, and beside it ``manifest.sha256`` in the form of ``sha256sum``."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sora_gateway.errors import StartupError

FORMAT = 1
MANIFEST, SUM = "manifest.json", "manifest.sha256"
DATABASE = "gateway.db"
_PLACES = frozenset({"media", "references", "secrets"})
_LARGEST = 1 << 62
"""Bytes of a file, more than any disk has."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")

T = TypeVar("T")


class NoBackup(StartupError):
    """What was named is no backup, or its manifest is damaged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path below the backup, its size in bytes and its sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """*made_at* is the moment before the database was read; *rows* counts those of each table. *missing* are files that
    the database names and that were not there, or were not what was stored, when the backup was made."""

    gateway: str
    schema: str
    made_at: str
    epoch: str
    secrets: bool
    rows: dict[str, int]
    files: tuple[Entry, ...]
    missing: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def moment(self) -> float:
        """When it was made, in seconds since the epoch."""
        return datetime.fromisoformat(self.made_at).timestamp()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.files)


def stamped(moment: float) -> str:
    """*moment* as manifests have it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def written(manifest: Manifest) -> dict[str, bytes]:
    """The files that a manifest is, by name."""
    text = json.dumps(asdict(manifest), indent=1).encode() + b"\n"
    return {MANIFEST: text, SUM: summed(text)}


def summed(text: bytes) -> bytes:
    """What `sha256sum` says of a manifest."""
    return f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()


def read(backup: Path) -> Manifest:
    """The manifest of *backup*.

    Raises:
        NoBackup: it has none, it is damaged, or this program does not know its form.
    """
    try:
        text, named = (backup / MANIFEST).read_bytes(), (backup / SUM).read_bytes()
    except FileNotFoundError:
        raise NoBackup(f"{backup} is no backup: it has no {MANIFEST} with its {SUM}.") from None
    except OSError as error:
        raise NoBackup(f"{backup} cannot be read ({error.strerror}).") from None
    if named != summed(text):
        raise NoBackup(f"The manifest of {backup} is damaged; take another backup.")
    try:
        values = _typed(dict, json.loads(text))
        if _typed(int, values["format"]) != FORMAT:
            raise NoBackup(
                f"{backup} was made by a newer sora-gateway ({values['gateway']}); restore it with that version."
            )
        return _manifest(values)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise NoBackup(f"The manifest of {backup} is not one of sora-gateway's.") from None


def _typed(kind: type[T], value: Any) -> T:
    """*value*, which is just that *kind*: JSON has numbers that are none, and true where Python counts it as 1."""
    if type(value) is not kind:
        raise TypeError(kind)
    return value


def _manifest(values: dict[str, Any]) -> Manifest:
    files = tuple(_entry(_typed(dict, each)) for each in _typed(list, values["files"]))
    paths = [entry.path for entry in files]
    if len(set(paths)) != len(paths) or DATABASE not in paths:
        raise ValueError("files")
    rows = {name: _typed(int, count) for name, count in _typed(dict, values["rows"]).items()}
    if "jobs" not in rows:
        raise KeyError("jobs")
    checked = {
        **{name: _typed(str, values[name]) for name in ("gateway", "schema", "made_at", "epoch")},
        "secrets": _typed(bool, values["secrets"]),
        "rows": rows,
        "files": files,
        "missing": tuple(_typed(str, path) for path in _typed(list, values["missing"])),
    }
    made = Manifest(**values | checked)
    if datetime.fromisoformat(made.made_at).tzinfo is None:
        raise ValueError("made_at")
    stamped(made.moment)  # has to be a moment that can be told
    return made


def _entry(values: dict[str, Any]) -> Entry:
    entry = Entry(_typed(str, values["path"]), _typed(int, values["size"]), _typed(str, values["sha256"]))
    # A path of somebody else's making must not lead out of the directory that is restored.
    if not _is_ours(entry.path) or not 0 <= entry.size <= _LARGEST or _SHA256.fullmatch(entry.sha256) is None:
        raise ValueError(entry.path)
    return entry


def _is_ours(path: str) -> bool:
    if path == DATABASE:
        return True
    parts = PurePosixPath(path).parts
    return _PATH.fullmatch(path) is not None and len(parts) > 1 and parts[0] in _PLACES
