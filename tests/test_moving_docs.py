"""docs/moving.md: what it says of here is here, and its commands do what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.generated import ROOT
from tests.snippets import CONFIG, needs_curl, program, run

PAGE = ROOT / "docs/moving.md"


def named_here() -> set[tuple[str, str]]:
    """Method and path of every route in the second column of a table."""
    cells = [
        line.split(" | ")[1]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    return {route for cell in cells for route in re.findall(r"`(GET|POST|PUT|DELETE) (/\S+)`", cell)}


def test_every_route_that_it_sends_people_to_is_there() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "sora_gateway", "openapi"], capture_output=True, check=True, timeout=30
    ).stdout
    there = {
        (method.upper(), re.sub(r"\{\w+\}", "{id}", path))
        for path, methods in json.loads(printed)["paths"].items()
        for method in methods
    }
    assert len(named_here()) >= 7
    assert named_here() <= there


@needs_curl
def test_people_and_their_balances_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG + "[credits]\nenabled = true\n")
    with program(tmp_path, "serve") as address:
        told = run(PAGE, tmp_path, address)
    assert len(re.findall(r"http://\S+#reset=\S+", told["people"])) == 2
    assert re.search(r"^sgw_\S{49}$", told["people"], re.MULTILINE)
    assert "250" in told["balance"]
    assert "balance of the old system" in told["balance"]
