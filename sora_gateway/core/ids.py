"""Ids: ours, whose order is that of their making, and the upstreams'."""

from __future__ import annotations

from typing import NewType

JobId = NewType("JobId", str)
"""Ours: ``video_<32 hex>``, stable for ever."""
ExternalId = NewType("ExternalId", str)
"""The upstream's: unique per upstream at best, and an upstream may lie."""


def time_ordered(prefix: str, moment: float, random_hex: str) -> str:
    """``<prefix>_<32 hex digits>``: 48 bits of milliseconds since the epoch, then the last 80 bits of *random_hex*.

    The layout is that of UUID version 7 (RFC 9562, 5.7) without its fixed bits. Jobs that are worked on at the
    same time lie together in every index, so one commit writes a few pages instead of one for each of them; 80
    random bits are still more than anybody guesses.
    """
    return f"{prefix}_{int(moment * 1000) & 0xFFFFFFFFFFFF:012x}{random_hex[-20:]}"
