"""Polls against delay, simulated: how often an upstream is asked, and how late its videos are noticed.

Nothing is waited for: the production code says when to look next, a simulated job says what the look finds, and the
time between is skipped. What the gateway learns, it learns from what its own looks have found.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean, quantiles

from sora_gateway.bench.report import Goal, Report, bare_parser, positive
from sora_gateway.bench.worlds import DRAWS, SHAPES, SimulatedJob, World
from sora_gateway.core.job import Job, JobId
from sora_gateway.core.polling import PolicyName, PollPolicy, Seen, next_delay
from sora_gateway.core.trend import NO_TREND, Trend
from sora_gateway.store.durations import Sample
from sora_gateway.supervisor.durations import LearnedDurations
from sora_gateway.supervisor.watcher import Limits

ADAPTIVE = PollPolicy()
STEPPED = PollPolicy(PolicyName.STEPPED)
FIXED = {seconds: PollPolicy(PolicyName.FIXED, min_interval=seconds) for seconds in (2.0, 10.0, 30.0)}
IN_FLIGHT = 8
"""A job is looked at with what was learned from jobs so many before it."""
LEARNED_FROM = 500
"""Jobs that went before where an upstream is not new."""
FIRST = 100
"""Jobs of a new upstream that are also shown by themselves."""
TOO_OFTEN = 1_000_000
"""Looks at one job after which a policy is broken."""


@dataclass(slots=True)
class Outcome:
    """What the looks at many jobs came to: how many for each, and how late each end was noticed, in seconds."""

    polls: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    @property
    def product(self) -> float:
        return fmean(self.polls) * fmean(self.delays)

    def line(self, stepped: Outcome) -> str:
        late = quantiles(self.delays, n=20)[-1] if len(self.delays) > 1 else self.delays[0]
        return (
            f"{fmean(self.polls):6.1f} polls  {fmean(self.delays):6.2f} s late (95 %: {late:5.1f})  "
            f"product {self.product:7.1f}  {self.product / stepped.product:5.2f} x stepped"
        )


@dataclass(frozen=True, slots=True)
class Case:
    """How a policy meets a world."""

    policy: PollPolicy
    with_progress: bool = True
    watched: bool = False
    learns: bool = True
    new: bool = False
    """Whether nothing was learned before the jobs that count."""


class Simulation:
    """One upstream of a gateway that has just been started, and chance for its jitter."""

    def __init__(self, case: Case, seed: int) -> None:
        self._case = case
        self._chance = Random(f"jitter {seed}")  # noqa: S311 - a simulation
        self._learned = LearnedDurations(_nothing)
        asyncio.run(self._learned.load(_KIND.upstream))
        self._noticed: deque[tuple[float, Trend]] = deque()

    def run(self, jobs: Sequence[SimulatedJob]) -> Outcome:
        outcome = Outcome()
        for job in jobs:
            if self._case.learns and len(self._noticed) > IN_FLIGHT:
                self._learned.note(_KIND, *self._noticed.popleft())
            polls, delay = self._watch(job)
            outcome.polls.append(polls)
            outcome.delays.append(delay)
        return outcome

    def _watch(self, job: SimulatedJob) -> tuple[int, float]:
        """Looks at *job* until it has ended; the number of looks, and how late the last one was."""
        case, age, polls, progress, trend = self._case, 0.0, 0, None, NO_TREND
        while polls < TOO_OFTEN:
            learned = self._learned.of(_KIND) if case.policy is ADAPTIVE else None
            seen = Seen(
                age, progress, polls, overdue=polls > 0 and age >= _OVERDUE_AFTER,
                durations=learned, trend=trend, watched=case.watched,
            )  # fmt: skip
            before, age = age, age + next_delay(case.policy, seen, self._chance.random())
            polls += 1
            if age >= job.took:
                self._noticed.append(((before + age) / 2, trend))
                return polls, age - job.took
            if case.with_progress:
                said = job.progress(age)
                trend = trend.after(age, said)
                progress = max(progress or 0.0, said or 0.0)
        raise RuntimeError("the policy looks for ever")


async def _nothing(upstream: str) -> Sequence[Sample]:
    return ()


_KIND = Job(
    JobId("video_simulated"), "", "", "sora-2", "lab", "sora-2", seconds=8, size="1280x720", created_at=0.0
)
_OVERDUE_AFTER = Limits().overdue_after


def meet(world: World, case: Case, jobs: int, seed: int) -> Outcome:
    """What *case* comes to with *jobs* jobs of *world*: the same jobs for every case."""
    simulation = Simulation(case, seed)
    if case.learns and not case.new:
        simulation.run(world.jobs(LEARNED_FROM, seed + 1))
    return simulation.run(world.jobs(jobs, seed))


# --- what is shown -----------------------------------------------------------------------------------

CASES = {
    "stepped": Case(STEPPED, learns=False),
    "fixed 2 s": Case(FIXED[2.0], learns=False),
    "fixed 10 s": Case(FIXED[10.0], learns=False),
    "fixed 30 s": Case(FIXED[30.0], learns=False),
    "adaptive": Case(ADAPTIVE),
    "adaptive, watched": Case(ADAPTIVE, watched=True),
    "adaptive, no progress": Case(ADAPTIVE, with_progress=False),
    "adaptive, no progress, watched": Case(ADAPTIVE, with_progress=False, watched=True),
    "new": Case(ADAPTIVE, new=True),
    "new, watched": Case(ADAPTIVE, new=True, watched=True),
    "new, no progress": Case(ADAPTIVE, new=True, with_progress=False),
    "new, never learning": Case(ADAPTIVE, new=True, with_progress=False, learns=False),
}
LEARNED = ("adaptive", "adaptive, watched")
NEW = tuple(name for name in CASES if name.startswith("new"))
KNOWN = (
    (World("sigma 0.25"), 1 / 5),
    (World("sigma 0.5", sigma=0.5), 1 / 4),
    (World("mixture", "mixture"), 1 / 3),
)
"""Worlds for which the prior is right, and the part of stepped's product that adaptive may come to there."""
WRONG = (World("prior 5 x too long", median=24.0), World("prior 5 x too short", median=600.0))


