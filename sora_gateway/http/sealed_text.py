"""Text that a browser keeps for us and cannot change."""

from __future__ import annotations

import hashlib

from itsdangerous import BadSignature, Signer


class TextSeal:
    """Signs with *secret* for *purpose*: what was signed for anything else is worth nothing here."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        salt = f"sora-gateway.{purpose}".encode()
        self._signer = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)

    def sign(self, text: str) -> str:
        """*text* and its signature; both can stand in a cookie if *text* can."""
        return self._signer.sign(text).decode()

    def verify(self, signed: str) -> str | None:
        """The text, or None if it was not signed here for this."""
        try:
            return self._signer.unsign(signed.encode(errors="replace")).decode()
        except (BadSignature, UnicodeDecodeError):
            return None
