"""The two sides of ``bench fanout``: a server and its clients, each a process, and what one fan-out through them took."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sora_gateway.bench.startup import cpu_of, memory_of
from sora_gateway.errors import StartupError

PATIENCE = 60.0
"""Seconds after which an answer is not waited for any longer."""
SETTLED = 0.01
"""Seconds after the last delivery in which the server may tidy up; they count."""


class Child:
    """A process that runs *module* and obeys; *cpu* is where it runs. It ends when its stdin does, and when :meth:`end` is called."""

    def __init__(self, module: str, *args: str, directory: Path, cpu: int | None) -> None:
        kept = {
            n: v
            for n, v in os.environ.items()
            if not n.startswith(("SORA_GATEWAY_", "CREDENTIALS_DIRECTORY"))
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", module, *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=directory, env=kept,
        )  # fmt: skip
        self.pid = self._process.pid
        if cpu is not None:
            os.sched_setaffinity(self.pid, {cpu})

    def ask(self, op: str, **parameters: object) -> Mapping[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, **parameters}).encode() + b"\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Mapping[str, Any]:
        """The next line that it says; it says one at a time.

        Raises:
            StartupError: it has failed, or does not answer.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise StartupError("A process of the benchmark failed, or a message did not arrive.")
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise StartupError(f"The benchmark's clients failed: {answer['error']}.")
        return answer

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Fanout:
    """What one took: *cpu* and *last* in seconds, the server's and until the last event had come to the last client;
    *most* until it had to 99 of 100, *read* until all had read it."""

    deliveries: int
    """Events times the clients that follow them."""
    frames: int
    """Messages in which they came."""
    cpu: float
    store: float
    """CPU seconds of the thread that writes the database, which are not in *cpu*."""
    most: float
    last: float
    read: float
    idle: float
    """Share of the time until all was read for which the clients had nothing to do."""


class Side:
    """A server with clients, all of which follow one job, or each one of many."""

    def __init__(self, server: Child, directory: Path, cpu: int | None) -> None:
        self.server = server
        hello = server.answer()
        self.port: int = hello["port"]
        self.key: str = hello.get("key", "")
        self._writer: int | None = hello.get("writer")
        self.jobs: list[str] = hello.get("jobs", [])
        self.version: int = hello.get("version", 0)
        self.clients = Child(
            "sora_gateway.bench.fanout_clients", str(self.port), directory=directory, cpu=cpu
        )
        self.connected = 0
        self._on = "one"
        self._versions: dict[str, int] = {}

    def begin_at(self, version: int) -> None:
        """The next event of each job has the number after *version*."""
        self._versions = {"one": version, "keyed": version}

    def connect(self, total: int) -> None:
        """Goes on until *total* clients follow the one job."""
        texts = [[self._subscribe(0)]]
        answer = self.clients.ask("connect", count=total - self.connected, key=self.key, texts=texts)
        self.connected = answer["connected"]

    def spread_over(self, jobs: int) -> None:
        """From now on every client follows one of *jobs* other jobs, and not the one."""
        self._on = "keyed"
        texts = [[*self._unsubscribe(), self._subscribe(number + 1)] for number in range(jobs)]
        self.clients.ask("tell", texts=texts)

    def _subscribe(self, number: int) -> str:
        return json.dumps({"type": "subscribe", "videoId": self.jobs[number]}) if self.jobs else str(number)

    def _unsubscribe(self) -> Sequence[str]:
        return [json.dumps({"type": "unsubscribe", "videoId": self.jobs[0]})] if self.jobs else []

    def learn(self, text: str) -> None:
        self.server.ask("learn", text=text)

    def message(self) -> str:
        """The text of an update, as the clients get it."""
        text: str = self._fan_out(1, keep=True)["text"]
        return text

    def fan_out(self, events: int, way: str = "publish") -> Fanout:
        """*events* to every client: all of them to the one job, or to each of the many. *way* is the server's command."""
        cpu, store = self.cpu()
        done = self._fan_out(events, keep=False, way=way)
        time.sleep(SETTLED)
        after, stored = self.cpu()
        read = (done["read"] - done["began"]) / 1e9
        return Fanout(
            deliveries=events * self.connected,
            frames=done["frames"],
            cpu=after - cpu,
            store=stored - store,
            most=(done["most"] - done["began"]) / 1e9,
            last=(done["last"] - done["began"]) / 1e9,
            read=read,
            idle=max(0.0, 1 - done["used"] / 1e9 / read),
        )

    def _fan_out(self, events: int, *, keep: bool, way: str = "publish") -> Mapping[str, Any]:
        first = self._versions[self._on] + 1
        self._versions[self._on] += events
        self.clients.ask("arm", mark=f'"seq":{first + events - 1}', keep=keep)
        began = self.server.ask(way, on=self._on, first=first, count=events)
        return {**self.clients.answer(), **began}

    def stall(self, events: int) -> tuple[float, float]:
        """By how many seconds the loop's heartbeat came late at worst during a fan-out, and what CPU that was."""
        self.server.ask("beat")
        self._fan_out(events, keep=False)
        time.sleep(SETTLED)
        late = self.server.ask("still")
        return late["late"], late["used"]

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the server so far: of all threads but the one that writes the database, and of that one."""
        store = 0.0
        if self._writer is not None:
            path = Path(f"/proc/{self.server.pid}/task/{self._writer}/schedstat")
            store = int(path.read_text(encoding="ascii").split()[0]) / 1e9
        return cpu_of(self.server.pid) - store, store

    def memory(self) -> float:
        """Bytes that are this server's alone, when what is garbage has been collected."""
        self.server.ask("collect")
        fields = memory_of(self.server.pid)
        return (fields["Private_Clean"] + fields["Private_Dirty"]) * 1e6
