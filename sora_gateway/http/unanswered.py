"""Requests that nothing has been answered to yet: when the gateway ends before they do, they are told so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Pending:
    """One request. *answered* is set when its answer has begun."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.answered = False
        self.refused = False
        self.task = task

    def takes_refusal(self) -> bool:
        """Whether it was :meth:`Unanswered.refuse` that cancelled it; its task then goes on, to answer."""
        if self.answered or not self.refused:
            return False
        self.task.uncancel()
        return True


class Unanswered:
    """All requests, as counted by the outermost part that can answer them."""

    def __init__(self) -> None:
        self._pending: set[Pending] = set()

    @contextmanager
    def counted(self) -> Iterator[Pending]:
        """For the request that this task serves."""
        task = asyncio.current_task()
        assert task is not None, "a request is served in a task"
        pending = Pending(task)
        self._pending.add(pending)
        try:
            yield pending
        finally:
            self._pending.discard(pending)

    async def refuse(self, within: float) -> None:
        """Breaks off all that have no answer; returns when they have been given one, or after *within* seconds."""
        refused = [pending for pending in self._pending if not pending.answered]
        for pending in refused:
            pending.refused = True
            pending.task.cancel("server: the time of open requests is up")
        if refused:
            await asyncio.wait({pending.task for pending in refused}, timeout=within)
