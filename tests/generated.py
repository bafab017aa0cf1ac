"""Files, and parts of files, that are written from code: ``python -m tests.generated FILE...`` rewrites them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from sora_gateway.config_example import render
from sora_gateway.core.job import mermaid
from sora_gateway.store.migrate import schema_script

ROOT = Path(__file__).parent.parent
_DIAGRAM = re.compile(r"(<!-- states -->\n```mermaid\n).*?(\n```\n<!-- /states -->)", re.DOTALL)


def readme(text: str) -> str:
    """README with the state diagram drawn from the table. Raises ValueError when it has no place for it."""
    made, count = _DIAGRAM.subn(lambda match: match[1] + mermaid() + match[2], text)
    if count != 1:
        raise ValueError("README has no mermaid block between <!-- states --> and <!-- /states -->")
    return made


GENERATED: dict[str, Callable[[str], str]] = {
    "config.example.toml": lambda _: render(),
    "migrations/schema.sql": lambda _: schema_script(ROOT / "migrations"),
    "README.md": readme,
}
"""File -> its right text, from the text that it has."""


def main(names: list[str]) -> None:
    for name in names:
        path = ROOT / name
        path.write_text(GENERATED[name](path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
