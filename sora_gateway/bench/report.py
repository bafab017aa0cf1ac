"""What a benchmark found: lines for people, numbers for programs, and whether the goals were met."""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Goal:
    """A measured *value* and the bound that it has to keep: at most *bound*, or at least with *at_least*."""

    label: str
    value: float
    bound: float
    unit: str = "x"
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "ok" if self.met else "MISSED"
        return f"  {self.label:<62} {self.value:8.2f} {self.unit:<2} {sign} {self.bound:g}  {verdict}"


@dataclass(slots=True)
class Report:
    title: str
    notes: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    samples: dict[str, Sequence[float]] = field(default_factory=dict)
    """Every single measurement by name, for whoever wants more than the median."""

    @property
    def met(self) -> bool:
        return all(goal.met for goal in self.goals)

    def __str__(self) -> str:
        lines = [self.title, *(f"  {note}" for note in self.notes), "goals:", *map(str, self.goals)]
        return "\n".join([*lines, "all goals are met" if self.met else "a goal was missed"]) + "\n"

    def as_dict(self) -> Mapping[str, object]:
        return {
            "title": self.title,
            "machine": machine(),
            "met": self.met,
            "goals": [asdict(goal) | {"met": goal.met} for goal in self.goals],
            "samples": {name: list(values) for name, values in self.samples.items()},
        }

    def finish(self, json_file: Path | None) -> int:
        """Prints it, writes the numbers to *json_file* if there is one, and returns the exit code."""
        sys.stdout.write(str(self))
        if json_file is not None:
            json_file.write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")
        return 0 if self.met else 1


def median_ratio(ours: Sequence[float], reference: Sequence[float]) -> float:
    """The median of the ratios inside each round: a neighbour's load moves both sides of a round alike."""
    return statistics.median(mine / other for mine, other in zip(ours, reference, strict=True))


def spread(values: Sequence[float], scale: float = 1.0, unit: str = "") -> str:
    """Median and, in brackets, the smallest and the largest of *values* times *scale*."""
    low, middle, high = (scale * value for value in (min(values), statistics.median(values), max(values)))
    return f"{middle:.4g}{unit} [{low:.4g} .. {high:.4g}]"


def machine() -> str:
    return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()}"


def bare_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(prog=f"sora-gateway bench {name}", description=summary, allow_abbrev=False)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file, too")
    return made


def parser(name: str, summary: str, rounds: int) -> argparse.ArgumentParser:
    """The options of every benchmark that measures this machine."""
    made = bare_parser(name, summary)
    made.add_argument(
        "--rounds", type=positive, default=rounds, metavar="N", help=f"rounds (default {rounds})"
    )
    made.add_argument(
        "--dir",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where to measure (default: the working directory)",
    )
    return made


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
