"""``storage check``: whether the files on the disk are those that the database knows."""

from __future__ import annotations

import argparse
from collections import Counter

from sora_gateway.cli.operate import operate
from sora_gateway.cli.options import Commands, add_command, add_group, add_settings, settings_of
from sora_gateway.cli.terminal import printable

_SHOWN = 200
"""Findings that are listed; the numbers count all."""
_WORDS = {
    "orphan": "no row has it",
    "missing": "is not there",
    "size": "has another size",
    "hash": "has something else in it",
    "back": "was written down as gone and is there again",
}


def register(commands: Commands) -> None:
    storage = add_group(commands, "storage", "the stored files")
    check = add_command(storage, "check", "hold the files and the database against each other", _check)
    add_settings(check)
    check.add_argument("--hashes", action="store_true", help="read every file and compare its hash too")
    check.add_argument(
        "--repair",
        action="store_true",
        help="remove files that no row has, write down as gone what is not there, and give back what is there again",
    )
    check.add_argument(
        "--even-if-most-are-missing",
        action="store_true",
        help="repair although more than half of the files are not there; without this that is taken for the wrong disk",
    )


def _check(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    after: str | None = ""
    files = rows = shown = open_faults = 0
    faults: Counter[str] = Counter()
    while after is not None:
        # In parts: each is short, whoever runs the gateway waits for nothing, and Ctrl-C ends it.
        part = operate(
            settings, "storage.check", after=after, hashes=arguments.hashes, repair=arguments.repair,
            even_if_most_are_missing=arguments.even_if_most_are_missing,
        )  # fmt: skip
        after = part["after"]
        files += part["files"]
        rows += part["rows"]
        for finding in part["findings"]:
            faults[finding["fault"]] += 1
            open_faults += not finding["repaired"]
            shown += 1
            if shown <= _SHOWN:
                done = "; repaired" if finding["repaired"] else ""
                path = printable(finding["path"])
                print(
                    f"{finding['fault']}: {path} ({finding['size']} bytes) {_WORDS[finding['fault']]}{done}"
                )
    if shown > _SHOWN:
        print(f"... and {shown - _SHOWN} more")
    found = ", ".join(f"{count} {name}" for name, count in sorted(faults.items())) or "nothing wrong"
    print(f"{files} files, {rows} rows: {found}.")
    return 1 if open_faults else 0
