"""What is printed for people: tables, and text from outside made harmless."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence


def prepare_streams() -> None:
    """Whatever the caller closed of standard input, output and error leads nowhere from now on, and a character
    that the terminal's encoding does not have is written as an escape instead of ending the command."""
    # Otherwise a file or socket of ours gets its number, and what is printed ends up in it.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Prints *rows*, which are of the same length, in columns."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """*text* without anything that would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
