"""Every test with hypothesis follows the profile of the run (tests/conftest.py)."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import settings

from tests.examples import ORDINARY, examples


def test_nobody_counts_examples_without_asking_the_profile() -> None:
    """A number of its own would hold in a thorough run too."""
    counted = {
        path.name: re.findall(r"max_examples=(?!examples\()[^,)\n]*", path.read_text(encoding="utf-8"))
        for path in Path(__file__).parent.glob("test_*.py")
        if path != Path(__file__)
    }
    assert not {name: found for name, found in counted.items() if found}


def test_a_test_takes_as_many_times_more_examples_as_the_profile_does() -> None:
    assert examples(ORDINARY) == settings().max_examples


def test_the_run_that_decides_takes_the_same_examples_each_time() -> None:
    fixed = settings.get_profile("fixed")
    assert fixed.derandomize
    assert fixed.database is None, "nothing that an earlier run has found is tried first"
    assert fixed.max_examples == ORDINARY


def test_no_example_fails_because_the_machine_is_busy() -> None:
    assert {settings.get_profile(name).deadline for name in ("explore", "fixed", "thorough")} == {None}
