"""Where looks belong: optimal inspection of something that ends at a moment nobody knows.

With cost c for a look and cost 1 for every second of delay, looks should come with density sqrt(h(t) / (2c)), h the
hazard of ending (J. B. Keller, "Optimum checking schedules for systems subject to random failure", Management
Science 21, 1974). So one counts how many looks are due up to an age, and the next look is where the count is one
higher. Ages, gaps and costs are in seconds.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

LOOK_COST = 0.33
"""One look is worth so many seconds of delay: of a usual video, nine looks and a delay of three seconds."""
DENSITY = math.sqrt(1 / (2 * LOOK_COST))
"""Looks per second where the hazard is 1 per second; they grow with its square root."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many looks are due up to an age, on a grid that is even in the logarithm of the age."""

    origin: float
    """Logarithm of the grid's first age."""
    step: float
    due: array[float]
    """At each age of the grid; strictly growing."""
    tail: float
    """Beyond the grid the hazard is tail / age: looks come ever more rarely."""

    def next_look(self, age: float) -> float:
        """The age at which one more look is due than at *age*."""
        return self._age(self.count(age) + 1)

    def count(self, age: float) -> float:
        """Looks due up to *age*; fractions count."""
        due, last = self.due, len(self.due) - 1
        first_age = math.exp(self.origin)
        if age <= first_age:
            return due[0] * math.sqrt(max(age, 0.0) / first_age)
        position = (math.log(age) - self.origin) / self.step
        if position >= last:
            end = math.exp(self.origin + self.step * last)
            return due[last] + 2 * DENSITY * math.sqrt(self.tail) * (math.sqrt(age) - math.sqrt(end))
        cell = int(position)
        return due[cell] + (position - cell) * (due[cell + 1] - due[cell])

    def _age(self, count: float) -> float:
        due, last = self.due, len(self.due) - 1
        if count >= due[last]:
            end = math.exp(self.origin + self.step * last)
            return (math.sqrt(end) + (count - due[last]) / (2 * DENSITY * math.sqrt(self.tail))) ** 2
        if count <= due[0]:
            return math.exp(self.origin) * (count / due[0]) ** 2
        cell = bisect_right(due, count) - 1
        part = (count - due[cell]) / (due[cell + 1] - due[cell])
        return math.exp(self.origin + self.step * (cell + part))


# --- for a duration that is known to be about so long -------------------------------------------------

_LOW, _HIGH, _CELLS = -6.0, 8.0, 560
_STEP = (_HIGH - _LOW) / _CELLS


def next_look_about(age: float, middle: float, deviation: float) -> float:
    """The next look when the logarithm of the duration is normal with mean *middle* and this standard *deviation*.

    In z = (log(age) - middle) / deviation the hazard is that of the standard normal distribution, so one table of
    the integral of its square root serves all. What is left is the age's own growth on the way: it is taken from
    where most of the looks are due, which is not far before the end, in two steps.
    """
    here = (math.log(age) - middle) / deviation
    count = _normal_count(here)
    one = math.sqrt(2 * LOOK_COST / deviation) * math.exp(-middle / 2)
    there = _normal_age(count + one * math.exp(-deviation * max(here, -1.0) / 2))
    for _ in range(2):
        way = max((here + there) / 2, there - 0.7)
        there = _normal_age(count + one * math.exp(-deviation * way / 2))
    return math.exp(min(middle + deviation * there, 20.0))


def normal_hazard(z: float) -> float:
    """Of the standard normal distribution (the inverse Mills ratio)."""
    if z > 25:
        return z
    return math.exp(-z * z / 2) / math.sqrt(math.pi / 2) / math.erfc(z / math.sqrt(2))


@cache
def _normal_counts() -> array[float]:
    counts = array("d", [0.0])
    for cell in range(_CELLS):
        counts.append(counts[-1] + math.sqrt(normal_hazard(_LOW + _STEP * (cell + 0.5))) * _STEP)
    return counts


def _normal_count(z: float) -> float:
    counts, position = _normal_counts(), (z - _LOW) / _STEP
    if position <= 0:
        return 0.0
    if position >= _CELLS:
        # The hazard is about z here.
        return counts[_CELLS] + (z * math.sqrt(z) - _HIGH * math.sqrt(_HIGH)) * 2 / 3
    cell = int(position)
    return counts[cell] + (position - cell) * (counts[cell + 1] - counts[cell])


def _normal_age(count: float) -> float:
    counts = _normal_counts()
    if count >= counts[_CELLS]:
        return math.pow(_HIGH * math.sqrt(_HIGH) + (count - counts[_CELLS]) * 1.5, 2 / 3)
    cell = bisect_right(counts, count) - 1
    return _LOW + _STEP * (cell + (count - counts[cell]) / (counts[cell + 1] - counts[cell]))
