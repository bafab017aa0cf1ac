"""Follows one job to its end over SSE and shows how far it is."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TextIO

from sora_gateway.cli.client import Answered, Client, Message, Unreachable
from sora_gateway.cli.progress import Progress, line, minutes
from sora_gateway.cli.terminal import printable
from sora_gateway.errors import StartupError

REDRAW = 0.2
"""Seconds between two looks of the bar, so that its clock goes on while nothing happens."""
RECONNECT = (0.1, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""Seconds before each new attempt while the gateway cannot be reached; a restart fits in easily."""
LASTING = 5.0
"""Seconds after which a connection counts as one that worked."""


class Display:
    """A live line on a terminal; elsewhere one plain line per news."""

    def __init__(self, out: TextIO, started: float) -> None:
        """*started* in seconds since the epoch."""
        self._out = out
        self._live = out.isatty() and os.environ.get("TERM") != "dumb"
        self._blocks = "utf" in (out.encoding or "").lower()
        self._started = started
        self._last = ""
        """What was shown last: the line, or the message."""

    def show(self, known: Progress) -> None:
        elapsed = max(0.0, time.time() - self._started)
        if self._live:
            text = line(known, elapsed, shutil.get_terminal_size().columns - 1, self._blocks)
            self._last = text
            self._out.write(f"\r{text}\x1b[K")
            self._out.flush()
        elif known.message != self._last:
            self._last = known.message
            print(f"{minutes(elapsed)}  {printable(known.message)}", file=self._out, flush=True)

    def end(self, known: Progress) -> None:
        """*known* is how it ended: a line may have had no room for the reason."""
        if self._live:
            reason = printable(known.message)
            cut = known.final and reason not in self._last
            self._out.write(f"\n{reason}\n" if cut else "\n")
            self._out.flush()


def follow(client: Client, task: Mapping[str, Any], out: TextIO | None = None) -> Progress:
    """Shows *task* until it ends, through lost connections and restarts of the gateway, and returns its end.

    Raises:
        Answered: the gateway says that it cannot be followed (any more).
        StartupError: the gateway cannot be reached for a minute.
    """
    display = Display(out or sys.stdout, datetime.fromisoformat(task["createdAt"]).timestamp())
    known = Progress().after(task)
    path, cursor, patience = f"api/video/tasks/{task['videoId']}/stream", None, _Patience(client)
    try:
        display.show(known)
        while not known.final:
            feed = _Feed(client, path, cursor)
            with patience:
                while not known.final and (message := feed.next(display, known)) is not None:
                    cursor = message.cursor or cursor
                    known = _learn(known, message.data)
                    display.show(known)
            if not known.final:
                patience.wait()
    finally:
        display.end(known)
    return known


def follow_all(client: Client) -> int:
    """Prints a line for whatever happens to any video that the caller may see, until Ctrl-C.

    Raises:
        Answered: the gateway says no.
        StartupError: the gateway cannot be reached for a minute.
    """
    cursor, patience = None, _Patience(client)
    while True:
        with patience:
            for message in client.messages("api/events/stream", cursor):
                cursor = message.cursor or cursor
                for news in [message.data, *message.data.get("tasks", ())]:
                    if "videoId" in news:
                        print(f"{news['videoId']}  {printable(Progress().after(news).message)}", flush=True)
        patience.wait()


class _Patience:
    """``with patience:`` around one connection, ``wait()`` before the next: longer after each that failed at once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._failures = 0
        self._reason = "its stream ends at once"

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if time.monotonic() - self._began > LASTING:
            self._failures = 0
        if error is None:
            return False
        self._reason = str(error)
        # A gateway that is starting, stopping or overloaded says so; it is as good as not reached.
        return isinstance(error, Unreachable) or (
            isinstance(error, Answered) and error.http_status in (429, 503)
        )

    def wait(self) -> None:
        """Raises StartupError when it has been enough."""
        if self._failures == len(RECONNECT):
            raise StartupError(f"The gateway at {self._client.base} cannot be reached: {self._reason}.")
        time.sleep(RECONNECT[self._failures])
        self._failures += 1


def _learn(known: Progress, data: Mapping[str, Any]) -> Progress:
    if data["type"] == "subscribed":
        for task in data["tasks"]:
            known = known.after(task)
    elif data["type"] == "update":
        known = known.after(data)
    return known


class _Feed:
    """Reads one stream in a thread of its own, so that the line can be redrawn, and Ctrl-C works, meanwhile."""

    def __init__(self, client: Client, path: str, cursor: str | None) -> None:
        self._queue: queue.SimpleQueue[Message | Exception | None] = queue.SimpleQueue()
        # A daemon: when the job has ended nobody waits for the next heartbeat.
        threading.Thread(target=self._read, args=(client, path, cursor), daemon=True).start()

    def next(self, display: Display, known: Progress) -> Message | None:
        """The next message, or None when the stream ended. Raises what reading raised."""
        while True:
            try:
                item = self._queue.get(timeout=REDRAW)
            except queue.Empty:
                display.show(known)
                continue
            if isinstance(item, Exception):
                raise item
            return item

    def _read(self, client: Client, path: str, cursor: str | None) -> None:
        try:
            for message in client.messages(path, cursor):
                self._queue.put(message)
            self._queue.put(None)
        except Exception as error:
            # Whatever it is, the thread that waits has to hear of it.
            self._queue.put(error)
