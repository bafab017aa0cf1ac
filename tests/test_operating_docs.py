"""Commands of docs/operating.md that need a situation: each is run in it, and does what the page says."""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.cli import main
from tests.generated import ROOT
from tests.snippets import CONFIG, block, program


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What ``sora-gateway WORDS`` prints in the gateway's directory."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_"):
            monkeypatch.delenv(name)

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main([*words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_each_decision_on_a_doubt_does_what_the_page_says(tmp_path: Path, said: Any) -> None:
    """The simulator takes each create and loses its answer, once."""
    lines = block(ROOT / "docs/operating.md", "decide").splitlines()
    (tmp_path / "config.toml").write_text(
        CONFIG.replace('render = "clip"', 'render = "clip"\ndirectives = true')
    )
    outcomes = {}
    with program(tmp_path, "serve"):
        for line in lines:
            words = shlex.split(line, comments=True)[1:]
            job = said("generate", f"{words[1]} [[fault:create_drop]] [[fault:once]]").strip()
            while job not in said("unknown", "list"):
                time.sleep(0.02)
            known = {"JOB": job, "EXTERNAL_ID": creates(tmp_path)[-1]["id"]}
            outcomes[words[1]] = said(*(known.get(word, word) for word in words)).split()[2]
    assert outcomes == {
        "look": "processing.",
        "adopt": "processing.",
        "pay-again": "queued.",
        "give-up": "failed.",
    }
    assert len(creates(tmp_path)) == 5, "only the one that was paid again was sent twice"


def creates(directory: Path) -> list[dict[str, Any]]:
    """What the simulator was paid for, oldest first."""
    lines = (directory / "data/simulator/creates.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
