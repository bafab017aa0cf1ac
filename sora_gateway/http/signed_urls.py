"""Addresses of files that work without a login, for one file, until a moment that is inside the signature."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from sora_gateway.clock import Clock
from sora_gateway.signing_keys import Signer

_VERSION = "v1"


class UrlSigner:
    """Signs and checks addresses of one job's files.

    *signer* is for :data:`~sora_gateway.signing_keys.MEDIA`; *lifetime* is in seconds; *root_path* is what people's addresses begin with.
    """

    def __init__(self, signer: Signer, clock: Clock, lifetime: float, root_path: str = "") -> None:
        self._signer = signer
        self._clock = clock
        self.lifetime = lifetime
        self._root_path = root_path

    def sign(self, job_id: str, variant: str) -> str:
        """Path and query of *variant* (video, thumbnail, spritesheet, reference) of the job, good from now on."""
        expires, key_id = int(self._clock.now() + self.lifetime), self._signer.key_id
        signature = self._signer.signature(_statement(key_id, job_id, variant, expires))
        query = urlencode(
            {"variant": variant, "expires": expires, "signedBy": key_id, "signature": signature}
        )
        return f"{self._root_path}/api/video/tasks/{quote(job_id, safe='')}/content?{query}"

    def verify(self, job_id: str, variant: str, expires: int, key_id: str, signature: str) -> bool:
        """Whether the address was signed here for exactly this, by a key that is still good, and its time has not
        come."""
        return expires > self._clock.now() and self._signer.is_signature(
            _statement(key_id, job_id, variant, expires), key_id, signature
        )


def _statement(key_id: str, job_id: str, variant: str, expires: int) -> str:
    return f"{_VERSION}|{key_id}|GET|{job_id}|{variant}|{expires}"
