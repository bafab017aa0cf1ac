"""The ``chat-stream`` dialect over real sockets: what goes out, what proves acceptance, what a stream's end means."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sora_gateway.clock import Clock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, Outcome, OutcomeClass, classify
from sora_gateway.upstream import chat_reading, chat_stream
from sora_gateway.upstream.adapter import CancelAnswer, ContentTrouble, CreateOrder, Variant
from sora_gateway.upstream.addresses import AddressGuard
from sora_gateway.upstream.chat_parsing import Transcript
from sora_gateway.upstream.chat_profiles import CHAT_PROFILES
from sora_gateway.upstream.chat_reading import LINGER, LONGEST, SILENCE
from sora_gateway.upstream.chat_stream import ChatStreamAdapter
from sora_gateway.upstream.client import HttpClient
from tests.fake_chat import (
    ADDRESS,
    DONE,
    EMOJI,
    SHAPES,
    SORA2API,
    TASK_ID,
    FakeChat,
    data,
    drop,
    frame,
    playing,
    reset,
    saying,
    until,
)
from tests.fakes import ManualClock, settle
from tests.raw_server import Received, Wire, always, answer, serving_raw
from tests.upstream_cases import KEY, MAX_FILE

ORDER = CreateOrder("attempt_1", "a paper boat in the rain", "sora_video2", 10, "1280x720")
WORKING = frame("> 🏃 进度：36.0%\n\n")
Kind = ContentTrouble.Kind


@asynccontextmanager
async def relay(
    fake: FakeChat, profile: str = "generic", clock: Clock | None = None, guard: AddressGuard | None = None
) -> AsyncIterator[ChatStreamAdapter]:
    """An adapter in front of *fake*."""
    fake.key = KEY
    async with serving_raw(fake.handle) as server:
        adapter = ChatStreamAdapter(
            "lab",
            server.url,
            KEY,
            CHAT_PROFILES[profile],
            HttpClient(),
            max_file=MAX_FILE,
            clock=clock,
            guard=guard,
        )
        try:
            yield adapter
        finally:
            await adapter.aclose()


async def judged(adapter: ChatStreamAdapter, order: CreateOrder = ORDER, timeout: float = 10) -> Outcome:
    return classify(await adapter.create(order, timeout), adapter.rules)


async def accepted(adapter: ChatStreamAdapter, order: CreateOrder = ORDER) -> ExternalId:
    outcome = await judged(adapter, order)
    assert outcome.kind is OutcomeClass.RECEIPT, outcome
    assert outcome.external_id is not None
    return outcome.external_id


async def end_of(adapter: ChatStreamAdapter, job: ExternalId) -> Look:
    """What a look says once the stream is over."""

    async def over() -> bool:
        return (await adapter.look(job)).kind is not LookKind.ALIVE

    await until(over)
    return await adapter.look(job)


async def read(adapter: ChatStreamAdapter, job: ExternalId, url: str | None = None, offset: int = 0) -> bytes:
    async with adapter.open_content(job, url, Variant.VIDEO, offset) as content:
        assert content.offset == offset
        return b"".join([chunk async for chunk in content.chunks])


# --- what goes out ---------------------------------------------------------------------------------------


async def test_an_order_is_one_message_that_asks_for_a_stream() -> None:
    fake = FakeChat()
    async with relay(fake, "emoji") as adapter:
        await accepted(adapter)
    (order,) = fake.orders
    assert order.json == {
        "model": "sora_video2-landscape",
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a paper boat in the rain"}]}],
    }
    assert order.headers["authorization"] == f"Bearer {KEY}"
    assert order.headers["x-client-request-id"] == "attempt_1"


async def test_an_image_goes_along_in_the_message() -> None:
    fake = FakeChat()
    async with relay(fake) as adapter:
        await accepted(adapter, replace(ORDER, image=b"\x89PNG", image_type="image/png"))
    message = fake.orders[0].json["messages"][0]  # type: ignore[index]
    assert message["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,iVBORw=="},
    }


@pytest.mark.parametrize(
    ("profile", "size", "seconds", "model", "words"),
    [
        ("generic", "1280x720", 8, "m", "landscape video, 1280x720, 8 seconds"),
        ("generic", "720x720", 8, "m", "square video, 720x720, 8 seconds"),
        ("emoji", "1280x720", 10, "m-landscape", ""),
        ("emoji", "720x1280", 10, "m", ""),
        ("emoji", "720x1280", 15, "m-15s", ""),
        ("emoji", "1280x720", 15, "m-landscape-15s", ""),
        ("sora2api", "1280x720", 10, "m-landscape-10s", ""),
        ("sora2api", "720x1280", 25, "m-portrait-25s", ""),
        ("task-id", "720x1280", 10, "m", "竖屏，10秒"),
        ("task-id", "1024x900", 15, "m", "横屏，15秒"),
        ("tokens-pool", "1792x1024", 10, "m-landscape", ""),
        ("tokens-pool", "720x1280", 25, "m-portrait-25s", ""),
    ],
)
async def test_size_and_length_go_where_the_relay_looks_for_them(
    profile: str, size: str, seconds: int, model: str, words: str
) -> None:
    fake = FakeChat()
    async with relay(fake, profile) as adapter:
        await accepted(adapter, replace(ORDER, model="m", size=size, seconds=seconds))
    sent = fake.orders[0].json
    text = sent["messages"][0]["content"][0]["text"]  # type: ignore[index]
    assert (sent["model"], text) == (model, f"{ORDER.prompt}\n\n{words}" if words else ORDER.prompt)


async def test_what_a_relay_does_not_have_is_not_sent() -> None:
    fake = FakeChat()
    async with relay(fake) as adapter:
        for order in (
            replace(ORDER, operation=Operation.REMIX, source=ExternalId("x")),
            replace(ORDER, characters=("char_1",)),
        ):
            assert (await judged(adapter, order)).kind is OutcomeClass.NOT_SENT
        made = await adapter.create_character("Mossy", b"", "video/mp4", 10, "attempt_2")
        assert classify(made, adapter.rules).kind is OutcomeClass.NOT_SENT
        assert await adapter.list_jobs() == Look(
            LookKind.TROUBLE, message="a relay that chats has no list of jobs"
        )
    assert fake.orders == []


# --- from the order to the file ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_becomes_a_file(shape: str) -> None:
    fake = FakeChat([playing(shape)])
    async with relay(fake) as adapter:
        job = await accepted(adapter)
        look = await end_of(adapter, job)
        assert look.kind is LookKind.COMPLETED
        assert look.result_url is not None
        assert look.result_url.endswith("/x.mp4")
        assert await read(adapter, job, look.result_url) == fake.file
        # A watcher that has forgotten the address asks without it.
        assert await read(adapter, job, offset=100) == fake.file[100:]


async def test_a_stream_in_single_bytes_is_the_same_stream() -> None:
    whole = b"".join(EMOJI).replace(ADDRESS.encode(), b"https://example.org/x.mp4")
    fake = FakeChat([saying(*(whole[at : at + 1] for at in range(len(whole))))])
    async with relay(fake) as adapter:
        look = await end_of(adapter, await accepted(adapter))
    assert look.result_url == "https://example.org/x.mp4"


async def test_the_first_word_is_the_receipt_and_looks_tell_what_follows() -> None:
    more, rest = asyncio.Event(), asyncio.Event()
    fake = FakeChat([saying(*EMOJI[:3], more, *EMOJI[3:5], rest, *EMOJI[5:])])
    async with relay(fake) as adapter:
        job = await accepted(adapter)
        assert await adapter.look(job) in (Look(LookKind.ALIVE, "running"), Look(LookKind.ALIVE, "queued"))
        more.set()

        async def moved() -> bool:
            return (await adapter.look(job)).progress == 36.0

        await until(moved)
        with pytest.raises(ContentTrouble) as trouble:
            await read(adapter, job)
        assert trouble.value.kind is Kind.NOT_YET
        rest.set()
        assert (await end_of(adapter, job)).kind is LookKind.COMPLETED
    assert len(fake.orders) == 1


async def test_an_answer_that_is_no_stream_is_read_as_one() -> None:
    body: dict[str, object] = {
        "id": "x",
        "choices": [{"message": {"content": f"[下载视频]({ADDRESS})"}, "finish_reason": "stop"}],
    }
    fake = FakeChat([always(answer(200, body))])
    async with relay(fake) as adapter:
        assert (await end_of(adapter, await accepted(adapter))).result_url == ADDRESS


async def test_a_stream_that_is_compressed_unasked_is_read() -> None:
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in (WORKING, b"x" * 200_000)]
    rest = packer.compress(b"\n\n" + frame(f"[点击这里]({ADDRESS})\n") + DONE) + packer.flush()
    headers = "Content-Type: text/event-stream\r\nContent-Encoding: gzip"
    fake = FakeChat([saying(*pieces, rest, headers=headers), saying(WORKING, b"?", headers=headers)])
    async with relay(fake) as adapter:
        assert (await end_of(adapter, await accepted(adapter))).result_url == ADDRESS
        # What only says that it is compressed says nothing.
        assert (await judged(adapter)).kind is OutcomeClass.UNKNOWN


# --- under which id ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "shape", "external_id"),
    [
        ("task-id", TASK_ID, "task_01k7dzptgwf2z87wj2c3t36qk0"),
        ("generic", SORA2API, "chatcmpl-1700000000~attempt_1"),
        ("generic", EMOJI, "attempt_1"),
        ("task-id", EMOJI, "attempt_1"),
        ("generic", (frame("hello", response_id="no id/../"), DONE), "attempt_1"),
        ("generic", (frame("hello", response_id="x" * 500), DONE), "attempt_1"),
    ],
)
async def test_a_job_has_the_relays_id_or_one_that_nobody_else_has(
    profile: str, shape: tuple[bytes, ...], external_id: str
) -> None:
    async with relay(FakeChat([saying(*shape)]), profile) as adapter:
        assert await accepted(adapter) == external_id


async def test_relays_that_give_all_answers_one_id_confuse_nobody() -> None:
    last = asyncio.Event()
    one, two = (frame(f"> 🏃 进度：{n}%\n", response_id="chatcmpl-123") for n in (11, 22))
    fake = FakeChat([saying(one, last), saying(two, last)])
    async with relay(fake) as adapter:
        first, second = (
            await accepted(adapter),
            await accepted(adapter, replace(ORDER, attempt_id="attempt_2")),
        )
        assert first != second
        assert [(await adapter.look(job)).progress for job in (first, second)] == [11.0, 22.0]


async def test_two_orders_under_one_task_id_leave_the_first_as_it_is() -> None:
    """The supervisor refuses the second receipt: that id is another job's."""
    hold = asyncio.Event()
    fake = FakeChat([saying(frame("> ID: `task_1`\n> 🏃 进度：11%\n"), hold), saying(*TASK_ID)])
    fake.answers[1] = saying(frame("> ID: `task_1`\n> 🏃 进度：99%\n"), hold)
    async with relay(fake, "task-id") as adapter:
        assert await accepted(adapter) == await accepted(adapter, replace(ORDER, attempt_id="attempt_2"))
        await until(lambda: fake.reading == 1)
        assert (await adapter.look(ExternalId("task_1"))).progress == 11.0


