"""Where each command of the command line is shown and run: in a tested snippet of a page, or by a test that is named here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.snippets import PAGES, Block, blocks

RUN_BY = {
    "demo": "tests/test_cli.py::test_the_demo_never_finds_a_configured_upstream",
    "alerts test": "tests/test_alerts_api.py::test_the_command_says_what_was_answered_and_nothing_else",
    "credits settle": "tests/test_cli_credits.py::test_disputes_are_listed_and_decided_on",
    "credits release": "tests/test_cli_credits.py::test_disputes_are_listed_and_decided_on",
}
"""Commands that no tested snippet shows -> the test that runs them."""


def typed(parts: Collection[Block]) -> Iterator[list[str]]:
    """The words after each ``sora-gateway`` in the shell of *parts*."""
    shell = "\n".join(part.text for part in parts if part.language == "sh").replace("\\\n", " ")
    for line in shell.splitlines():
        yield from commands_in(line)


def commands_in(line: str) -> Iterator[list[str]]:
    for command in re.split(r"(?<![\w/.-])sora-gateway ", line)[1:]:
        yield shlex.split(re.split(r"\||\)|\$\(", command)[0], comments=True)


def name_of(words: list[str], known: Collection[str]) -> str | None:
    """The command that *words* begin with."""
    return next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)


def shown(known: Collection[str]) -> dict[str, Path]:
    """Command -> the first page that has it in a tested snippet."""
    found: dict[str, Path] = {}
    for page in PAGES:
        for words in typed([part for part in blocks(page) if part.tested]):
            name = name_of(words, known)
            if name is not None:
                found.setdefault(name, page)
    return found
