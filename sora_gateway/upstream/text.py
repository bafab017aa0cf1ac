"""What an upstream wrote, made fit to be stored and shown: bounded, printable, and without our key."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_TEXT = 500
"""Longest message or excerpt, in characters."""

REDACTED = "[redacted]"
_KEY_LIKE = re.compile(r"(?i)\bbearer\s+[^\s\"',;]+|\b(?:sk|rk|pk)-[A-Za-z0-9_*.-]{6,}")
"""Upstreams echo keys, ours in another spelling or the one behind theirs."""
_WORTH_HIDING = 4
"""A shorter key ("x", "no") is a placeholder, and hiding it would tear words apart."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """*text* without *secrets* and without what looks like anybody's key."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _WORTH_HIDING:
            text = text.replace(secret, REDACTED)
    return _KEY_LIKE.sub(REDACTED, text)


def clean(text: str, secrets: Iterable[str] = (), limit: int = MAX_TEXT) -> str:
    """*text* in one printable line of at most *limit* characters.

    Redacted before it is cut, so that no half of a key stays; and after control characters are gone, so
    that none of them hides one.
    """
    printable = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    line = " ".join(redact(printable, secrets).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
