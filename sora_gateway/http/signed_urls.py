"""Addresses of files that work without a login, for one file, until a moment that is inside the signature."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlencode

from itsdangerous import Signer

from sora_gateway.clock import Clock
from sora_gateway.errors import StartupError

_VERSION = "v1"
# A purpose of its own: a token signed for anything else is worth nothing here, and the other way round.
_SALT = b"sora-gateway.media.v1"


class UrlSigner:
    """Signs and checks addresses of one job's files.

    *secret* is the key, at least 32 random bytes, named *key_id*; *lifetime* is in seconds; *root_path* is what
    people's addresses begin with.

    Raises:
        StartupError: the key is too short, as after a crash while it was written.
    """

    def __init__(
        self, secret: bytes, clock: Clock, lifetime: float, key_id: str = "1", root_path: str = ""
    ) -> None:
        if len(secret) < 32:
            raise StartupError("The key for signed addresses is damaged; delete it, and a new one is made.")
        self._signer = Signer(secret, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock
        self.lifetime = lifetime
        self._key_id = key_id
        self._root_path = root_path

    def sign(self, job_id: str, variant: str) -> str:
        """Path and query of *variant* (video, thumbnail, spritesheet, reference) of the job, good from now on."""
        expires = int(self._clock.now() + self.lifetime)
        signature = self._signer.get_signature(self._statement(job_id, variant, expires)).decode()
        query = urlencode({"variant": variant, "expires": expires, "signature": signature})
        return f"{self._root_path}/api/video/tasks/{quote(job_id, safe='')}/content?{query}"

    def verify(self, job_id: str, variant: str, expires: int, signature: str) -> bool:
        """Whether the address was signed here for exactly this, and its time has not come."""
        if expires <= self._clock.now():
            return False
        # Compares in constant time; text that is no base64 is just a wrong signature.
        return self._signer.verify_signature(
            self._statement(job_id, variant, expires), signature.encode(errors="replace")
        )

    def _statement(self, job_id: str, variant: str, expires: int) -> bytes:
        return f"{_VERSION}|{self._key_id}|GET|{job_id}|{variant}|{expires}".encode()
