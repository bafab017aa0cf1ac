"""Encrypts the keys of upstreams that are added at run time, with a key that is not in the database.

A copy of the database alone gives nobody's key away. Fernet (AES-128-CBC and HMAC-SHA256) of the library
``cryptography``, which is imported when there is something to encrypt or to read.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from sora_gateway.errors import StartupError


class KeyBox:
    """*path* is the file of the encrypting key; it is made, for its owner only, when it is first needed. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Two that make the file at once would leave one with a key that is not in it.
        self._making = threading.Lock()

    def lock(self, secret: str) -> str:
        """*secret* as text for the database."""
        from cryptography.fernet import Fernet

        with self._making:
            key = self._key()
        return Fernet(key).encrypt(secret.encode()).decode()

    def unlock(self, locked: str) -> str:
        """What :meth:`lock` was given.

        Raises:
            StartupError: the key file is another one, or gone.
        """
        from cryptography.fernet import Fernet, InvalidToken

        try:
            return Fernet(self._path.read_bytes()).decrypt(locked.encode()).decode()
        except (OSError, ValueError, InvalidToken):
            raise StartupError(
                f"The keys of upstreams cannot be read with {self._path}; restore that file, or add them anew."
            ) from None

    def _key(self) -> bytes:
        from cryptography.fernet import Fernet

        if not self._path.exists():
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            unfinished = self._path.with_suffix(".new")
            with open(unfinished, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._path)
        return self._path.read_bytes()
