"""Hash the vendored modules again and compare: ``make vendor-check``. Needs Python only."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def complaints(folder: Path = HERE) -> list[str]:
    """What is wrong with the vendored files of *folder*, one sentence each; empty when all is well."""
    lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {path.name for path in folder.glob("*.js")} | {"THIRD_PARTY.txt"}
    wrong = [f"{name} is not listed in SHA256SUMS." for name in sorted(found - expected.keys())]
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing.")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} is not the file that was vendored.")
    return wrong + _lock_complaints(folder)


def _lock_complaints(folder: Path) -> list[str]:
    """Every locked package has a hash, and none a download address."""
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    wrong = []
    for path, package in packages.items():
        if path and "integrity" not in package:
            wrong.append(f"package-lock.json has no hash for {path}.")
        if "resolved" in package:
            wrong.append(f"package-lock.json names a download address for {path}.")
    return wrong


if __name__ == "__main__":
    sys.exit("\n".join(complaints()) or 0)