# --- before the first word -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (500, OutcomeClass.REFUSED_FOR_NOW),
        (503, OutcomeClass.REFUSED_FOR_NOW),
        (429, OutcomeClass.REFUSED_FOR_NOW),
        (400, OutcomeClass.REFUSED),
        (404, OutcomeClass.REFUSED),
        (401, OutcomeClass.OUT_OF_ORDER),
        (402, OutcomeClass.OUT_OF_ORDER),
        (403, OutcomeClass.OUT_OF_ORDER),
        (408, OutcomeClass.UNKNOWN),
        (502, OutcomeClass.UNKNOWN),
        (504, OutcomeClass.UNKNOWN),
        (302, OutcomeClass.UNKNOWN),
    ],
)
async def test_a_status_instead_of_a_stream(status: int, outcome: OutcomeClass) -> None:
    refusal = answer(status, {"error": {"message": "no channel", "type": "new_api_error"}})
    fake = FakeChat([always(refusal)])
    async with relay(fake) as adapter:
        assert (await judged(adapter)).kind is outcome
        assert (await adapter.look(ExternalId("attempt_1"))).kind is LookKind.LOST


async def test_a_refusal_says_when_to_come_back_and_why() -> None:
    refusal = answer(503, {"error": {"message": "no channel"}}, {"Retry-After": "7"})
    async with relay(FakeChat([always(refusal)])) as adapter:
        outcome = await judged(adapter)
    assert (outcome.kind, outcome.message, outcome.retry_after) == (
        OutcomeClass.REFUSED_FOR_NOW,
        "no channel",
        7.0,
    )


