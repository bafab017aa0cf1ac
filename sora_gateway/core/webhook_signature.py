"""Standard Webhooks signatures (standardwebhooks.com, version 1 of the scheme)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

TOLERANCE = 300.0
"""Seconds by which the sender's clock, or the message, may be late or early."""


MIN_KEY = 24
"""Bytes of a key at least, as the standard has it."""
_MIN_DIFFERENT = 10
"""Different bytes in it at least; a letter or a short word again and again has fewer, random ones have more."""


def is_strong(secret: str) -> bool:
    """Whether nobody can guess the key of *secret*."""
    key = _key(secret)
    return len(key) >= MIN_KEY and len(set(key)) >= _MIN_DIFFERENT


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """*secret*'s signature over these bytes, as the header has it: ``v1,<base64>``. *timestamp* is in epoch seconds."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def is_signed(secret: str, message_id: str, timestamp: str, signatures: str, body: bytes, now: float) -> bool:
    """Whether one of *signatures* (``v1,<base64>``, separated by spaces) is *secret*'s over these bytes, and *timestamp*
    (epoch seconds) is near *now*. The secret is base64 after ``whsec_``; one that is not counts as it is."""
    if not message_id or not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 12:
        return False
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    expected = signature(secret, message_id, timestamp, body).removeprefix("v1,")
    found = False
    for one in signatures.split(" "):
        version, _, value = one.partition(",")
        # No early end: how long it takes tells nothing.
        found |= version == "v1" and hmac.compare_digest(value.encode(), expected.encode())
    return found


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()
