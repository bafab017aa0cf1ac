"""A circuit breaker: stops asking an upstream that does not work, and finds out carefully when it does again.

States after Michael Nygard, "Release It!", 2007: closed, open, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FAILURES = 5
"""In a row, within the window, that open it."""
WINDOW = 60.0
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 900.0

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """A value; moments are seconds of any one clock that does not go back."""

    failures: int = 0
    """In a row."""
    since: float = 0.0
    """When the first of them came."""
    openings: int = 0
    """In a row: each pause is twice the one before."""
    open_until: float = 0.0

    def state(self, now: float) -> BreakerState:
        """``half-open`` lets one request through, whose outcome decides."""
        if not self.openings:
            return "closed"
        return "open" if now < self.open_until else "half-open"

    def failed(self, now: float) -> Breaker:
        """After a request that found no working upstream."""
        if self.state(now) == "open":
            # Sent before it opened.
            return self
        if self.openings:
            return self._opened(now)
        recent = self.failures > 0 and now - self.since <= WINDOW
        counted = Breaker(self.failures + 1 if recent else 1, self.since if recent else now)
        return counted if counted.failures < FAILURES else counted._opened(now)

    def succeeded(self) -> Breaker:
        """After any answer that shows a working upstream."""
        return Breaker()

    def _opened(self, now: float) -> Breaker:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.openings, 16))
        return Breaker(0, 0.0, self.openings + 1, now + pause)
