"""An upstream's request budget: so many requests a minute, and none while it asks for patience."""

from __future__ import annotations

BURST = 10
"""Requests that may come at once after a quiet time."""


class Budget:
    """The generic cell rate algorithm (ITU-T I.371): one moment, the theoretical arrival time, says everything.

    *per_minute* of 0 is unlimited. Moments are seconds of any one clock that does not go back.
    """

    def __init__(self, per_minute: int = 0, burst: int = BURST) -> None:
        self.per_minute = per_minute
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._tolerance = self._interval * (min(burst, per_minute) - 1) if per_minute else 0.0
        self._arrival = 0.0
        self._not_before = 0.0

    def ready_at(self, now: float) -> float:
        """When the next request may leave; *now* at the earliest."""
        return max(now, self._not_before, self._arrival - self._tolerance)

    def take(self, now: float) -> None:
        """Counts one request that leaves now."""
        self._arrival = max(now, self._arrival) + self._interval

    def hold_back(self, now: float, seconds: float) -> None:
        """The upstream asks for *seconds* of patience (``Retry-After`` of a 429 or 503)."""
        self._not_before = max(self._not_before, now + seconds)

    def free(self, now: float) -> int | None:
        """How many requests could leave at once; None is unlimited."""
        if not self._interval:
            return None
        if now < self._not_before:
            return 0
        return max(0, int((now + self._tolerance - max(now, self._arrival)) / self._interval) + 1)
