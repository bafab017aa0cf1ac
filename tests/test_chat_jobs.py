"""Jobs whose connection is the job, under the supervisor and in a whole gateway: a drop, a restart or a kill in the
middle leaves them unknown with their hold, and nothing is paid twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sora_gateway.core.job import Job, JobId, State
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.supervisor.decisions import PayAgain
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream
from sora_gateway.upstream.chat_profiles import CHAT_PROFILES
from sora_gateway.upstream.chat_stream import ChatStreamAdapter
from sora_gateway.upstream.client import HttpClient
from tests.canaries import UPSTREAM_KEY
from tests.fake_chat import ADDRESS, DONE, EMOJI, FakeChat, data, drop, frame, reset, saying, until
from tests.fakes import CountingEntropy, FastClock, ManualClock, ScriptedUpstream, settle
from tests.gateways import Workshop, workshop
from tests.lab import lab_settings, ledger, opportunity, outcomes
from tests.processes import Client, Program, furnish, program
from tests.raw_server import Handler, always, answer, serving_raw
from tests.running import Person, person, running
from tests.upstream_cases import KEY, MAX_FILE

WORKING = frame("> 🏃 进度：36.0%\n\n")
BUSY = always(answer(503, {"error": {"message": "no channel"}}))


# --- under the supervisor --------------------------------------------------------------------------------


class Chats:
    """One directory and one relay over any number of gateways that follow each other."""

    def __init__(self, directory: Path, fake: FakeChat) -> None:
        self.directory = directory
        self.fake = fake
        self.clock = ManualClock()
        self.entropy = CountingEntropy()
        self.url = ""

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Workshop]:
        adapter = ChatStreamAdapter(
            "lab", self.url, KEY, CHAT_PROFILES["generic"], HttpClient(), max_file=MAX_FILE, clock=self.clock
        )
        upstream = Upstream(adapter, Gate(self.clock, 0, 2), PollPolicy(PolicyName.FIXED, 1.0))
        try:
            async with workshop(
                self.directory, ScriptedUpstream(), clock=self.clock, entropy=self.entropy,
                upstreams={"lab": upstream},
            ) as shop:  # fmt: skip
                yield shop
        finally:
            await adapter.aclose()

    async def reaches(self, shop: Workshop, job_id: JobId, state: State) -> Job:
        """The job once it is in *state*: the gateway's seconds pass while the sockets work."""

        async def there() -> bool:
            if (job := await shop.job(job_id)).state is state:
                return True
            assert not job.ended, f"{job.state}: {job.error_code}: {job.error_message}"
            await self.clock.advance(1)
            return False

        await until(there)
        return await shop.job(job_id)


@asynccontextmanager
async def chats(directory: Path, *answers: Handler) -> AsyncIterator[Chats]:
    fake = FakeChat(list(answers))
    async with serving_raw(fake.handle) as server:
        chats = Chats(directory, fake)
        chats.url = server.url
        yield chats


async def test_a_prompt_becomes_a_stored_video(tmp_path: Path) -> None:
    async with chats(tmp_path, saying(*EMOJI)) as lab, lab.gateway() as shop:
        job = await lab.reaches(shop, (await shop.accept()).id, State.COMPLETED)
        assert (await shop.store.assets(job.id))["video"].size == len(lab.fake.file)
        assert await shop.balance() == (90, 0)
        assert len(lab.fake.orders) == 1


async def test_a_busy_relay_is_asked_five_times_and_then_the_job_has_failed(tmp_path: Path) -> None:
    async with chats(tmp_path, BUSY) as lab, lab.gateway() as shop:
        failed = await lab.reaches(shop, (await shop.accept()).id, State.FAILED)
        assert failed.error_message == "lab refused it 5 times: no channel"
        assert len(lab.fake.orders) == 5
        assert await shop.balance() == (100, 0)


@pytest.mark.parametrize("refusal", [BUSY, always(answer(500)), saying(data({"error": {"message": "no"}}))])
async def test_a_relay_that_was_busy_is_asked_again(tmp_path: Path, refusal: Handler) -> None:
    async with chats(tmp_path, refusal, refusal, saying(*EMOJI)) as lab, lab.gateway() as shop:
        job = await lab.reaches(shop, (await shop.accept()).id, State.COMPLETED)
        assert len(lab.fake.orders) == 3
        attempts = await shop.store.attempts(job.id)
        assert [attempt.outcome for attempt in attempts] == ["refused_for_now", "refused_for_now", "receipt"]


