"""A timing wheel: which job's turn comes when, at a cost that does not depend on how many there are.

After George Varghese and Tony Lauck, "Hashed and Hierarchical Timing Wheels", 1987; the few slots that are in use
are kept in a heap instead of a ring, so that nobody ticks while nothing is due.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Iterable

from sora_gateway.supervisor.subject import Subject

TICK = 0.02
"""Seconds: by so much a turn may come late."""


class Wheel:
    """Moments are monotonic seconds.

    A job has one place. One that becomes due later keeps it and moves on when its turn comes, which costs less
    than taking it out: most jobs are seen on a list before they are due.
    """

    def __init__(self) -> None:
        self._slots: dict[int, list[Subject]] = {}
        self._order: list[int] = []
        self.earlier = asyncio.Event()
        """Set when a turn comes before all others; cleared by whoever waits for it."""

    def put(self, subject: Subject, due: float) -> None:
        subject.due = due
        slot = math.ceil(due / TICK)
        if subject.slot is not None and subject.slot <= slot:
            return
        subject.slot = slot
        turn = self._slots.get(slot)
        if turn is not None:
            turn.append(subject)
            return
        self._slots[slot] = [subject]
        heapq.heappush(self._order, slot)
        if self._order[0] == slot:
            self.earlier.set()

    def next(self) -> float | None:
        """When the next turn comes; None if nobody is waiting."""
        return self._order[0] * TICK if self._order else None

    def take(self, until: float) -> list[Subject]:
        """Everything that is due *until* then, off the wheel."""
        taken = []
        while self._order and self._order[0] * TICK <= until:
            slot = heapq.heappop(self._order)
            for subject in self._slots.pop(slot):
                if subject.slot != slot:
                    continue  # It has got an earlier place.
                subject.slot = None
                if subject.busy or subject.gone:
                    continue
                if subject.due > until:
                    self.put(subject, subject.due)
                else:
                    taken.append(subject)
        return taken

    def put_back(self, taken: Iterable[Subject], soonest: float) -> None:
        """Those of *taken* with whom nothing was done, for when they are due, not before *soonest*."""
        for subject in taken:
            if subject.slot is None and not subject.busy and not subject.gone:
                self.put(subject, max(subject.due, soonest))
