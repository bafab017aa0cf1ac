"""Who may try a password, a link or a registration now: by the account that is tried, and by where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sora_gateway.clock import Clock
from sora_gateway.core.networks import network_of
from sora_gateway.core.throttle import FREE_FAILURES, Failures, Rate
from sora_gateway.errors import TooManyRequests

_LOCKED = "There were too many wrong {what}; wait a moment before you try again."
_TOO_OFTEN = "Too many attempts came from your address; wait a moment before you try again."


@dataclass(slots=True)
class Attempt:
    """One attempt at an account. *right* is set by whoever finds out; None at the end counts as neither."""

    failures: int
    """In a row, before this one."""
    right: bool | None = None

    @property
    def locks(self) -> bool:
        """Whether it is the one that begins to lock the account."""
        return self.right is False and self.failures == FREE_FAILURES


class Attempts:
    """*per_minute* attempts of one client; 0 is unlimited. *what* is tried, in a word for many of them."""

    def __init__(self, clock: Clock, per_minute: int, what: str = "passwords") -> None:
        self._clock = clock
        self._locked = _LOCKED.format(what=what)
        self._accounts = Failures()
        self._clients = Rate(per_minute)

    def take(self, address: str) -> None:
        """Counts one attempt of the client with that *address*.

        Raises:
            TooManyRequests: there were too many in the last minute.
        """
        wait = self._clients.take(network_of(address), self._clock.monotonic())
        if wait:
            raise TooManyRequests(_TOO_OFTEN, retry_after=wait)

    @asynccontextmanager
    async def at(self, account: str) -> AsyncIterator[Attempt]:
        """Around one attempt at an account, by its normal address, whether or not there is one.

        Raises:
            TooManyRequests: the account is locked; or the attempt was wrong, and has locked it.
        """
        wait = self._accounts.begin(account, self._clock.monotonic())
        if wait:
            raise TooManyRequests(self._locked, retry_after=wait)
        attempt = Attempt(self._accounts.failures(account))
        lock = 0.0
        try:
            yield attempt
        finally:
            if attempt.right is None:
                self._accounts.abandon(account)
            elif attempt.right:
                self._accounts.right(account)
            else:
                lock = self._accounts.wrong(account, self._clock.monotonic())
        if lock:
            raise TooManyRequests(self._locked, retry_after=lock)

    def forgive(self, account: str) -> None:
        """The account is not locked any more: its person has proved in another way who they are."""
        self._accounts.forget(account)
