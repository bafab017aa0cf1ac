"""How a repeated request says that it is one: by an idempotency key, or as an official client sends again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

KEY_LIFETIME = 24 * 3600.0
"""Seconds for which an idempotency key leads to what it made."""
RESEND_WINDOW = 900.0
"""Seconds within which a client's next try counts as the same request.

Official clients wait 600 for an answer, and then up to 120 before they send again.
"""


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """``Idempotency-Key``: the same (user, route, key) makes one thing; *fingerprint* is of the whole request."""

    user_id: str
    route: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ResendClaim:
    """One try of a client that counts its own (``x-stainless-retry-count``) and sends no key.

    Try n belongs to the job that an earlier try of the same API key with the same fingerprint made: n - 1, or the
    closest to it, for tries get lost on their way here too: a gateway that restarts refuses connections. Each job
    absorbs one such chain, so two equal requests at once, both repeated, stay two jobs.
    """

    credential: str
    fingerprint: str
    count: int


Claim: TypeAlias = KeyClaim | ResendClaim
