"""Telling followers of their jobs' progress, and storing what it makes of the jobs together.

A sweep over a list finds many jobs a little further on. Their followers are not woken for that: each lends its job
for the one change, all of them are one unit of work of the store, and each gets its job back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from sora_gateway.core.observation import Look
from sora_gateway.store.jobs import Change
from sora_gateway.supervisor.subject import Subject

log = logging.getLogger(__name__)


class Teller:
    """*together* stores changes of many jobs, or none of them."""

    def __init__(self, together: Callable[[Sequence[Change]], Awaitable[None]]) -> None:
        self._together = together
        self._storing: set[asyncio.Task[None]] = set()

    def tell(self, news: list[Subject]) -> None:
        """Tells of the progress of all jobs in *news*, and empties it."""
        changes: list[tuple[Subject, Change]] = []
        for subject in news:
            change = subject.follower.change(subject.news) if isinstance(subject.news, Look) else None
            if change is None:
                subject.follower.wake()
            elif change.after is change.before:
                subject.follower.stored(change, kept=True)
            else:
                changes.append((subject, change))
        news.clear()
        if changes:
            task = asyncio.create_task(self._store(changes), name="store progress")
            self._storing.add(task)
            task.add_done_callback(self._storing.discard)

    async def aclose(self) -> None:
        storing = list(self._storing)
        for task in storing:
            task.cancel("teller: closing")
        await asyncio.gather(*storing, return_exceptions=True)

    async def _store(self, changes: list[tuple[Subject, Change]]) -> None:
        kept = False
        try:
            await self._together([change for _, change in changes])
            kept = True
        except Exception:
            # A full disk, or one change that cannot be: each follower finds out at its own, and deals with it.
            log.warning("the progress of %d jobs could not be stored together", len(changes))
        finally:
            for subject, change in changes:
                subject.follower.stored(change, kept=kept)
