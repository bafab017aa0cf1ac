"""What an upstream's own percentages say of the moment at which it will be done.

Nobody means the same by them: some count evenly, some by steps, some begin late, some run to 90 and stay there. So a
percentage is extrapolated in two plain ways, and how far each of them is off is learned from jobs that have ended.
What is learned is also the weight: a progress that tells nothing comes out as a wide guess, and changes nothing.
Ages and durations are in seconds, progress is in percent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST_MOVE = 4.0
"""Points of a trend are so far apart at least, but for the newest: a shorter slope is rounding."""
LAST_PERCENT = 99.5
"""100 % of a job that is not done is no more than that."""

Point = tuple[float, float]
"""Age and progress."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The looks at which a job's progress had moved, oldest first."""

    points: tuple[Point, ...] = ()

    def after(self, age: float, progress: float | None) -> Trend:
        """The trend with one more look; itself when nothing has moved. A fall, or a clock set back, begins anew."""
        if progress is None or age <= 0 or not math.isfinite(progress):
            return self
        if progress < 1.0:
            return NO_TREND
        point = (age, min(progress, LAST_PERCENT))
        if not self.points or point[1] < self.points[-1][1] or age <= self.points[-1][0]:
            return Trend((point,))
        if point[1] == self.points[-1][1]:
            return self
        kept = self.points
        if len(kept) > 1 and kept[-1][1] < kept[-2][1] + SMALLEST_MOVE:
            kept = kept[:-1]
        return Trend((*kept, point))

    def before(self, index: int) -> Point | None:
        """The point from which the slope to the one at *index* is taken."""
        if index == 0:
            return None
        near = self.points[index - 1]
        far_enough = index == 1 or self.points[index][1] >= near[1] + SMALLEST_MOVE
        return near if far_enough else self.points[index - 2]


NO_TREND = Trend()


@dataclass(frozen=True, slots=True)
class Guess:
    """A duration of which the logarithm is about *middle*, give or take *deviation*."""

    middle: float
    deviation: float

    def combined(self, other: Guess) -> Guess:
        """Both, each by its precision."""
        mine, others = self.deviation**-2, other.deviation**-2
        weight = mine + others
        return Guess((self.middle * mine + other.middle * others) / weight, weight**-0.5)


KNOTS = 11
"""At 0, 10 .. 100 %; between them, in proportion."""
FORGETTING = 0.98
"""What an older job counts beside the next one: upstreams change."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far an extrapolation was off, as the logarithm of true / extrapolated duration, by progress."""

    weight: tuple[float, ...]
    mean: tuple[float, ...]
    square: tuple[float, ...]
    """Sum of squared errors around the mean."""

    @classmethod
    def unlearned(cls, deviation: float, worth: float = 2.0) -> Calibration:
        """Trusts the extrapolation to *deviation*, as if *worth* jobs had said so."""
        return cls((worth,) * KNOTS, (0.0,) * KNOTS, (worth * deviation**2,) * KNOTS)

    def read(self, progress: float) -> tuple[float, float]:
        """The mean error at *progress* and its variance."""
        left, part = _knot(progress)
        right = left + 1
        mean = self.mean[left] + part * (self.mean[right] - self.mean[left])
        before, after = self.square[left] / self.weight[left], self.square[right] / self.weight[right]
        return mean, before + part * (after - before)

    def learned(self, progress: float, error: float) -> Calibration:
        """After a job whose extrapolation from *progress* was off by *error*."""
        left, part = _knot(progress)
        surprise = error - self.read(progress)[0]
        weight, mean, square = list(self.weight), list(self.mean), list(self.square)
        for knot, share in ((left, 1 - part), (left + 1, part)):
            kept = 1 - (1 - FORGETTING) * share
            weight[knot] = weight[knot] * kept + share
            gain = share / weight[knot]
            mean[knot] += gain * surprise
            square[knot] = square[knot] * kept + share * (1 - gain) * surprise**2
        return Calibration(tuple(weight), tuple(mean), tuple(square))


def _knot(progress: float) -> tuple[int, float]:
    position = progress * (KNOTS - 1) / 100
    left = min(int(position), KNOTS - 2)
    return left, position - left


UNLEARNED_AVERAGE = Calibration.unlearned(0.30)
UNLEARNED_SLOPE = Calibration.unlearned(0.245)
SURE = 0.03
"""No progress is trusted further: it is rounded, and looked at now and then."""


@dataclass(frozen=True, slots=True)
class ProgressScale:
    """What an upstream's percentages are worth. Immutable; :meth:`learned` gives the next one."""

    average: Calibration = UNLEARNED_AVERAGE
    """Of the extrapolation from the receipt on: age * 100 / progress."""
    slope: Calibration = UNLEARNED_SLOPE
    """Of the extrapolation from the latest movement."""

    def guess(self, trend: Trend, age: float) -> Guess | None:
        """The whole duration of a job that is not done at *age*; None when nothing has moved yet.

        A guess that the job has outlived is ever less worth: progress that stands still widens it.
        """
        if not trend.points:
            return None
        progress = trend.points[-1][1]
        even, even_variance = self.average.read(progress)
        middle, variance = _from_receipt(trend.points[-1]) + even, max(even_variance, SURE**2)
        before = trend.before(len(trend.points) - 1)
        if before is not None:
            bias, second = self.slope.read(progress)
            second = max(second, SURE**2)
            # Both are made of the same look, so two of them make nothing surer; the better one counts more.
            mine, others = variance**-2, second**-2
            steep = _from_movement(before, trend.points[-1]) + bias
            middle, variance = (
                (middle * mine + steep * others) / (mine + others),
                min(variance, second),
            )
        outlived = max(0.0, math.log(age) - middle) if age > 0 else 0.0
        return Guess(middle, math.sqrt(variance) + outlived)

    def learned(self, trend: Trend, took: float) -> ProgressScale:
        """After a job that moved like *trend* and *took* so many seconds."""
        average, slope = self.average, self.slope
        for index, point in enumerate(trend.points):
            truth = math.log(max(took, point[0]))
            average = average.learned(point[1], truth - _from_receipt(point))
            before = trend.before(index)
            if before is not None:
                slope = slope.learned(point[1], truth - _from_movement(before, point))
        return ProgressScale(average, slope)


def _from_receipt(point: Point) -> float:
    """The logarithm of the duration if all of it goes as it went on average."""
    age, progress = point
    return math.log(age * 100 / progress)


def _from_movement(before: Point, point: Point) -> float:
    """The same if the rest goes as it went between the two."""
    age, progress = point
    return math.log(age + (100 - progress) * (age - before[0]) / (progress - before[1]))
