"""Fails every test in which a secret was printed or logged, at INFO and above, before anything redacts it.

What one knows to be hidden in the log is one mistake away from being shown; so the code logs none in the first place.
"""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest

from tests.canaries import leaks


class Heard(logging.Handler):
    """Keeps what was logged since the last look."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def taken(self) -> str:
        lines, self.lines = self.lines, []
        return "\n".join(lines)


_heard = Heard()


def pytest_configure() -> None:
    logging.getLogger().addHandler(_heard)
    logging.getLogger("sora_gateway").setLevel(logging.INFO)


def pytest_unconfigure() -> None:
    logging.getLogger().removeHandler(_heard)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    found = leaks("\n".join([_heard.taken(), *(text for _, text in report.sections)]))
    if found and not report.failed:
        report.outcome = "failed"
        report.longrepr = f"Secrets were written to the output or the log: {', '.join(sorted(set(found)))}"
    return report