@pytest.mark.parametrize(
    "broken",
    [
        saying(WORKING, drop),
        saying(WORKING, reset),
        saying(WORKING),
        saying(WORKING, DONE),
        saying(drop),
        saying(DONE),
        saying(b"<html></html>"),
        always(b""),
        always(answer(200)),
        always(answer(502, "<html>")),
        always(answer(504)),
    ],
)
async def test_five_equal_orders_that_are_dropped_are_five_doubts_and_five_creates(
    tmp_path: Path, broken: Handler
) -> None:
    async with chats(tmp_path, broken) as lab, lab.gateway() as shop:
        jobs = [await shop.accept() for _ in range(5)]
        for job in jobs:
            await lab.reaches(shop, job.id, State.UNKNOWN)
        for _ in range(24):
            await lab.clock.advance(3600)
        assert {(await shop.job(job.id)).state for job in jobs} == {State.UNKNOWN}
        assert len(lab.fake.orders) == 5
        assert await shop.balance() == (50, 50)


async def test_a_restart_in_the_middle_leaves_the_job_unknown_at_once(tmp_path: Path) -> None:
    async with chats(tmp_path, saying(WORKING, asyncio.Event())) as lab:
        async with lab.gateway() as shop:
            job = await lab.reaches(shop, (await shop.accept()).id, State.PROCESSING)
        await until(lambda: lab.fake.reading == 0)
        async with lab.gateway() as shop:
            lost = await lab.reaches(shop, job.id, State.UNKNOWN)
            assert "the connection that was the job is gone" in lost.note
            assert lab.clock.now() - (lost.accepted_at or 0) < 30
            await lab.clock.advance(86400)
            assert len(lab.fake.orders) == 1
            assert await shop.balance() == (90, 10)


async def test_a_restart_before_the_first_word_leaves_it_unknown_too(tmp_path: Path) -> None:
    async with chats(tmp_path, saying(asyncio.Event())) as lab:
        async with lab.gateway() as shop:
            job = await shop.accept()
            await until(lambda: lab.fake.reading)
            await shop.supervisor.stop(grace=0)
        async with lab.gateway() as shop:
            await lab.reaches(shop, job.id, State.UNKNOWN)
            await lab.clock.advance(86400)
            assert len(lab.fake.orders) == 1


async def test_a_restart_before_the_file_is_here_leaves_the_price_to_an_administrator(tmp_path: Path) -> None:
    """The address came once. Nobody is asked for it for an hour: nobody has it."""
    not_served_yet = saying(frame(f"[点击这里]({ADDRESS}?part=2)\n"), DONE)
    async with chats(tmp_path, not_served_yet) as lab:
        async with lab.gateway() as shop:
            job = await lab.reaches(shop, (await shop.accept()).id, State.STORING)
        async with lab.gateway() as shop:
            failed = await lab.reaches(shop, job.id, State.FAILED)
            assert failed.error_code == "file_lost"
            assert await shop.balance() == (90, 10)


async def test_cancelling_stops_the_reading_and_settles(tmp_path: Path) -> None:
    async with chats(tmp_path, saying(WORKING, asyncio.Event())) as lab, lab.gateway() as shop:
        job = await lab.reaches(shop, (await shop.accept()).id, State.PROCESSING)
        await shop.supervisor.cancel(job)
        await lab.reaches(shop, job.id, State.CANCELLED)
        await until(lambda: lab.fake.reading == 0)
        assert await shop.balance() == (90, 0)


async def test_a_failure_in_words_gives_the_credits_back(tmp_path: Path) -> None:
    broken = saying(WORKING, frame("> ❌ 生成失败：提示词违反内容政策\n"), DONE)
    async with chats(tmp_path, broken) as lab, lab.gateway() as shop:
        failed = await lab.reaches(shop, (await shop.accept()).id, State.FAILED)
        assert (failed.error_code, failed.error_message) == (
            "moderation_blocked",
            "生成失败：提示词违反内容政策",
        )
        assert await shop.balance() == (100, 0)
        assert len(lab.fake.orders) == 1


