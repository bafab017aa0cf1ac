"""Counting what happens, for whoever asks later: plain numbers, with one dictionary look-up for each."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

Labels = tuple[str, ...]
"""What is told apart, by the values of a few names; each from a small set that no stranger can add to."""


class Tally:
    """Counts since the start, by labels. Those of *known* are there from the beginning, with 0."""

    __slots__ = ("_counts",)

    def __init__(self, known: Iterable[Labels] = ()) -> None:
        self._counts: dict[Labels, float] = defaultdict(float, dict.fromkeys(known, 0.0))

    def add(self, *labels: str, by: float = 1.0) -> None:
        self._counts[labels] += by

    def __iter__(self) -> Iterator[tuple[Labels, float]]:
        """As they are now."""
        return iter(list(self._counts.items()))


class Histogram:
    """How often a value was up to each of *bounds*, in ascending order, or above all of them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Of values above the bound before, the last one of those above all."""
        self.total = 0.0
        """The sum of all values."""

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Histograms:
    """One of the same bounds for each set of labels."""

    __slots__ = ("_bounds", "_found")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._found: dict[Labels, Histogram] = {}

    def add(self, value: float, *labels: str) -> None:
        histogram = self._found.get(labels)
        if histogram is None:
            histogram = self._found[labels] = Histogram(self._bounds)
        histogram.add(value)

    def __iter__(self) -> Iterator[tuple[Labels, Histogram]]:
        """As they are now."""
        return iter(list(self._found.items()))
