"""A thousand jobs at work on one upstream with a live list: what it costs to notice how they go on.

Three sides, each of which sees every job once per round, while 5 % of the jobs move on in each round:

* *lists*: the gateway as it is. Supervisor, observer, adapter, HTTP client and store, from the request to the commit
  (``synchronous=FULL``) and the event that is told after it.
* *singles*: the same for an upstream whose profile has no list, so that each job is asked for by itself.
* *bare*: the list's pages through httpx, and ``json.loads``: nothing is compared, stored or told.

What counts is the CPU of this process with all its threads; the upstream is another process. *lists* and *bare* take
turns in every round. The event loop is watched at five times as many jobs, by a task that wants to run every 5 ms.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from sora_gateway.bench.lister import PAGE, name_of
from sora_gateway.bench.report import Goal, Report, machine, median_ratio, parser, positive, spread
from sora_gateway.bench.store import OWNER, filesystem, run_on_our_loop
from sora_gateway.clock import SystemClock
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.job import Accepted, Claimed, ExternalId, Job, JobId, advance
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.money import Movement
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.entropy import SystemEntropy
from sora_gateway.media.download import Downloader
from sora_gateway.media.files import MediaFiles
from sora_gateway.places import shipped
from sora_gateway.store import Store
from sora_gateway.store.jobs import Answered, Intent
from sora_gateway.store.schema import prepare
from sora_gateway.supervisor import Supervisor
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Limits, Upstream
from sora_gateway.upstream.client import HttpClient
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import PROFILES

CHANGED = 0.05
LIST_EVERY, SINGLE_EVERY = 2.0, 5.0
"""Seconds from one look at a job to the next."""
SINGLE_ROUNDS = 3
MANY = 5
"""Times as many jobs, to watch the event loop with."""
BEAT = 0.005
SETTLED = 0.1
"""Seconds after the last event of a round until its last page is through."""
LATEST = 60.0
"""Seconds after which a round counts as lost."""

_CHANCE = SystemEntropy()


def main(args: Sequence[str]) -> int:
    made = parser("inflight", "Measure what it costs to watch many jobs at once.", rounds=9)
    made.add_argument("--jobs", type=positive, default=1000, metavar="N", help="jobs at work (default 1000)")
    options = made.parse_args(args)
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench-inflight-") as name:
        report = run_on_our_loop(measure(Path(name), options.rounds, options.jobs))
    return report.finish(options.json)


async def measure(directory: Path, rounds: int, jobs: int) -> Report:
    lists, bare, requests = await _lists(directory, rounds, jobs)
    singles, single_requests = await _singles(directory, jobs)
    stalls, many = await _stalls(directory, max(2, rounds // 2), jobs * MANY)
    pages = -(-jobs // PAGE)
    return Report(
        title=f"bench inflight: {rounds} rounds of {jobs} jobs, {CHANGED:.0%} of them changed, {machine()}",
        notes=[
            f"{filesystem(directory)}; every change to its commit, and to the event that is told after it",
            f"bare lists     {spread(bare, 1e3, ' ms')} CPU a round: {pages} requests by httpx, and json.loads",
            f"lists          {spread(lists, 1e3, ' ms')} CPU, {requests:.4g} requests",
            f"single looks   {spread(singles, 1e3, ' ms')} CPU, {single_requests:.4g} requests",
            f"{jobs * MANY} jobs      {spread(many, 1e3, ' ms')} CPU a round, by lists; stalls of the event loop: "
            f"median {statistics.median(stalls) * 1e3:.2f} ms, longest {max(stalls) * 1e3:.1f} ms",
        ],
        goals=[
            Goal("requests, single looks / lists", single_requests / requests, 40.0, at_least=True),
            Goal("CPU, single looks / lists", statistics.median(singles) / statistics.median(lists), 25.0, at_least=True),
            Goal("CPU, lists / bare lists and their parse", median_ratio(lists, bare), 1.5),
            Goal(f"stall of the event loop with {jobs * MANY} jobs, p99", _p99(stalls) * 1e3, 20.0, unit="ms"),
        ],
        samples={
            "lists_cpu_s": lists, "bare_cpu_s": bare, "singles_cpu_s": singles, "many_cpu_s": many,
            "requests": [requests, single_requests], "stalls_s": stalls,
        },
    )  # fmt: skip


async def _lists(directory: Path, rounds: int, jobs: int) -> tuple[list[float], list[float], float]:
    """CPU seconds per round of both sides, and our requests per round."""
    ours, bare, asked = list[float](), list[float](), 0
    async with (
        _at_work(directory / "lists", jobs, LIST_EVERY, lists=True) as bench,
        _Bare(bench.url) as reader,
    ):
        await bench.round()
        await reader.read()
        for _ in range(rounds):
            # Between two rounds of ours, so that both begin after a rest, and neither runs beside the other.
            await asyncio.sleep(LIST_EVERY / 2)
            began = time.process_time()
            await reader.read()
            bare.append(time.process_time() - began)
            before = await bench.requests()
            ours.append(await bench.round())
            asked += await bench.requests() - before
    return ours, bare, asked / rounds


async def _singles(directory: Path, jobs: int) -> tuple[list[float], float]:
    """CPU seconds per round, and requests: each round is as long as it takes to look at every job once."""
    async with _at_work(directory / "singles", jobs, SINGLE_EVERY, lists=False) as bench:
        await bench.round(jobs)
        asked = await bench.requests()
        took = [await bench.round(jobs) for _ in range(SINGLE_ROUNDS)]
        asked = await bench.requests() - asked
    return took, asked / SINGLE_ROUNDS


async def _stalls(directory: Path, rounds: int, jobs: int) -> tuple[list[float], list[float]]:
    """By how many seconds each beat came late, and CPU seconds per round."""
    late = list[float]()

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(BEAT)
            late.append(max(0.0, time.perf_counter() - began - BEAT))

    async with _at_work(directory / "many", jobs, LIST_EVERY, lists=True) as bench:
        await bench.round()
        beating = asyncio.create_task(beat(), name="bench: heartbeat")
        took = [await bench.round() for _ in range(rounds)]
        beating.cancel()
    return late, took


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


# --- the gateway, and an upstream that has all its jobs at work --------------------------------------


class _Bench:
    def __init__(self, url: str, jobs: int) -> None:
        self.url = url
        self._pages = -(-jobs // PAGE)
        self._told = 0
        self._awaited = 0
        self._all_told = asyncio.Event()

    def tell(self, events: list[StoredEvent]) -> None:
        self._told += len(events)
        if self._told >= self._awaited:
            self._all_told.set()

    async def round(self, requests: int | None = None) -> float:
        """Moves some jobs on, and waits until every job was looked at and all that is new is stored and told.

        *requests* are how many that takes, by default those of the list. Returns the CPU seconds meanwhile.
        """
        self._told = 0
        self._awaited = await _number(self.url, f"/change?share={CHANGED}")
        self._all_told.clear()
        asked, wanted = await self.requests(), requests or self._pages
        began = time.process_time()
        async with asyncio.timeout(LATEST):
            await self._all_told.wait()
            await asyncio.sleep(SETTLED)
            took = time.process_time() - began
            while await self.requests() - asked < wanted:
                began = time.process_time()
                await asyncio.sleep(SETTLED)
                took += time.process_time() - began
        return took

    async def requests(self) -> int:
        return await _number(self.url, "/requests")


@asynccontextmanager
async def _at_work(directory: Path, jobs: int, every: float, *, lists: bool) -> AsyncIterator[_Bench]:
    """A gateway whose upstream has *jobs* at work, each looked at *every* so many seconds."""
    files = MediaFiles(directory / "media")
    prepare(directory / "gateway.db", shipped("migrations"), time.time(), "0" * 16)
    clock = SystemClock()
    async with _upstream(jobs) as url:
        bench = _Bench(url, jobs)
        profile = PROFILES["openai"] if lists else replace(PROFILES["openai"], listing="none")
        adapter = OpenAIAdapter("lab", f"{url}/v1", "sk-bench", profile, HttpClient(), max_file=1 << 20)
        upstream = Upstream(adapter, Gate(clock, 0, 2), PollPolicy(PolicyName.FIXED, every))
        async with Store(directory / "gateway.db", bench.tell) as store:
            await _populate(store, jobs)
            supervisor = Supervisor(
                store, {"lab": upstream}, files, Downloader(files, None, clock), clock, _CHANCE, Limits()
            )
            async with supervisor:
                # As when serving: what is there at the start is not looked at by the collector.
                gc.collect()
                gc.freeze()
                yield bench
                gc.unfreeze()
        await adapter.aclose()


async def _populate(store: Store, jobs: int) -> None:
    """Jobs that the upstream has just accepted."""
    await store.people.create_user(OWNER, "bench@example.test", "member", None, 0, time.time())
    for start in range(0, jobs, 200):
        await asyncio.gather(*(_accepted(store, number) for number in range(start, min(jobs, start + 200))))


async def _accepted(store: Store, number: int) -> None:
    now = time.time()
    made = Job(
        JobId(time_ordered("video", now, _CHANCE.new_id("video"))), OWNER,
        "A lighthouse at dusk, waves in slow motion. " * 5, "sora-2", "lab", "sora-2", 8, "1280x720", now,
    )  # fmt: skip
    await store.accept(made)
    claimed, accepted = Claimed(now), Accepted(now, ExternalId(name_of(number)))
    sent = advance(made, claimed)
    await store.save(made, sent, claimed, Movement.KEEP, Intent(f"attempt_{made.id}"))
    receipt = Answered("receipt", accepted.external_id)
    await store.save(sent, advance(sent, accepted), accepted, Movement.KEEP, receipt)


@asynccontextmanager
async def _upstream(jobs: int) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sora_gateway.bench.lister", str(jobs),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


async def _number(url: str, path: str) -> int:
    """What the upstream answers to a question of the benchmark's."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    return int(body)


class _Bare:
    """The reference: one connection of httpx's, page after page."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/videos?limit={PAGE}&order=desc"

    async def __aenter__(self) -> _Bare:
        import httpx

        self._client = httpx.AsyncClient(headers={"Authorization": "Bearer sk-bench"}, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def read(self) -> None:
        import json

        url = self._url
        while True:
            page = json.loads((await self._client.get(url)).content)
            if not page["has_more"]:
                return
            url = f"{self._url}&after={page['data'][-1]['id']}"
