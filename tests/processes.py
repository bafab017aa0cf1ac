"""Gateways and upstreams as processes of their own, which can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import EVERYTHING
from sora_gateway.entropy import SystemEntropy
from sora_gateway.store import Store, schema
from tests.books_plugin import look
from tests.canaries import UPSTREAM_KEY, leaks
from tests.stores import EPOCH, MIGRATIONS

ROOT = Path(__file__).parent.parent
STARTS_WITHIN = 20.0
BALANCE = 1000
PRICE = 5
CREATE_TIMEOUT = 4.0

CONFIG = """
[server]
port = 0
[credits]
enabled = true
[pricing]
per_video = {price}
[media]
min_free_disk = 0
[jobs]
create_timeout = {create_timeout}
[polling]
policy = "fixed"
min_interval = 0.1
[upstreams.lab]
profile = "simulator"
base_url = "{upstream}/v1"
api_key = "{key}"
models = {{ "sora-2" = "sora-2" }}
sizes = ["720x1280"]
seconds = [4]
max_concurrent = 0
"""


class EndedAtStart(Exception):
    """A process ended before it said where it listens; *code* is its exit code."""

    def __init__(self, code: int, complaints: str) -> None:
        super().__init__(f"exit code {code}: {complaints}")
        self.code = code
        self.complaints = complaints


def _check_leaks(errors: Path) -> None:
    assert leaks(errors.read_text(encoding="utf-8")) == [], "secrets in what it wrote to stderr"


@dataclass
class Program:
    """A running process that has said where it listens."""

    process: asyncio.subprocess.Process
    address: str
    errors: Path

    @property
    def complaints(self) -> str:
        """What it wrote to stderr."""
        return self.errors.read_text(encoding="utf-8")

    async def ended(self, within: float = 10.0) -> int:
        """Its exit code: negative for a signal."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def told(self, number: signal.Signals, within: float = 10.0) -> int:
        """Sends a signal; returns the exit code."""
        self.process.send_signal(number)
        return await self.ended(within)


@asynccontextmanager
async def program(errors: Path, *arguments: str) -> AsyncIterator[Program]:
    """``python -m ARGUMENTS``, from the moment it prints an address; killed at the end if it still runs.

    Its stderr goes to the file *errors*.

    Raises:
        EndedAtStart: it never came to that.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SORA_GATEWAY_")}
    sink = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=sink,
        )  # fmt: skip
    finally:
        os.close(sink)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            line = (await process.stdout.readline()).decode()
        running = Program(process, "", errors)
        found = re.search(r"http://127\.0\.0\.1:[0-9]+", line)
        if found is None:
            raise EndedAtStart(await running.ended(), running.complaints)
        running.address = found[0]
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        # To the end of its output: the pipe is closed and forgotten with it.
        await process.communicate()
        _check_leaks(errors)


@dataclass
class LoggingUpstream:
    """A simulated upstream in its own process; a create is on its disk before it is answered."""

    address: str
    journal: Path

    def creates(self, mark: str) -> list[dict[str, Any]]:
        """Every create whose prompt has *mark* that was ever taken."""
        whole, _, _ = self.journal.read_text(encoding="utf-8").rpartition("\n")
        return [line for line in map(json.loads, whole.splitlines()) if mark in line["prompt"]]

    async def forget(self, mark: str) -> None:
        """Drops the jobs whose prompt has *mark*, as an upstream does when their time is over."""
        async with httpx.AsyncClient(base_url=self.address, trust_env=False) as http:
            for create in self.creates(mark):
                assert (await http.delete(f"/v1/videos/{create['id']}")).status_code == 200


@asynccontextmanager
async def logging_upstream(directory: Path, duration: float = 0.35) -> AsyncIterator[LoggingUpstream]:
    state = directory / "upstream"
    options = ["--state-dir", str(state), "--port", "0", "--duration", str(duration), "--sigma", "0"]
    async with program(
        directory / "upstream.log", "sora_gateway", "simulate", "--clip", "--directives", *options
    ) as running:
        journal = state / "creates.jsonl"
        journal.touch()
        yield LoggingUpstream(running.address, journal)


@dataclass
class Place:
    """One gateway's directory, over any number of processes."""

    root: Path
    upstream: LoggingUpstream
    key: str
    starts: int = field(default=0)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @asynccontextmanager
    async def gateway(
        self, *, killable: tuple[str, ...] = ("none",)
    ) -> AsyncIterator[tuple[Program, Client]]:
        """A gateway on this place, and somebody who uses it."""
        self.starts += 1
        serve = ["serve", "--config", str(self.root / "config.toml"), "--data-dir", str(self.data)]
        arguments = ["tests.killable", "--journal", str(self.upstream.journal), *killable, *serve]
        headers = {"Authorization": f"Bearer {self.key}"}
        async with (
            program(self.root / f"gateway-{self.starts}.log", *arguments) as running,
            httpx.AsyncClient(base_url=running.address, headers=headers, trust_env=False, timeout=20) as http,
        ):
            yield running, Client(http)
        # However it ended: what it left is what the next one begins with.
        look(self.data / "gateway.db")


@dataclass
class Client:
    """Somebody with an API key. Every answer may fail to come: the process may be dead."""

    http: httpx.AsyncClient

    async def make(self, prompt: str) -> str | None:
        """The id of the new job if it was acknowledged."""
        wish = {"prompt": prompt, "size": "720x1280", "seconds": 4}
        try:
            response = await self.http.post("/api/video/tasks", json=wish)
        except httpx.TransportError:
            return None
        assert response.status_code == 202, response.text
        return str(response.json()["videoId"])

    async def tasks(self) -> list[dict[str, Any]]:
        response = await self.http.get("/api/video/tasks")
        assert response.status_code == 200, response.text
        return list(response.json()["tasks"])

    async def task_at(self, stages: set[str], within: float = 15.0) -> dict[str, Any]:
        """The one task, once it is in one of *stages*."""
        task: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within):
                while not task or task["stage"] not in stages:
                    await asyncio.sleep(0.03)
                    (task,) = await self.tasks()
        except TimeoutError:
            raise AssertionError(f"the task is not in {stages} after {within:g} s: {task}") from None
        return task


async def furnish(template: Path) -> str:
    """Makes a data directory with one person who has credits; returns their API key."""
    os.makedirs(template)
    clock, entropy = SystemClock(), SystemEntropy()
    database = template / "gateway.db"
    schema.prepare(database, MIGRATIONS, clock.now(), EPOCH)
    async with Store(database, lambda events: None) as store:
        await store.people.create_user("user_ann", "ann@example.org", "admin", None, BALANCE, clock.now())
        key, _ = await Authenticator(store, clock, entropy).create_key("user_ann", "test", EVERYTHING)
    return key


def settle_in(root: Path, template: Path, key: str, upstream: LoggingUpstream) -> Place:
    """A new place in *root*, furnished like *template*."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(template, root / "data")
    (root / "config.toml").write_text(
        CONFIG.format(
            price=PRICE, create_timeout=CREATE_TIMEOUT, upstream=upstream.address, key=UPSTREAM_KEY
        ),
        encoding="utf-8",
    )
    return Place(root, upstream, key)
