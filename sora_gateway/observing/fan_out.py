"""How long it takes from a commit until the last who follows the job has been handed the change."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sora_gateway.clock import Clock
from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.tally import Histogram

DELAYS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class FanOut:
    """Told of events when they are committed and when they have been told, both in the order of their numbers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._committed: deque[tuple[int, float]] = deque()
        self.delays = Histogram(DELAYS)

    def committed(self, events: Sequence[StoredEvent], at: float) -> None:
        """*events* were committed at the moment *at*, by the monotonic clock."""
        if events:
            # All of one commit were; those before the last of them are found by their numbers.
            self._committed.append((events[-1].seq, at))

    def told(self, seqs: Sequence[int]) -> None:
        """The events of these numbers were handed over to everybody just now; those between were before, or gave way
        to later ones."""
        committed, now = self._committed, self._clock.monotonic()
        for seq in seqs:
            while committed and committed[0][0] < seq:
                committed.popleft()
            if committed:
                self.delays.add(now - committed[0][1])
