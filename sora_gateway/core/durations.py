"""How long an upstream takes: learned from what it took before, and what is believed before anything is known.

A duration is a number of seconds from the receipt to the moment at which the upstream is done. They differ by
factors, so everything happens on a grid that is even in their logarithms.
"""

from __future__ import annotations

import math
import operator
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from sora_gateway.core.schedule import DENSITY, Schedule, next_look_about, normal_hazard
from sora_gateway.core.trend import Guess, ProgressScale, Trend

PRIOR_MEDIAN = 120.0
PRIOR_SIGMA = 0.5
"""What is believed of an upstream of which nothing is known: log-normal, with this deviation of the logarithm."""
ENOUGH = 20
"""Samples from which on the prior counts for nothing."""
HALF_LIFE = 100
"""So many samples later one counts half: upstreams change."""
UNKNOWN_HAZARD = 0.0065
"""Per second: a job of an unknown upstream may end at any moment, whatever the prior says. About a look in 10 s."""
MOSTLY_KNOWN = 0.25
"""With no more of it unknown, one can say when a job cannot be done yet."""
HOPE = 0.01
LATE = 0.05
"""A chance worth watching for, and the share of jobs that are late."""
LEAST_UNKNOWN = 0.5
"""What a few samples leave unknown although others of the same upstream are known well, as a share."""

_CELLS = 384
_SHORTEST, _LONGEST = 0.25, 30 * 86400.0
_NARROWEST, _WIDEST = 0.02, 0.7
_ROOM_BEFORE, _ROOM_AFTER = 1.1, 1.4
"""What the grid has beyond the data, in logarithms: a third, and four times."""
_STEEPEST = 200.0
"""Bound of the hazard per logarithm of age."""
_FARTHEST = 2.5
"""Progress may put a look off by so much; it errs on the side of looking."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """In seconds; *samples* is how many jobs they are made of, 0 for the prior."""

    p50: float
    p90: float
    p99: float
    samples: int


@dataclass(frozen=True, slots=True)
class Durations:
    """An immutable model of how long jobs of one kind take; make one with :meth:`learn` or :func:`prior`."""

    samples: int
    unknown: float
    """How much of the prior is left in it, 0 to 1."""
    survival: array[float]
    """The share of jobs that take longer, at each age of the grid of *schedule*."""
    middle: array[float]
    """Mean of the logarithm of the duration of those."""
    deviation: array[float]
    """And its standard deviation."""
    schedule: Schedule
    scale: ProgressScale = field(default_factory=ProgressScale)
    """What the upstream's own progress is worth."""

    @classmethod
    def learn(cls, samples: Sequence[float], otherwise: Durations | None = None) -> Durations:
        """From *samples* in seconds, newest first; what is no duration is left out.

        Fewer than :data:`ENOUGH` are mixed with *otherwise*: a model of similar jobs, by default :func:`prior`.
        """
        weighted = sorted(
            (math.log(min(max(sample, _SHORTEST), _LONGEST)), 0.5 ** (position / HALF_LIFE))
            for position, sample in enumerate(samples)
            if sample > 0 and math.isfinite(sample)
        )
        otherwise = otherwise or prior()
        return _learn(weighted, otherwise) if weighted else otherwise

    def next_look(self, age: float, guess: Guess | None) -> float:
        """The age at which to look next at a job that was at work at *age*; *guess* is :meth:`guess` of it."""
        planned = self.schedule.next_look(age)
        if guess is None:
            return planned
        return min(next_look_about(age, guess.middle, guess.deviation), age + _FARTHEST * (planned - age))

    def plausible(self, age: float, within: float, guess: Guess | None) -> bool:
        """Whether somebody who watches a job of *age* has reason to hope for its end *within* so many seconds:
        one in a hundred ends in them, or all but a few have ended before, or nobody knows."""
        if self.unknown > MOSTLY_KNOWN:
            return True
        if guess is not None and age > 0:
            deviations = (math.log(age) - guess.middle) / guess.deviation
            return within * normal_hazard(deviations) / (guess.deviation * age) >= HOPE or deviations > 2
        longer = self.share_longer(age)
        return longer <= LATE or self.share_longer(age + within) <= longer * (1 - HOPE)

    def remaining(self, age: float, trend: Trend) -> float:
        """Expected seconds that a job of *age* still needs; always more than none."""
        guess = self.guess(age, trend)
        if guess is None:
            expected = self._at(self.middle, age)
        else:
            so_far = (math.log(age) - guess.middle) / guess.deviation
            expected = guess.middle + guess.deviation * normal_hazard(so_far)
        return max(math.exp(min(expected, 20.0)) - age, 0.05 * age, 1.0)

    def guess(self, age: float, trend: Trend) -> Guess | None:
        """What progress and experience say together of the duration; None without any progress."""
        by_progress = self.scale.guess(trend, age) if age > 0 else None
        if by_progress is None:
            return None
        place = self._place(age)
        return by_progress.combined(Guess(_between(self.middle, place), _between(self.deviation, place)))

    def share_longer(self, age: float) -> float:
        """The share of jobs that take longer than *age*."""
        last = math.exp(self.schedule.origin + self.schedule.step * (len(self.survival) - 1))
        return self._at(self.survival, age) * min(1.0, last / age if age > 0 else 1.0)

    @property
    def median(self) -> float:
        return self.percentile(0.5)

    def percentile(self, share: float) -> float:
        """The age by which this *share* of jobs is done."""
        cell = bisect_left(self.survival, share - 1, key=operator.neg)
        return math.exp(self.schedule.origin + self.schedule.step * min(cell, len(self.survival) - 1))

    @property
    def percentiles(self) -> Percentiles:
        return Percentiles(self.percentile(0.5), self.percentile(0.9), self.percentile(0.99), self.samples)

    def with_scale(self, scale: ProgressScale) -> Durations:
        return replace(self, scale=scale)

    def _at(self, table: array[float], age: float) -> float:
        return _between(table, self._place(age))

    def _place(self, age: float) -> float:
        return (math.log(age) - self.schedule.origin) / self.schedule.step if age > 0 else 0.0


