"""docs/architecture.md: what its drawing of the way of a video names is there, in the order in which it is called."""

from __future__ import annotations

import re

from tests.generated import ROOT
from tests.test_architecture import PACKAGE

TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_who_takes_part_in_the_way_of_a_video_is_there() -> None:
    named = re.findall(r"^    participant (\w) as (\S+)$", TEXT, re.MULTILINE)
    places = [place for _, place in named if "/" in place]
    assert len(places) == 6
    assert not [place for place in places if not (PACKAGE / place).exists()]
    drawn = re.findall(r"^ +(\w)-?->>(\w): \S", TEXT, re.MULTILINE)
    assert {letter for pair in drawn for letter in pair} == {letter for letter, _ in named}


def test_only_values_and_the_parts_of_the_table_are_in_the_drawing_of_packages() -> None:
    drawing = TEXT.partition("<!-- packages -->")[2].partition("<!-- /packages -->")[0]
    named = set(re.findall(r"\b[a-z]\w+\b", drawing)) - {"mermaid", "flowchart", "everything"}
    assert {"http", "supervisor", "upstream", "store", "realtime"} <= named
    assert not [name for name in named if not (PACKAGE / name).is_dir()]
