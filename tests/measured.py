"""The real gateway with a meter on its event loop: ``python -m tests.measured FILE serve ...``.

FILE gets a line for every stall of more than ten milliseconds: when it ended (seconds since the epoch), and how long
it was.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from sora_gateway.logs.redaction import Redactor
from sora_gateway.settings import Settings
from tests.killable import instead
from tests.loop_lag import TICK, kept_waiting

WORTH_A_LINE = 0.01


async def meter(lines: Path) -> None:
    with lines.open("a", buffering=1) as file:
        while True:
            began = time.perf_counter() - kept_waiting()
            await asyncio.sleep(TICK)
            stall = time.perf_counter() - kept_waiting() - began - TICK
            if stall > WORTH_A_LINE:
                file.write(f"{time.time()} {stall}\n")


def stalls(lines: Path, since: float) -> list[float]:
    """Seconds of every stall that ended after *since*."""
    pairs = [line.split() for line in lines.read_text().splitlines()]
    return [float(stall) for ended, stall in pairs if float(ended) > since]


def main() -> int:
    from sora_gateway import serving
    from sora_gateway.cli import main as command_line

    serve, lines = serving._serve, Path(sys.argv[1])

    async def measured(settings: Settings, redactor: Redactor) -> int:
        measuring = asyncio.create_task(meter(lines))
        try:
            return await serve(settings, redactor)
        finally:
            measuring.cancel()

    instead(serving, "_serve", measured)
    return command_line(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
