"""Where the files that ship with the code lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """The directory (or file) *name* of the distribution: ``static``, ``migrations``, ``config.example.toml``."""
    inside = _PACKAGE / f"_{name}"
    return inside if inside.exists() else _PACKAGE.parent / name