def _between(table: array[float], place: float) -> float:
    """The value at *place*, in proportion between two cells; the first or the last one outside of the table."""
    if place <= 0:
        return table[0]
    last = len(table) - 1
    if place >= last:
        return table[last]
    cell = int(place)
    return table[cell] + (place - cell) * (table[cell + 1] - table[cell])


@cache
def prior() -> Durations:
    """What is believed of an upstream of which nothing is known."""
    middle = math.log(PRIOR_MEDIAN)
    first, last = middle - 2 * PRIOR_SIGMA, middle + 2 * PRIOR_SIGMA
    origin, end = 0.0, last + _ROOM_AFTER
    step = end / _CELLS
    places = ((origin + step * cell - middle) / PRIOR_SIGMA for cell in range(_CELLS + 1))
    density = [math.exp(-z * z / 2) / (PRIOR_SIGMA * math.sqrt(2 * math.pi)) for z in places]
    beyond = math.erfc((end - middle) / PRIOR_SIGMA / math.sqrt(2)) / 2
    return _Belief(origin, step, density, beyond, first, last, surprise=0.0, unknown=1.0).durations(0)


def _learn(weighted: list[tuple[float, float]], otherwise: Durations) -> Durations:
    """*weighted* are the logarithms of the samples, sorted, with their weights."""
    count = len(weighted)
    borrowed = (1 - count / ENOUGH) ** 2 if count < ENOUGH else 0.0
    total = sum(weight for _, weight in weighted)
    worth = total**2 / sum(weight**2 for _, weight in weighted)
    first, last = weighted[0][0], weighted[-1][0]
    if borrowed:
        first = min(first, math.log(otherwise.percentile(0.02)))
        last = max(last, math.log(otherwise.percentile(0.98)))
    # What is unknown may end at once: the grid begins at a second then.
    origin = first - _ROOM_BEFORE if not borrowed else min(first - _ROOM_BEFORE, 0.0)
    end = last + _ROOM_AFTER
    step = (end - origin) / _CELLS
    density = _smoothed([(log, (1 - borrowed) * weight / total) for log, weight in weighted], origin, step)
    beyond = 0.0
    if borrowed:
        edges = [otherwise.share_longer(math.exp(origin + step * (cell - 0.5))) for cell in range(_CELLS + 2)]
        beyond = borrowed * edges[-1]
        for cell in range(_CELLS + 1):
            density[cell] += borrowed * (edges[cell] - edges[cell + 1]) / step
    surprise = (1 - borrowed) / (worth + 2)
    unknown = borrowed * max(otherwise.unknown, LEAST_UNKNOWN)
    belief = _Belief(origin, step, density, beyond, first, last, surprise, unknown)
    return belief.durations(count)


