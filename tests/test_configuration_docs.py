"""docs/configuration.md: every setting is there once, with its variable, and says what its number counts."""

from __future__ import annotations

import re

from tests.generated import ROOT, settings

TEXT = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
COUNTED = re.compile(
    r"(?i)second|byte|hours|days|character|credit|video|job|port |request|message|connection|create|backup|webhook|"
    r"template|try|tries|image|topic|subscription|event|looks|deliver|money|file"
)
OF_THE_ONE_ABOVE = {
    "realtime.per_person", "realtime.per_address", "plans.default.per_day", "retention.free_above", "simulator.sigma",
    "tracing.sample_ratio",
}  # fmt: skip
"""Their numbers count the same as the setting before them, or nothing at all."""


def test_every_setting_stands_there_once_with_its_variable() -> None:
    keys = [key for key, _, _ in settings()]
    written = re.findall(r"^\| `([\w.]+)`<br>`(\w+)` \|", TEXT, re.MULTILINE)
    assert sorted(written) == sorted((key, f"SORA_GATEWAY_{key.upper().replace('.', '__')}") for key in keys)


def test_every_number_says_what_it_counts() -> None:
    silent = {
        key
        for key, default, text in settings()
        if isinstance(default, int | float) and not isinstance(default, bool) and not COUNTED.search(text)
    }
    assert silent == OF_THE_ONE_ABOVE
