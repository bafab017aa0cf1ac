"""docs/money.md: every answer names a test that holds it, and the test is there."""

from __future__ import annotations

import re

from tests.generated import ROOT

TEXT = (ROOT / "docs/money.md").read_text(encoding="utf-8")
PROOF = re.compile(r"`tests/(test_\w+\.py)::(test_\w+)`")


def test_every_test_that_is_named_is_there() -> None:
    named = set(PROOF.findall(TEXT))
    assert len(named) > 40
    sources = {file: (ROOT / "tests" / file).read_text(encoding="utf-8") for file, _ in named}
    assert not [f"{file}::{test}" for file, test in named if f"def {test}(" not in sources[file]]


def test_every_answer_and_every_row_of_the_table_names_one() -> None:
    answers = re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]
    rows = re.findall(r"^\| (?!how a|---).+$", TEXT, re.MULTILINE)
    assert len(answers) > 20
    assert len(rows) > 12
    assert not [part.splitlines()[0] for part in [*answers, *rows] if not PROOF.search(part)]


def test_every_answer_answers_a_question() -> None:
    headings = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
    assert all(heading.endswith("?") for heading in headings)
    assert len(headings) == len(set(headings))