def _smoothed(weighted: list[tuple[float, float]], origin: float, step: float) -> list[float]:
    """A density on the grid: each sample is a triangle as wide as its neighbours are far.

    So the window grows with the age where samples are even in their logarithms, and two ways of ending (a quick
    refusal, a video) stay two. Triangles are summed by their second differences: three steps for each.
    """
    count = len(weighted)
    near = max(3, round(1.2 * count**0.6))
    bends = [0.0] * (_CELLS + 3)
    for position, (log, weight) in enumerate(weighted):
        left = max(0, min(position - near // 2, count - 1 - near))
        right = min(count - 1, left + near)
        width = (weighted[right][0] - weighted[left][0]) / 2
        width = min(max(width, 1.5 * step, _NARROWEST, _WIDEST / count), _WIDEST)
        bend = weight / width**2
        for place, change in ((log - width, bend), (log, -2 * bend), (log + width, bend)):
            cell, part = divmod((place - origin) / step, 1)
            bends[int(cell)] += change * (1 - part)
            bends[int(cell) + 1] += change * part
    density, slope, value = [], 0.0, 0.0
    for cell in range(_CELLS + 1):
        density.append(max(value, 0.0))
        slope += bends[cell]
        value += slope * step
    return density


@dataclass(frozen=True, slots=True)
class _Belief:
    """A density on a grid, and what may happen that it does not know of."""

    origin: float
    step: float
    density: list[float]
    """Per logarithm of age."""
    beyond: float
    """The share that lies beyond the grid."""
    first: float
    last: float
    """Logarithms of the ages between which durations were seen."""
    surprise: float
    """The chance that the next one lies outside: half of it before, half after."""
    unknown: float

    def durations(self, samples: int) -> Durations:
        survival = self._survival()
        middle, deviation = self._rest()
        return Durations(
            samples, self.unknown, array("d", survival), array("d", middle), array("d", deviation),
            self._schedule(survival),
        )  # fmt: skip

    def _after(self, log: float) -> float:
        """The part of the surprise that lasts longer: half as many live twice as long."""
        return self.surprise / 2 * math.exp(min(0.0, self.last - log))

    def _survival(self) -> list[float]:
        longer, survival = self.beyond, []
        for cell in range(_CELLS, -1, -1):
            log = self.origin + self.step * cell
            survival.append(min(1.0, (1 - self.surprise / 2) * longer + self._after(log)))
            longer = min(1.0, longer + self.density[max(cell - 1, 0)] * self.step)
        return survival[::-1]

    def _rest(self) -> tuple[list[float], list[float]]:
        """Mean and deviation of the logarithm of what lasts longer, at each age."""
        share = mean = square = 0.0
        middle, deviation = [], []
        for cell in range(_CELLS, -1, -1):
            log = self.origin + self.step * cell
            mass = self.density[cell] * self.step * (1 - self.surprise / 2)
            share, mean, square = share + mass, mean + mass * log, square + mass * log * log
            # In logarithms the surprise is exponential from here, or from the last one on.
            late, start = self._after(log) + self.beyond, max(log, self.last)
            whole = max(share + late, 1e-300)
            first = (mean + late * (start + 1)) / whole
            second = (square + late * (start * start + 2 * start + 2)) / whole
            middle.append(first)
            deviation.append(math.sqrt(max(second - first * first, 1e-4)))
        return middle[::-1], deviation[::-1]

    def _schedule(self, survival: list[float]) -> Schedule:
        """Counts the looks: hazards add up, of what is known, of early surprises, and of the unknown."""
        early = self.surprise / 2 / max(self.first, 1.0)
        start = math.exp(self.origin)
        count = (
            2 * DENSITY * math.sqrt(early * start)
            + DENSITY * math.sqrt(self.unknown * UNKNOWN_HAZARD) * start
        )
        due, before, hazard = array("d"), 0.0, 0.0
        for cell in range(_CELLS + 1):
            log = self.origin + self.step * cell
            age = math.exp(log)
            late = self._after(log) if log > self.last else 0.0
            known = ((1 - self.surprise / 2) * self.density[cell] + late) / max(survival[cell], 1e-12)
            # Who has outlasted all that is believed shows that the belief was wrong.
            unknown = self.unknown * UNKNOWN_HAZARD * (2.0 if log > self.last else 1.0)
            # Per logarithm of age: the hazard per second times the age.
            hazard = min(known, _STEEPEST) + early + unknown * age
            looks = DENSITY * math.sqrt(hazard * age)
            if cell:
                count += (before + looks) / 2 * self.step
            due.append(count)
            before = looks
        return Schedule(self.origin, self.step, due, max(hazard, 0.5))
