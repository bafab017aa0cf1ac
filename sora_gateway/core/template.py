"""Prompts with gaps: ``a {animal} in {place}``; ``{{`` and ``}}`` stand for braces.

A name begins with a letter, in any script, and goes on with letters, digits and ``_``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

MAX_NAME = 50
MAX_VALUE = 2000
"""Characters of what fills a gap."""
MAX_GAPS = 100
"""Gaps of one template: with values of the longest kind it stays bounded."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_NAME = re.compile(r"[^\W\d_]\w*")


class TemplateError(ValueError):
    """The template cannot be read, or not be filled with these values; one sentence that names what is wrong."""


def gaps(text: str) -> list[str]:
    """The names of the gaps of *text*, each once, in their order. Raises TemplateError."""
    names = [name for _, name in _pieces(text) if name is not None]
    if len(names) > MAX_GAPS:
        raise TemplateError(f"The template has {len(names)} gaps; at most {MAX_GAPS} are taken.")
    return list(dict.fromkeys(names))


def fill(text: str, values: Mapping[str, str]) -> str:
    """*text* with each gap filled; what stands in a value is not looked at again.

    Raises:
        TemplateError: a gap has no value, a value no gap, or one is too long.
    """
    names = gaps(text)
    given = {_composed(name): value for name, value in values.items()}
    for name, value in given.items():
        if name not in names:
            has = f"it has {_listed(names)}" if names else "it has none"
            raise TemplateError(f"The template has no gap {{{name[:MAX_NAME]}}}; {has}.")
        if len(value) > MAX_VALUE:
            raise TemplateError(
                f"The value of {{{name}}} has {len(value)} characters; at most {MAX_VALUE} are taken."
            )
    for name in names:
        if name not in given:
            raise TemplateError(f"The template needs a value for {{{name}}}.")
    return "".join(plain if name is None else given[name] for plain, name in _pieces(text))


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Plain text, or the name of a gap."""
    for match in _PIECE.finditer(text):
        piece, name = match[0], match[1]
        if piece in ("{{", "}}"):
            yield piece[0], None
        elif name is not None:
            yield "", _checked(name)
        elif piece in ("{", "}"):
            raise TemplateError(
                f"The {piece} at character {match.start() + 1} belongs to no gap; write {piece * 2} for a brace."
            )
        else:
            yield piece, None


def _checked(name: str) -> str:
    name = _composed(name)
    if _NAME.fullmatch(name) is None or len(name) > MAX_NAME:
        raise TemplateError(
            f"{{{name[:MAX_NAME]}}} is no gap: a name has letters, digits and _, begins with a letter and has at "
            f"most {MAX_NAME} characters."
        )
    return name


def _composed(name: str) -> str:
    # Typed on different machines, the same letter may be one character or two.
    return unicodedata.normalize("NFC", name)


def _listed(names: list[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
