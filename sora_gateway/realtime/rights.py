"""Looks at the credentials of open connections: at once, when one ends, when somebody doubts it, and every now and then.

One task for all connections, while there are any: a reader who takes nothing cannot put a look off, and ten thousand
connections of one credential cost one look. At once, because the credential may have been revoked between the sign-in
and the moment from which the hub knew of the connection.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from typing import Protocol

from sora_gateway.clock import Clock
from sora_gateway.core.principal import Principal, Scope
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.mailbox import Mailbox

log = logging.getLogger(__name__)

RECHECK = 30.0
"""Seconds after which a credential is looked at again although nobody doubts it."""
SLICE = 256
"""Connections of one credential in one turn of the event loop."""
AT_ONCE = 4 * SLICE
"""Connections for which a look at their credential is shared, and their order is found out in one turn."""


class Authenticator(Protocol):
    """Who presents a credential; None if it is nobody's (any more)."""

    async def by_bearer(self, token: str) -> Principal | None: ...
    async def by_session(self, token: str) -> Principal | None: ...
    async def renewed(self, principal: Principal) -> Principal | None: ...


def may_follow(principal: Principal) -> bool:
    """Whether the credential is for looking at videos at all."""
    return Scope.READ in principal.scopes


def renew(mailbox: Mailbox, principal: Principal | None, otherwise: CloseCode) -> None:
    """Goes on as *principal*, or ends the connection with *otherwise* if that is nobody."""
    before = mailbox.principal
    if principal is None:
        mailbox.close(otherwise)
    elif principal.user_id != before.user_id or not may_follow(principal):
        mailbox.close(CloseCode.FORBIDDEN)
    elif (principal.role, principal.sees_all) != (before.role, before.sees_all):
        # What is followed was decided under other rights: begin anew.
        mailbox.close(CloseCode.RESYNC)
    else:
        mailbox.principal = principal


class Rights:
    """Watches over mailboxes until they are closed."""

    def __init__(self, authenticator: Authenticator, clock: Clock) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._due: list[tuple[float, int, Mailbox]] = []
        self._order = itertools.count()
        self._watched = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # One of each for all mailboxes.
        self._on_doubt = self._plan_now
        self._on_end = self._forget

    def watch(self, mailbox: Mailbox) -> None:
        """Looks at the credential of *mailbox* now and whenever there is reason to, until it is closed."""
        self._watched += 1
        mailbox.on_doubt = self._on_doubt
        mailbox.closed.add_done_callback(self._on_end)
        self._plan_now(mailbox)

    def _forget(self, _closed: object) -> None:
        self._watched -= 1
        if not self._watched and self._task is not None:
            self._task.cancel()
            self._task = None
            self._due.clear()

    def _plan_now(self, mailbox: Mailbox) -> None:
        self._plan(mailbox, self._clock.monotonic())

    def _plan(self, mailbox: Mailbox, at: float) -> None:
        mailbox.look_at = at
        heapq.heappush(self._due, (at, next(self._order), mailbox))
        if self._due[0][2] is mailbox:
            self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._look_when_due(), name="live rights")

    async def _look_when_due(self) -> None:
        while True:
            self._wake.clear()
            for together in self._now_due():
                try:
                    await self._look(together)
                except Exception:
                    # Whether they may still read is not known, so they may not.
                    log.exception("the credential of open connections could not be looked at")
                    for mailbox in together:
                        mailbox.close(CloseCode.RESYNC)
            rest = self._due[0][0] - self._clock.monotonic() if self._due else RECHECK
            if rest > 0:
                await self._clock.sleep(rest, self._wake)

    def _now_due(self) -> list[list[Mailbox]]:
        """The first mailboxes whose time has come, by credential."""
        now = self._clock.monotonic()
        found: dict[tuple[str, str], list[Mailbox]] = {}
        for _ in range(AT_ONCE):
            if not self._due or self._due[0][0] > now:
                break
            at, _, mailbox = heapq.heappop(self._due)
            if mailbox.look_at == at and not mailbox.closed.done():
                found.setdefault((mailbox.principal.via, mailbox.principal.credential), []).append(mailbox)
        return list(found.values())

    async def _look(self, together: list[Mailbox]) -> None:
        asked = {mailbox: mailbox.principal for mailbox in together}
        for mailbox in together:
            mailbox.doubted = False
        renewed = await self._authenticator.renewed(together[0].principal)
        for number, (mailbox, principal) in enumerate(asked.items(), 1):
            if not number % SLICE:
                await asyncio.sleep(0)
            if mailbox.principal is principal:  # or it was renewed in band meanwhile
                renew(mailbox, renewed, self._ended_how(principal))
            if not mailbox.closed.done() and not mailbox.doubted:
                self._plan(mailbox, self._clock.monotonic() + self._until_look(mailbox.principal))

    def _until_look(self, principal: Principal) -> float:
        ends = principal.expires_at
        return RECHECK if ends is None else max(0.01, min(RECHECK, ends - self._clock.now()))

    def _ended_how(self, principal: Principal) -> CloseCode:
        """Why a credential that is no longer good is not."""
        ends = principal.expires_at
        over = ends is not None and ends <= self._clock.now()
        return CloseCode.EXPIRED if over else CloseCode.FORBIDDEN
