"""The lives of one gateway: started as operators start it, measured, killed, and started again at once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.clients.gateway import Home, own
from tests.processes import ROOT
from tests.soak.meter import Life, sample

STARTS_WITHIN = 30.0
STOPS_WITHIN = 30.0
TOLD_TO_STOP = 0.25
"""Share of the lives that end by SIGTERM; the others by SIGKILL."""
CUT_SHORT = 0.15
"""Share of the lives that are killed while the gateway starts, or just after."""


@dataclass
class Lives:
    """*shortest* and *longest* bound a life that is not cut short, in seconds from when it is ready."""

    home: Home
    chance: random.Random
    shortest: float
    longest: float
    module: tuple[str, ...] = ("sora_gateway",)
    """What is run instead of the gateway, for one that is broken on purpose."""
    every: float = 1.0
    """Seconds between two samples."""
    lives: list[Life] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _zero: float = field(default_factory=time.monotonic)

    async def run(self, seconds: float) -> None:
        """Lives that end, for *seconds*."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.lives and self.chance.random() < CUT_SHORT:
                async with self._process("killed at its start") as (process, _life):
                    await asyncio.sleep(self.chance.uniform(0.05, 1.0))
                    process.kill()
                continue
            length = min(left, self.chance.uniform(self.shortest, self.longest))
            stops = self.chance.random() < TOLD_TO_STOP
            async with self.gateway("told to stop" if stops else "killed") as process:
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), length)
                    self.complaints.append(f"the gateway ended by itself, with {process.returncode}")
                if not stops and process.returncode is None:
                    process.kill()

    @asynccontextmanager
    async def gateway(self, ends: str) -> AsyncIterator[Process]:
        """A life from when it is ready; told to stop at the end of the block unless it is over by then."""
        async with self._process(ends) as (process, life):
            try:
                async with asyncio.timeout(STARTS_WITHIN):
                    while life.up is None and process.returncode is None:  # noqa: ASYNC110 - a death sets no event
                        await asyncio.sleep(0.01)
            except TimeoutError:
                self.complaints.append(f"a start took more than {STARTS_WITHIN:g} s")
            yield process
            if process.returncode is None and ends != "killed":
                process.send_signal(signal.SIGTERM)
                await self._stopped(process)

    async def _stopped(self, process: Process) -> None:
        try:
            code = await asyncio.wait_for(process.wait(), STOPS_WITHIN)
        except TimeoutError:
            self.complaints.append(f"it did not stop within {STOPS_WITHIN:g} s")
        else:
            if code != 0:
                self.complaints.append(f"told to stop, it ended with {code}")

    @asynccontextmanager
    async def _process(self, ends: str) -> AsyncIterator[tuple[Process, Life]]:
        began = time.monotonic()
        life = Life(began - self._zero, ended=ends)
        self.lives.append(life)
        log = os.open(self.home.root / "gateway.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self.module, "serve", *self.home.where, cwd=ROOT, env=own({}),
                stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=log,
            )  # fmt: skip
        finally:
            os.close(log)
        metering = asyncio.create_task(self._meter(process, life, began))
        try:
            yield process, life
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            life.lasted = time.monotonic() - began
            await metering

    async def _meter(self, process: Process, life: Life, began: float) -> None:
        """Waits until it is ready, and looks at it until it has gone."""
        assert process.stdout is not None
        if not await process.stdout.readline():
            return
        ready = time.monotonic()
        life.up = ready - began
        reading = asyncio.create_task(process.stdout.read())
        while process.returncode is None:
            seen = sample(process.pid, time.monotonic() - ready)
            if seen is not None:
                life.samples.append(seen)
            await asyncio.sleep(self.every)
        await reading
