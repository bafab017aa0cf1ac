"""A reference image as it goes upstream, and the ways in which one is made to fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fit(StrEnum):
    """How an image becomes exactly as large as the video: upstreams refuse any other size."""

    CROP = "crop"
    """Scaled until it covers the size; what hangs over is cut off, as much on one side as on the other."""
    PAD = "pad"
    """Scaled until it lies within the size, in the middle of black."""
    STRETCH = "stretch"
    """Scaled to the size, whatever that does to its proportions."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that was decoded and written anew: upright, opaque, without metadata. Sides in pixels."""

    data: bytes
    media_type: str
    """``image/jpeg`` or ``image/png``."""
    width: int
    height: int
