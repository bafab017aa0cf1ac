"""Secrets that are shown once and stored as hashes.

They are random and 256 bits long, so a plain SHA-256 is as good as a slow hash, and looking one up by its
hash tells a guesser nothing through time.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from sora_gateway.entropy import Entropy

_MARK = "sgw_"
_SHOWN = 10
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = 6
"""Characters: 62^6 is more than 2^32."""
_LENGTH = len(_MARK) + 43 + _CHECKSUM


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A new key: ``sgw_``, 43 URL-safe characters, and six of a checksum by which a scanner for leaked secrets tells
    it from what only looks like one. *prefix* is what lists show of it."""

    text: str

    @property
    def prefix(self) -> str:
        return self.text[:_SHOWN]


def new_api_key(entropy: Entropy) -> ApiKey:
    text = _MARK + entropy.token()
    return ApiKey(text + checksum(text))


def is_api_key(token: str) -> bool:
    """Whether *token* looks like an API key; anything else can only be a session's."""
    return token.startswith(_MARK)


def is_mistyped(token: str) -> bool:
    """Whether *token* is as long as a key and cannot be one. Keys from before there were checksums are shorter."""
    return len(token) == _LENGTH and checksum(token[:-_CHECKSUM]) != token[-_CHECKSUM:]


def checksum(text: str) -> str:
    """CRC-32 of *text* in base 62, six characters, as GitHub's tokens have it."""
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    digits = ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def digest(token: str) -> str:
    """What is stored of a token: SHA-256 in hex."""
    # A client may send any text at all, half a surrogate pair included.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