async def test_moderation_instead_of_a_stream_is_a_refusal() -> None:
    refusal = answer(403, {"error": {"message": "no", "code": "content_policy_violation"}})
    async with relay(FakeChat([always(refusal)])) as adapter:
        outcome = await judged(adapter)
    assert (outcome.kind, outcome.code) == (OutcomeClass.REFUSED, "moderation_blocked")


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [
        (
            (b":\n\n", data({"error": {"message": "no", "type": "server_error"}})),
            OutcomeClass.REFUSED_FOR_NOW,
        ),
        ((frame(role=True), data({"error": {"message": "内容违规"}})), OutcomeClass.REFUSED),
        ((data({"error": {"message": "no", "code": 504}}),), OutcomeClass.UNKNOWN),
        ((DONE,), OutcomeClass.UNKNOWN),
        ((frame(role=True), frame(""), frame(finish="stop"), DONE), OutcomeClass.UNKNOWN),
        ((frame(role=True), drop), OutcomeClass.UNKNOWN),
        ((b":\n\n", reset), OutcomeClass.UNKNOWN),
        ((b"<html>Just a moment...</html>",), OutcomeClass.UNKNOWN),
        ((), OutcomeClass.UNKNOWN),
    ],
)
async def test_a_stream_that_ends_before_the_first_word(
    stream: tuple[object, ...], outcome: OutcomeClass
) -> None:
    async with relay(FakeChat([saying(*stream)])) as adapter:  # type: ignore[arg-type]
        assert (await judged(adapter)).kind is outcome


