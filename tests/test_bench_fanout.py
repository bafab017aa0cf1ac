"""``bench fanout`` runs from end to end, and its numbers fit together; how fast this machine is, is nothing for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sora_gateway import bench
from sora_gateway.bench import fanout
from sora_gateway.bench.fanout import quartiles, together
from sora_gateway.bench.fanout_sides import Fanout
from sora_gateway.errors import StartupError

CLIENTS, ROUNDS, AT_ONCE = 20, 2, 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """A tiny run: its exit code and what it wrote."""
    directory = tmp_path_factory.mktemp("bench")
    numbers = directory / "numbers.json"
    options = ["--subscribers", str(CLIENTS), "--rounds", str(ROUNDS), "--idle", "0.2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fanout, "AT_LEAST", AT_ONCE)
        code = bench.main("fanout", [*options, "--dir", str(directory), "--json", str(numbers)])
    assert list(directory.iterdir()) == [numbers], "a benchmark cleans up"
    return code, json.loads(numbers.read_text(encoding="utf-8"))


def test_every_delivery_arrives_and_is_paid_for(run: tuple[int, dict[str, Any]]) -> None:
    samples = run[1]["samples"]
    for kind in (f"one_{CLIENTS}", f"burst_{CLIENTS}", f"keyed_{CLIENTS}"):
        wanted = 10 * CLIENTS if "burst" in kind else AT_ONCE
        for side in ("ours", "broadcast", "floor"):
            of = {name: samples[f"{kind}_{side}_{name}"] for name in ("deliveries", "cpu_s", "last_s")}
            assert of["deliveries"] == [wanted] * ROUNDS
            assert all(0 < value < 10 for value in of["cpu_s"] + of["last_s"])
            p99 = samples[f"{kind}_{side}_p99_s"]
            assert all(0 < most <= last for most, last in zip(p99, of["last_s"], strict=True))
            read = samples[f"{kind}_{side}_read_s"]
            assert all(last < done for last, done in zip(of["last_s"], read, strict=True)), (
                "it came, then it was read"
            )
            assert all(0 <= idle < 1 for idle in samples[f"{kind}_{side}_clients_idle"])
        assert all(value > 0 for value in samples[f"{kind}_ours_store_cpu_s"])
        assert samples[f"{kind}_broadcast_store_cpu_s"] == [0] * ROUNDS


def test_each_event_is_one_message_and_a_burst_at_most_as_many(run: tuple[int, dict[str, Any]]) -> None:
    samples = run[1]["samples"]
    for kind in (f"one_{CLIENTS}", f"keyed_{CLIENTS}"):
        for side in ("ours", "broadcast", "floor"):
            assert samples[f"{kind}_{side}_frames"] == samples[f"{kind}_{side}_deliveries"]
    for side in ("broadcast", "floor"):
        assert samples[f"burst_{CLIENTS}_{side}_frames"] == [10 * CLIENTS] * ROUNDS
    assert all(CLIENTS <= frames <= 10 * CLIENTS for frames in samples[f"burst_{CLIENTS}_ours_frames"])


def test_connections_and_stalls_are_looked_at(run: tuple[int, dict[str, Any]]) -> None:
    samples = run[1]["samples"]
    for name in ("memory_bytes", "accept_cpu_s", "idle_cores"):
        assert len(samples[name]) == 2, "ours, and the other"
    assert all(value > 0 for value in samples["accept_cpu_s"])
    for kind in ("one", "burst", "keyed", "broadcast"):
        assert len(samples[f"stall_{kind}_s"]) == ROUNDS


def test_the_goals_decide_the_exit_code(run: tuple[int, dict[str, Any]]) -> None:
    code, written = run
    assert len(written["goals"]) == 8
    assert {goal["bound"] for goal in written["goals"]} == {0.75, 1.15, 0.3, 25.0, 1.0}
    assert code == (0 if written["met"] else 1)


@pytest.mark.parametrize("module", ["fanout_reference", "fanout_clients 1", "fanout_gateway data 1"])
def test_a_process_of_the_benchmark_ends_when_the_one_that_started_it_does(
    module: str, tmp_path: Path
) -> None:
    name, *arguments = module.split()
    ended = subprocess.run(
        [sys.executable, "-m", f"sora_gateway.bench.{name}", *arguments],
        input=b"", capture_output=True, check=False, timeout=30, cwd=tmp_path,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_more_sockets_than_the_system_allows_are_refused_before_anything_starts() -> None:
    with pytest.raises(StartupError, match="--subscribers"):
        bench.main("fanout", ["--subscribers", "1000000000"])


def test_quartiles_surround_the_median() -> None:
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == "3.00 [2.00 .. 4.00]"
    assert quartiles([1.0]) == "1.00 [1.00 .. 1.00]"


def test_several_small_fan_outs_are_one_measurement() -> None:
    few = [
        Fanout(20, 20, cpu, 0.1, last / 2, last, 2 * last, 0.5)
        for cpu, last in ((1.0, 1.0), (2.0, 2.0), (3.0, 9.0))
    ]
    assert together(few) == Fanout(60, 60, 6.0, 0.1, 1.0, 2.0, 4.0, 0.5)
