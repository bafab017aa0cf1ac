"""Secrets that are shown once and stored as hashes.

They are random and 256 bits long, so a plain SHA-256 is as good as a slow hash, and looking one up by its
hash tells a guesser nothing through time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sora_gateway.entropy import Entropy

_MARK = "sgw_"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A new key: ``sgw_`` and 43 URL-safe characters. *prefix* is what lists show of it."""

    text: str

    @property
    def prefix(self) -> str:
        return self.text[:_SHOWN]


def new_api_key(entropy: Entropy) -> ApiKey:
    return ApiKey(_MARK + entropy.token())


def is_api_key(token: str) -> bool:
    """Whether *token* looks like an API key; anything else can only be a session's."""
    return token.startswith(_MARK)


def digest(token: str) -> str:
    """What is stored of a token: SHA-256 in hex."""
    # A client may send any text at all, half a surrogate pair included.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
