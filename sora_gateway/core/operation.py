"""What a paid create asks for."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    CREATE = "create"
    """A new video from a prompt, perhaps with a reference image."""
    REMIX = "remix"
    """A finished video again, with another prompt."""
    EDIT = "edit"
    """A finished or uploaded video, changed as the prompt says."""
    EXTEND = "extend"
    """A finished or uploaded video, continued by some seconds."""
