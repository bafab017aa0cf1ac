"""Passwords: argon2id, in threads, two at a time (each takes 19 MiB and a good part of a core)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from sora_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

MIN_LENGTH, MAX_LENGTH = 8, 128
_AT_ONCE = 2


class Passwords:
    """Makes and checks hashes. Nothing is imported or started before the first use."""

    def __init__(self) -> None:
        # Its own threads are the limiter: a caller that is cancelled frees no place that is still in use.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")

    def close(self) -> None:
        """Lets running hashes end; no new ones are taken."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            InvalidRequest: it is shorter than 8 or longer than 128 characters, or no text.
        """
        prepared = _prepared(password)
        return await self._in_thread(lambda: _hasher().hash(prepared))

    async def verify(self, password: str, stored: str) -> bool:
        """Whether *password* is the one that *stored* was made of; one that could not be set never is."""
        try:
            prepared = _prepared(password)
        except InvalidRequest:
            return False
        return await self._in_thread(lambda: _verify(prepared, stored))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _prepared(password: str) -> bytes:
    """The bytes that are hashed, all of them. Systems write the same accented letter in two ways: NFC is one."""
    composed = unicodedata.normalize("NFC", password)
    if not MIN_LENGTH <= len(composed) <= MAX_LENGTH:
        raise InvalidRequest(
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters; this one has {len(composed)}.",
            param="password",
        )
    try:
        return composed.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("The password contains half a character.", param="password") from None


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # A C extension that most starts never need.

    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def _verify(prepared: bytes, stored: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored, prepared)
    except (VerificationError, InvalidHashError):
        return False
