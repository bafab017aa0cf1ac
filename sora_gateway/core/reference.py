"""Saved reference images: what is known of one, who may remove it, and how it may be called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sora_gateway.core.principal import Principal

Library = Literal["personal", "team"]

MAX_NAME = 200
"""Characters of an image's name."""

# Control characters, ends of lines, and marks that turn the direction of writing: with them a name could look
# like another one. Every script and joined emoji are fine.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SavedImage:
    """One saved image. *path* is relative to the library's root, *size* in bytes, *sha256* in hex, *width* and
    *height* in pixels; *owner* is a person's id and *owner_email* their address."""

    id: str
    owner: str
    owner_email: str
    library: Library
    name: str
    path: str
    media_type: str
    width: int
    height: int
    size: int
    sha256: str
    created_at: float

    def deletable_by(self, principal: Principal) -> bool:
        """Whether somebody who sees it may also remove it."""
        return principal.sees_all or (principal.role != "viewer" and self.owner == principal.user_id)


def has_controls(name: str) -> bool:
    """Whether *name* has characters that change how it is shown instead of being shown."""
    return _CONTROLS.search(name) is not None
