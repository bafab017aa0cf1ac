"""E-mail addresses: names to sign in with, of which nobody needs to know whether mail arrives there."""

from __future__ import annotations

import re
import unicodedata

MAX_ADDRESS = 254


def normal_address(text: str) -> str:
    """The one way in which an address is compared and stored: no blanks around it, small letters, composed."""
    # Composed once more: a small letter may have a composed form where its capital has none.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())


def is_address(text: str) -> bool:
    """Whether it is one; it is printed and shown."""
    return re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,189}", text) is not None and text.isprintable()
