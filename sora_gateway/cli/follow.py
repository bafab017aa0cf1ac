"""Follows one video to its end and shows how far it is; or everything, a line for each change."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import TextIO

from sora_gateway.cli.progress import Progress, line, minutes
from sora_gateway.cli.terminal import printable
from sora_gateway.client import GatewayClient, Task, Unreachable, Watch
from sora_gateway.errors import StartupError

REDRAW = 0.2
"""Seconds between two looks of the bar, so that its clock goes on while nothing happens."""
PATIENCE = 60.0
"""Seconds for which a gateway that cannot be reached is tried; a restart fits in easily."""


class Display:
    """A live line on a terminal; elsewhere one plain line per news."""

    def __init__(self, out: TextIO, started: float, known: Progress) -> None:
        """*started* in seconds since the epoch."""
        self._out = out
        self._live = out.isatty() and os.environ.get("TERM") != "dumb"
        self._blocks = "utf" in (out.encoding or "").lower()
        self._started = started
        self._last = ""
        """What was shown last: the line, or the message."""
        self.known = known

    def show(self) -> None:
        elapsed = max(0.0, time.time() - self._started)
        if self._live:
            text = line(self.known, elapsed, shutil.get_terminal_size().columns - 1, self._blocks)
            self._last = text
            self._out.write(f"\r{text}\x1b[K")
            self._out.flush()
        elif self.known.message != self._last:
            self._last = self.known.message
            print(f"{minutes(elapsed)}  {printable(self.known.message)}", file=self._out, flush=True)

    async def redraw(self) -> None:
        """For as long as it is not cancelled."""
        while True:
            await asyncio.sleep(REDRAW)
            self.show()

    def end(self) -> None:
        """What is known is how it ended: a line may have had no room for the reason."""
        if self._live:
            reason = printable(self.known.message)
            cut = self.known.final and reason not in self._last
            self._out.write(f"\n{reason}\n" if cut else "\n")
            self._out.flush()


async def follow(client: GatewayClient, task: Task, out: TextIO | None = None) -> Progress:
    """Shows *task* until it ends, through lost connections and restarts of the gateway, and returns its end.

    Raises:
        Answered: the gateway says that it cannot be followed (any more).
        StartupError: the gateway cannot be reached for a minute.
    """
    started = datetime.fromisoformat(task.created_at).timestamp()
    display = Display(out or sys.stdout, started, Progress().after(task.raw))
    drawing = asyncio.create_task(display.redraw())
    try:
        display.show()
        if not display.known.final:
            await _show_all(client.watch(video_id=task.video_id, patience=PATIENCE), display)
    except Unreachable as error:
        raise _cannot_be_reached(client, error) from None
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing
        display.end()
    return display.known


async def _show_all(watch: Watch, display: Display) -> None:
    async for update in watch:
        display.known = display.known.after(update.raw)
        display.show()


async def follow_all(client: GatewayClient) -> int:
    """Prints a line for whatever happens to any video that the caller may see, until Ctrl-C.

    Raises:
        Answered: the gateway says no.
        StartupError: the gateway cannot be reached for a minute.
    """
    try:
        async for update in client.watch(all=True, patience=PATIENCE):
            print(f"{update.video_id}  {printable(update.message)}", flush=True)
    except Unreachable as error:
        raise _cannot_be_reached(client, error) from None
    return 0


def _cannot_be_reached(client: GatewayClient, error: Unreachable) -> StartupError:
    return StartupError(f"The gateway at {client.base} cannot be reached: {error}.")