@pytest.mark.parametrize(
    "bytes_",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        answer(500, b"{}", {"Content-Length": "100"}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    ],
)
async def test_a_broken_answer_proves_nothing(bytes_: bytes) -> None:
    async with relay(FakeChat([always(bytes_)])) as adapter:
        assert (await judged(adapter)).kind is OutcomeClass.UNKNOWN


async def test_nobody_there_is_not_sent() -> None:
    async with serving_raw(always(b"")) as server:
        url = server.url
    adapter = ChatStreamAdapter("lab", url, KEY, CHAT_PROFILES["generic"], HttpClient(), max_file=MAX_FILE)
    assert (await judged(adapter)).kind is OutcomeClass.NOT_SENT
    await adapter.aclose()


async def hang(_: Received, wire: Wire) -> None:
    await wire.hang()


async def test_a_relay_that_never_answers_is_given_up_in_time() -> None:
    fake = FakeChat([hang])
    async with relay(fake) as adapter:
        outcome = await judged(adapter, timeout=0.2)
        assert (outcome.kind, outcome.message) == (
            OutcomeClass.UNKNOWN,
            "no complete answer within 0.18 seconds",
        )
        await until(lambda: fake.reading == 0)


async def test_an_open_stream_without_a_word_is_a_receipt_after_half_the_time() -> None:
    """It has not refused, and what it makes will come out of this connection and no other."""
    go = asyncio.Event()
    fake = FakeChat([saying(b":\n\n", go, *EMOJI)])
    async with relay(fake) as adapter:
        outcome = await judged(adapter, timeout=0.4)
        assert outcome.kind is OutcomeClass.RECEIPT
        assert outcome.external_id is not None
        assert (await adapter.look(outcome.external_id)).kind is LookKind.ALIVE
        go.set()
        assert (await end_of(adapter, outcome.external_id)).kind is LookKind.COMPLETED


