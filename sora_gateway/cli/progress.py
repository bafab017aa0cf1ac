"""A job's progress as one line of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sora_gateway.cli.terminal import printable

FINAL = frozenset({"completed", "failed", "cancelled"})
BAR = 24
"""Cells of the bar."""
PLAUSIBLE = 3.0
"""Percent below which the time that is left would be a wild guess."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a job. *progress* is 0..100."""

    status: str = "queued"
    progress: float = 0.0
    estimated: bool = False
    message: str = ""
    step: str = ""
    seq: int = 0

    @property
    def final(self) -> bool:
        return self.status in FINAL

    def after(self, news: Mapping[str, Any]) -> Progress:
        """What is known after a task or an update arrived; older news than what is known changes nothing."""
        if news["seq"] < self.seq:
            return self
        return replace(
            self,
            status=news["status"],
            progress=news["progress"],
            estimated=news["progressEstimated"],
            message=news.get("message") or _message_of(news),
            step=news.get("step", ""),
            seq=news["seq"],
        )


def _message_of(task: Mapping[str, Any]) -> str:
    """A snapshot carries no sentence, only what one is made of."""
    if task["error"]:
        return str(task["error"]["message"])
    return str(task.get("note") or f"{str(task['stage']).capitalize()}.")


def line(known: Progress, elapsed: float, width: int, blocks: bool = True) -> str:
    """At most *width* columns: bar, percent, time since the start in seconds, time left, and the message.

    *blocks* says whether the terminal can show block characters.
    """
    full, empty = ("█", "░") if blocks else ("#", "-")
    filled = BAR if known.status == "completed" else int(known.progress / 100 * BAR)
    about = "~" if known.estimated else ""
    parts = [
        full * filled + empty * (BAR - filled),
        f"{about}{known.progress:.0f} %".rjust(6),
        minutes(elapsed),
    ]
    if (left := remaining(known, elapsed)) is not None:
        parts.append(f"about {minutes(left)} left")
    if known.step != "progress":  # whose message only repeats the percent
        parts.append(printable(known.message))
    return _fitting("  ".join(parts), width)


def _fitting(text: str, width: int) -> str:
    """As much of *text* as *width* columns take; a Chinese character takes two. A line that wraps is not redrawn."""
    used = 0
    for at, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > width:
            return text[:at]
    return text


def remaining(known: Progress, elapsed: float) -> float | None:
    """Seconds that are left if it goes on as it went, None when that cannot be said."""
    if known.status != "processing" or not PLAUSIBLE <= known.progress < 99:
        return None
    return elapsed * (100 - known.progress) / known.progress


def minutes(seconds: float) -> str:
    """``m:ss``, rounded to whole seconds."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
