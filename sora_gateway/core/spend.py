"""What an upstream may cost in a day: counted when a create leaves, taken back when it provably cost nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Tariff:
    """In whatever money the operator thinks in. *cap* is for any 24 hours; 0 is unlimited."""

    cap: float = 0.0
    per_video: float = 0.0
    per_second: float = 0.0

    def cost(self, seconds: int) -> float:
        return self.per_video + self.per_second * seconds


class Spend:
    """Creates of the last day by attempt id. Moments are epoch seconds: they outlive the process."""

    def __init__(self, tariff: Tariff, sent: Iterable[tuple[str, float, int]] = ()) -> None:
        """*sent*: attempt id, moment and seconds of video of each create that was, or may have been, paid for."""
        self.tariff = tariff
        self._refused: float | None = None
        """The least that was refused since there was room for everything that is asked for."""
        self._sent = {attempt: (at, tariff.cost(seconds)) for attempt, at, seconds in sent}

    def count(self, attempt_id: str, at: float, seconds: int) -> None:
        """A create is about to leave."""
        self._sent[attempt_id] = (at, self.tariff.cost(seconds))

    def take_back(self, attempt_id: str) -> None:
        """It provably cost nothing."""
        self._sent.pop(attempt_id, None)

    def total(self, now: float) -> float:
        """What the last 24 hours may have cost."""
        self._sent = {one: entry for one, entry in self._sent.items() if entry[0] > now - DAY}
        return sum(cost for _, cost in self._sent.values())

    def allows(self, now: float, seconds: int) -> bool:
        """Whether one more video of *seconds* stays within the cap."""
        return not self.tariff.cap or self.total(now) + self.tariff.cost(seconds) <= self.tariff.cap

    def refuse(self, now: float, seconds: int) -> bool:
        """A video of *seconds* was not allowed. Returns whether that is news: the first since there was room."""
        cost = self.tariff.cost(seconds)
        news = self._refused is None or self.total(now) + self._refused <= self.tariff.cap
        self._refused = cost if news or self._refused is None else min(cost, self._refused)
        return news

    def reached(self, now: float) -> bool:
        """Whether the cap stops something: nothing more fits, or what was refused would not fit today either."""
        if not self.tariff.cap:
            return False
        total = self.total(now)
        return total >= self.tariff.cap or (
            self._refused is not None and total + self._refused > self.tariff.cap
        )

    def frees_at(self, now: float) -> float:
        """When the oldest of what is counted falls out of the day; *now* when nothing is."""
        self.total(now)
        return min((at + DAY for at, _ in self._sent.values()), default=now)
