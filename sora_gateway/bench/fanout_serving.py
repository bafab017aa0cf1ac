"""What both servers of ``bench fanout`` have besides serving: they do what the benchmark's process asks them to.

A line of JSON on stdin is a command, a line of JSON on stdout its answer, the first one says what the clients need.
The server ends when stdin does, so none outlives the process that started it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

BEAT = 0.001
"""Seconds between two beats of the heart that shows how long the event loop was held."""

Answer = Mapping[str, object]
Publish = Callable[[str, int, int], Coroutine[Any, Any, int]]
"""``one`` or ``keyed``, the first event's number and how many -> when the first was published, in monotonic ns."""


class Heart:
    """Beats on the event loop, and keeps the longest pause."""

    def __init__(self) -> None:
        self._beating: asyncio.Task[None] | None = None
        self._late = 0
        self._used = 0

    def start(self) -> None:
        self._late = self._used = 0
        self._beating = asyncio.create_task(self._beat(), name="bench: heartbeat")

    def stop(self) -> Answer:
        """Seconds that the latest beat came late, and the most CPU that this thread used between two."""
        assert self._beating is not None
        self._beating.cancel()
        return {"late": self._late / 1e9, "used": self._used / 1e9}

    async def _beat(self) -> None:
        pause = round(BEAT * 1e9)
        while True:
            began, used = time.monotonic_ns(), time.thread_time_ns()
            await asyncio.sleep(BEAT)
            self._late = max(self._late, time.monotonic_ns() - began - pause)
            self._used = max(self._used, time.thread_time_ns() - used)


async def obey(hello: Answer, ways: Mapping[str, Publish], learn: Callable[[str], None]) -> None:
    """Serves commands until stdin ends. *ways* are the commands that publish; *learn* is told the text of a message
    that the other server has sent."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    heart = Heart()
    answer = hello
    while True:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        line = await reader.readline()
        if not line:
            return
        command, answer = json.loads(line), {}
        match command["op"]:
            case way if way in ways:
                began = await ways[way](command["on"], command["first"], command["count"])
                answer = {"began": began}
            case "learn":
                learn(command["text"])
            case "beat":
                heart.start()
            case "still":
                answer = heart.stop()
            case "collect":
                gc.collect()
