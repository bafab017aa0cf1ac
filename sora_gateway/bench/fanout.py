"""One change of a job to thousands of WebSockets: the gateway beside a bare ``websockets.broadcast`` server.

Both servers are up at once, each a process with clients of its own in another one, and take turns in every round. What
counts is the CPU of all threads of a server but the one that writes the database, from before the change until the
last client has it, and the time from when its rows are written, before the commit, until then. The bare server also
takes a third turn, in which it only writes one frame to each socket: the floor. See docs/performance.md.
"""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sora_gateway.bench.fanout_sides import Child, Fanout, Side
from sora_gateway.bench.report import Goal, Report, machine, median_ratio, parser, positive, spread
from sora_gateway.entropy import SystemEntropy
from sora_gateway.errors import StartupError

LEVELS = (100, 1000, 5000, 10_000)
BURST = 10
FIRST = 20
"""Clients that are there before memory is looked at: what a server makes with its first is no connection's."""
TURNS = ("ours", "broadcast", "floor")
"""What takes turns in every round; the last two are the reference's."""
EACH_JOB = 10
"""Clients for each of many jobs."""
SPARE = 100
"""Open files that a server has besides sockets, generously."""
AT_LEAST = 1000
"""Deliveries of one measurement; with fewer clients it is several fan-outs."""
STALLS = 8
"""Fan-outs of each kind during which the event loop is watched, at most."""

_CHANCE = SystemEntropy()


@dataclass(slots=True)
class Series:
    """The same fan-outs in each of :data:`TURNS`, round by round."""

    label: str
    name: str
    events: int = 1
    turns: dict[str, list[Fanout]] = field(default_factory=lambda: {turn: [] for turn in TURNS})

    def cpu(self, turn: str = "ours") -> list[float]:
        """Seconds for each delivery of an event to a client."""
        return [fanout.cpu / fanout.deliveries for fanout in self.turns[turn]]

    def last(self, turn: str = "ours") -> list[float]:
        return [fanout.last for fanout in self.turns[turn]]

    def read(self, turn: str = "ours") -> list[float]:
        return [fanout.read for fanout in self.turns[turn]]

    def goals(self, bound: float, *, time_too: bool = True) -> Iterator[Goal]:
        each = "event and delivery" if self.events > 1 else "delivery"
        cpu, last = median_ratio(self.cpu(), self.cpu("broadcast")), self.last("broadcast")
        yield Goal(f"{self.label}: CPU for each {each} / broadcast", cpu, bound)
        if time_too:
            yield Goal(f"{self.label}: time to the last / broadcast", median_ratio(self.last(), last), bound)

    def above_floor(self, bound: float) -> Goal:
        ratio = median_ratio(self.cpu(), self.cpu("floor"))
        return Goal(f"{self.label}: CPU for each delivery / a bare loop of writes", ratio, bound)

    def note(self) -> str:
        cpu, floor, last = self.cpu("broadcast"), self.cpu("floor"), self.last("broadcast")
        return (
            f"{self.label:<22} CPU {quartiles(ratios(self.cpu(), cpu))} x {1e6 * statistics.median(cpu):.1f} us, "
            f"{quartiles(ratios(self.cpu(), floor))} x a bare loop of writes "
            f"(broadcast {median_ratio(cpu, floor):.2f} x), "
            f"last {quartiles(ratios(self.last(), last))} x {1e3 * statistics.median(last):.1f} ms "
            f"(read {median_ratio(self.read(), self.read('broadcast')):.2f} x), clients idle {self.idle('ours')} ({self.idle('broadcast')})"
        )

    def idle(self, turn: str) -> str:
        return f"{statistics.median(fanout.idle for fanout in self.turns[turn]):.0%}"

    def samples(self) -> dict[str, Sequence[float]]:
        measures: dict[str, Callable[[Fanout], float]] = {
            "deliveries": lambda f: f.deliveries, "frames": lambda f: f.frames, "cpu_s": lambda f: f.cpu,
            "store_cpu_s": lambda f: f.store, "p99_s": lambda f: f.most, "last_s": lambda f: f.last, "read_s": lambda f: f.read, "clients_idle": lambda f: f.idle,
        }  # fmt: skip
        return {
            f"{self.name}_{turn}_{measure}": [value(fanout) for fanout in fanouts]
            for turn, fanouts in self.turns.items()
            for measure, value in measures.items()
        }


