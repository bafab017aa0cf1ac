"""Options of the test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        choices=("once", "full"),
        default="once",
        help="once: every crash point once; full: with upstream faults, repeated crashes and 10,000 updates",
    )
