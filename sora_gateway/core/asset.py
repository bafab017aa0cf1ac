"""Files that belong to a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file in its final place. *path* is relative to the media root, *size* in bytes, *sha256* in hex."""

    variant: str
    path: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class InputFile:
    """What a job is made from: its reference image or an uploaded source video, checked, as it goes upstream."""

    variant: Literal["reference", "source"]
    data: bytes
    media_type: str
