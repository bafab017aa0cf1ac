"""``/metrics``: what stands in it after something happened, by Prometheus' own reading of the text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sora_gateway.core.job import ExternalId, State
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.core.tally import Histogram, Histograms, Tally
from sora_gateway.http.metering import OTHER
from sora_gateway.observing import catalogue
from sora_gateway.observing.calls import Calls, Measured
from sora_gateway.observing.fan_out import FanOut
from sora_gateway.upstream.adapter import Adapter, ContentTrouble, CreateOrder, Variant
from tests.canaries import leaks
from tests.fakes import ManualClock, ScriptedUpstream
from tests.gateways import workshop
from tests.http_calls import application, client_of, services
from tests.lab import Lab, at_the_lab
from tests.receivers import receiving
from tests.running import Person, person, running, settings_for
from tests.test_full_disk import no_room, refused, room_again

PROMPT = "a paper boat that nobody else knows of"

Numbers = dict[str, dict[frozenset[str], float]]
"""Sample -> the values of its labels -> its value."""


def read(text: str) -> Numbers:
    """What Prometheus would take in."""
    found: Numbers = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix(catalogue.PREFIX)
            found.setdefault(name, {})[frozenset(sample.labels.values())] = sample.value
    return found


async def scraped(one: Person) -> Numbers:
    answer = await one.http.get("/metrics", headers={"authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


def at(numbers: Numbers, name: str, *labels: str) -> float:
    return numbers[name][frozenset(labels)]


@asynccontextmanager
async def a_gateway(directory: Path, **sections: object) -> AsyncIterator[Person]:
    async with running(settings_for(directory, **sections)) as gateway, person(gateway, credits=100) as ann:
        yield ann


# --- one gateway, and everything that it counts ----------------------------------------------------------


async def test_what_happened_to_a_video_is_counted(tmp_path: Path) -> None:
    sections = {"credits": {"enabled": True}, "pricing": {"per_video": 7}}
    async with (
        receiving(204) as receiver,
        a_gateway(tmp_path, webhooks={"hosts": [receiver.host]}, **sections) as ann,
    ):
        assert (await ann.http.post("/api/webhooks", json={"url": receiver.url})).status_code == 201
        async with ann.live() as live:
            await live.say(type="subscribe", all=True)
            video = await ann.make(PROMPT)
            await live.until("completed")
            during = await scraped(ann)
        await receiver.gets(1)
        while True:
            if at(await scraped(ann), "webhook_tries_total", "delivered"):
                break
            await asyncio.sleep(0.01)
        await ann.http.request("BREW", "/teapot")
        for path in ("/nowhere/here", f"/api/video/tasks/{video['videoId']}", "/api/video/tasks/video_none"):
            await ann.http.get(path)
        numbers = await scraped(ann)
        text = (await ann.http.get("/metrics")).text

    # The video's way, and what it cost.
    for state in (State.QUEUED, State.SUBMITTING, State.PROCESSING, State.STORING, State.COMPLETED):
        assert at(numbers, "job_states_total", "simulator", state) == 1
    assert set(numbers["jobs"].values()) == {0}
    assert at(numbers, "credits_moved_total", "hold") == at(numbers, "credits_moved_total", "settle") == 7
    assert (at(numbers, "credits_held"), at(numbers, "credits_available")) == (0, 93)
    # What the upstream was asked, and how late its end was seen.
    assert at(numbers, "upstream_calls_total", "simulator", "create", "2xx") == 1
    assert at(numbers, "upstream_calls_total", "simulator", "look", "completed") == 1
    assert at(numbers, "upstream_calls_total", "simulator", "download", "opened") >= 1
    assert at(numbers, "upstream_call_duration_seconds_count", "simulator", "create") == 1
    assert 0 < at(numbers, "detection_delay_seconds_sum", "simulator") < 5
    assert at(numbers, "upstream_breaker_state", "simulator", "closed") == 1
    assert at(numbers, "upstream_breaker_state", "simulator", "open") == 0
    # Who was told.
    assert (at(during, "live_connections"), at(during, "live_subscriptions")) == (1, 1)
    assert at(numbers, "live_connections") == 0
    assert at(numbers, "events_total") == at(numbers, "fan_out_delay_seconds_count") >= 5
    # The store and the disk.
    assert at(numbers, "store_commit_duration_seconds_count") == at(numbers, "store_commit_units_count") > 5
    assert at(numbers, "store_wal_bytes") > 0
    assert 0 < at(numbers, "disk_free_bytes") < at(numbers, "disk_size_bytes")
    # Requests, by what is in the table and not by what was asked for.
    assert at(numbers, "http_requests_total", "/api/video/tasks", "POST", "2xx") == 1
    assert at(numbers, "http_requests_total", "/api/video/tasks/{id}", "GET", "4xx") == 1
    assert at(numbers, "http_requests_total", OTHER, "GET", "4xx") == 1
    assert at(numbers, "http_requests_total", OTHER, "4xx") == 1, (
        "whatever word a stranger takes for a method"
    )
    assert at(numbers, "http_requests_total", "/ws", "WEBSOCKET", "1xx") == 1
    assert at(numbers, "http_requests_in_progress") == 1, "the question itself"
    # Webhooks, and the process.
    assert at(numbers, "webhook_tries_total", "delivered") == 1
    assert at(numbers, "webhook_outbox_pending") == 0
    assert at(numbers, "process_open_fds") > 5
    assert at(numbers, "phase", "serving") == at(numbers, "storage_writable") == 1

    # Every metric of the catalogue and no other, and nothing in them that is anybody's.
    families = {family.name: family for family in text_string_to_metric_families(text)}
    said = {metric.full_name.removesuffix("_total"): metric for metric in catalogue.METRICS}
    assert set(families) == {*said, *(name.removesuffix("_total") for name in catalogue.PROCESS)}
    for name, metric in said.items():
        assert families[name].type == metric.form
        assert families[name].documentation == metric.help
        for sample in families[name].samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
    assert leaks(text) == []
    assert not [
        word
        for word in (PROMPT, ann.user_id, "example.org", video["videoId"], "nowhere", "BREW")
        if word in text
    ]


async def test_two_gateways_in_one_process_have_each_their_own_numbers(tmp_path: Path) -> None:
    async with a_gateway(tmp_path / "one") as one, a_gateway(tmp_path / "two") as two:
        await one.comes_to((await one.make())["videoId"], "completed")
        assert at(await scraped(one), "job_states_total", "simulator", "completed") == 1
        assert "job_states_total" not in await scraped(two)


async def test_an_upstream_that_is_out_of_order_shows(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        ann.gateway.upstreams.by_name["lab"].gate.hold("a person says so")
        video = await ann.make()
        await ann.comes_to(video["videoId"], "queued", "paused")
        numbers = await scraped(ann)
    assert at(numbers, "upstream_paused", "lab") == 1
    assert at(numbers, "jobs", "lab", "queued") == 1


async def test_a_disk_that_is_full_shows_and_readiness_comes_back_by_itself(tmp_path: Path) -> None:
    async with a_gateway(tmp_path) as ann:
        await ann.gateway.store.run(no_room)
        assert (await refused(ann.http)).status_code == 507
        numbers = await scraped(ann)
        assert (await ann.http.get("/ready")).status_code == 503
        assert (await ann.http.get("/health")).status_code == 200
        await ann.gateway.store.run(room_again)
        assert (await ann.http.get("/ready")).status_code == 200
    assert at(numbers, "store_commits_failed_total") >= 1
    assert at(numbers, "storage_writable") == 0


async def test_credits_are_read_on_from_where_they_were_read_to(tmp_path: Path) -> None:
    async with a_gateway(tmp_path, credits={"enabled": True}, pricing={"per_video": 3}) as ann:
        for so_far in (1, 2):
            await ann.comes_to((await ann.make())["videoId"], "completed")
            assert at(await scraped(ann), "credits_moved_total", "settle") == 3 * so_far
        totals = ann.gateway.store.totals
        assert (
            len({tuple(each.items()) for each in await asyncio.gather(*(totals.moved() for _ in range(5)))})
            == 1
        )


# --- the parts -----------------------------------------------------------------------------------------


def test_a_value_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram((1, 2, 4))
    for value in (0.5, 1, 1.5, 4, 5):
        histogram.add(value)
    assert (histogram.counts, histogram.total) == ([2, 1, 1, 1], 12)


def test_what_is_known_beforehand_is_there_with_nothing() -> None:
    tally, histograms = Tally([("good",), ("bad",)]), Histograms((1,))
    tally.add("good", by=2)
    histograms.add(3, "slow")
    assert dict(tally) == {("good",): 2, ("bad",): 0}
    assert [(labels, each.counts) for labels, each in histograms] == [(("slow",), [0, 1])]


def _event(seq: int) -> StoredEvent:
    return StoredEvent(seq, "video_1", "user_ann", seq, "", "{}", 0.0, final=False)


async def test_fan_out_is_timed_from_the_commit_also_where_an_update_gave_way_to_a_later_one() -> None:
    clock = ManualClock()
    fan_out = FanOut(clock)
    fan_out.committed([_event(1), _event(2)], clock.monotonic())
    await clock.advance(0.2)
    fan_out.committed([_event(3)], clock.monotonic())
    await clock.advance(0.1)
    fan_out.told([2])
    fan_out.told([3])
    assert fan_out.delays.total == pytest.approx(0.3 + 0.1)
    assert len(fan_out._committed) == 1, "what was told is forgotten"


@pytest.mark.parametrize(
    ("told", "late"),
    [
        pytest.param(3.0, 2.0, id="where the upstream says how long it took"),
        pytest.param(None, 2.5, id="where it does not: between two looks"),
    ],
)
async def test_how_late_the_end_of_a_video_is_seen(tmp_path: Path, told: float | None, late: float) -> None:
    """It is looked at five seconds after it was at work still, and has ended."""
    looks = [Look(LookKind.ALIVE, "running", 10.0), Look(LookKind.FAILED, code="failed", took=told)]
    upstream = ScriptedUpstream(looks=looks)
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.accept()
        await shop.reaches(job.id, State.FAILED)
        ((labels, delays),) = shop.supervisor.statistics().course.detection
    assert labels == ("lab",)
    assert delays.total == pytest.approx(late, abs=0.6)


async def test_calls_are_counted_by_what_came_of_them_also_when_they_break() -> None:
    clock = ManualClock()
    trouble = ContentTrouble(ContentTrouble.Kind.EXPIRED, "gone")
    scripted = ScriptedUpstream(
        creates=[CreateAnswer(not_sent="x"), CreateAnswer(lost="x"), CreateAnswer(status=503)],
        looks=[Look(LookKind.TROUBLE)],
        content_trouble=[trouble],
        stops_jobs=True,
    )
    calls = Calls(clock)
    upstream: Adapter = Measured(scripted, calls)
    order = CreateOrder("attempt_1", "a boat", "sora-2", 4, "1280x720")
    for _ in range(3):
        await upstream.create(order, 1.0)
    await upstream.create_character("boat", b"", "video/mp4", 1.0, "attempt_2")
    await upstream.look(ExternalId("ext-1"))
    await upstream.list_jobs()
    await upstream.cancel(ExternalId("ext-1"))
    await upstream.probe()
    with pytest.raises(ContentTrouble):
        async with upstream.open_content(ExternalId("ext-1"), None, Variant.VIDEO):
            raise AssertionError("it was not opened")
    # What happens to an open download is the download's business.
    with pytest.raises(KeyError):
        async with upstream.open_content(ExternalId("ext-1"), None, Variant.VIDEO):
            raise KeyError
    hanging = asyncio.create_task(upstream.create(order, 1.0))
    scripted.answering.clear()
    await asyncio.sleep(0)
    await clock.advance(3)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert {labels[1:]: number for labels, number in calls.outcomes} == {
        ("create", "not_sent"): 1,
        ("create", "lost"): 1,
        ("create", "5xx"): 1,
        ("create", "broken"): 1,
        ("create_character", "2xx"): 1,
        ("look", "trouble"): 1,
        ("list", "listed"): 1,
        ("cancel", "unsupported"): 1,
        ("probe", "ok"): 1,
        ("download", "expired"): 1,
        ("download", "opened"): 1,
    }
    assert dict(calls.seconds)["lab", "create"].total == pytest.approx(3)


async def test_what_asks_nobody_is_no_call() -> None:
    """A stream's looks are answered from memory, and a cancel where nobody takes one is none."""
    calls = Calls(ManualClock())
    upstream = Measured(ScriptedUpstream(looks_are_requests=False), calls)
    await upstream.look(ExternalId("ext-1"))
    await upstream.cancel(ExternalId("ext-1"))
    assert dict(calls.outcomes) == {}


async def test_strangers_cannot_make_up_labels() -> None:
    parts = services()
    async with client_of(application([], parts)) as client:
        for number in range(20):
            await client.request(f"WORD{number}", f"/{number}")
            await client.get(f"/{number}")
    assert {labels for labels, _ in parts.requests.answers} == {(OTHER, OTHER, "4xx"), (OTHER, "GET", "4xx")}
    assert len(list(parts.requests.seconds)) == 2
