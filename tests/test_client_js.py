"""The page's live connection, which other pages and Node use as well: run by Node where there is one."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.between import ENDLESS, between
from tests.running import Json, Person, person, running, settings_for

ROOT = Path(__file__).resolve().parent.parent
NODE = shutil.which("node") or ""

needs_node = pytest.mark.skipif(not NODE, reason="what pages import is run by node")


@needs_node
def test_the_live_connection_behaves_over_scripted_sockets_and_a_manual_clock() -> None:
    suites = sorted(str(path) for path in (ROOT / "tests/js").glob("*.test.mjs"))
    assert suites
    done = subprocess.run([NODE, "--test", *suites], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr


# --- beside a real gateway -----------------------------------------------------------------------------

SLOW: Json = {"duration": 1.5, "sigma": 0.0}
SOON: Json = {"firstDelay": 10, "lastDelay": 50, "restartDelay": 50, "poll": 50}
BLOCKED: dict[str, dict[str, int]] = {
    "websocket": {},
    "sse": {"websocket": 403},
    "polling": {"websocket": 502, "sse": 502},
}


@asynccontextmanager
async def following(base: str, token: str, until: list[str], **options: Any) -> AsyncIterator[Process]:
    """Node following at *base* until the videos *until* have ended."""
    wish = {"base": base, "token": token, "until": until} | options
    # Node has sockets of its own from 22 on, and before that when asked.
    asked = "process.allowedNodeEnvironmentFlags.has('--experimental-websocket')"
    flags = ["--experimental-websocket"] if await said("-p", asked) == "true\n" else []
    process = await create_subprocess_exec(
        NODE, "--no-warnings", *flags, str(ROOT / "tests/js/following.mjs"),
        env={"PATH": "", "FOLLOW": json.dumps(wish)}, stdout=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(*arguments: str) -> str:
    process = await create_subprocess_exec(NODE, *arguments, stdout=PIPE)
    out, _ = await process.communicate()
    return out.decode()


async def told(process: Process) -> list[list[Any]]:
    """Everything that it was told until it ended by itself."""
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def check(lines: list[list[Any]], video_id: str, events: list[Json]) -> None:
    """Every update once and in order, every step since the first snapshot, and the end."""
    updates = [line[2] for line in lines if line[0] == "update" and line[1] == video_id]
    first = next(line for line in lines if line[0] == "task" and line[1] == video_id)
    assert updates == sorted(set(updates))
    steps = {event["seq"] for event in events if event["seq"] > first[2] and event["step"] != "progress"}
    assert steps <= set(updates)
    assert [first[2], *updates][-1] == events[-1]["seq"]


async def events_of(ann: Person, video_id: str) -> list[Json]:
    return list((await ann.get(f"/api/video/tasks/{video_id}/events")).json()["events"])


@needs_node
@pytest.mark.parametrize("transport", BLOCKED)
async def test_in_node_it_takes_what_gets_through_and_says_which(tmp_path: Path, transport: str) -> None:
    async with (
        running(settings_for(tmp_path, simulator=SLOW)) as gateway,
        person(gateway) as ann,
        between(gateway.address) as proxy,
    ):
        proxy.blocked = BLOCKED[transport]
        made = [(await ann.make())["videoId"], (await ann.make())["videoId"]]
        topics = [{"videoId": video_id} for video_id in [*made, "video_none"]]
        async with following(proxy.address, ann.key, made, topics=topics, pace=SOON) as node:
            lines = await told(node)
        if transport != "polling":
            for video_id in made:
                check(lines, video_id, await events_of(ann, video_id))
    words = [line[1:] for line in lines if line[0] == "state" and line[1] != "reconnecting"]
    word = "polling" if transport == "polling" else "live"
    assert words == [["connecting", None], [word, transport], ["stopped", None]]
    assert ["error", "not_found"] in lines


@needs_node
async def test_in_node_cuts_and_a_restart_are_outlasted_without_a_gap(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, simulator=SLOW | {"duration": 2.5})
    async with between("http://127.0.0.1:1") as proxy, AsyncExitStack() as stack:
        proxy.budgets = chain([40, 200, 700, 1900], repeat(2300, 10), repeat(ENDLESS))
        async with running(settings) as gateway, person(gateway) as ann:
            proxy.target = urlsplit(gateway.address).port or 0
            video_id = (await ann.make())["videoId"]
            pace = SOON | {"tries": 1_000}
            node = await stack.enter_async_context(
                following(proxy.address, ann.key, [video_id], ticket=True, pace=pace)
            )
            await ann.comes_to(video_id, "processing")
        async with running(settings) as gateway, person(gateway) as ann:
            proxy.target = urlsplit(gateway.address).port or 0
            lines = await told(node)
            check(lines, video_id, await events_of(ann, video_id))
    assert ["stopped", "closed"] in lines