@dataclass(slots=True)
class Connections:
    """What connections cost, ours first: bytes and CPU seconds of each, and the share of a core that idle ones need."""

    memory: tuple[float, float]
    accept: tuple[float, float]
    idle: tuple[float, float] | None = None

    def note(self) -> str:
        (ours, bare), (accepted, bare_accepted) = self.memory, self.accept
        text = (
            f"{'a connection':<22} memory {ours / bare:.2f} x {bare / 1e3:.1f} kB, "
            f"CPU to make it {accepted / bare_accepted:.2f} x {bare_accepted * 1e3:.2f} ms"
        )
        if self.idle is not None:
            text += f", CPU of all while idle {self.idle[0] / self.idle[1]:.2f} x {100 * self.idle[1]:.1f} % of a core"
        return text

    def samples(self) -> dict[str, Sequence[float]]:
        found: dict[str, Sequence[float]] = {
            "memory_bytes": self.memory, "accept_cpu_s": self.accept, "idle_cores": self.idle or ()
        }  # fmt: skip
        return found


def main(args: Sequence[str]) -> int:
    made = parser("fanout", "Measure live updates to many WebSockets.", rounds=15)
    made.add_argument("--subscribers", type=positive, default=LEVELS[-1], metavar="N",
                      help=f"most subscribers on each side (default {LEVELS[-1]})")  # fmt: skip
    made.add_argument("--idle", type=float, default=20.0, metavar="SECONDS", help="idle time (default 20)")
    options = made.parse_args(args)
    if not Path("/proc/self/smaps_rollup").exists():
        raise StartupError("This benchmark reads /proc, which only Linux has.")
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors != resource.RLIM_INFINITY and descriptors < options.subscribers + SPARE:
        raise StartupError(
            f"This system lets a process have {descriptors} open files, which is not enough for {options.subscribers} "
            "sockets; use --subscribers."
        )
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench-fanout-") as name:
        report = measure(Path(name).resolve(), options.rounds, options.subscribers, options.idle)
    return report.finish(options.json)


