"""How many examples a test with hypothesis takes: as many as it needs, times what the run allows itself."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> int:
    """*number* in an ordinary run, more of them in a thorough one: as the profiles of tests/conftest.py say.

    For ``@settings(max_examples=...)``, which would otherwise hold whatever the profile is.
    """
    return number * settings().max_examples // ORDINARY


ORDINARY = settings.get_profile("default").max_examples
