"""Blocking work on files, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def finish_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs *work* in a thread and lets it end even when the caller is cancelled.

    A thread cannot be stopped, and it holds a file that must not be closed or taken away under it: so the
    cancellation is passed on when the work is done, and what the work raised is then of no interest.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Looked at, so that the loop does not complain about an error that nobody saw.
        running.exception()
        raise cancelled
    return running.result()
