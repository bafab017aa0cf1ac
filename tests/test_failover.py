"""A job that nobody has accepted yet goes where it can be made; one that may have been paid for stays where it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sora_gateway.core.budget import Budget
from sora_gateway.core.catalogue import Catalogue, Offer
from sora_gateway.core.job import ExternalId, Job, State
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.core.spend import Spend, Tariff
from sora_gateway.supervisor import Order
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream
from tests.fakes import ManualClock, ScriptedUpstream
from tests.gateways import OWNER, Workshop, workshop

UNREACHABLE = CreateAnswer(not_sent="no connection could be made")
BUSY = CreateAnswer(status=429, retry_after=5.0)
BROKEN = CreateAnswer(status=500)
NO_KEY = CreateAnswer(status=401)


@dataclass
class Pair:
    """Two upstreams that offer the same model; *first* is asked first."""

    shop: Workshop
    first: ScriptedUpstream
    second: ScriptedUpstream
    gates: dict[str, Gate]


@asynccontextmanager
async def two_upstreams(
    directory: Path,
    *,
    first: Sequence[CreateAnswer] = (),
    second: Sequence[CreateAnswer] = (),
    sizes: tuple[str, ...] = (),
    spend: Spend | None = None,
) -> AsyncIterator[Pair]:
    clock = ManualClock()
    upstreams = {
        "first": ScriptedUpstream("first", creates=list(first)),
        "second": ScriptedUpstream("second", creates=list(second)),
    }
    gates = {
        "first": Gate(clock, 0, 2, Budget(), spend),
        "second": Gate(clock, 0, 2),
    }
    catalogue = Catalogue(
        [Offer("first", {"sora-2": "one"}), Offer("second", {"sora-2": "two"}, sizes=sizes)],
    )
    wired = {
        name: Upstream(upstream, gates[name], PollPolicy(PolicyName.STEPPED))
        for name, upstream in upstreams.items()
    }
    async with workshop(
        directory, upstreams["first"], clock=clock, upstreams=wired, routes=catalogue.routes
    ) as shop:
        yield Pair(shop, upstreams["first"], upstreams["second"], gates)


async def accepted(pair: Pair, **more: object) -> Job:
    order = Order(OWNER, "a boat", "sora-2", "first", "one", 4, "1280x720", credits=10, **more)  # type: ignore[arg-type]
    return await pair.shop.supervisor.accept(order)


async def test_an_upstream_that_cannot_be_reached_is_passed_over_at_once(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, first=[UNREACHABLE]) as pair:
        job = await pair.shop.reaches((await accepted(pair)).id, State.PROCESSING, within=2)
        assert (job.upstream, job.upstream_model, job.attempt) == ("second", "two", 2)
        assert [order.model for order in pair.second.orders] == ["two"]
        assert await pair.shop.balance() == (90, 10)


async def test_a_busy_one_too_and_its_refusals_count_on(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, first=[BUSY], second=[BUSY]) as pair:
        job = await pair.shop.reaches((await accepted(pair)).id, State.FAILED)
        assert len(pair.first.orders) + len(pair.second.orders) == 5
        assert job.error_message is not None
        assert await pair.shop.balance() == (100, 0)


async def test_one_that_is_paused_gets_nothing_while_another_is_open(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, first=[NO_KEY]) as pair:
        jobs = [await accepted(pair) for _ in range(3)]
        for job in jobs:
            assert (await pair.shop.reaches(job.id, State.PROCESSING, within=5)).upstream == "second"
        assert len(pair.first.orders) <= 2
        later = await accepted(pair)
        assert (await pair.shop.reaches(later.id, State.PROCESSING, within=5)).upstream == "second"
        assert len(pair.first.orders) <= 2


async def test_a_doubtful_create_is_never_made_elsewhere(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, first=[BROKEN]) as pair:
        job = await pair.shop.reaches((await accepted(pair)).id, State.UNKNOWN)
        await pair.shop.clock.advance(600)
        assert (await pair.shop.job(job.id)).upstream == "first"
        assert pair.second.orders == []


async def test_when_nobody_can_take_it_it_waits_and_goes_to_whoever_opens(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path) as pair:
        for gate in pair.gates.values():
            gate.hold("an administrator paused it")
        job = await accepted(pair)
        await pair.shop.clock.advance(120)
        assert (await pair.shop.job(job.id)).state is State.QUEUED
        assert "paused" in (await pair.shop.job(job.id)).note
        pair.gates["first"].release()
        assert (await pair.shop.reaches(job.id, State.PROCESSING)).upstream == "first"


async def test_one_that_cannot_make_the_size_is_no_way_out(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, first=[UNREACHABLE], sizes=("720x1280",)) as pair:
        job = await accepted(pair)
        await pair.shop.clock.advance(5)
        assert (await pair.shop.job(job.id)).upstream == "first"
        assert pair.second.orders == []


async def test_a_remix_stays_with_the_upstream_that_has_the_video(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, first=[UNREACHABLE]) as pair:
        job = await accepted(pair, operation=Operation.REMIX, source_external_id=ExternalId("ext-1"))
        await pair.shop.clock.advance(5)
        assert (await pair.shop.job(job.id)).upstream == "first"
        assert pair.second.orders == []


async def test_a_reached_spend_cap_sends_the_next_job_elsewhere(tmp_path: Path) -> None:
    async with two_upstreams(tmp_path, spend=Spend(Tariff(cap=1, per_video=1))) as pair:
        jobs = [await accepted(pair) for _ in range(3)]
        found = [(await pair.shop.reaches(job.id, State.PROCESSING)).upstream for job in jobs]
        assert sorted(found) == ["first", "second", "second"]


async def test_a_reached_spend_cap_is_waited_for_where_there_is_no_other(tmp_path: Path) -> None:
    spend = Spend(Tariff(cap=1, per_video=1))
    async with two_upstreams(tmp_path, sizes=("720x1280",), spend=spend) as pair:
        jobs = [await accepted(pair) for _ in range(2)]
        await pair.shop.clock.advance(60)
        states = [(await pair.shop.job(job.id)).state for job in jobs]
        assert states == [State.PROCESSING, State.QUEUED]
        assert "spend cap" in (await pair.shop.job(jobs[1].id)).note
        await pair.shop.clock.advance(86400)
        assert len(pair.first.orders) == 2
