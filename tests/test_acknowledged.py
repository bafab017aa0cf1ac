"""What was acknowledged is there, however often and whenever the process is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.stores import ADA, open_store
from tests.verdict import file_complaints

Acknowledged = list[tuple[str, int]]
"""Job ids and versions, in the order in which they came."""


async def run_until_killed(
    directory: Path, acknowledgements: int, later: float, *options: str
) -> Acknowledged:
    """Lets the updates run; kills them *later* seconds after that many acknowledgements."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.updating", str(directory), *options, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    heard: Acknowledged = []
    async for line in process.stdout:
        job_id, version = line.decode().split()
        heard.append((job_id, int(version)))
        if len(heard) == acknowledgements:
            await asyncio.sleep(later)
            os.kill(process.pid, signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    assert len(heard) >= acknowledgements
    return heard


def lost(database: Path, acknowledged: Acknowledged) -> Acknowledged:
    """Which updates are not in *database*, after a look at the file and at the events."""
    with closing(sqlite3.connect(database)) as connection:
        assert file_complaints(connection) == []
        stored: dict[str, int] = dict(connection.execute("SELECT id, version FROM jobs").fetchall())
    return [(job_id, version) for job_id, version in acknowledged if stored.get(job_id, 0) < version]


@pytest.mark.timeout(300)
async def test_no_acknowledged_update_is_lost_to_a_kill(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    full = request.config.getoption("--kills") == "full"
    kills, each, total = (30, 340, 10_000) if full else (4, 160, 600)
    chance = random.Random(1)
    acknowledged: Acknowledged = []
    async with open_store(tmp_path, people=(ADA,)):
        pass
    for _ in range(kills):
        count, later = chance.randint(each, each + each // 4), chance.uniform(0, 0.004)
        acknowledged += await run_until_killed(tmp_path, count, later)
        assert lost(tmp_path / "gateway.db", acknowledged) == []
    assert len(acknowledged) >= total
    async with open_store(tmp_path) as store:
        assert await store.credits.check() == []


async def test_an_update_that_is_acknowledged_too_early_would_be_noticed(tmp_path: Path) -> None:
    async with open_store(tmp_path, people=(ADA,)):
        pass
    acknowledged = await run_until_killed(tmp_path, 100, 0.0, "early")
    assert lost(tmp_path / "gateway.db", acknowledged) != []
