"""How many of one person's jobs may be in flight at once, whichever upstreams have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Seats:
    """*limit_of* says how many seats a person has now; 0 is unlimited. Belongs to one event loop."""

    def __init__(self, limit_of: Callable[[str], int] = lambda _owner: 0) -> None:
        self._limit_of = limit_of
        self._taken: Counter[str] = Counter()
        self.freed: list[Callable[[], None]] = []
        """Called when somebody leaves, or may have more: who waits elsewhere may have a seat now."""

    def free(self, owner: str) -> bool:
        limit = self._limit_of(owner)
        return not limit or self._taken[owner] < limit

    def room(self, owner: str) -> int | None:
        """How many more may come in now; None is unlimited."""
        limit = self._limit_of(owner)
        return max(0, limit - self._taken[owner]) if limit else None

    def take(self, owner: str) -> None:
        self._taken[owner] += 1

    def leave(self, *owners: str) -> None:
        """Gives back a seat of each of *owners*."""
        for owner in owners:
            self._taken[owner] -= 1
            if self._taken[owner] <= 0:
                del self._taken[owner]
        self.look_again()

    def look_again(self) -> None:
        """Somebody's limit may have changed."""
        # Another upstream is asked first each time, or one person's seats would always go to the same.
        self.freed[:] = self.freed[1:] + self.freed[:1]
        for call in list(self.freed):
            call()

    @property
    def taken(self) -> int:
        """By everybody."""
        return self._taken.total()
