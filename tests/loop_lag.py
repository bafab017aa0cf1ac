"""How long a piece of work keeps everybody else on the event loop waiting, and how much memory it takes meanwhile."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

TICK = 0.001
TRIES = 3


@dataclass
class Watch:
    longest: float = 0.0
    """Seconds for which the loop did nothing else, at the worst, although it had a processor."""
    grown: int = 0
    """Bytes by which this process was larger than at the beginning, at the most."""


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept_waiting() -> float:
    """Seconds that this thread could have run and the machine ran others."""
    try:
        spent = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    except OSError:
        # A kernel without these numbers.
        return 0.0
    return int(spent.split()[1]) / 1e9


@asynccontextmanager
async def watching() -> AsyncIterator[Watch]:
    gc.collect()
    watch, before = Watch(), resident()

    async def tick() -> None:
        while True:
            began = time.perf_counter() - kept_waiting()
            await asyncio.sleep(TICK)
            watch.longest = max(watch.longest, time.perf_counter() - kept_waiting() - began - TICK)
            watch.grown = max(watch.grown, resident() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(TICK)
    try:
        yield watch
        await asyncio.sleep(2 * TICK)
    finally:
        ticking.cancel()


async def calmest(work: Callable[[], Awaitable[None]], limit: float) -> Watch:
    """The first of some tries that stays below *limit* seconds, or the best of them.

    What the code itself does it does each time; what the machine does besides it does not.
    """
    watches: list[Watch] = []
    while len(watches) < TRIES and (not watches or watches[-1].longest >= limit):
        async with watching() as watch:
            await work()
        watches.append(watch)
    return min(watches, key=lambda watch: watch.longest)
