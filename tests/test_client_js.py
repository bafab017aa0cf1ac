"""The page's live connection, which other pages and Node use as well: run by Node where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NODE = shutil.which("node") or ""

needs_node = pytest.mark.skipif(not NODE, reason="what pages import is run by node")


@needs_node
def test_the_live_connection_behaves_over_scripted_sockets_and_a_manual_clock() -> None:
    suites = sorted(str(path) for path in (ROOT / "tests/js").glob("*.test.mjs"))
    assert suites
    done = subprocess.run([NODE, "--test", *suites], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
