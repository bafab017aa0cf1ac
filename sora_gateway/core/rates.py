"""Rate limits: the generic cell rate algorithm (ITU-T I.371), one moment for each key.

A refused call changes nothing, so it does not lengthen the wait. Over any window W at most W / T + burst calls
are allowed, with T the time that one call takes up.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 100_000
"""Keys; whoever was forgotten begins anew, which costs a limit little: the oldest have long recovered."""


@dataclass(frozen=True, slots=True)
class Rate:
    """*calls* in *seconds*, of which *burst* may come at once (all of them if it is 0). 0 calls is unlimited."""

    calls: int
    seconds: float = 60.0
    burst: int = 0

    @property
    def interval(self) -> float:
        return self.seconds / self.calls

    @property
    def at_once(self) -> int:
        return min(self.burst or self.calls, self.calls)


@dataclass(frozen=True, slots=True)
class Verdict:
    """*retry_after* is None for an allowed call; *remaining* calls are allowed at once after this one; all of
    them are back after *reset_after* seconds."""

    limit: int
    remaining: int
    reset_after: float
    retry_after: float | None = None


class RateLimiter:
    """Many keys, each with its own theoretical arrival time. Moments are monotonic seconds."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._arrivals: OrderedDict[str, float] = OrderedDict()

    def look(self, key: str, rate: Rate, now: float) -> Verdict:
        """What :meth:`take` would say, without counting anything."""
        arrival = max(now, self._arrivals.get(key, now))
        waiting = arrival - (now + (rate.at_once - 1) * rate.interval)
        # A hair of rounding must not refuse the call that was promised for this very moment.
        if waiting > rate.interval * 1e-9:
            return Verdict(rate.at_once, 0, arrival - now, waiting)
        after = arrival + rate.interval
        room = (now + rate.at_once * rate.interval - after) / rate.interval
        return Verdict(rate.at_once, max(0, math.floor(room + 1e-9)), after - now)

    def take(self, key: str, rate: Rate, now: float) -> Verdict:
        """Counts one call of *key*, unless it is refused."""
        verdict = self.look(key, rate, now)
        if verdict.retry_after is None:
            self._arrivals[key] = now + verdict.reset_after
            self._arrivals.move_to_end(key)
            while len(self._arrivals) > self._remembered:
                self._arrivals.popitem(last=False)
        return verdict
