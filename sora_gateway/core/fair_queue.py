"""Who is next: lanes by priority, and within a lane people take turns, however many jobs each has waiting.

Within a lane it is start-time fair queueing (Goyal, Vin and Cheng, 1996) with every job as large as any other:
each person's jobs are numbered in a virtual time that never runs ahead of what was served, so who comes new is
served next and saves up nothing while away. A lane goes before the ones below it, but nobody waits for ever:
every :data:`PATIENCE` seconds of waiting lift a job by one lane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

PATIENCE = 600.0
"""Seconds."""


class Lane(IntEnum):
    """Lower goes first."""

    VIP = 0
    NORMAL = 1
    BATCH = 2


@dataclass(slots=True)
class _Waiting:
    key: str
    owner: str
    lane: Lane
    since: float
    start: float = 0.0
    """Its place in the virtual time."""

    def rank(self, now: float) -> tuple[int, float, float]:
        lifted = int(max(0.0, now - self.since) / PATIENCE)
        return max(0, self.lane - lifted), self.start, self.since


class FairQueue:
    """Jobs by key, each with its owner. Moments are seconds of any one clock that does not go back."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, Lane], dict[str, _Waiting]] = {}
        """By owner and lane, in the order of their start: only the first of each can be next."""
        self._line_of: dict[str, tuple[str, Lane]] = {}
        self._virtual = 0.0
        self._finish: dict[str, float] = {}
        """By owner: where their next job begins, if they have been served lately or wait already."""

    def __len__(self) -> int:
        return len(self._line_of)

    def add(self, key: str, owner: str, lane: Lane, now: float) -> None:
        entry = _Waiting(key, owner, lane, now)
        entry.start = max(self._virtual, self._finish.get(owner, 0.0))
        self._finish[owner] = entry.start + 1.0
        self._lines.setdefault((owner, lane), {})[key] = entry
        self._line_of[key] = (owner, lane)

    def discard(self, key: str) -> None:
        """It waits no longer; the later jobs of its owner move up."""
        if key not in self._line_of:
            return
        gone = self._remove(key)
        for lane in Lane:
            for entry in self._lines.get((gone.owner, lane), {}).values():
                if entry.start > gone.start:
                    entry.start -= 1.0
        self._finish[gone.owner] -= 1.0
        self._forget()

    def take(self, now: float, may: Callable[[str], bool] = lambda _owner: True) -> str | None:
        """Takes out whoever is next among the owners that *may*; None when nobody is."""
        heads = [next(iter(line.values())) for line in self._lines.values()]
        able = {owner: may(owner) for owner in {entry.owner for entry in heads}}
        ready = [entry for entry in heads if able[entry.owner]]
        if not ready:
            return None
        first = min(ready, key=lambda entry: entry.rank(now))
        self._remove(first.key)
        self._virtual = max(self._virtual, first.start)
        self._forget()
        return first.key

    def order(self, now: float) -> list[str]:
        """Everybody who waits, in the order in which they would be served if nobody else came."""
        everybody = [entry for line in self._lines.values() for entry in line.values()]
        return [entry.key for entry in sorted(everybody, key=lambda entry: entry.rank(now))]

    def _remove(self, key: str) -> _Waiting:
        where = self._line_of.pop(key)
        line = self._lines[where]
        entry = line.pop(key)
        if not line:
            del self._lines[where]
        return entry

    def _forget(self) -> None:
        """Whoever has nothing waiting and is not ahead of the others begins like anybody else."""
        if not self._line_of or len(self._finish) > 2 * len(self._lines) + 64:
            waiting = {owner for owner, _ in self._lines}
            self._finish = {
                owner: finish
                for owner, finish in self._finish.items()
                if owner in waiting or finish > self._virtual
            }
