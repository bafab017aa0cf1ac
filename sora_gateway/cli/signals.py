"""Waiting for Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal


async def until_told_to_stop() -> None:
    """Returns at the first SIGINT or SIGTERM; whoever called cleans up in order."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