def measure(directory: Path, rounds: int, subscribers: int, idle: float) -> Report:
    """Both sides side by side: ever more clients on one job, then the same over many."""
    jobs = max(1, subscribers // EACH_JOB)
    levels = [*(level for level in LEVELS if level < subscribers), subscribers]
    series, stalls = list[Series](), dict[str, list[tuple[float, float]]]()
    with _sides(directory, jobs) as (ours, bare):
        sides = (ours, bare)
        first = max(1, min(FIRST, subscribers // 2))
        _warm_up(ours, bare, first)
        before = [side.memory() for side in sides]
        spent = [0.0, 0.0]
        for level in levels:
            for number, side in enumerate(sides):
                began = side.cpu()[0]
                side.connect(level)
                spent[number] += side.cpu()[0] - began
            if level == subscribers:
                connections = _connections(sides, subscribers - first, before, spent, idle)
            one = Series(f"{level} on one job", f"one_{level}")
            burst = Series(f"{level}, burst of {BURST}", f"burst_{level}", BURST)
            _rounds(sides, [one, burst], rounds)
            series += [one, burst]
        stalls["one"] = [ours.stall(1) for _ in range(min(rounds, STALLS))]
        stalls["burst"] = [ours.stall(BURST) for _ in range(min(rounds, STALLS))]
        bare_stalls = [bare.stall(1) for _ in range(min(rounds, STALLS))]
        for side in sides:
            side.spread_over(jobs)
        many = Series(f"{subscribers} over {jobs} jobs", f"keyed_{subscribers}")
        _rounds(sides, [many], rounds)
        stalls["keyed"] = [ours.stall(1) for _ in range(min(rounds, STALLS))]
    return _report(rounds, subscribers, [*series, many], connections, stalls, bare_stalls)


@contextmanager
def _sides(directory: Path, jobs: int) -> Iterator[tuple[Side, Side]]:
    """Servers on one core, their clients on another, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    there, here = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    with ExitStack() as stack:
        server = Child(
            "sora_gateway.bench.fanout_gateway",
            str(directory / "data"),
            str(jobs),
            directory=directory,
            cpu=there,
        )
        stack.callback(server.end)
        reference = Child("sora_gateway.bench.fanout_reference", directory=directory, cpu=there)
        stack.callback(reference.end)
        ours = Side(server, directory, here)
        stack.callback(ours.clients.end)
        bare = Side(reference, directory, here)
        stack.callback(bare.clients.end)
        ours.begin_at(ours.version)
        bare.begin_at(ours.version)
        yield ours, bare


def _warm_up(ours: Side, bare: Side, clients: int) -> None:
    """The first fan-outs, of which the reference learns what a message looks like."""
    ours.connect(clients)
    bare.connect(clients)
    bare.learn(ours.message())
    bare.message()
    for side in (ours, bare):
        side.fan_out(BURST)


def _connections(
    sides: Sequence[Side], made: int, before: Sequence[float], spent: Sequence[float], idle: float
) -> Connections:
    # Nothing is divided by zero: a few clients may fit into memory that is there, and need no CPU for a moment.
    ours, bare = (max(1.0, (side.memory() - start) / made) for side, start in zip(sides, before, strict=True))
    connections = Connections((ours, bare), (spent[0] / made, spent[1] / made))
    if idle > 0:
        used = [side.cpu()[0] for side in sides]
        time.sleep(idle)
        shares = [max(1e-6, (side.cpu()[0] - start) / idle) for side, start in zip(sides, used, strict=True)]
        connections.idle = (shares[0], shares[1])
    return connections


def _rounds(sides: Sequence[Side], wanted: Sequence[Series], rounds: int) -> None:
    """Every turn of every series once per round, in a new order each time."""
    ours, bare = sides
    turns = [(series, turn) for series in wanted for turn in TURNS]
    for _ in range(rounds):
        turns.sort(key=lambda _: _CHANCE.fraction())
        for series, turn in turns:
            side, way = (ours if turn == "ours" else bare), ("write" if turn == "floor" else "publish")
            times = -(-AT_LEAST // (series.events * side.connected))
            series.turns[turn].append(together([side.fan_out(series.events, way) for _ in range(times)]))


def together(fanouts: Sequence[Fanout]) -> Fanout:
    """Several as one: sums of what is divided by their deliveries, medians of the rest."""
    return Fanout(
        deliveries=sum(each.deliveries for each in fanouts),
        frames=sum(each.frames for each in fanouts),
        cpu=sum(each.cpu for each in fanouts),
        store=statistics.median(each.store for each in fanouts),
        most=statistics.median(each.most for each in fanouts),
        last=statistics.median(each.last for each in fanouts),
        read=statistics.median(each.read for each in fanouts),
        idle=statistics.median(each.idle for each in fanouts),
    )


def _report(
    rounds: int,
    subscribers: int,
    series: Sequence[Series],
    connections: Connections,
    stalls: dict[str, list[tuple[float, float]]],
    bare_stalls: list[tuple[float, float]],
) -> Report:
    *_, one, burst, many = series
    late = {kind: [late for late, _ in found] for kind, found in stalls.items()}
    own = max(used for found in stalls.values() for _, used in found)
    # A neighbour who takes the core once makes one beat late; what holds the loop does it in every fan-out, or by CPU.
    stall = max(own, *map(statistics.median, late.values()))
    store = [fanout.store for fanout in many.turns["ours"]]
    return Report(
        title=f"bench fanout: {rounds} rounds, up to {subscribers} subscribers on each side, {machine()}",
        notes=[
            "x what a bare server takes for the same: CPU for each delivery of an event, time until the last has it",
            *(each.note() for each in series),
            connections.note(),
            f"{'stalls of the loop':<22} "
            + ", ".join(f"{kind} {spread(values, 1e3, ' ms')}" for kind, values in late.items())
            + f", own CPU in one {milliseconds(own)}; broadcast {spread([late for late, _ in bare_stalls], 1e3, ' ms')}",
            f"{'not counted':<22} the thread that writes the database: {milliseconds(statistics.median(store))} of CPU "
            f"for {many.label.rpartition(' over ')[2]} in one commit",
        ],
        goals=[
            *one.goals(0.75),
            one.above_floor(1.15),
            *many.goals(0.75),
            *burst.goals(0.3, time_too=False),
            Goal("stall of the event loop during a fan-out of the worst kind", 1e3 * stall, 25.0, unit="ms"),
            Goal("memory of an idle connection / broadcast", connections.memory[0] / connections.memory[1], 1.0),
        ],
        samples={name: values for each in series for name, values in each.samples().items()}
        | connections.samples()
        | {f"stall_{kind}_s": values for kind, values in late.items()} | {"stall_own_cpu_s": [own]}
        | {"stall_broadcast_s": [late for late, _ in bare_stalls]},
    )  # fmt: skip


def ratios(ours: Sequence[float], bare: Sequence[float]) -> list[float]:
    """Those inside each round."""
    return [mine / other for mine, other in zip(ours, bare, strict=True)]


def quartiles(values: Sequence[float]) -> str:
    """The median and, in brackets, the quartiles."""
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3
    )
    return f"{middle:.2f} [{low:.2f} .. {high:.2f}]"


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms"
