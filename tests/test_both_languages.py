"""README.md and its Chinese sister say the same: what can be compared without reading is compared here."""

from __future__ import annotations

import re
from pathlib import Path

from tests.generated import ROOT
from tests.snippets import blocks

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "docs/README.zh-CN.md"


def targets(page: Path) -> list[str]:
    """Where its links lead, as seen from the top, but for the one to the other language."""
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    found = [str((page.parent / link).resolve().relative_to(ROOT)) for link in links]
    return [each for each in found if each not in {"README.md", "docs/README.zh-CN.md"}]


def shape(page: Path) -> list[str]:
    """Headings, lists and tables, without their words."""
    return re.findall(r"^(?:#+|- |\d\. |\| )", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_each_language_leads_to_the_other() -> None:
    assert "(docs/README.zh-CN.md)" in ENGLISH.read_text(encoding="utf-8")
    assert "(../README.md)" in CHINESE.read_text(encoding="utf-8")


def test_both_have_the_same_parts() -> None:
    assert shape(CHINESE) == shape(ENGLISH)


def test_both_have_the_same_snippets() -> None:
    assert [block.text for block in blocks(CHINESE)] == [block.text for block in blocks(ENGLISH)]


def test_both_lead_to_the_same_places() -> None:
    assert sorted(targets(CHINESE)) == sorted(targets(ENGLISH))


def test_both_name_the_same_tests_and_commands() -> None:
    named = [
        re.findall(
            r"`[^`\n]*`",
            re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE),
        )
        for page in (ENGLISH, CHINESE)
    ]
    assert sorted(named[0]) == sorted(named[1])
