"""Names of files that people download: of letters and digits, so that every system takes them."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

MAX_SLUG = 40
"""Characters of a prompt that are in a name; in UTF-8 it stays below the 255 bytes that file systems take."""

_NO_WORD = re.compile(r"[\W_]+")


class FileNames:
    """Gives each file of one archive a name of its own."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def name(self, moment: float, prompt: str, suffix: str) -> str:
        """``20261122-162105-a-paper-boat.mp4``, or with ``-2`` at its end where that is taken. *moment* is in epoch
        seconds, shown in UTC."""
        stamp = datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d-%H%M%S")
        stem = "-".join(part for part in (stamp, _slug(prompt)) if part)
        name, number = stem, 1
        # Some systems take "Boat" and "boat" for one file.
        while name.casefold() in self._given:
            number += 1
            name = f"{stem}-{number}"
        self._given.add(name.casefold())
        return name + suffix


def _slug(prompt: str) -> str:
    words = _NO_WORD.sub("-", unicodedata.normalize("NFC", prompt[: 4 * MAX_SLUG])).strip("-").lower()
    return words[:MAX_SLUG].strip("-")
