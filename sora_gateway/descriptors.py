"""File descriptors: each connection needs one, and a process that has none left can neither answer, nor store, nor log."""

from __future__ import annotations

import resource
from contextlib import suppress

SPARE = 200
"""For everything but connections of people: database, files, upstreams, log."""


def raise_limit() -> None:
    """As many as the system allows this process; what it begins with is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is no limit, and does not take the word.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections(wanted: int) -> int:
    """How many may be open: *wanted*, or fewer where there are not enough descriptors; 0 is unlimited."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return wanted
    there = max(1, limit - SPARE)
    return min(wanted, there) if wanted else there
