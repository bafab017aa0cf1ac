"""The benchmarks run and do their sums; how fast this machine is, is nothing for a test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sora_gateway import bench
from sora_gateway.bench import inflight
from sora_gateway.bench.report import Goal, Report, median_ratio, spread
from sora_gateway.bench.store import filesystem


def test_a_goal_is_an_upper_bound_or_a_lower_one() -> None:
    assert Goal("quick enough", 0.6, 0.6).met
    assert not Goal("too slow", 0.61, 0.6).met
    assert Goal("many enough", 4.0, 4.0, at_least=True).met
    assert not Goal("too few", 3.99, 4.0, at_least=True).met
    assert str(Goal("too few", 3.99, 4.0, at_least=True)).endswith("3.99 x  >= 4  MISSED")


def test_one_missed_goal_is_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    met, missed = Goal("one", 1.0, 2.0), Goal("two", 3.0, 2.0)
    assert Report("fine", goals=[met]).finish(None) == 0
    assert Report("not", goals=[met, missed], samples={"s": [1.0]}).finish(tmp_path / "numbers.json") == 1
    assert "a goal was missed" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
    assert [goal["met"] for goal in numbers["goals"]] == [True, False]
    assert numbers["met"] is False
    assert numbers["samples"] == {"s": [1.0]}


def test_a_ratio_is_made_inside_each_round_so_that_a_slow_round_does_not_count() -> None:
    """In the third round a neighbour made everything ten times slower."""
    assert median_ratio([2.0, 2.0, 20.0], [1.0, 1.0, 10.0]) == 2.0


def test_a_spread_is_a_median_between_its_extremes() -> None:
    assert spread([0.003, 0.001, 0.002], 1000, " ms") == "2 ms [1 .. 3]"


def test_the_store_is_measured_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = tmp_path / "numbers.json"
    options = ["--rounds", "2", "--updates", "200", "--dir", str(tmp_path), "--json", str(numbers)]
    assert bench.main("store", options) in (0, 1)
    printed = capsys.readouterr().out
    for line in ("saves, raw sqlite3", "saves, 100 callers", "rows, a lone caller", "fdatasync", "goals:"):
        assert line in printed
    written = json.loads(numbers.read_text(encoding="utf-8"))
    assert {len(values) for values in written["samples"].values()} == {2}
    assert all(value > 0 for values in written["samples"].values() for value in values)
    assert list(tmp_path.iterdir()) == [numbers], "a benchmark cleans up"


def test_jobs_in_flight_are_measured_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflight, "LIST_EVERY", 0.3)
    monkeypatch.setattr(inflight, "SINGLE_EVERY", 0.3)
    numbers = tmp_path / "numbers.json"
    options = ["--rounds", "2", "--jobs", "40", "--dir", str(tmp_path), "--json", str(numbers)]
    assert bench.main("inflight", options) in (0, 1)
    printed = capsys.readouterr().out
    for line in ("bare lists", "single looks", "stalls of the event loop", "requests, single looks / lists"):
        assert line in printed
    samples = json.loads(numbers.read_text(encoding="utf-8"))["samples"]
    assert len(samples["lists_cpu_s"]) == len(samples["bare_cpu_s"]) == 2
    by_list, one_by_one = samples["requests"]
    assert by_list <= 3
    assert one_by_one >= 40
    assert list(tmp_path.iterdir()) == [numbers], "a benchmark cleans up"


def test_the_start_is_measured_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main("startup", ["--rounds", "1", "--idle", "0", "--dir", str(tmp_path)]) in (0, 1)
    printed = capsys.readouterr().out
    for line in ("reference", "to start, answer /ready, stop and exit", "idle", "goals:"):
        assert line in printed
    assert list(tmp_path.iterdir()) == [], "a benchmark cleans up"


def test_the_file_system_of_a_place_is_known() -> None:
    assert filesystem(Path("/proc/self")) == "proc"
    assert filesystem(Path()) not in ("unknown", "proc")
