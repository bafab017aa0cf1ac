"""Who is next: lanes by priority, and within a lane people take turns, however many jobs each has waiting.

Of the people in the first lane it is the turn of whoever was served longest ago (least recently served, a round
robin that people may join and leave): between two turns of one person every other gets one at most, so nobody
starves anybody, and who comes new is served next and has saved up nothing while away. A lane goes before the ones
below it, but nobody waits for ever: every :data:`PATIENCE` seconds without a turn lift the oldest of a person's jobs in
a lane by one lane. (Were all of a long line lifted, it would keep out whoever comes new into its own lane.)

A turn costs the logarithm of the number of people who wait, and a question to each who may not have one now.
"""

from __future__ import annotations

import heapq
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


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a queued job stands at its upstream, and when it should get its place; None when nobody can say."""

    position: int
    starts_at: float | None


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: str
    owner: str
    lane: Lane
    since: float
    number: int
    """Of its coming: decides between those of one moment."""


_Place = tuple[int, int, float, int]
"""Lane, the owner's latest turn, since when, number: the smallest is next."""
_Line = list[tuple[float, int, _Waiting]]
"""A heap, the oldest first; who has left is still in it until they are the oldest."""


class FairQueue:
    """Jobs by key, each with its owner. Moments are seconds of any one clock; while it is behind, patience stands still."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._lines: dict[tuple[str, Lane], _Line] = {}
        """By owner and lane: only the oldest of each can be next."""
        self._next: list[tuple[_Place, _Waiting]] = []
        """A heap with the place of the oldest of every line; places that are true no more are dropped when met."""
        self._lifts: list[tuple[float, int, _Waiting]] = []
        """A heap: when the oldest of a line rises by a lane."""
        self._latest: dict[str, int] = {}
        """By owner: the number of their latest turn. One for each person, and so never forgotten."""
        self._turn_at: dict[tuple[str, Lane], float] = {}
        """By owner and lane: the moment of the latest turn."""
        self._count = 0
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str, owner: str, lane: Lane, now: float, since: float | None = None) -> None:
        """*key*, which does not wait yet, does; and has, here or elsewhere, *since* a moment before *now*."""
        self._now = max(self._now, now)
        self._count += 1
        entry = _Waiting(key, owner, lane, now if since is None else since, self._count)
        self._waiting[key] = entry
        heapq.heappush(self._lines.setdefault((owner, lane), []), (entry.since, entry.number, entry))
        if self._oldest(owner, lane) is entry:
            self._place(entry)
            self._plan_lift(entry)

    def discard(self, key: str) -> None:
        """It waits no longer; its owner's next job has their turn."""
        if key in self._waiting:
            self._remove(self._waiting[key])

    def clear(self) -> None:
        """Nobody waits any more; who was served when is remembered."""
        self._waiting, self._lines, self._next, self._lifts = {}, {}, [], []

    def take(self, now: float, may: Callable[[str], bool] = lambda _owner: True) -> str | None:
        """Takes out whoever is next among the owners that *may*; None when nobody is."""
        self._now = max(self._now, now)
        self._lift()
        passed_over: list[tuple[_Place, _Waiting]] = []
        barred: set[str] = set()
        taken = None
        while taken is None and self._next:
            head = heapq.heappop(self._next)
            place, entry = head
            if place != self._place_of(entry) or self._oldest(entry.owner, entry.lane) is not entry:
                continue
            if entry.owner in barred or not may(entry.owner):
                barred.add(entry.owner)
                passed_over.append(head)
            else:
                taken = entry
        for head in passed_over:
            heapq.heappush(self._next, head)
        if taken is None:
            return None
        self._count += 1
        self._latest[taken.owner] = self._count
        self._turn_at[taken.owner, taken.lane] = self._now
        self._remove(taken)
        for lane in Lane:
            oldest = self._oldest(taken.owner, lane)
            if oldest is not None and lane is not taken.lane:
                self._place(oldest)
        return taken.key

    def order(self, now: float, room: Callable[[str], int | None] = lambda _owner: None) -> list[str]:
        """Everybody who waits, in the order in which they would be served if nobody else came.

        *room* says how many of an owner's may go now, None for all; the others come after those who may.
        """
        latest, count, had = dict(self._latest), self._count, dict[str, int]()
        lines = {where: sorted(line, reverse=True) for where, line in self._lines.items()}
        heads: list[tuple[_Place, _Waiting]] = []
        turns: set[tuple[str, Lane]] = set()

        def push(where: tuple[str, Lane]) -> None:
            line = lines.get(where, [])
            while line and self._waiting.get(line[-1][2].key) is not line[-1][2]:
                line.pop()
            if line:
                entry = line[-1][2]
                lane = entry.lane if where in turns else self._lane_at(entry, now)
                place = (lane, latest.get(entry.owner, 0), entry.since, entry.number)
                heapq.heappush(heads, (place, entry))

        for where in lines:
            push(where)
        found: list[str] = []
        rest: list[str] = []
        while heads:
            place, entry = heapq.heappop(heads)
            where = (entry.owner, entry.lane)
            if place[1] == latest.get(entry.owner, 0):
                lines[where].pop()
                turns.add(where)
                count += 1
                latest[entry.owner] = count
                had[entry.owner] = had.get(entry.owner, 0) + 1
                limit = room(entry.owner)
                (found if limit is None or had[entry.owner] <= limit else rest).append(entry.key)
            push(where)
        return found + rest

    # --- inside ----------------------------------------------------------------------------------

    def _oldest(self, owner: str, lane: Lane) -> _Waiting | None:
        line = self._lines.get((owner, lane))
        while line:
            entry = line[0][2]
            if self._waiting.get(entry.key) is entry:
                return entry
            heapq.heappop(line)
        self._lines.pop((owner, lane), None)
        return None

    def _remove(self, entry: _Waiting) -> None:
        was_oldest = self._oldest(entry.owner, entry.lane) is entry
        del self._waiting[entry.key]
        following = self._oldest(entry.owner, entry.lane) if was_oldest else None
        if following is not None:
            self._place(following)
            self._plan_lift(following)

    def _lifted(self, entry: _Waiting, lanes: int) -> float:
        """When the oldest of a line rises by so many lanes."""
        without_turn = max(entry.since, self._turn_at.get((entry.owner, entry.lane), entry.since))
        return without_turn + lanes * PATIENCE

    def _lane_at(self, entry: _Waiting, now: float) -> int:
        return entry.lane - sum(now >= self._lifted(entry, lanes) for lanes in range(1, entry.lane + 1))

    def _place_of(self, entry: _Waiting) -> _Place:
        return self._lane_at(entry, self._now), self._latest.get(entry.owner, 0), entry.since, entry.number

    def _place(self, entry: _Waiting) -> None:
        """Puts the oldest of a line where it belongs."""
        heapq.heappush(self._next, (self._place_of(entry), entry))
        if len(self._next) > 4 * len(self._lines) + 64:
            # Mostly places that are true no more, and that nobody has met: those behind a line that goes on and on.
            oldest = [self._oldest(owner, lane) for owner, lane in list(self._lines)]
            self._next = [(self._place_of(each), each) for each in oldest if each is not None]
            heapq.heapify(self._next)

    def _plan_lift(self, entry: _Waiting) -> None:
        lane = self._lane_at(entry, self._now)
        if lane:
            heapq.heappush(self._lifts, (self._lifted(entry, entry.lane - lane + 1), entry.number, entry))

    def _lift(self) -> None:
        """Places anew who has become more urgent since the last look."""
        while self._lifts and self._lifts[0][0] <= self._now:
            _, _, entry = heapq.heappop(self._lifts)
            if self._oldest(entry.owner, entry.lane) is entry:
                self._place(entry)
                self._plan_lift(entry)
