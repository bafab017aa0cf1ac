"""Requests that are being served: one that is sent again waits for what the earlier sending makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from sora_gateway.core.claim import Claim, KeyClaim, ResendClaim


class Tries:
    """All requests of one key are served one after the other; a later try waits for those before it."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, str], list[tuple[int, asyncio.Future[None]]]] = {}
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
                async with self._after_earlier_tries(claim):
                    yield
            case None:
                yield

    @asynccontextmanager
    async def _after_earlier_tries(self, claim: ResendClaim) -> AsyncIterator[None]:
        request = (claim.credential, claim.fingerprint)
        tries = self._under_way.setdefault(request, [])
        earlier = [done for count, done in tries if count < claim.count]
        mine = (claim.count, asyncio.get_running_loop().create_future())
        tries.append(mine)
        try:
            if earlier:
                await asyncio.wait(earlier)
            yield
        finally:
            mine[1].set_result(None)
            tries.remove(mine)
            if not tries:
                del self._under_way[request]
