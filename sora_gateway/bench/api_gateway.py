"""Our side of ``bench api``: a whole gateway, as configured by itself but for limits that no benchmark reaches.

``python -m sora_gateway.bench.api_gateway DIRECTORY JOBS``. Its one upstream is paused, so that an accepted job waits, and
nothing but the requests is measured. It says in a line of JSON where it is, and ends when stdin does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from sora_gateway.app import opened
from sora_gateway.bench.fanout_gateway import working_job
from sora_gateway.bench.store import OWNER, run_on_our_loop
from sora_gateway.serving import settle_collector
from sora_gateway.settings import load_settings

UPSTREAM = "lab"
PLENTY = 1_000_000_000
"""Of what a limit counts. Off they would cost nothing; so they count, and stop nobody."""


async def _serve(directory: Path, jobs: int) -> None:
    settings = load_settings(
        data_dir=directory,
        server={"port": 0},
        # Nobody listens there, and nobody is asked.
        upstreams={UPSTREAM: {"base_url": "http://127.0.0.1:9/v1"}},
        limits=dict.fromkeys(("per_person", "per_key", "per_address", "creates_per_person"), PLENTY),
        log={"level": "error"},
    )
    async with opened(settings) as gateway:
        await gateway.store.people.create_user(OWNER, "bench@example.test", "admin", None, 0, time.time())
        key, _ = await gateway.accounts.create_key(OWNER, "bench")
        gateway.upstreams.by_name[UPSTREAM].gate.hold("It is measured what it takes to accept.")
        made = [await working_job(gateway, number) for number in range(jobs)]
        settle_collector()
        hello = {"port": int(gateway.address.rpartition(":")[2]), "key": key, "job": made[0].id}
        sys.stdout.write(json.dumps(hello) + "\n")
        sys.stdout.flush()
        await until_stdin_ends()


async def until_stdin_ends() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    await reader.read()


if __name__ == "__main__":
    run_on_our_loop(_serve(Path(sys.argv[1]), int(sys.argv[2])))
