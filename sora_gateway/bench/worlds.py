"""Upstreams that never were: how long their jobs take, and what they say of it meanwhile.

Everything is drawn from a seeded generator, so two runs see the same jobs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

Progress = Callable[[float, float], float | None]
"""The share of the whole that has passed, and a number in [0, 1) that is the job's own -> percent."""


def _sticking(at: float, after: float) -> Progress:
    return lambda share, _: min(at, at * share / after)


def _queued(share: float, own: float) -> float:
    waits = 0.6 * own
    return 0.0 if share < waits else 99 * (share - waits) / (1 - waits)


def _noisy(share: float, own: float) -> float:
    return 99 * share + 10 * math.sin(1000 * (share + own))


SHAPES: Mapping[str, Progress] = {
    "linear": lambda share, _: 99 * share,
    "sigmoid": lambda share, _: 99 * share * share * (3 - 2 * share),
    "stuck-at-90": _sticking(90, 0.6),
    "stuck-at-99": _sticking(99, 0.8),
    "slow-start": lambda share, _: 99 * share * share,
    "fast-start": lambda share, _: 99 * math.sqrt(share),
    "steps": lambda share, _: 20 * math.floor(5 * share),
    "queued": _queued,
    "noisy": _noisy,
    "backwards": lambda share, _: 99 * share if share < 0.5 else 99 * share - 30,
    "jumps-to-90": lambda share, _: 90.0 if share > 0.1 else 0.0,
    "jumps-to-100": lambda share, _: 0.0,
    "none": lambda share, _: None,
}
THREE_SHAPES = ("linear", "sigmoid", "stuck-at-90")


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """It ends after *took* seconds; its progress goes as if that were after *pace*."""

    took: float
    pace: float
    shape: Progress
    own: float

    def progress(self, age: float) -> float | None:
        """In whole percent, as upstreams give it, or None."""
        said = self.shape(min(age / self.pace, 1.0), self.own)
        return None if said is None else float(min(99, max(0, int(said))))


Draw = Callable[[Random, float, float], tuple[float, float]]
"""A generator, the median in seconds and sigma -> what a job takes, and the pace of its progress."""


def _log_normal(chance: Random, median: float, sigma: float) -> tuple[float, float]:
    took = median * math.exp(sigma * chance.gauss(0, 1))
    return took, took


def _mixture(chance: Random, median: float, sigma: float) -> tuple[float, float]:
    """8 % fail quickly, at whatever progress; 10 % take about four times as long."""
    kind, took = chance.random(), median * math.exp(sigma * chance.gauss(0, 1))
    if kind < 0.08:
        return median * chance.uniform(0.015, 0.125), took
    if kind < 0.18:
        took = 4 * median * math.exp(2 * sigma * chance.gauss(0, 1))
    return took, took


def _bimodal(chance: Random, median: float, sigma: float) -> tuple[float, float]:
    return _log_normal(chance, median if chance.random() < 0.5 else median / 5, sigma)


def _uniform(chance: Random, median: float, sigma: float) -> tuple[float, float]:
    took = chance.uniform(0.5 * median, 1.5 * median)
    return took, took


def _constant(chance: Random, median: float, sigma: float) -> tuple[float, float]:
    return median, median


def _pareto(chance: Random, median: float, sigma: float) -> tuple[float, float]:
    took = median / 2 ** (1 / 1.5) * (1 - chance.random()) ** (-1 / 1.5)
    return took, took


DRAWS: Mapping[str, Draw] = {
    "log-normal": _log_normal,
    "mixture": _mixture,
    "bimodal": _bimodal,
    "uniform": _uniform,
    "constant": _constant,
    "pareto": _pareto,
}


@dataclass(frozen=True, slots=True)
class World:
    """One upstream: the law of its durations, and the shapes of progress that its jobs have, one or another."""

    name: str
    draw: str = "log-normal"
    median: float = 120.0
    sigma: float = 0.25
    shapes: Sequence[str] = THREE_SHAPES

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.draw}, median {self.median:g} s, sigma {self.sigma:g}; "
            f"progress {', '.join(self.shapes)}"
        )

    def jobs(self, count: int, seed: int) -> list[SimulatedJob]:
        chance = Random(f"{seed} {self.name}")  # noqa: S311 - a simulation
        draw, shapes = DRAWS[self.draw], [SHAPES[name] for name in self.shapes]
        return [
            SimulatedJob(*draw(chance, self.median, self.sigma), chance.choice(shapes), chance.random())
            for _ in range(count)
        ]
