"""Polls against delay, simulated: the policy meets its goals in a few worlds, and does no harm in any.

Nothing is timed: the simulation is arithmetic, the same at each run.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from statistics import fmean

import pytest

from sora_gateway import bench
from sora_gateway.bench.polling import CASES, KNOWN, WRONG, Outcome, Simulation, measure, meet
from sora_gateway.bench.worlds import DRAWS, SHAPES, World
from tests.generated import ROOT
from tests.snippets import block

JOBS = 300
SEED = 7


def ratio(world: World, name: str, reference: str) -> float:
    return meet(world, CASES[name], JOBS, SEED).product / meet(world, CASES[reference], JOBS, SEED).product


@pytest.mark.parametrize(("world", "bound"), KNOWN, ids=lambda value: getattr(value, "name", ""))
@pytest.mark.parametrize("name", ["adaptive", "adaptive, watched"])
def test_what_was_learned_is_worth_its_goal(world: World, bound: float, name: str) -> None:
    assert ratio(world, name, "stepped") <= bound


@pytest.mark.parametrize("world", [*(world for world, _ in KNOWN), *WRONG], ids=lambda world: world.name)
@pytest.mark.parametrize("name", ["new", "new, watched", "new, no progress"])
def test_a_new_upstream_is_no_worse_than_a_look_every_ten_seconds(world: World, name: str) -> None:
    assert ratio(world, name, "fixed 10 s") <= 1


@pytest.mark.parametrize("world", WRONG, ids=lambda world: world.name)
def test_a_wrong_prior_that_is_never_corrected_is_no_worse_either(world: World) -> None:
    assert ratio(world, "new, never learning", "fixed 10 s") <= 1.05


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_progress_does_harm(shape: str) -> None:
    assert ratio(World(shape, shapes=(shape,)), "adaptive", "adaptive, no progress") <= 1.1
    assert ratio(World(shape, shapes=(shape,)), "new", "fixed 10 s") <= 0.8


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("median", [3.0, 120.0, 1200.0])
def test_no_law_of_durations_does_harm(draw: str, median: float) -> None:
    world = World(f"{draw} {median}", draw, median, shapes=("none",))
    assert ratio(world, "adaptive", "fixed 10 s") <= 1
    assert ratio(world, "new", "fixed 10 s") <= 1


def test_an_upstream_that_changes_is_learned_anew() -> None:
    simulation = Simulation(CASES["adaptive"], SEED)
    simulation.run(World("before").jobs(500, SEED))
    slower = World("after", median=600.0).jobs(400, SEED)
    at_first, later = simulation.run(slower[:50]), simulation.run(slower[200:])
    assert later.product < at_first.product
    assert later.product < meet(World("after", median=600.0), CASES["fixed 10 s"], JOBS, SEED).product / 2


def test_two_runs_are_equal_and_two_seeds_are_not() -> None:
    world = KNOWN[0][0]
    assert meet(world, CASES["adaptive"], 50, 1) == meet(world, CASES["adaptive"], 50, 1)
    assert meet(world, CASES["adaptive"], 50, 1) != meet(world, CASES["adaptive"], 50, 2)


def test_the_worlds_are_what_they_are_called() -> None:
    for world in (
        World("usual"),
        World("wide", sigma=0.5),
        World("bimodal", "bimodal"),
        World("even", "uniform"),
    ):
        took = sorted(job.took for job in world.jobs(2000, SEED))
        if world.draw != "bimodal":
            assert took[1000] == pytest.approx(120, rel=0.1)
    mixed = World("mixture", "mixture").jobs(2000, SEED)
    assert fmean(job.took < 16 for job in mixed) == pytest.approx(0.08, abs=0.02)
    assert fmean(job.took > 250 for job in mixed) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("shape", SHAPES)
def test_progress_is_a_percentage_or_nothing(shape: str) -> None:
    for job in World(shape, shapes=(shape,)).jobs(20, SEED):
        said = [job.progress(job.took * share / 50) for share in range(51)]
        assert all(value is None or 0 <= value <= 99 for value in said)
        assert (said[0] is None) == (shape == "none")


def test_an_outcome_is_told_beside_stepped() -> None:
    stepped, ours = Outcome([20, 20], [7.0, 8.0]), Outcome([10, 6], [2.0, 4.0])
    assert ours.product == 24
    assert ours.line(stepped).endswith("0.16 x stepped")
    assert Outcome([1], [3.0]).line(stepped).startswith("   1.0 polls    3.00 s late")


def test_the_whole_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = tmp_path / "numbers.json"
    assert bench.main("polling", ["--jobs", "40", "--json", str(numbers)]) in (0, 1)
    printed = capsys.readouterr().out
    for world in [*(world for world, _ in KNOWN), *WRONG]:
        assert str(world) in printed
    for name in CASES:
        assert f"    {name} " in printed
    written = json.loads(numbers.read_text(encoding="utf-8"))
    assert len(written["goals"]) == 3 * 6 + 2 * 4
    assert all(len(values) == 2 for values in written["samples"].values())


def test_a_world_of_ones_own_is_measured_alone(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--median", "30", "--sigma", "0.1", "--world", "bimodal", "--progress", "queued", "none"]
    assert bench.main("polling", [*options, "--jobs", "60", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert "this world: bimodal, median 30 s, sigma 0.1; progress queued, none" in printed
    assert "sigma 0.25" not in printed
    assert "this world: new / fixed 10 s" in printed


def test_the_worlds_of_the_documentation_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """With fewer jobs than the page's minute of arithmetic; a goal may be missed by chance then."""
    for line in block(ROOT / "docs/performance.md", "worlds").splitlines():
        _, command, name, *options = shlex.split(line)
        assert command == "bench"
        assert bench.main(name, [*options, "--jobs", "5"]) in (0, 1)
        assert f"median {options[options.index('--median') + 1]} s" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["--median", "0"], ["--sigma", "-1"], ["--progress", "up"], ["--jobs", "0"]]
)
def test_a_world_that_cannot_be_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        bench.main("polling", wrong)
    assert refused.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_every_goal_is_in_the_report() -> None:
    report = measure(20, SEED, World("tiny"))
    assert [goal.label for goal in report.goals] == [
        f"tiny: {name} / fixed 10 s" for name in ("adaptive", "adaptive, watched", "new")
    ]
