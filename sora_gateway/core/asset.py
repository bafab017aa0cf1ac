"""A file that belongs to a job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file in its final place. *path* is relative to the media root, *size* in bytes, *sha256* in hex."""

    variant: str
    path: str
    media_type: str
    size: int
    sha256: str
