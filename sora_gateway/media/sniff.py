"""What a file is, by its first bytes: no header and no name is believed."""

from __future__ import annotations

VIDEO_TYPES = frozenset({"video/mp4", "video/webm"})
IMAGE_TYPES = frozenset({"image/webp", "image/jpeg", "image/png"})
HEAD = 16
"""Bytes that :func:`sniff` wants to see."""


def sniff(head: bytes) -> str | None:
    """The media type that *head* begins, or None for anything that is neither a video nor an image."""
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return None
