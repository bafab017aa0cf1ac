"""Passwords: argon2id, in threads, two at a time (each takes 19 MiB and a good part of a core)."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from sora_gateway.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

MIN_LENGTH, MAX_LENGTH = 8, 128
COMMON = 3000
"""How many of the most frequent passwords nobody may have."""
_AT_ONCE = 2
_WAITING = 32
"""Hashes that may wait for a thread, about two seconds' worth; more are turned away, so that a flood of sign-ins
takes neither the memory nor the patience of everybody else."""
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$ygxVz0ZwePbxliq/UJpzhQ$zbvelWRSYcWyX0IAm9n4F2fEB7YFbioDS9+Xqp1b2HM"
"""Of a random text that nobody has: what a password is compared with when there is nobody."""


class Passwords:
    """Makes and checks hashes. Nothing is imported or started before the first use.

    Every method that hashes raises Unavailable when too many wait already.
    """

    def __init__(self) -> None:
        # Its own threads are the limiter: a caller that is cancelled frees no place that is still in use.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._places = threading.Semaphore(_AT_ONCE + _WAITING)

    def close(self) -> None:
        """Lets running hashes end; no new ones are taken."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str, address: str = "") -> str:
        """The hash to store of a new password of whoever has that *address*.

        Raises:
            InvalidRequest: it is shorter than 8 or longer than 128 characters, no text, the address itself, or one
                of those that everybody tries first.
        """
        prepared = _prepared(password)

        def work() -> str:
            _refuse_weak(prepared.decode(), address)
            return _hasher().hash(prepared)

        return await self._in_thread(work)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether *password* is the one that *stored* was made of; one that could not be set never is.

        None, for nobody, takes the same work and comes to False.
        """
        try:
            prepared = _prepared(password)
        except InvalidRequest:
            return False
        matches = await self._in_thread(lambda: _verify(prepared, stored or _NOBODYS))
        return matches and stored is not None

    async def renewed(self, password: str, stored: str) -> str | None:
        """The hash to store instead of *stored*, which *password* was found to match; None if that is as good."""
        prepared = _prepared(password)

        def work() -> str | None:
            hasher = _hasher()
            return hasher.hash(prepared) if hasher.check_needs_rehash(stored) else None

        return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Unavailable(
                "Too many people sign in at this moment; try again in a few seconds.", retry_after=3
            )
        try:
            future = self._threads.submit(work)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, _: Future[T]) -> None:
        self._places.release()


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


def _refuse_weak(password: str, address: str) -> None:
    """Raises InvalidRequest for what a guesser tries first."""
    folded = password.casefold()
    if folded in _common():
        raise InvalidRequest(
            "This is one of the passwords that everybody tries first; choose another.", param="password"
        )
    name = address.casefold()
    if folded in (name, name.partition("@")[0]):
        raise InvalidRequest("The password must not be the address; choose another.", param="password")


@cache
def _common() -> frozenset[str]:
    # Thirty thousand words, in the order of their frequency; most starts never need them.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it has no types

    return frozenset(FREQUENCY_LISTS["passwords"][:COMMON])


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # A C extension that most starts never need.

    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def _verify(prepared: bytes, stored: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored, prepared)
    except (VerificationError, InvalidHashError):
        return False
