"""The only module that knows the time.

Everything that waits or stamps is handed a :class:`Clock`, so a test can live through an hour in a
millisecond. Wall time (seconds since the epoch) is what is stored and shown; waiting is monotonic.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall time in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean something."""
        ...

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> bool:
        """Waits *seconds*, or less when *wake* is set first.

        Returns whether it was woken. The event is left as it is: its owner clears it.
        """
        ...


class SystemClock:
    """The real one."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> bool:
        # Below a millisecond uvloop spins instead of sleeping.
        seconds = max(0.001, seconds)
        if wake is None:
            await asyncio.sleep(seconds)
            return False
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            return False
        return True
