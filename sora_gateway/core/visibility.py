"""Who may see a job besides its owner and administrators."""

from __future__ import annotations

from enum import StrEnum


class Visibility(StrEnum):
    """``team`` lets every person of the gateway see it, and members clone it."""

    PRIVATE = "private"
    TEAM = "team"
