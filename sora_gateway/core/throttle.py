"""How often somebody may try: failures of one name, and attempts from one place.

Moments are seconds of any one clock that does not go back. Both remember a bounded number of names, those that were
heard of last.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

FREE_FAILURES = 5
"""In a row, which cost nothing but themselves."""
FIRST_LOCK = 1.0
LONGEST_LOCK = 900.0
FORGOTTEN = 86400.0
"""Seconds after a failure, or the end of its lock, when it counts no more."""
MOST_NAMES = 10_000


@dataclass(slots=True)
class _Tries:
    failures: int = 0
    locked_until: float = 0.0
    last: float = 0.0
    under_way: int = 0


class Failures:
    """Failed attempts in a row, by name. From the sixth on each one locks the name, twice as long as the one before.

    While a name is locked nothing is tried, so that nobody learns whether it would have been right. An attempt that
    is under way counts as a failure until it has ended: a hundred at once are no more guesses than a hundred in a row.
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._names: OrderedDict[str, _Tries] = OrderedDict()

    def begin(self, name: str, now: float) -> float:
        """0 if an attempt may be made; it has to be ended by :meth:`wrong`, :meth:`right` or :meth:`abandon`.
        Otherwise the seconds to wait."""
        tries = self._names.get(name)
        if (
            tries is not None
            and not tries.under_way
            and now - max(tries.last, tries.locked_until) > FORGOTTEN
        ):
            del self._names[name]
            tries = None
        if tries is not None:
            if now < tries.locked_until:
                return tries.locked_until - now
            if tries.under_way and tries.failures + tries.under_way > FREE_FAILURES:
                return FIRST_LOCK
        if tries is None:
            tries = self._names[name] = _Tries()
        tries.under_way += 1
        self._names.move_to_end(name)
        self._forget()
        return 0.0

    def wrong(self, name: str, now: float) -> float:
        """Seconds for which the name is locked from now on; 0 for the first five."""
        tries = self._ended(name)
        tries.failures += 1
        tries.last = now
        beyond = tries.failures - FREE_FAILURES - 1
        if beyond < 0:
            return 0.0
        lock = min(LONGEST_LOCK, FIRST_LOCK * 2.0 ** min(beyond, 16))
        tries.locked_until = max(tries.locked_until, now + lock)
        return lock

    def right(self, name: str) -> None:
        """Nothing is held against the name any more."""
        tries = self._ended(name)
        tries.failures, tries.locked_until = 0, 0.0
        if not tries.under_way:
            del self._names[name]

    def abandon(self, name: str) -> None:
        """The attempt came to nothing, neither right nor wrong."""
        tries = self._ended(name)
        if not tries.under_way and not tries.failures:
            del self._names[name]

    def forget(self, name: str) -> None:
        """Nothing is held against the name any more; attempts under way still end."""
        tries = self._names.get(name)
        if tries is not None and tries.under_way:
            tries.failures, tries.locked_until = 0, 0.0
        else:
            self._names.pop(name, None)

    def failures(self, name: str) -> int:
        """In a row, until now."""
        tries = self._names.get(name)
        return 0 if tries is None else tries.failures

    def _ended(self, name: str) -> _Tries:
        tries = self._names[name]
        tries.under_way -= 1
        return tries

    def _forget(self) -> None:
        """Names with an attempt under way are few, and are kept."""
        while len(self._names) > self._most:
            oldest = next((name for name, tries in self._names.items() if not tries.under_way), None)
            if oldest is None:
                return
            del self._names[oldest]


class Rate:
    """At most *limit* attempts of one name in any *window* seconds; 0 is unlimited. What is refused does not count."""

    def __init__(self, limit: int, window: float = 60.0, most: int = MOST_NAMES) -> None:
        self._limit = limit
        self._window = window
        self._most = most
        self._names: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """0 if the attempt may be made, and counts; otherwise the seconds to wait."""
        if not self._limit:
            return 0.0
        moments = self._names.setdefault(name, deque(maxlen=self._limit))
        self._names.move_to_end(name)
        if len(self._names) > self._most:
            self._names.popitem(last=False)
        if len(moments) == self._limit and now - moments[0] < self._window:
            return moments[0] + self._window - now
        moments.append(now)
        return 0.0
