"""The only module that knows randomness: ids, secrets and jitter are handed in from here."""

from __future__ import annotations

import random
import secrets
from typing import Protocol


class Entropy(Protocol):
    def new_id(self, prefix: str) -> str:
        """A fresh identifier, ``<prefix>_<32 hex digits>``."""
        ...

    def token(self) -> str:
        """A secret of 256 bits in URL-safe text."""
        ...

    def fraction(self) -> float:
        """A number in [0, 1), for jitter."""
        ...


class SystemEntropy:
    """The real one."""

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{secrets.token_hex(16)}"

    def token(self) -> str:
        return secrets.token_urlsafe(32)

    def fraction(self) -> float:
        return random.random()  # noqa: S311 - jitter, not a secret