async def test_an_error_object_after_such_a_receipt_is_a_failure() -> None:
    go = asyncio.Event()
    fake = FakeChat([saying(b":\n\n", go, data({"error": {"message": "no account"}}))])
    async with relay(fake) as adapter:
        job = classify(await adapter.create(ORDER, 0.4), adapter.rules).external_id
        assert job is not None
        go.set()
        look = await end_of(adapter, job)
    assert (look.kind, look.message) == (LookKind.FAILED, "no account")


# --- how it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "kind", "message"),
    [
        ((WORKING, drop), LookKind.LOST, "the connection ended in the middle of the answer before the video was ready"),
        ((WORKING, reset), LookKind.LOST, "the connection broke before the video was ready"),
        ((WORKING,), LookKind.LOST, "the upstream ended the connection before the video was ready"),
        ((WORKING, DONE), LookKind.LOST, "the upstream's answer ended without a video: > 🏃 进度：36.0%"),
        ((WORKING, data({"error": {"message": "it broke"}})), LookKind.FAILED, "it broke"),
        ((WORKING, frame("> ❌ 生成失败: 服务器繁忙\n"), DONE), LookKind.FAILED, "生成失败: 服务器繁忙"),
        ((WORKING, frame("> ❌ 生成失败: 服务器繁忙\n"), drop), LookKind.FAILED, "生成失败: 服务器繁忙"),
        ((frame(f"[点击这里]({ADDRESS})\n"), drop), LookKind.COMPLETED, ""),
        ((frame(f"[点击这里]({ADDRESS})\n"), reset), LookKind.COMPLETED, ""),
        ((frame(ADDRESS), drop), LookKind.LOST, "the connection ended in the middle of the answer before the video was ready"),
    ],
)  # fmt: skip
async def test_after_the_first_word_an_end_is_what_was_said_or_lost(
    stream: tuple[object, ...], kind: LookKind, message: str
) -> None:
    fake = FakeChat([saying(*stream)])  # type: ignore[arg-type]
    async with relay(fake) as adapter:
        look = await end_of(adapter, await accepted(adapter))
        assert (look.kind, look.message) == (kind, message)
    assert len(fake.orders) == 1


async def test_moderation_in_words_is_told_as_that() -> None:
    fake = FakeChat([saying(frame("> ❌ 生成失败：提示词违反内容政策\n"), DONE)])
    async with relay(fake) as adapter:
        look = await end_of(adapter, await accepted(adapter))
    assert (look.kind, look.code) == (LookKind.FAILED, "moderation_blocked")


async def test_a_stream_that_stays_open_after_the_last_word_is_left() -> None:
    clock = ManualClock()
    fake = FakeChat([saying(frame(f"[点击这里]({ADDRESS})\n"), asyncio.Event())])
    async with relay(fake, clock=clock) as adapter:
        job = await accepted(adapter)
        await settle()
        assert (await adapter.look(job)).kind is LookKind.ALIVE
        await clock.advance(LINGER)
        assert (await end_of(adapter, job)).result_url is not None
        await until(lambda: fake.reading == 0)


async def test_signs_of_life_keep_a_finished_stream_from_nothing() -> None:
    clock, beat = ManualClock(), asyncio.Event()
    fake = FakeChat([saying(frame(f"[点击这里]({ADDRESS})\n"), beat, b":\n\n", asyncio.Event())])
    async with relay(fake, clock=clock) as adapter:
        job = await accepted(adapter)
        clock._now += LINGER
        beat.set()
        assert (await end_of(adapter, job)).kind is LookKind.COMPLETED


