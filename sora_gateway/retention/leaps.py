"""Does the clock say what time it is? A machine may come up with one that is years ahead, and what is old enough by that
goes for good."""

from __future__ import annotations

import logging

from sora_gateway.clock import Clock
from sora_gateway.core.retention import DAY

log = logging.getLogger(__name__)

AWAY = 30 * DAY
"""Seconds between the last that was written and a start, from which on the clock is doubted."""


class Leaps:
    """Made at the start; *last_written* is when something was written last before it, in epoch seconds, None for never."""

    def __init__(self, clock: Clock, last_written: float | None) -> None:
        self._clock = clock
        self._wall, self._steady = clock.now(), clock.monotonic()
        self._since: float | None = None
        if last_written is not None and self._wall - last_written > AWAY:
            self._doubt("since something was written last")

    def doubted(self) -> bool:
        """Whether the clock has leapt ahead within the last day: by then it is set right, or it was right."""
        wall, steady = self._clock.now(), self._clock.monotonic()
        leap = wall - self._wall - (steady - self._steady)
        self._wall, self._steady = wall, steady
        if leap > DAY:
            self._doubt("at once")
        elif leap < -DAY:
            self._since = None
        return self._since is not None and steady - self._since < DAY

    def _doubt(self, how: str) -> None:
        self._since = self._steady
        log.warning("the clock went on by many days %s; nothing is removed by its age for a day", how)
