"""A character that an upstream has learned from a video, and that may appear in others there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Character:
    """*id* is ours (``char_<32 hex>``). ``creating`` is the stored intent; what dies with it is ``unknown``."""

    id: str
    owner: str
    name: str
    upstream: str
    created_at: float
    state: Literal["creating", "ready", "unknown"] = "creating"
    external_id: str | None = None