async def test_silence_ends_a_stream_and_signs_of_life_do_not() -> None:
    clock, beats = ManualClock(), [asyncio.Event() for _ in range(3)]
    steps = [step for beat in beats for step in (beat, b":\n\n")]
    fake = FakeChat([saying(WORKING, *steps, asyncio.Event())])
    async with relay(fake, clock=clock) as adapter:
        job = await accepted(adapter)
        (chat,) = adapter._chats.values()
        for beat in beats:
            await clock.advance(SILENCE - 1)
            beat.set()
            await until(lambda: chat._heard == clock.now())
        assert (await adapter.look(job)).progress == 36.0
        await clock.advance(SILENCE)
        look = await end_of(adapter, job)
    assert (look.kind, look.message) == (
        LookKind.LOST,
        "the upstream fell silent before the video was ready",
    )


async def test_half_an_hour_is_enough_for_a_stream() -> None:
    clock, beat = ManualClock(), asyncio.Event()
    fake = FakeChat([saying(WORKING, beat, b":\n\n", asyncio.Event())])
    async with relay(fake, clock=clock) as adapter:
        job = await accepted(adapter)
        clock._now += LONGEST
        beat.set()
        look = await end_of(adapter, job)
    assert (look.kind, look.message) == (LookKind.LOST, "the video was not ready within 30 minutes")


async def test_a_stream_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_reading, "MAX_STREAM", 100_000)
    fake = FakeChat([saying(WORKING, *[b": nothing\n" * 1000] * 20, asyncio.Event())])
    async with relay(fake) as adapter:
        look = await end_of(adapter, await accepted(adapter))
    assert (look.kind, look.message) == (LookKind.LOST, "the upstream's answer has no end")


@pytest.mark.parametrize("breaks_at", ["feed", "last"])
async def test_a_bug_in_reading_leaves_nobody_waiting(
    breaks_at: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Transcript, breaks_at, broken)
    async with relay(FakeChat([saying(WORKING, DONE)])) as adapter:
        outcome = await judged(adapter)
        if outcome.external_id is not None:
            assert (await end_of(adapter, outcome.external_id)).kind is LookKind.LOST
        else:
            assert outcome.kind is OutcomeClass.UNKNOWN
        await until(lambda: not adapter._tasks)
    assert "attempt_1: reading its stream broke" in caplog.text


async def test_ends_are_remembered_up_to_a_bound_and_running_streams_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_stream, "KEPT", 2)
    fake = FakeChat([saying(WORKING, asyncio.Event()), saying(*EMOJI)])
    async with relay(fake) as adapter:
        running = await accepted(adapter)
        jobs = []
        for number in range(2, 6):
            jobs.append(await accepted(adapter, replace(ORDER, attempt_id=f"attempt_{number}")))
            await end_of(adapter, jobs[-1])
            await until(lambda: len(adapter._tasks) == 1)  # an end is told before it is counted
            # Asked for again and again, the first is the last to go.
            await adapter.look(jobs[0])
        kinds = [(await adapter.look(job)).kind for job in [running, *jobs]]
    assert kinds == [
        LookKind.ALIVE, LookKind.COMPLETED, LookKind.LOST, LookKind.LOST, LookKind.COMPLETED
    ]  # fmt: skip


# --- when we end it ------------------------------------------------------------------------------------------------


async def test_cancelling_stops_reading_and_is_confirmed_by_nobody() -> None:
    fake = FakeChat([saying(WORKING, asyncio.Event())])
    async with relay(fake) as adapter:
        job = await accepted(adapter)
        assert await adapter.cancel(job) is CancelAnswer.UNSUPPORTED
        assert (await adapter.look(job)).kind is LookKind.LOST
        await until(lambda: fake.reading == 0)
        assert await adapter.cancel(ExternalId("attempt_9")) is CancelAnswer.UNSUPPORTED


async def test_cancelling_too_late_leaves_the_video() -> None:
    fake = FakeChat([saying(frame(f"[点击这里]({ADDRESS})\n"), asyncio.Event())])
    async with relay(fake, clock=ManualClock()) as adapter:
        job = await accepted(adapter)
        assert await adapter.cancel(job) is CancelAnswer.FINISHED
        assert (await adapter.look(job)).kind is LookKind.COMPLETED


