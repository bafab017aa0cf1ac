"""When one request for a list is better than many for single jobs: page numbers in, yes or no out.

Lists come newest first, a hundred jobs to a page, and a page can only be reached through those before it. Moments
are seconds of any one clock that does not go back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

ENOUGH = 3
"""Due jobs for which a list is asked at all."""
IN_VAIN = 2
"""Pages more than jobs found on them, after which nobody is looked for who should have been there."""
NOT_LISTED = 1 << 30
"""The page of a job that was on none."""

FIRST_PAUSE = 60.0
LONGEST_PAUSE = 900.0
CHECK_EVERY = 60.0
CONTRADICTIONS = 3
"""Jobs in a row that have ended while the list has them running: one can have ended in between."""
TIMELY = 1.0
"""Seconds after the list for which a look at a job says something about it."""


class Sweep:
    """One pass over a list for the sake of jobs that are due.

    *pages* are where they were seen last: from 1, 0 for a job that was never looked for, or :data:`NOT_LISTED`.
    """

    def __init__(self, pages: Iterable[int]) -> None:
        self._expected = Counter(pages)
        self._left = self._expected.total() - self._expected.pop(NOT_LISTED, 0)
        self._found = 0
        self.read = 0
        """Pages so far."""

    def found(self, pages: Iterable[int]) -> None:
        """Due jobs were on the page that was just read; *pages* are where they were expected."""
        for page, jobs in Counter(pages).items():
            self._found += jobs
            if page != NOT_LISTED:
                self._left -= jobs
                self._expected[page] -= jobs

    @property
    def in_vain(self) -> bool:
        """Whether too many pages were read for what was found on them."""
        return self.read - self._found > max(IN_VAIN, self._left / 20)

    def worth_going_on(self) -> bool:
        """Whether the next page, or one after it, saves more requests than the way there costs."""
        saved = ENOUGH - 1 if self.read == 0 else 1
        next_page, found, in_vain = self.read + 1, 0, self.in_vain
        for page in sorted(self._expected):
            if page < next_page and in_vain:
                continue
            # Who was not where it had been is taken to have moved by a page.
            found += self._expected[page]
            if found - (max(page, next_page) - self.read) >= saved:
                return True
        return False


@dataclass(slots=True)
class Trust:
    """Whether a list is asked, and how far it is believed: learned from how it answers."""

    proven: bool = False
    """Whether an end that it told of was true, since it was last caught."""
    _failures: int = 0
    _not_before: float = 0.0
    _checked: float | None = None
    _contradictions: int = 0

    def allows(self, now: float) -> bool:
        return now >= self._not_before

    def worked(self) -> None:
        self._failures = 0

    def failed(self, now: float) -> None:
        """It did not answer, or not with a list: it is left alone for a minute, and longer each time."""
        self._failures += 1
        self._not_before = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 8))

    def lied(self, now: float) -> None:
        """It told what was not so: nothing that it says counts for a while."""
        self.proven = False
        self._contradictions = 0
        self._not_before = now + LONGEST_PAUSE

    def check_is_due(self, now: float) -> bool:
        """Whether a job that it has as running should be looked at, to see whether the list still moves."""
        return self._checked is None or now - self._checked >= CHECK_EVERY

    def checked(self, listed: float, now: float, *, true: bool) -> None:
        """A look at such a job has confirmed what was *listed* at that moment, or not."""
        if true or now - listed > TIMELY:
            self._checked = now
        if true:
            self._contradictions = 0
        elif now - listed <= TIMELY:
            self._contradictions += 1
            if self._contradictions >= CONTRADICTIONS:
                self.lied(now)
