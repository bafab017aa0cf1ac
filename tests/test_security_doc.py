"""The checklist in docs/security.md: every test that it names is there, and no line is told twice or in the wrong place."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

from tests.generated import ROOT

TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
LAST = 87
SECTION = re.compile(r"^### [^\n]+: lines? (\d+)(?: to (\d+))?\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
PROOF = re.compile(r"`tests/(test_\w+\.py)`: ((?:`test_\w+`(?:, )?)+)")
Line = tuple[int, str, str]


def sections() -> list[tuple[range, list[Line]]]:
    """Each section's lines as its heading has them, and those that are in it."""
    return [
        (range(int(first), int(last or first) + 1), [(int(row[0]), row[1], row[2]) for row in ROW.findall(body)])
        for first, last, body in SECTION.findall(TEXT)
    ]  # fmt: skip


def lines() -> list[Line]:
    return [line for _, there in sections() for line in there]


def proofs(cell: str) -> list[tuple[str, str]]:
    """The tests in a cell, which names a file, a colon and tests in it, and after a semicolon another file."""
    return [(file, test) for file, names in PROOF.findall(cell) for test in re.findall(r"\w+", names)]


@cache
def functions_of(file: str) -> frozenset[str]:
    """The tests of a module, in its classes too."""
    path = ROOT / "tests" / file
    if not path.exists():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, functions))


def test_every_test_that_is_named_is_there() -> None:
    named = [each for _, _, proof in lines() for each in proofs(proof)]
    assert named
    assert [f"{file}: {test}" for file, test in named if test not in functions_of(file)] == []
    assert len(named) == len(re.findall(r"`test_\w+`", TEXT)), (
        "each is written behind its file, in the third column"
    )


def test_no_line_is_told_twice_and_each_is_where_its_heading_says() -> None:
    assert [
        number for number, times in Counter(number for number, _, _ in lines()).items() if times > 1
    ] == []
    assert [number for among, there in sections() for number, _, _ in there if number not in among] == []
    assert len(lines()) == len(ROW.findall(TEXT)), "a line outside of the sections"
    covered = [number for among, _ in sections() for number in among]
    assert covered == list(range(1, LAST + 1))


def test_every_line_names_a_test_or_says_why_there_is_none() -> None:
    for number, what, proof in lines():
        assert what.endswith("."), number
        assert proofs(proof) or (proof.endswith(".") and len(proof) > 30), number
