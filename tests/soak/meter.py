"""How much memory and how many descriptors a process has, over its life; whether that grows."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """*age* is in seconds since the process said that it is ready; memory in MB (10^6 bytes)."""

    age: float
    pss: float
    rss: float
    descriptors: int


@dataclass
class Life:
    """One process. *began* counts from the beginning of the soak; *up* is how long it took until it was ready, None
    if it never was; *ended* says how."""

    began: float
    up: float | None = None
    lasted: float = 0.0
    ended: str = ""
    samples: list[Sample] = field(default_factory=list)


def sample(pid: int, age: float) -> Sample | None:
    """None: the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        kilobytes = {name.rstrip(":"): int(number) for name, number, *_ in map(str.split, lines)}
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        return Sample(age, kilobytes["Pss"] * 1.024e-3, kilobytes["Rss"] * 1.024e-3, descriptors)
    except (OSError, KeyError):
        # What is dying has an empty smaps_rollup for a moment.
        return None


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through *points* (Theil and Sen): the median over all pairs, which a few outliers do not move.
    0 for fewer than two."""
    slopes = [
        (y2 - y1) / (x2 - x1)
        for number, (x1, y1) in enumerate(points)
        for x2, y2 in points[number + 1 :]
        if x2 > x1
    ]
    return statistics.median(slopes) if slopes else 0.0
