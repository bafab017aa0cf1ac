"""The keys that the gateway signs with: several at a time, so that they can be changed without breaking what is out.

The newest signs, all verify until they are dropped. Every purpose has a salt of its own: what was signed for one is
worth nothing for another.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy
from sora_gateway.errors import Conflict, NotFound, StartupError

if TYPE_CHECKING:
    import itsdangerous

MIN_SECRET = 32
"""Bytes of a key at least; half a file, as after a crash while it was written, protects nothing."""


MEDIA, SHARING, SIGN_IN = "media.v1", "share.v1", "oidc.v1"
"""What is signed, each for itself: addresses of files, share links, and the way to an identity provider and back."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """*id* counts up and is never given twice. *created_at* is 0 for a key from before there were several."""

    id: str
    secret: str
    created_at: float


class KeyRing:
    """The keys in the file *path*, oldest first; the first one is made with the file. Whoever holds the data
    directory's lock changes it, and what it signs and verifies follows at once.

    Raises:
        StartupError: the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        entropy: Entropy,
        learned: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._learned = learned
        self._clock = clock
        self._entropy = entropy
        self._keys: dict[str, SigningKey] = {}
        if path.exists():
            self._hold(self._read())
        else:
            self.rotate()

    @property
    def keys(self) -> list[SigningKey]:
        """Oldest first; the last one signs."""
        return list(self._keys.values())

    def signer(self, purpose: str) -> Signer:
        """For a purpose with its version, such as ``media.v1``."""
        return Signer(self, purpose)

    def rotate(self) -> SigningKey:
        """A new key, which signs from now on."""
        number = max((int(key_id) for key_id in self._keys), default=0) + 1
        key = SigningKey(str(number), self._entropy.token(), self._clock.now())
        self._write([*self.keys, key])
        return key

    def drop(self, key_id: str) -> None:
        """What was signed with the key is worth nothing from now on.

        Raises:
            NotFound: there is no such key.
            Conflict: it is the one that signs.
        """
        if key_id not in self._keys:
            raise NotFound(f"There is no signing key {key_id[:100]!r}.")
        if key_id == self.keys[-1].id:
            raise Conflict(
                "This is the key that signs; make a new one first, and drop this one when it is not needed."
            )
        self._write([key for key in self.keys if key.id != key_id])

    def _read(self) -> list[SigningKey]:
        text = self._path.read_text(encoding="utf-8", errors="replace").strip()
        try:
            if not text.startswith("{"):
                # The whole file is one key, as it was when there was only one.
                keys = [SigningKey("1", text, 0.0)]
            else:
                keys = [SigningKey(**each) for each in json.loads(text)["keys"]]
            if keys and all(len(key.secret) >= MIN_SECRET and key.id.isdecimal() for key in keys):
                return keys
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        raise StartupError(
            f"The signing key {self._path} is damaged; restore it, or delete it: then addresses that were signed end."
        )

    def _write(self, keys: list[SigningKey]) -> None:
        """The file appears whole or not at all, and is its owner's alone."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        with open(unfinished, "w", opener=_private, encoding="utf-8") as file:
            json.dump({"keys": [asdict(key) for key in keys]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._path)
        self._hold(keys)

    def _hold(self, keys: list[SigningKey]) -> None:
        self._keys = {key.id: key for key in keys}
        self._learned(key.secret for key in keys)


class Signer:
    """Signs and verifies for one purpose, with the keys that *ring* has at the moment."""

    def __init__(self, ring: KeyRing, purpose: str) -> None:
        self._ring = ring
        self._salt = f"sora-gateway.{purpose}".encode()

    @property
    def key_id(self) -> str:
        """Of the key that signs."""
        return self._ring.keys[-1].id

    def signature(self, statement: str) -> str:
        """By the key that signs, whose id belongs into *statement*."""
        return self._by(self._ring.keys[-1]).get_signature(statement.encode()).decode()

    def is_signature(self, statement: str, key_id: str, signature: str) -> bool:
        """Whether *signature* was made here, for this purpose, of exactly *statement*, by a key that is still good."""
        key = next((key for key in self._ring.keys if key.id == key_id), None)
        # Compares in constant time; text that is no base64 is just a wrong signature.
        return key is not None and self._by(key).verify_signature(
            statement.encode(errors="surrogatepass"), signature.encode(errors="replace")
        )

    def sign(self, text: str) -> str:
        """*text* with the key's id and the signature; all of it can stand in a cookie or an address if *text* can."""
        statement = f"{text}.{self.key_id}"
        return f"{statement}.{self.signature(statement)}"

    def verify(self, signed: str) -> str | None:
        """The text, or None if it was not signed here for this."""
        statement, _, signature = signed.rpartition(".")
        text, _, key_id = statement.rpartition(".")
        return text if self.is_signature(statement, key_id, signature) else None

    def _by(self, key: SigningKey) -> itsdangerous.Signer:
        import itsdangerous  # nothing is signed at the start

        return itsdangerous.Signer(
            key.secret, salt=self._salt, key_derivation="hmac", digest_method=hashlib.sha256
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
