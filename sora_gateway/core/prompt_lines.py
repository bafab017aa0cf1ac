"""Prompts from pasted text: one in each line."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BULLET = re.compile(r"[-*•–]\s+(?=\S)")
_NUMBER = re.compile(r"([0-9]{1,5})[.)]\s+(?=\S)")


def prompts(text: str) -> list[tuple[int, str]]:
    """The prompts of *text* with the number of the line, from 1, that each stands in; empty lines are none.

    A pasted list loses its bullets, or its numbers, when every line has one: a single "1. A boat" may be meant so.
    """
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    plain = _without_marks([line for _, line in lines])
    return [(number, line) for (number, _), line in zip(lines, plain, strict=True)]


def _without_marks(lines: Sequence[str]) -> Sequence[str]:
    if len(lines) < 2:
        return lines
    if all(map(_BULLET.match, lines)):
        return [_BULLET.sub("", line, count=1) for line in lines]
    numbers = [_NUMBER.match(line) for line in lines]
    if [int(match[1]) if match else 0 for match in numbers] == list(range(1, len(lines) + 1)):
        return [_NUMBER.sub("", line, count=1) for line in lines]
    return lines
