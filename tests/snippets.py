"""The snippets of the documentation, and a gateway to run them against as a reader would.

A fenced block of ``sh``, ``python``, ``js`` or ``toml`` says above itself what runs it:

``<!-- tested: NAME -->``
    The ordinary suite. The ``sh`` and ``python`` blocks of a page are run in their order, in one shell (:func:`run`).
``<!-- tested by make test-clients: NAME -->``
    ``tests/clients/snippets.py``, with OpenAI's own SDKs.
``<!-- not tested: REASON -->``
    Nobody, and why.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.canaries import leaks

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIG = """
[server]
port = 0
[simulator]
duration = 0.3
sigma = 0
render = "clip"
[media]
min_free_disk = 0
"""


@dataclass(frozen=True)
class Block:
    """A fenced block. *tested* is its name in the ordinary suite, *clients* in ``make test-clients``, or *reason* why
    nobody runs it."""

    language: str
    text: str
    tested: str | None
    clients: str | None
    reason: str | None


@cache
def blocks(page: Path) -> list[Block]:
    kinds = "tested|tested by make test-clients|not tested"
    fence = rf"(?:<!-- ({kinds}): ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$"
    found = re.findall(fence, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [
        Block(language, text, *(note if kind == wanted else None for wanted in kinds.split("|")))
        for kind, note, language, text in found
    ]


def block(page: Path, name: str) -> str:
    return next(block.text for block in blocks(page) if block.tested == name)


needs_curl = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="what readers type needs bash and curl"
)


def environment() -> dict[str, str]:
    """Like a reader's, with the gateway's environment activated; nothing of this machine configures it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("SORA_GATEWAY_") and name != "CREDENTIALS_DIRECTORY"
    }
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "NO_PROXY": "*"}


@contextmanager
def program(directory: Path, *arguments: str, **variables: str) -> Iterator[str]:
    """``sora-gateway ARGUMENTS`` in *directory*: the address that it prints first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sora_gateway", *arguments],
        cwd=directory, env=environment() | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://[\d.]+:\d+", line)
        assert address, f"{line}{process.communicate(timeout=10)[1] if process.poll() is not None else ''}"
        yield address[0]
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints
    assert leaks(complaints) == [], "secrets in what it wrote to stderr"


def run(
    page: Path,
    directory: Path,
    address: str,
    *,
    without: Collection[str] = (),
    given: Mapping[str, str] | None = None,
) -> Mapping[str, str]:
    """What each tested ``sh`` and ``python`` block of *page* prints, but for those *without*.

    ``127.0.0.1:8000`` in them is the gateway at *address*; *given* are variables that the reader has already. Every
    page has an Ann of its own, so that several can be run against one gateway.
    """
    script = ["set -eu"]
    for part in blocks(page):
        if part.tested is None or part.language not in {"sh", "python"} or part.tested in without:
            continue
        text = part.text.replace("127.0.0.1:8000", urlsplit(address).netloc)
        text = text.replace("ann@example.org", f"{page.stem.lower()}@example.org")
        if part.language == "python":
            text = f"python3 - <<'PYTHON'\n{text}PYTHON\n"
        script += [f"printf '\\n@@@ {part.tested}\\n'", text]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], check=False, cwd=directory, env=environment() | dict(given or {}),
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pieces = re.split(r"^@@@ (\w+)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
