"""The one task that puts things away: every chore in its turn, again and again, none of them in the others' way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

from sora_gateway.clock import Clock

log = logging.getLogger(__name__)

Chore = Callable[[], Awaitable[int]]
"""Does what is due, and says how much it was."""
FIRST = 30.0
"""Seconds after the start: until then there is more urgent work."""


class Janitor:
    """``async with Janitor(...)``: runs *chores* every *interval* seconds until left; a pass under way is cut short then,
    which no chore minds."""

    def __init__(self, chores: Mapping[str, Chore], clock: Clock, interval: float) -> None:
        self._chores = chores
        self._clock = clock
        self._interval = interval
        self._task: asyncio.Task[None] | None = None
        self.last_run: float | None = None
        """When the latest pass ended."""
        self.done: dict[str, int] = dict.fromkeys(chores, 0)
        """What each chore has put away since the start."""
        self.failed: dict[str, str] = {}
        """Chores that did not get through in the latest pass, and why."""

    async def __aenter__(self) -> Janitor:
        self._task = asyncio.create_task(self._run(), name="janitor")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel("janitor: shutting down")
            await asyncio.wait({self._task})

    async def run_once(self) -> None:
        """One pass over all chores."""
        for name, chore in self._chores.items():
            try:
                self.done[name] += await chore()
            except Exception as error:
                # Whatever is wrong with one chore, the others are done, and it gets its next turn.
                self.failed[name] = str(error) or type(error).__name__
                log.exception("housekeeping: %s did not get through", name)
            else:
                self.failed.pop(name, None)
        self.last_run = self._clock.now()

    async def _run(self) -> None:
        await self._clock.sleep(min(FIRST, self._interval))
        while True:
            await self.run_once()
            await self._clock.sleep(self._interval)
