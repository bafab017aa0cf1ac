"""What there is to be told of: what a configuration may name (:mod:`.alerts` says when it is told)."""

from __future__ import annotations

from enum import StrEnum


class AlertKind(StrEnum):
    """What an operator can be told of."""

    UPSTREAM = "upstream"
    """An upstream takes no new videos: it does not answer, it refuses our account, or somebody switched it off."""
    SPEND_CAP = "spend_cap"
    """An upstream's spend cap of the last 24 hours is reached."""
    UNKNOWN = "unknown"
    """Nobody knows whether an upstream has accepted a video."""
    DISPUTE = "dispute"
    """A failed video's credits wait for somebody to decide on them."""
    STORAGE = "storage"
    """The disk is nearly full, or the database cannot be written or read."""
    WEBHOOKS = "webhooks"
    """Somebody's webhook fails, or was disabled for it, or messages wait for longer than they should."""
    BACKUP = "backup"
    """The gateway makes backups by itself, and the latest is older than it should be."""