async def test_only_a_person_has_it_paid_again(tmp_path: Path) -> None:
    async with chats(tmp_path, saying(WORKING, drop), saying(*EMOJI)) as lab, lab.gateway() as shop:
        job = await lab.reaches(shop, (await shop.accept()).id, State.UNKNOWN)
        await settle()
        await shop.supervisor.decide(job.id, PayAgain())
        done = await lab.reaches(shop, job.id, State.COMPLETED)
        assert done.external_id != job.external_id
        assert len(lab.fake.orders) == 2
        assert await shop.balance() == (90, 0)


# --- in a whole gateway --------------------------------------------------------------------------------------

RELAY = {"dialect": "chat-stream", "profile": "emoji", "models": {"sora-2": "sora_video2"}}


@asynccontextmanager
async def ann_at(data_dir: Path, fake: FakeChat, url: str) -> AsyncIterator[Person]:
    """Ann at a gateway that lives ten times as fast, in front of the relay."""
    fake.key = UPSTREAM_KEY
    settings = lab_settings(data_dir, url, upstream=RELAY)
    async with (
        running(settings, FastClock(10), CountingEntropy(fraction=0.0)) as gateway,
        person(gateway, credits=100) as ann,
    ):
        yield ann


@asynccontextmanager
async def served(root: Path, key: str) -> AsyncIterator[tuple[Program, Client]]:
    """A gateway that is a process of its own, and somebody with *key*."""
    serve = ("serve", "--config", str(root / "config.toml"), "--data-dir", str(root / "data"))
    async with (
        program(root / "gateway.log", "sora_gateway", *serve) as gateway,
        httpx.AsyncClient(
            base_url=gateway.address, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=20
        ) as http,
    ):
        yield gateway, Client(http)


async def test_an_order_over_the_api_becomes_a_file_that_is_the_relays(tmp_path: Path) -> None:
    more = asyncio.Event()
    fake = FakeChat([saying(*EMOJI[:4], more, *EMOJI[4:])])
    async with serving_raw(fake.handle) as server, ann_at(tmp_path, fake, server.url) as ann:
        task = await ann.make(size="1280x720", seconds=15)

        async def moved() -> bool:
            return bool((await ann.task(task["videoId"]))["progress"] == 36.0)

        await until(moved)
        more.set()
        done = await ann.comes_to(task["videoId"], "completed")
        assert (await ann.get(done["videoUrl"])).content == fake.file
        assert await ledger(ann, task) == ["hold", "settle"]
    assert [order.json["model"] for order in fake.orders] == ["sora_video2-landscape-15s"]


async def test_an_order_that_is_dropped_waits_for_an_administrator(tmp_path: Path) -> None:
    fake = FakeChat([saying(WORKING, drop)])
    async with serving_raw(fake.handle) as server, ann_at(tmp_path, fake, server.url) as ann:
        task = await ann.make()
        lost = await ann.comes_to(task["videoId"], "unknown", note="the connection ended")
        assert lost["status"] == "processing"
        await opportunity()
        assert await ledger(ann, task) == ["hold"]
        assert await outcomes(ann, task) == ["receipt"]
    assert len(fake.orders) == 1


async def test_a_gateway_that_is_killed_in_the_middle_pays_nothing_again(tmp_path: Path) -> None:
    """A process of its own, ``kill -9``, and a second one on the same directory."""
    key = await furnish(tmp_path / "data")
    fake = FakeChat([saying(WORKING, asyncio.Event())])
    async with serving_raw(fake.handle) as server:
        (tmp_path / "config.toml").write_text(
            f'[server]\nport = 0\n[media]\nmin_free_disk = 0\n[upstreams.lab]\ndialect = "chat-stream"\n'
            f'base_url = "{server.url}/v1"\nmodels = {{ "sora-2" = "sora_video2" }}\n',
            encoding="utf-8",
        )
        async with served(tmp_path, key) as (gateway, client):
            await client.make("a paper boat")
            task = await client.task_at({"processing"})
            assert await gateway.told(signal.SIGKILL) == -signal.SIGKILL
        async with served(tmp_path, key) as (gateway, client):
            lost = await client.task_at({"unknown"})
            assert lost["externalVideoId"] == task["externalVideoId"]
            await asyncio.sleep(1.5)
            assert (await client.task_at({"unknown"}))["videoId"] == task["videoId"]
    assert len(fake.orders) == 1
