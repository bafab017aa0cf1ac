"""What README and the documentation say of the code is what the code says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from sora_gateway.accounts.authenticator import LINK_LIFETIME
from sora_gateway.errors import CloseCode
from tests.generated import GENERATED, ROOT, catalogue, close_table, comments_of, error_table
from tests.snippets import blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_is_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == GENERATED[name](text), "run `make docs`"


def test_a_part_without_its_place_is_noticed() -> None:
    with pytest.raises(ValueError, match="diagram"):
        GENERATED["docs/states.md"]("# The life of a job")


def test_the_table_of_close_codes_is_the_enumeration() -> None:
    assert close_table() in ERRORS
    written = re.findall(r"^\| (\d{4}) \|", ERRORS, re.MULTILINE)
    assert written == [str(code.value) for code in CloseCode]
    assert set(comments_of(CloseCode)) == {code.name for code in CloseCode}


def test_the_range_of_a_close_code_says_whether_to_come_back() -> None:
    come_back = ("Reconnect", "reconnect", "Back off")
    for code in CloseCode:
        comment = comments_of(CloseCode)[code.name]
        if code >= 4400:
            assert "Stop" in comment
        elif code >= 4000:
            assert any(word in comment for word in come_back)


def test_the_table_of_errors_is_the_catalogue() -> None:
    assert error_table() in ERRORS
    # A model that nobody offers is a wrong field of a create, and nothing at an address of its own.
    codes = [(kind.code, kind.http_status) for kind in catalogue()]
    assert len(codes) == len(set(codes)), "two errors are told in the same way"
    assert all(kind.__doc__ for kind in catalogue())


def test_each_promise_names_tests_that_exist() -> None:
    part = README.partition("## What is promised")[2].partition("\n## ")[0]
    promises = re.split(r"^\d\. ", part, flags=re.MULTILINE)[1:]
    assert len(promises) == 8
    for promise in promises:
        named = re.findall(r"`(tests/test_\w+\.py)::(test_\w+)`", promise)
        assert named, promise
        for file, test in named:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^\s*(async )?def {test}\(", text, re.MULTILINE), test


def test_what_a_start_prints_is_what_the_quick_start_shows() -> None:
    (shown,) = re.findall(r"^```\n(sora-gateway is ready.*?)^```$", README, re.DOTALL | re.MULTILINE)
    source = (ROOT / "sora_gateway/serving.py").read_text(encoding="utf-8")
    for line in shown.splitlines():
        assert line.partition("http://")[0] in source
    assert "(once, within an hour)" in shown
    assert LINK_LIFETIME == 3600


def test_the_quick_start_is_two_commands_near_the_top() -> None:
    """Whoever checks the project takes the first block of the README."""
    first = blocks(ROOT / "README.md")[0]
    assert first.text == "make run\nmake test\n"
    assert README.partition(first.text)[0].count("\n") < 45


def test_the_changelog_knows_this_version_or_has_something_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = tomllib.loads(Path(ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert "## [Unreleased]" in changelog or f"## [{version}]" in changelog
