"""Options of the test run."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        choices=("once", "full"),
        default="once",
        help="once: every crash point once; full: with upstream faults, repeated crashes and 10,000 updates",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The long form is not part of the ordinary run; it is left out, not skipped."""
    long = collection_path.name == "test_kills_full.py" and config.getoption("--kills") != "full"
    return True if long else None
