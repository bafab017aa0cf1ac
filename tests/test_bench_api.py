"""``bench api`` runs from end to end, and its numbers fit together; how fast this machine is, is nothing for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sora_gateway import bench
from sora_gateway.bench import api
from sora_gateway.bench.fanout_sides import Child
from sora_gateway.errors import StartupError

ROUNDS = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """A tiny run: its exit code and what it wrote."""
    directory = tmp_path_factory.mktemp("bench")
    numbers = directory / "numbers.json"
    options = ["--rounds", str(ROUNDS), "--requests", "8", "--connections", "2"]
    code = bench.main("api", [*options, "--dir", str(directory), "--json", str(numbers)])
    assert list(directory.iterdir()) == [numbers], "a benchmark cleans up"
    return code, json.loads(numbers.read_text(encoding="utf-8"))


def test_every_kind_of_request_is_answered_and_paid_for(run: tuple[int, dict[str, Any]]) -> None:
    samples = run[1]["samples"]
    for kind in ("get", "list", "create"):
        for side in ("ours", "bare", "usual"):
            of = {
                name: samples[f"{kind}_{side}_{name}"] for name in ("cpu", "wall", "median", "late", "idle")
            }
            assert {len(values) for values in of.values()} == {ROUNDS}, "the first round does not count"
            assert all(0 < value < 10 for name in ("cpu", "wall", "median") for value in of[name])
            assert all(median <= late for median, late in zip(of["median"], of["late"], strict=True))
            assert all(0 <= idle < 1 for idle in of["idle"])


def test_the_goals_decide_the_exit_code(run: tuple[int, dict[str, Any]]) -> None:
    code, written = run
    assert len(written["goals"]) == 4
    assert code == (0 if written["met"] else 1)


@pytest.mark.parametrize("module", ["api_clients 1", "api_gateway data 1"])
def test_a_process_of_the_benchmark_ends_when_the_one_that_started_it_does(
    module: str, tmp_path: Path
) -> None:
    name, *arguments = module.split()
    ended = subprocess.run(
        [sys.executable, "-m", f"sora_gateway.bench.{name}", *arguments],
        input=b"", capture_output=True, check=False, timeout=30, cwd=tmp_path,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_an_answer_that_is_not_expected_ends_the_benchmark(tmp_path: Path) -> None:
    """Refusals are quick: they would look like a fast server."""
    with reference(tmp_path) as (server, port):
        requests = {"get": "GET /tasks/nobodys HTTP/1.1\r\nHost: a\r\n\r\n"}
        side = api.Side(server, port, requests, None)
        try:
            with pytest.raises(StartupError, match="404"):
                side.run("get", 1, 1)
        finally:
            side.callers.end()


@contextmanager
def reference(directory: Path) -> Iterator[tuple[Child, int]]:
    server = Child("sora_gateway.bench.api_reference", str(directory), "1", directory=directory, cpu=None)
    try:
        yield server, int(server.ask("serve", key="key", task={"prompt": "a paper boat"})["port"])
    finally:
        server.end()
