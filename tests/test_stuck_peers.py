"""Peers that do not read, beside those that do: they cost the others next to nothing, and are gone within a minute.

Two gateways are up at once, each in a process of its own with healthy clients in another; one has stuck peers as well.
They take turns, so that a busy machine slows both. ``make kill-test`` has the full size and the product's own patience.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sora_gateway.bench.fanout_sides import Child, Side
from sora_gateway.descriptors import raise_limit
from sora_gateway.http.server import USER_TIMEOUT
from sora_gateway.realtime.live import RealtimeLimits
from sora_gateway.realtime.mailbox import MAX_BYTES
from tests.processes import ROOT
from tests.stuck import stuck_peers, vanished

JOBS = 100
"""What happens to them fills the stuck peers; the healthy follow another job."""
FILLS = 12
"""Events of each job until every buffer between here and a stuck peer is full."""
ROUNDS = 25
AN_IDLE_ONE = 64 * 1024
"""Bytes that a connection may take when nothing waits for it, and bytes that uvloop may keep when something does."""
FLAT = 16 * 1024
"""Bytes that each may take more after it was told a megabyte; memory comes in large pieces."""


@dataclass(frozen=True)
class Size:
    """Numbers of peers, and seconds."""

    stuck: int
    healthy: int
    send_timeout: float
    user_timeout: float
    gone_within: float
    """Seconds from when they are stuck."""


SMALL = Size(stuck=60, healthy=400, send_timeout=5.0, user_timeout=12.0, gone_within=20.0)
FULL = Size(200, 2000, RealtimeLimits().send_timeout, USER_TIMEOUT / 1000, gone_within=60.0)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    return FULL if request.config.getoption("--kills") == "full" else SMALL


class Place:
    """A gateway with its healthy clients."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._last = side.version

    def fill(self, events: int) -> None:
        """*events* of each of the jobs that only stuck peers follow."""
        self.side.server.ask("publish", on="keyed", first=self._last + 1, count=events)
        self._last += events

    def sockets(self) -> int:
        """Open ones of the gateway."""
        found = 0
        for each in Path(f"/proc/{self.side.server.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found += os.readlink(each).startswith("socket:")
        return found


@contextmanager
def place(directory: Path, size: Size) -> Iterator[Place]:
    """Servers are on one core, clients on another, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    there, here = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    directory.mkdir()
    patience = [str(size.send_timeout), str(size.user_timeout)]
    with ExitStack() as stack:
        server = Child("tests.impatient", *patience, "data", str(JOBS), directory=directory, cpu=there)
        stack.callback(server.end)
        side = Side(server, directory, here)
        stack.callback(side.clients.end)
        side.begin_at(side.version)
        side.connect(size.healthy)
        side.fan_out(10)
        yield Place(side)


@pytest.mark.measures
@pytest.mark.timeout(180)
def test_stuck_peers_slow_nobody_down_take_little_and_are_gone_in_time(
    size: Size, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    raise_limit()
    with place(tmp_path / "with", size) as here, place(tmp_path / "without", size) as there:
        both = (here, there)
        sockets, empty = here.sockets(), memory(both)
        with stuck_peers(here.side.port, here.side.key, here.side.jobs[0], size.stuck):
            for each in both:
                for _ in range(FILLS):
                    each.fill(1)
            began, full = time.monotonic(), memory(both)
            seconds: dict[Place, list[float]] = {here: [], there: []}
            for number in range(ROUNDS):
                for each in both if number % 2 else reversed(both):
                    seconds[each].append(each.side.fan_out(1).most)
                    each.fill(1)
            later, stuck = memory(both), here.sockets() - sockets
            given_up_after = gone_after = None
            while gone_after is None and time.monotonic() - began < size.gone_within:
                time.sleep(0.2)
                here.side.fan_out(1)
                left, passed = here.sockets() - sockets, round(time.monotonic() - began, 1)
                if given_up_after is None and left <= vanished(size.stuck):
                    given_up_after = passed
                if not left:
                    gone_after = passed
    with_them, without = (statistics.median(seconds[each]) for each in both)
    takes, grows = (full - empty) / size.stuck, (later - full) / size.stuck
    print(
        f"p99 {1e3 * with_them:.1f} ms beside {size.stuck} stuck peers ({stuck} in the end), {1e3 * without:.1f} ms "
        f"without them; each takes {takes / 1e3:.1f} kB, and {grows / 1e3:+.1f} kB after {ROUNDS * JOBS} events more; "
        f"those that are there were gone after {given_up_after} s, all after {gone_after} s"
    )
    assert stuck > 0.5 * size.stuck, "they were there while it was measured"
    # The kernel would give those up as well, but it takes longer.
    assert given_up_after is not None
    assert given_up_after < size.send_timeout + 3.0 < size.user_timeout
    assert gone_after is not None
    assert with_them <= 1.5 * without
    assert takes <= AN_IDLE_ONE + MAX_BYTES
    assert grows <= FLAT


def memory(both: tuple[Place, Place]) -> float:
    """Bytes that the first has more than the second, whose traffic is the same."""
    return both[0].side.memory() - both[1].side.memory()
