"""What is shown of how far a job is."""

from __future__ import annotations


def progress_after(shown: float, guessed: bool, seen: float | None, estimated: bool) -> tuple[float, bool]:
    """Percent to show after *seen*, and whether that is a guess; *estimated* when *seen* is one.

    It never goes back within an attempt, stays below 100 until the file is stored, and a real number is never
    replaced by a guess.
    """
    if seen is None or (estimated and shown > 0 and not guessed):
        return shown, guessed
    bounded = min(99.0, max(0.0, seen))
    if bounded < shown and not (guessed and not estimated):
        return shown, guessed
    return max(shown, bounded), estimated
