"""Stream tickets: for clients that can put nothing but an address into a connection, such as a browser's EventSource on
another origin. Each works once, for a minute, and is worth as much as the credential it was made with, no longer."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sora_gateway.accounts.tokens import digest
from sora_gateway.clock import Clock
from sora_gateway.core.principal import Principal
from sora_gateway.entropy import Entropy
from sora_gateway.errors import NotAuthenticated, Unavailable

LIFETIME = 60.0
PER_PERSON = 50
"""Unused ones; a further one makes the oldest worthless."""
IN_ALL = 10_000


@dataclass(frozen=True, slots=True)
class Ticket:
    """*text* is shown once; *expires_at* is a moment."""

    text: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class _Held:
    principal: Principal
    ends: float
    """By the monotonic clock."""


class StreamTickets:
    """In memory, by hash. *renewed* says what a principal is worth now: None once the credential is not good."""

    def __init__(
        self, clock: Clock, entropy: Entropy, renewed: Callable[[Principal], Awaitable[Principal | None]]
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._renewed = renewed
        self._held: OrderedDict[str, _Held] = OrderedDict()
        """Oldest first."""
        self._of_person: dict[str, deque[str]] = {}

    def mint(self, principal: Principal) -> Ticket:
        """A ticket that stands for *principal* once.

        Raises:
            Unavailable: there are too many of everybody's.
        """
        self._forget_expired()
        theirs = self._of_person.get(principal.user_id)
        if theirs is not None and len(theirs) >= PER_PERSON:
            self._take(theirs[0])
        elif len(self._held) >= IN_ALL:
            raise Unavailable(
                "Too many tickets are waiting to be used; try again in a minute.", retry_after=60
            )
        text = self._entropy.token()
        self._held[digest(text)] = _Held(principal, self._clock.monotonic() + LIFETIME)
        self._of_person.setdefault(principal.user_id, deque()).append(digest(text))
        return Ticket(text, self._clock.now() + LIFETIME)

    async def redeem(self, text: str) -> Principal:
        """Uses a ticket up.

        Raises:
            NotAuthenticated: it was used, has expired, never was one, or its credential is not good any more.
        """
        self._forget_expired()
        held = self._take(digest(text))
        principal = await self._renewed(held.principal) if held is not None else None
        if principal is None:
            raise NotAuthenticated("This ticket was used already or has expired; make a new one.")
        return principal

    def _take(self, key: str) -> _Held | None:
        held = self._held.pop(key, None)
        if held is not None:
            theirs = self._of_person[held.principal.user_id]
            theirs.remove(key)
            if not theirs:
                del self._of_person[held.principal.user_id]
        return held

    def _forget_expired(self) -> None:
        now = self._clock.monotonic()
        while self._held:
            key, oldest = next(iter(self._held.items()))
            if oldest.ends > now:
                return
            self._take(key)
