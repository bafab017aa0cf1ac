"""The board in a real browser: five hundred cards, two hundred changes a second.

A whole gateway in this process, whose store commits changes of jobs that no upstream has, and the system's Chromium,
driven by Playwright, which signs in and looks at the board. Counted is what the browser says of its main thread: the
seconds that it was busy with tasks of any kind (scripts, layout, painting) during the changes, as a share of the time.
That share is of this machine, and its other core is the gateway's.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sora_gateway.app import Gateway, opened
from sora_gateway.bench.fanout_gateway import working_job
from sora_gateway.bench.report import Goal, Report, bare_parser, machine, positive
from sora_gateway.bench.store import OWNER, run_on_our_loop
from sora_gateway.core.job import Job, Observed, advance
from sora_gateway.core.money import Movement
from sora_gateway.errors import StartupError
from sora_gateway.settings import load_settings

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page, Response

EMAIL = "bench@example.test"
CHART = "uplot.js"
"""Loaded only with the first chart, and not counted."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
STEP = 0.5
"""Percent by which each change moves a job on."""
READY = "(count) => document.querySelectorAll('article.card').length >= count"


@dataclass(slots=True)
class Measured:
    """*busy* and *idle* are shares of the main thread; *script* is in bytes, each file compressed by itself."""

    busy: float = 0.0
    idle: float = 0.0
    shown: float = 0.0
    """Seconds from opening the address until every card is there."""
    sent: int = 0
    script: dict[str, int] = field(default_factory=dict)


def main(args: Sequence[str]) -> int:
    options = bare_parser("page", "Measure the board in Chromium.")
    options.add_argument(
        "--cards", type=positive, default=500, metavar="N", help="jobs on the board (default 500)"
    )
    options.add_argument(
        "--rate", type=positive, default=200, metavar="N", help="changes a second (default 200)"
    )
    options.add_argument("--seconds", type=positive, default=5, metavar="N", help="how long (default 5)")
    wanted = options.parse_args(args)
    measured = run_on_our_loop(measure(wanted.cards, wanted.rate, wanted.seconds))
    return report(measured, wanted.cards, wanted.rate).finish(wanted.json)


def report(measured: Measured, cards: int, rate: int) -> Report:
    total = sum(measured.script.values()) / 1024
    return Report(
        f"bench page: {cards} cards, {rate} changes a second, {machine()}",
        [
            f"all cards were there after {measured.shown:.1f} s; {measured.sent} changes were committed",
            f"the main thread was busy {measured.busy:.0%} of the time, {measured.idle:.0%} without changes",
            f"{len(measured.script)} scripts, {total:.1f} kB compressed",
        ],
        [
            Goal("main thread busy", measured.busy, 0.5, ""),
            Goal("script of the board, compressed", total, 60.0, "kB"),
        ],
        {"busy": [measured.busy], "idle": [measured.idle], "script": list(measured.script.values())},
    )


async def measure(cards: int, rate: int, seconds: float) -> Measured:
    """Raises StartupError: there is no browser, or no Playwright to drive it."""
    executable = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)
    if executable is None:
        raise StartupError("This benchmark needs Chromium; install it, or name it in the variable CHROMIUM.")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        raise StartupError("This benchmark needs Playwright: pip install playwright.") from None
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-page-")))
        gateway = await stack.enter_async_context(
            opened(
                load_settings(
                    data_dir=directory,
                    server={"port": 0},
                    limits={"per_person": 0, "per_address": 0},
                    log={"level": "error"},
                )
            )
        )
        await gateway.store.people.create_user(OWNER, EMAIL, "member", None, 0, time.time())
        jobs = await asyncio.gather(*(working_job(gateway, number) for number in range(cards)))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        page = await browser.new_page(viewport={"width": 1200, "height": 800})
        return await _watch(gateway, list(jobs), page, rate, seconds)


async def _watch(gateway: Gateway, jobs: list[Job], page: Page, rate: int, seconds: float) -> Measured:
    measured = Measured()

    async def weigh(response: Response) -> None:
        if response.request.resource_type == "script" and CHART not in response.url:
            measured.script[response.url] = len(gzip.compress(await response.body(), 9))

    page.on("response", weigh)
    token = await gateway.accounts.new_login_link(EMAIL)
    began = time.monotonic()
    await page.goto(f"{gateway.address}/#login={token}")
    await page.wait_for_function(READY, arg=len(jobs), timeout=60_000)
    measured.shown = time.monotonic() - began
    client = await page.context.new_cdp_session(page)
    await client.send("Performance.enable")
    await asyncio.sleep(1.0)  # what loading has left to do
    measured.idle = await _busy(client, asyncio.sleep(seconds))
    measured.busy = await _busy(client, _drip(gateway, jobs, rate, seconds, measured))
    return measured


async def _drip(gateway: Gateway, jobs: list[Job], rate: int, seconds: float, measured: Measured) -> None:
    """Commits one change after the other, each of another job, in time with *rate*."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        while measured.sent < rate * passed:
            at = measured.sent % len(jobs)
            before = jobs[at]
            event = Observed(time.time(), before.progress + STEP, upstream_status="in_progress")
            jobs[at] = advance(before, event)
            await gateway.store.save(before, jobs[at], event, Movement.KEEP)
            measured.sent += 1
        await asyncio.sleep(0.002)


async def _busy(client: CDPSession, meanwhile: object) -> float:
    """The share of the time until *meanwhile* is over in which the main thread had something to do."""
    began, before = time.monotonic(), await _tasks(client)
    assert asyncio.iscoroutine(meanwhile)
    await meanwhile
    return (await _tasks(client) - before) / (time.monotonic() - began)


async def _tasks(client: CDPSession) -> float:
    """Seconds that the main thread has spent with tasks so far."""
    metrics = (await client.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))
