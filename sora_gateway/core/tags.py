"""Tags: words that owners give to their videos, to find them again."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from sora_gateway.core.reference import has_controls

MAX_TAGS = 20
MAX_TAG = 50
"""Characters of one tag."""


def normalised(tags: Iterable[str]) -> list[str]:
    """*tags* as they are kept and looked for: composed (NFC), trimmed, each once, in their order; "Boat" is not "boat".

    Raises:
        ValueError: there are too many, or one is empty, too long, or has characters that are not shown; one sentence.
    """
    kept = list(dict.fromkeys(_normalised(tag) for tag in tags))
    if len(kept) > MAX_TAGS:
        raise ValueError(f"A video has at most {MAX_TAGS} tags.")
    return kept


def _normalised(tag: str) -> str:
    word = unicodedata.normalize("NFC", tag).strip()
    if not word:
        raise ValueError("A tag has at least one character.")
    if len(word) > MAX_TAG:
        raise ValueError(f"A tag has at most {MAX_TAG} characters.")
    if has_controls(word):
        raise ValueError("A tag has no control characters.")
    return word