def main(args: Sequence[str]) -> int:
    options = options_parser().parse_args(args)
    own = {name: getattr(options, name) for name in ("draw", "median", "sigma", "shapes")}
    own = {name: value for name, value in own.items() if value is not None}
    report = measure(options.jobs, options.seed, World("this world", **own) if own else None)
    return report.finish(options.json)


def measure(jobs: int, seed: int, own: World | None = None) -> Report:
    """Every case in every world, or in *own* alone."""
    report = Report(f"bench polling: {jobs} jobs in each line, seed {seed}")
    for world, bound in () if own else KNOWN:
        outcomes = _show(report, world, CASES, jobs, seed)
        _demand(report, world, outcomes, LEARNED, "stepped", bound)
        _demand(report, world, outcomes, NEW, "fixed 10 s", 1.0)
    for world in () if own else WRONG:
        cases = {name: CASES[name] for name in ("stepped", "fixed 10 s", "adaptive", *NEW)}
        _demand(report, world, _show(report, world, cases, jobs, seed), NEW, "fixed 10 s", 1.0)
    if own:
        _demand(report, own, _show(report, own, CASES, jobs, seed), (*LEARNED, "new"), "fixed 10 s", 1.0)
    return report


def _show(
    report: Report, world: World, cases: Mapping[str, Case], jobs: int, seed: int
) -> Mapping[str, Outcome]:
    outcomes = {name: meet(world, case, jobs, seed) for name, case in cases.items()}
    report.notes.append(str(world))
    report.notes += [f"  {name:<33}{outcome.line(outcomes['stepped'])}" for name, outcome in outcomes.items()]
    first = Outcome(outcomes["new"].polls[:FIRST], outcomes["new"].delays[:FIRST])
    report.notes.append(f"  {f'new, its first {FIRST} jobs':<33}{first.line(outcomes['stepped'])}")
    for name, outcome in outcomes.items():
        report.samples[f"{world.name}: {name}"] = [fmean(outcome.polls), fmean(outcome.delays)]
    return outcomes


def _demand(
    report: Report,
    world: World,
    outcomes: Mapping[str, Outcome],
    names: Sequence[str],
    reference: str,
    bound: float,
) -> None:
    """Goals: polls x delay of *names* over that of *reference*."""
    for name in names:
        ratio = outcomes[name].product / outcomes[reference].product
        report.goals.append(Goal(f"{world.name}: {name} / {reference}", ratio, bound))


def options_parser() -> argparse.ArgumentParser:
    made = bare_parser("polling", "Simulate how often upstreams are asked, and how late videos are noticed.")
    made.add_argument("--jobs", type=positive, default=4000, metavar="N", help="jobs in each line (4000)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="of the durations and the jitter (1)")
    own = made.add_argument_group("a world of your own, instead of those of the goals")
    own.add_argument(
        "--world", dest="draw", choices=tuple(DRAWS), help="the law of the durations (log-normal)"
    )
    own.add_argument("--median", type=seconds, metavar="SECONDS", help="of the durations (120)")
    own.add_argument("--sigma", type=deviation, metavar="X", help="deviation of their logarithm (0.25)")
    own.add_argument(
        "--progress",
        dest="shapes",
        nargs="+",
        choices=tuple(SHAPES),
        metavar="SHAPE",
        help=f"what jobs say of their progress, one or another: {', '.join(SHAPES)} (the first three)",
    )
    return made


def seconds(text: str) -> float:
    """A median for which the simulation is worth anything: from a tenth of a second to a day."""
    number = float(text)
    if not 0.1 <= number <= 86400:
        raise ValueError(text)
    return number


def deviation(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 3:
        raise ValueError(text)
    return number
