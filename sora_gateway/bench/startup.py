"""How much it takes until the gateway answers, beside importing what a server of this kind usually imports.

Both sides are fresh processes of the same interpreter, with everything compiled beforehand. What counts is the CPU
of the whole process, all threads and the kernel's part included, as the system accounts it at its end: the reference
imports and exits; the gateway starts, answers ``/ready``, is told to stop, and exits. The same is shown for the
moment before the end, because an interpreter with many modules takes long to exit.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sora_gateway.bench.report import Goal, Report, machine, median_ratio, parser, spread
from sora_gateway.errors import StartupError

IMPORTS = "import starlette.applications, uvicorn, sqlmodel, httpx"
REFERENCE = f"{IMPORTS}\nprint('imported', flush=True)\ninput()"
OURS = "import sys\nfrom sora_gateway.cli import main\nsys.exit(main())"
"""What the installed ``sora-gateway`` script does."""
PATIENCE = 60.0
"""Seconds after which a process that says nothing is ended."""


@dataclass(frozen=True, slots=True)
class Start:
    """CPU and wall time in seconds until it was ready, and CPU in all; if it was left idle, the CPU used meanwhile
    and the memory in MB afterwards."""

    cpu: float
    wall: float
    whole: float
    idle_cpu: float = 0.0
    pss: float = 0.0
    rss: float = 0.0


def main(args: Sequence[str]) -> int:
    made = parser("startup", "Measure the start of the gateway and its idle memory.", rounds=9)
    made.add_argument("--idle", type=float, default=3.0, metavar="SECONDS", help="idle time (default 3)")
    options = made.parse_args(args)
    if not Path("/proc/self/smaps_rollup").exists():
        raise StartupError("This benchmark reads /proc, which only Linux has.")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench-startup-") as name:
        report = measure(Path(name).resolve(), options.rounds, options.idle)
    return report.finish(options.json)


def measure(scratch: Path, rounds: int, idle: float) -> Report:
    """*rounds* of one reference and one start each, taking turns; the first two starts are shown apart."""
    environment = _environment(scratch)
    very_first = _gateway(scratch / "first", environment)
    _reference(environment)
    empty = _gateway(scratch / "data", environment)
    references, ended, starts = [], [], []
    for _ in range(rounds):
        imported, at_exit = _reference(environment)
        references.append(imported)
        ended.append(at_exit)
        starts.append(_gateway(scratch / "data", environment))
    idler = _gateway(scratch / "data", environment, idle)
    cpu, wall = [start.cpu for start in starts], [start.wall for start in starts]
    whole = [start.whole for start in starts]
    return Report(
        title=f"bench startup: {rounds} rounds, {machine()}",
        notes=[
            f"reference      {spread(ended, 1000, ' ms')} CPU for: {IMPORTS}",
            f"gateway        {spread(whole, 1000, ' ms')} CPU to start, answer /ready, stop and exit",
            f"before exits   {spread(cpu, 1000, ' ms')} to /ready, {spread(references, 1000, ' ms')} to the last import: "
            f"{median_ratio(cpu, references):.2f} x",
            f"ready after    {spread(wall, 1000, ' ms')} wall",
            f"empty dir      {empty.cpu * 1000:.0f} ms CPU, {empty.wall * 1000:.0f} ms wall (makes the database)",
            f"very first     {very_first.cpu * 1000:.0f} ms CPU, {very_first.wall * 1000:.0f} ms wall (compiles every module as well)",
            f"then {idle:g} s idle  {idler.idle_cpu * 1000:.0f} ms CPU; PSS {idler.pss:.1f} MB, RSS {idler.rss:.1f} MB",
        ],
        goals=[
            Goal("start-up CPU / importing starlette + uvicorn + sqlmodel + httpx", median_ratio(whole, ended), 0.6),
            Goal("ready after, wall", statistics.median(wall), 1.0, "s"),
            Goal("idle memory (RSS)", idler.rss, 80, "MB"),
        ],
        samples={"reference_whole_s": ended, "whole_s": whole, "reference_imported_s": references, "ready_s": cpu, "wall_s": wall,
                 "empty_directory": [empty.cpu, empty.wall], "very_first": [very_first.cpu, very_first.wall],
                 "idle_mb": [idler.pss, idler.rss], "idle_cpu_s": [idler.idle_cpu]},
    )  # fmt: skip


def _environment(scratch: Path) -> Mapping[str, str]:
    """Ours without configuration, and with bytecode in a place of its own: both sides find theirs, or neither."""
    ours = ("SORA_GATEWAY_", "PYTHONDONTWRITEBYTECODE", "CREDENTIALS_DIRECTORY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPYCACHEPREFIX": str(scratch / "bytecode")}


def _reference(environment: Mapping[str, str]) -> tuple[float, float]:
    """CPU seconds of the reference when its imports are done, and when it has ended."""
    with _process([sys.executable, "-c", REFERENCE], environment) as process:
        _line(process)
        imported = cpu_of(process.pid)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.close()
        return imported, _ended(process)


def _gateway(data_dir: Path, environment: Mapping[str, str], idle: float | None = None) -> Start:
    command = [sys.executable, "-c", OURS, "serve", "--port", "0", "--data-dir", str(data_dir)]
    began = time.monotonic()
    with _process(command, environment) as process:
        address = _line(process).rpartition(" ")[2]
        _until_ready(address)
        wall, cpu = time.monotonic() - began, cpu_of(process.pid)
        idle_cpu, pss, rss = 0.0, 0.0, 0.0
        if idle is not None:
            time.sleep(idle)
            memory = memory_of(process.pid)
            idle_cpu, pss, rss = cpu_of(process.pid) - cpu, memory["Pss"], memory["Rss"]
        process.terminate()
        return Start(cpu, wall, _ended(process), idle_cpu, pss, rss)


@contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A child that is killed at the end of the block, or when it takes too long."""
    # Somewhere without a config.toml or .env.
    directory = environment["PYTHONPYCACHEPREFIX"].rpartition("/")[0]
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command, env=environment, cwd=directory, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise StartupError("The process that was to be measured ended instead.")
    return line.rstrip()


def _ended(process: subprocess.Popen[str]) -> float:
    """Waits for the end; all CPU seconds of the process."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise StartupError(f"The process that was to be measured failed ({process.returncode}).")
    return usage.ru_utime + usage.ru_stime


def _until_ready(address: str) -> None:
    parts = urlsplit(address)
    request = f"GET /ready HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            if connection.makefile("rb").readline().split()[1:2] == [b"200"]:
                return
    raise StartupError("The gateway did not become ready.")


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, to the nanosecond: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_of(pid: int) -> Mapping[str, float]:
    """Rss, Pss and so on in MB (10^6 bytes)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(kilobytes) * 1024 / 1e6 for name, kilobytes, *_ in fields}
