"""Requests of one client that are being served, in the order of its tries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sora_gateway.core.claim import Claim, ResendClaim


class Tries:
    """Tries that are being served: a later one waits for the one before it, which may be about to make the job."""

    def __init__(self) -> None:
        self._under_way: dict[ResendClaim, list[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, claim: Claim | None) -> AsyncIterator[None]:
        """Inside, every earlier sending that was here before has been answered or has failed."""
        if not isinstance(claim, ResendClaim):
            yield
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.setdefault(claim, []).append(done)
        try:
            before = ResendClaim(claim.credential, claim.fingerprint, claim.count - 1)
            if earlier := self._under_way.get(before):
                await asyncio.wait(list(earlier))
            yield
        finally:
            done.set_result(None)
            self._under_way[claim].remove(done)
            if not self._under_way[claim]:
                del self._under_way[claim]
