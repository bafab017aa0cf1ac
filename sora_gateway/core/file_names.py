"""Names of files that people download: of letters and digits, so that every system takes them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from datetime import UTC, datetime

MAX_SLUG = 40
"""Characters of a prompt that are in a name; in UTF-8 it stays below the 255 bytes that file systems take."""

_NO_WORD = re.compile(r"[\W_]+")


class FileNames:
    """Gives each file of one archive a name of its own."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def name(self, moment: float, prompt: str, suffix: str) -> str:
        """``20261122-162105-a-paper-boat.mp4``; the second one of that name ends with ``-2``. *moment* is in epoch
        seconds, shown in UTC."""
        stamp = datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d-%H%M%S")
        stem = "-".join(part for part in (stamp, _slug(prompt)) if part)
        # Where "Boat" and "boat" are the same file, the second would replace the first.
        key = stem.casefold()
        self._given[key] += 1
        number = self._given[key]
        return f"{stem}-{number}{suffix}" if number > 1 else f"{stem}{suffix}"


def _slug(prompt: str) -> str:
    words = _NO_WORD.sub("-", unicodedata.normalize("NFC", prompt[: 4 * MAX_SLUG])).strip("-").lower()
    return words[:MAX_SLUG].strip("-")
