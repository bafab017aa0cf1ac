"""Fetch the browser modules anew: ``make vendor``. Only the person who bumps a version needs npm.

To bump: edit package.json here, run ``npm install --package-lock-only --ignore-scripts`` in this directory,
then ``make vendor``. npm checks every package against the hash in package-lock.json; what is copied is
committed, with its licence texts and its own hashes, so that nobody else needs npm or the network.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

FILES = {
    "preact.js": "preact/dist/preact.mjs",
    "hooks.js": "preact/hooks/dist/hooks.mjs",
    "htm.js": "htm/dist/htm.mjs",
    "signals-core.js": "@preact/signals-core/dist/signals-core.mjs",
    "signals.js": "@preact/signals/dist/signals.mjs",
    "uplot.js": "uplot/dist/uPlot.esm.js",
}
"""Name here -> path in node_modules. Always ``.js``: every web server knows its type."""

IMPORTS = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}
"""Bare names -> our files, so that the page needs no import map, which a strict CSP would have to allow."""

_IMPORT = re.compile(r'(?P<before>\b(?:from|import)\s*)"(?P<name>[^"./\s][^"\s]*)"')
_SOURCEMAP = re.compile(r"//# sourceMappingURL=\S+")


def rewritten(source: str) -> str:
    """*source* with its bare imports pointing at our files and without its source map line.

    Raises:
        KeyError: it imports a package that is not vendored.
    """
    with_paths = _IMPORT.sub(lambda found: f'{found["before"]}"{IMPORTS[found["name"]]}"', source)
    return _SOURCEMAP.sub("", with_paths).rstrip("\n") + "\n"


def third_party(modules: Path) -> str:
    """The name, version and licence text of every package that a vendored file comes from."""
    packages = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]
    parts = [
        "The .js files of this directory come from these packages, unchanged but for the paths of their imports."
    ]
    for name in sorted(packages):
        about = json.loads((modules / name / "package.json").read_text("utf-8"))
        licence = (modules / name / "LICENSE").read_text("utf-8").strip()
        parts.append(f"{name} {about['version']} ({about['license']})\n{'=' * 72}\n\n{licence}")
    return "\n\n\n".join(parts) + "\n"


def sums() -> str:
    """One line per file in the format of ``sha256sum``."""
    names = sorted([*FILES, "THIRD_PARTY.txt"])
    return "".join(f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


def main() -> None:
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm was not found; it is needed to refresh the vendored modules, and for nothing else.")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, scratch)
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=scratch, check=True)  # noqa: S603 - a fixed command line
        modules = Path(scratch, "node_modules")
        for target, origin in FILES.items():
            (HERE / target).write_text(
                rewritten((modules / origin).read_text("utf-8")), "utf-8", newline="\n"
            )
        (HERE / "THIRD_PARTY.txt").write_text(third_party(modules), "utf-8", newline="\n")
    (HERE / "SHA256SUMS").write_text(sums(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
