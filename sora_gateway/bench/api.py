"""Requests to the HTTP API, one kind after the other: what they cost beside a bare server that answers the same.

*ours* is a whole gateway in a process of its own: every middleware, the person behind the API key, their limits and rights,
prices, and the store. *bare* is a Starlette application with two dicts and one table (:mod:`sora_gateway.bench.api_reference`);
*usual* has a session of SQLModel's for each request instead (:mod:`sora_gateway.bench.api_usual`). All are on one core, their
callers on another; each caller has a connection and waits for each answer.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sora_gateway.bench.fanout_sides import Child
from sora_gateway.bench.report import Goal, Report, machine, median_ratio, parser, positive, spread
from sora_gateway.bench.startup import cpu_of
from sora_gateway.bench.store import filesystem
from sora_gateway.entropy import SystemEntropy
from sora_gateway.errors import StartupError

JOBS = 200
LISTED = 20
SIDES = ("ours", "bare", "usual")
KINDS = ("get", "list", "create")
_NAMES = {"get": "GET one task", "list": f"GET {LISTED} tasks", "create": "POST a task (accepted, synced)"}
_SHARE = {"get": 1.0, "list": 0.25, "create": 0.5}
"""How many requests of each kind there are for one of the first."""
_WISH = {"prompt": "A lighthouse at dusk, waves in slow motion. " * 5, "seconds": 8, "size": "1280x720"}
_CHANCE = SystemEntropy()


@dataclass(frozen=True, slots=True)
class Run:
    """Some requests of one kind: seconds of CPU of the server and of wall time for each, and of the answers by rank."""

    cpu: float
    wall: float
    median: float
    late: float
    """The 99th percentile."""
    idle: float
    """Share of the time for which the callers had nothing to do."""


class Side:
    """A server, and the callers of it."""

    def __init__(self, server: Child, port: int, requests: Mapping[str, str], cpu: int | None) -> None:
        self.server = server
        self.requests = requests
        self.callers = Child("sora_gateway.bench.api_clients", str(port), directory=Path(), cpu=cpu)

    def run(self, kind: str, count: int, connections: int) -> Run:
        """Raises StartupError: an answer is another than the one that is expected."""
        before = cpu_of(self.server.pid)
        done = self.callers.ask(
            "run", request=self.requests[kind], status=202 if kind == "create" else 200, count=count, connections=connections
        )  # fmt: skip
        cpu, took = cpu_of(self.server.pid) - before, done["took"]
        return Run(
            cpu / count, done["wall"] / count, statistics.median(took), took[min(count - 1, int(count * 0.99))],
            max(0.0, 1 - done["used"] / done["wall"]),
        )  # fmt: skip


@dataclass(slots=True)
class Series:
    """One kind of request, round after round."""

    kind: str
    runs: dict[str, list[Run]] = field(default_factory=lambda: {side: [] for side in SIDES})

    def ratio(self, measure: str, side: str) -> float:
        return median_ratio(self.of("ours", measure), self.of(side, measure))

    def of(self, side: str, measure: str) -> list[float]:
        return [float(getattr(run, measure)) for run in self.runs[side]]

    def notes(self) -> Iterator[str]:
        yield f"{_NAMES[self.kind]}"
        for side in SIDES:
            rate = [1 / wall for wall in self.of(side, "wall")]
            yield (
                f"  {side:<6} {spread(rate, 1.0, '/s')}, {spread(self.of(side, 'cpu'), 1e6, ' us')} CPU each; "
                f"p50 {spread(self.of(side, 'median'), 1e3, ' ms')}, p99 {spread(self.of(side, 'late'), 1e3, ' ms')}; "
                f"callers idle {statistics.median(self.of(side, 'idle')):.0%}"
            )
        for side in SIDES[1:]:
            yield (
                f"  ours / {side:<6} {1 / self.ratio('wall', side):.2f} x the requests per second, {self.ratio('cpu', side):.2f} x "
                f"the CPU, {self.ratio('median', side):.2f} x the median, {self.ratio('late', side):.2f} x the 99th percentile"
            )


def main(args: Sequence[str]) -> int:
    made = parser("api", "Measure requests to the HTTP API.", rounds=9)
    made.add_argument(
        "--requests", type=positive, default=1000, metavar="N", help="of one kind in a round (default 1000)"
    )
    made.add_argument(
        "--connections", type=positive, default=16, metavar="N", help="callers at once (default 16)"
    )
    options = made.parse_args(args)
    if not Path("/proc/self/smaps_rollup").exists():
        raise StartupError("This benchmark reads /proc, which only Linux has.")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench-api-") as name:
        report = measure(Path(name).resolve(), options.rounds, options.requests, options.connections)
    return report.finish(options.json)


def measure(directory: Path, rounds: int, requests: int, connections: int) -> Report:
    """Both sides with every kind once per round, in a new order each time."""
    series = {kind: Series(kind) for kind in KINDS}
    with _sides(directory) as sides:
        turns = [(kind, name) for kind in KINDS for name in sides]
        for number in range(rounds + 1):
            turns.sort(key=lambda _: _CHANCE.fraction())
            for kind, name in turns:
                count = max(connections, int(requests * _SHARE[kind]))
                run = sides[name].run(kind, count, connections)
                if number:  # The first round imports and fills what is filled once.
                    series[kind].runs[name].append(run)
    return Report(
        title=f"bench api: {rounds} rounds of {requests} requests, {connections} callers, {machine()}",
        notes=[filesystem(directory), *(note for each in series.values() for note in each.notes())],
        goals=_goals(series),
        samples={
            f"{kind}_{side}_{measure}": series[kind].of(side, measure)
            for kind in KINDS
            for side in SIDES
            for measure in Run.__slots__
        },
    )


def _goals(series: Mapping[str, Series]) -> list[Goal]:
    """The first is the plan's, for a prototype that had nothing but the jobs. Times have none: they are the disk's, too."""
    return [
        Goal("GET one task: CPU / bare", series["get"].ratio("cpu", "bare"), 1.15),
        Goal("GET one task: CPU / usual", series["get"].ratio("cpu", "usual"), 0.75),
        Goal(f"GET {LISTED} tasks: CPU / usual", series["list"].ratio("cpu", "usual"), 1.25),
        Goal("POST a task: CPU / usual", series["create"].ratio("cpu", "usual"), 1.0),
    ]


@contextmanager
def _sides(directory: Path) -> Iterator[dict[str, Side]]:
    """Servers on one core, their callers on another, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    there, here = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    with ExitStack() as stack:
        gateway = Child(
            "sora_gateway.bench.api_gateway", str(directory / "data"), str(JOBS), directory=directory, cpu=there
        )  # fmt: skip
        stack.callback(gateway.end)
        hello = gateway.answer()
        port, key = int(hello["port"]), str(hello["key"])
        ours = Side(gateway, port, _requests("/api/video/tasks", hello["job"], key), here)
        stack.callback(ours.callers.end)
        task = _body(port, ours.requests["get"])
        sides = {"ours": ours}
        for name, module in (("bare", "api_reference"), ("usual", "api_usual")):
            server = Child(
                f"sora_gateway.bench.{module}", str(directory), str(JOBS), directory=directory, cpu=there
            )
            stack.callback(server.end)
            port = int(server.ask("serve", key=key, task=task)["port"])
            sides[name] = Side(server, port, _requests("/tasks", "job-0", key), here)
            stack.callback(sides[name].callers.end)
        yield sides


def _requests(path: str, job: str, key: str) -> dict[str, str]:
    """Whole requests, by their kind."""
    head = f"Host: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: bench\r\nAuthorization: Bearer {key}\r\n"
    wish = json.dumps(_WISH)
    length = f"Content-Type: application/json\r\nContent-Length: {len(wish)}\r\n"
    return {
        "get": f"GET {path}/{job} HTTP/1.1\r\n{head}\r\n",
        "list": f"GET {path}?limit={LISTED} HTTP/1.1\r\n{head}\r\n",
        "create": f"POST {path} HTTP/1.1\r\n{head}{length}\r\n{wish}",
    }


def _body(port: int, request: str) -> Mapping[str, object]:
    """The JSON that is answered to it."""
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.replace("Accept", "Connection: close\r\nAccept").encode())
        answer = connection.makefile("rb").read()
    body: Mapping[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body
