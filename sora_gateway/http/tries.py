"""Requests that are being served: one that is sent again waits for what the earlier sending makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from sora_gateway.core.claim import Claim, KeyClaim, ResendClaim


class Tries:
    """All requests of one key are served one after the other; a later try waits for the one before it."""

    def __init__(self) -> None:
        self._under_way: dict[ResendClaim, list[asyncio.Future[None]]] = {}
        self._keys: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, claim: Claim | None) -> AsyncIterator[None]:
        """Inside, every earlier sending that was here before has been answered or has failed."""
        match claim:
            case KeyClaim():
                # Whoever waits for it or has it keeps the lock.
                lock = self._keys.setdefault((claim.user_id, claim.route, claim.key), asyncio.Lock())
                async with lock:
                    yield
            case ResendClaim():
                async with self._after_the_try_before(claim):
                    yield
            case None:
                yield

    @asynccontextmanager
    async def _after_the_try_before(self, claim: ResendClaim) -> AsyncIterator[None]:
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