async def test_closing_ends_every_stream_and_sends_nothing_any_more() -> None:
    before = asyncio.all_tasks()
    fake = FakeChat([saying(WORKING, asyncio.Event())])
    async with relay(fake) as adapter:
        jobs = [await accepted(adapter, replace(ORDER, attempt_id=f"attempt_{n}")) for n in range(3)]
        await adapter.aclose()
        assert not adapter._tasks
        assert {(await adapter.look(job)).kind for job in jobs} == {LookKind.LOST}
        assert (await judged(adapter)).kind is OutcomeClass.NOT_SENT
    assert len(fake.orders) == 3
    assert asyncio.all_tasks() == before


async def test_a_create_that_is_cancelled_leaves_no_stream_behind() -> None:
    fake = FakeChat([hang])
    async with relay(fake) as adapter:
        create: asyncio.Task[CreateAnswer] = asyncio.create_task(adapter.create(ORDER, 60))
        await until(lambda: fake.reading)
        create.cancel()
        with pytest.raises(asyncio.CancelledError):
            await create
        assert not adapter._tasks
        await until(lambda: fake.reading == 0)


# --- files ------------------------------------------------------------------------------------------------------------


async def test_the_key_goes_to_the_relay_and_to_nobody_else() -> None:
    fake, elsewhere = FakeChat(), FakeChat()

    async def anywhere(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with relay(fake, guard=anywhere) as adapter, serving_raw(elsewhere.handle) as other:
        job = await accepted(adapter)
        await end_of(adapter, job)
        await read(adapter, job)
        assert await read(adapter, job, f"{other.url}/x.mp4") == elsewhere.file
    assert fake.downloads[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in elsewhere.downloads[0].headers


async def test_a_private_address_is_not_fetched() -> None:
    other = FakeChat()
    async with relay(FakeChat()) as adapter, serving_raw(other.handle) as server:
        job = await accepted(adapter)
        with pytest.raises(ContentTrouble) as trouble:
            await read(adapter, job, f"{server.url}/x.mp4")
    assert trouble.value.kind is Kind.NOT_MEDIA
    assert other.downloads == []


async def test_a_file_without_an_address_is_gone_and_there_are_no_stills() -> None:
    async with relay(FakeChat()) as adapter:
        with pytest.raises(ContentTrouble) as gone:
            await read(adapter, ExternalId("attempt_of_an_earlier_process"))
        assert gone.value.kind is Kind.GONE
        with pytest.raises(ContentTrouble) as unsupported:
            async with adapter.open_content(ExternalId("attempt_1"), None, Variant.THUMBNAIL):
                pass
        assert unsupported.value.kind is Kind.UNSUPPORTED


# --- the account --------------------------------------------------------------------------------------------------------


async def test_a_probe_spends_nothing_and_says_what_is_wrong() -> None:
    fake = FakeChat()
    async with relay(fake) as adapter:
        assert await adapter.probe() == "ok: it answers and takes our key."
        fake.key = "another"
        assert await adapter.probe() == "The upstream refuses our key or account (HTTP 401)."
    assert fake.orders == []
    async with serving_raw(always(answer(200, "<html>"))) as server:
        adapter = ChatStreamAdapter(
            "lab", server.url, "", CHAT_PROFILES["generic"], HttpClient(), max_file=MAX_FILE
        )
        assert "has no list of models (HTTP 200)" in await adapter.probe()
        assert "authorization" not in server.requests[0].headers
    assert "cannot be reached" in await adapter.probe()
    await adapter.aclose()


@pytest.mark.parametrize(
    ("url", "key"), [("ftp://host", "k"), ("http://host", "k\n2"), ("http://host", "ключ")]
)
def test_an_account_that_cannot_work_is_told_at_once(url: str, key: str) -> None:
    with pytest.raises(ValueError, match=r"not an http address|cannot be sent"):
        ChatStreamAdapter("lab", url, key, CHAT_PROFILES["generic"], HttpClient(), max_file=MAX_FILE)
