"""``/ws`` over real sockets: who gets in, what they follow, how they come back, how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from sora_gateway.core import job as j
from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.live import Live, RealtimeLimits
from sora_gateway.realtime.mailbox import MAX_EVENTS
from sora_gateway.realtime.session import Session
from sora_gateway.store.accepting import NewJob, accept
from sora_gateway.store.events import EventScope, Replay
from tests.fakes import ManualClock
from tests.jobs import NOW, accepted, make_job, to_completed, to_processing, walk
from tests.listening import peer_of
from tests.live import LiveGateway, Watcher, live_gateway, until
from tests.stores import ADA, BEN, EPOCH, ROOT, VERA


@pytest.fixture(params=["the server's own lines", "plain ASGI"])
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[LiveGateway]:
    async with live_gateway(tmp_path, plain=request.param == "plain ASGI") as gateway:
        yield gateway


# --- who gets in -------------------------------------------------------------------------------------


async def test_a_program_comes_in_with_a_bearer_key(gateway: LiveGateway) -> None:
    async with gateway.handshake(authorization=f"Bearer {await gateway.key()}") as connection:
        ready = await Watcher(connection).next()
    assert ready == {"type": "ready", "cursor": f"{EPOCH}-0", "heartbeat": 15.0}


@pytest.mark.parametrize("header", ["Bearer sgw_wrong", "Bearer ", "Basic YTpi", "nonsense"])
async def test_a_wrong_header_is_refused_over_http(gateway: LiveGateway, header: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.handshake(authorization=header):
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "invalid_api_key"


async def test_a_page_comes_in_with_its_cookie_and_its_own_origin(gateway: LiveGateway) -> None:
    headers = {"cookie": f"sid={await gateway.session()}", "origin": "https://gateway.test"}
    async with gateway.handshake(**headers) as connection:
        assert (await Watcher(connection).next())["type"] == "ready"


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://gateway.test.evil.test", None])
async def test_a_cookie_from_another_origin_is_refused_before_accept(
    gateway: LiveGateway, origin: str | None
) -> None:
    headers = {"cookie": f"sid={await gateway.session()}"} | ({"origin": origin} if origin else {})
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.handshake(**headers):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "cross_origin"


async def test_a_page_whose_session_is_gone_is_told_to_sign_in(gateway: LiveGateway) -> None:
    async with gateway.handshake(cookie="sid=old", origin="https://gateway.test") as connection:
        assert await Watcher(connection).close_code() == CloseCode.NOT_AUTHENTICATED


async def test_a_key_wins_over_the_cookie_beside_it(gateway: LiveGateway) -> None:
    headers = {
        "cookie": f"sid={await gateway.session(BEN)}",
        "authorization": f"Bearer {await gateway.key(ADA)}",
    }
    job = await accepted(gateway.store)
    async with gateway.handshake(**headers) as connection:
        watcher = Watcher(connection)
        await watcher.next()
        assert (await watcher.ask(type="subscribe", videoId=job.id))["type"] == "subscribed"


async def test_the_first_message_may_authenticate(gateway: LiveGateway) -> None:
    async with gateway.handshake() as connection:
        watcher = Watcher(connection)
        assert (await watcher.ask(type="auth", token=await gateway.key()))["type"] == "ready"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "auth", "token": "sgw_wrong"}, CloseCode.NOT_AUTHENTICATED),
        ({"type": "subscribe", "all": True}, CloseCode.NOT_AUTHENTICATED),
        ({"type": "auth"}, CloseCode.BAD_MESSAGE),
    ],
)
async def test_any_other_first_message_ends_it(
    gateway: LiveGateway, first: dict[str, Any], code: CloseCode
) -> None:
    async with gateway.handshake() as connection:
        watcher = Watcher(connection)
        await watcher.say(**first)
        assert await watcher.close_code() == code


async def test_who_says_nothing_in_time_is_closed(tmp_path: Path) -> None:
    async with (
        live_gateway(tmp_path, limits=RealtimeLimits(auth_timeout=0.05)) as gateway,
        gateway.handshake() as connection,
    ):
        assert await Watcher(connection).close_code() == CloseCode.NOT_AUTHENTICATED


# --- following ---------------------------------------------------------------------------------------


async def test_a_job_is_followed_from_its_snapshot_to_its_end(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with gateway.socket() as watcher:
        answer = await watcher.ask(type="subscribe", videoId=job.id)
        await walk(gateway.store, job, *to_processing("ext-1"), *to_completed())
        updates = await watcher.until("done")

    assert (answer["type"], answer["topic"], answer["cursor"]) == (
        "subscribed", f"video:{job.id}", f"{EPOCH}-1",
    )  # fmt: skip
    assert [task["status"] for task in answer["tasks"]] == ["queued"]
    steps = [update["step"] for update in updates]
    assert steps == sorted(steps, key=[e.step for e in gateway.committed].index)
    last = updates[-1]
    assert (last["type"], last["status"], last["progress"], last["externalVideoId"]) == (
        "update", "completed", 100.0, "ext-1",
    )  # fmt: skip
    assert last["assets"] == {
        "videoUrl": f"/files/{job.id}/video?signature=x",
        "thumbnailUrl": f"/files/{job.id}/thumbnail?signature=x",
        "spritesheetUrl": f"/files/{job.id}/spritesheet?signature=x",
    }


async def test_either_id_and_everything_give_the_same_sequence(gateway: LiveGateway) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    topics: list[dict[str, Any]] = [{"videoId": job.id}, {"externalVideoId": "ext-1"}, {"all": True}]
    seen = []
    for topic in topics:
        async with gateway.socket() as watcher:
            await watcher.ask(type="subscribe", since=f"{EPOCH}-0", **topic)
            if job.state is j.State.PROCESSING:
                job = await walk(gateway.store, job, *to_completed())
            seen.append(await watcher.until("done"))
    assert [update["seq"] for update in seen[0]] == [1, 2, 3, 4, 5, 6]
    assert seen[0] == seen[1] == seen[2]


async def test_an_administrator_follows_everybody_and_others_themselves(gateway: LiveGateway) -> None:
    async with gateway.socket(ROOT) as root, gateway.socket(BEN) as ben, gateway.socket(VERA) as vera:
        for watcher in (root, ben, vera):
            assert (await watcher.ask(type="subscribe", all=True))["tasks"] == []
        job = await accepted(gateway.store, owner=ADA.user_id)
        assert (await root.next())["videoId"] == job.id
        await ben.silence()
        await vera.silence()


async def test_the_snapshot_of_everything_is_the_hundred_newest(gateway: LiveGateway) -> None:
    jobs = [make_job(created_at=NOW + number) for number in range(101)]
    await asyncio.gather(*(gateway.store.accept(job) for job in jobs))
    async with gateway.socket() as watcher:
        answer = await watcher.ask(type="subscribe", all=True)
    assert [task["videoId"] for task in answer["tasks"]] == [job.id for job in reversed(jobs[1:])]


@pytest.mark.parametrize("topic", ["videoId", "externalVideoId"])
async def test_what_is_anothers_and_what_does_not_exist_get_the_same_answer(
    gateway: LiveGateway, topic: str
) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    theirs = job.id if topic == "videoId" else "ext-1"
    async with gateway.socket(BEN) as ben:
        anothers = await ben.ask(type="subscribe", **{topic: theirs})
        missing = await ben.ask(type="subscribe", **{topic: "nothing"})
        await walk(gateway.store, job, *to_completed())
        await ben.silence()
    assert anothers["type"] == missing["type"] == "error"
    assert anothers["code"] == missing["code"] == "not_found"
    assert anothers["message"] == missing["message"]
    assert missing["topic"].endswith(":nothing")


async def test_an_external_id_can_be_awaited(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with gateway.socket() as watcher:
        answer = await watcher.ask(type="subscribe", externalVideoId="ext-9", pending=True)
        assert answer["tasks"] == []
        await walk(gateway.store, job, *to_processing("ext-9"), *to_completed())
        bound = await watcher.next()
        assert (bound["type"], bound["topic"]) == ("subscribed", "external:ext-9")
        assert bound["tasks"][0]["externalVideoId"] == "ext-9"
        if bound["tasks"][0]["status"] != "completed":
            updates = await watcher.until("done")
            assert all(update["seq"] > bound["tasks"][0]["seq"] for update in updates)


async def test_an_awaited_job_is_told_from_its_first_event_to_who_has_a_cursor(gateway: LiveGateway) -> None:
    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", externalVideoId="ext-9", pending=True, since=f"{EPOCH}-0")
        job = await accepted(gateway.store)
        await walk(gateway.store, job, *to_processing("ext-9"), *to_completed())
        assert (await watcher.next())["type"] == "subscribed"
        updates = await watcher.until("done")
    assert updates[0]["step"] == "accepted"
    assert [u["seq"] for u in updates[:3]] == [1, 2, 3]


async def test_another_persons_job_with_the_awaited_id_is_not_told(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store, owner=BEN.user_id)
    async with gateway.socket(ADA) as watcher:
        await watcher.ask(type="subscribe", externalVideoId="ext-9", pending=True)
        await walk(gateway.store, job, *to_processing("ext-9"))
        await watcher.silence()


async def test_an_awaited_id_that_is_there_already_is_simply_followed(gateway: LiveGateway) -> None:
    await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-9"))
    async with gateway.socket() as watcher:
        answer = await watcher.ask(type="subscribe", externalVideoId="ext-9", pending=True)
    assert [task["stage"] for task in answer["tasks"]] == ["processing"]


async def test_after_unsubscribing_nothing_comes(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", videoId=job.id)
        assert await watcher.ask(type="unsubscribe", videoId=job.id) == {
            "type": "unsubscribed", "topic": f"video:{job.id}",
        }  # fmt: skip
        await walk(gateway.store, job, *to_processing("ext-1"))
        await watcher.silence()


async def test_two_topics_that_both_fit_tell_an_event_once_and_in_order(gateway: LiveGateway) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", videoId=job.id)
        # The second asks for the past of what the first follows already: it would come after the present.
        await watcher.ask(type="subscribe", all=True, since=f"{EPOCH}-0")
        await walk(gateway.store, job, *to_completed())
        updates = await watcher.until("done")
    seqs = [update["seq"] for update in updates]
    assert seqs == sorted(set(seqs))
    assert seqs[0] > 3


async def test_topics_are_limited_but_the_same_one_can_be_asked_for_again(tmp_path: Path) -> None:
    async with live_gateway(tmp_path, limits=RealtimeLimits(topics=2)) as gateway:
        jobs = [await accepted(gateway.store) for _ in range(3)]
        async with gateway.socket() as watcher:
            for job in (jobs[0], jobs[1], jobs[1]):
                assert (await watcher.ask(type="subscribe", videoId=job.id))["type"] == "subscribed"
            refused = await watcher.ask(type="subscribe", videoId=jobs[2].id)
            assert (refused["type"], refused["code"]) == ("error", "too_many_topics")
            await watcher.ask(type="unsubscribe", videoId=jobs[0].id)
            assert (await watcher.ask(type="subscribe", videoId=jobs[2].id))["type"] == "subscribed"


# --- coming back -------------------------------------------------------------------------------------


async def test_who_comes_back_with_a_cursor_gets_exactly_what_was_missed(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", all=True)
        job = await walk(gateway.store, job, *to_processing("ext-1"))
        cursor = (await watcher.until("submitted"))[-1]["cursor"]
    await walk(gateway.store, job, *to_completed())
    async with gateway.socket() as watcher:
        answer = await watcher.ask(type="subscribe", all=True, since=cursor)
        assert (answer["type"], answer["cursor"]) == ("subscribed", cursor)
        assert [task["status"] for task in answer["tasks"]] == ["completed"]
        missed = await watcher.until("done")
        await watcher.silence()
    assert [update["step"] for update in missed] == ["progress", "downloading", "done"]
    assert missed[-1]["assets"]["videoUrl"]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("fedcba9876543210-1", "epoch"),
        (f"{EPOCH}-999", "unknown_cursor"),
        ("yesterday", "unknown_cursor"),
        (f"{EPOCH}-0", "too_many"),
    ],
)
async def test_a_cursor_that_cannot_be_honoured_is_answered_with_a_reset_and_a_snapshot(
    tmp_path: Path, cursor: str, reason: str
) -> None:
    async with live_gateway(tmp_path, limits=RealtimeLimits(replay=2)) as gateway:
        job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
        async with gateway.socket() as watcher:
            reset = await watcher.ask(type="subscribe", all=True, since=cursor)
            answer = await watcher.next()
            await walk(gateway.store, job, j.Observed(NOW, 40.0))
            update = await watcher.next()
    assert (reset["type"], reset["reason"], reset["cursor"]) == ("reset", reason, f"{EPOCH}-3")
    assert (answer["type"], answer["cursor"], len(answer["tasks"])) == ("subscribed", f"{EPOCH}-3", 1)
    assert update["cursor"] == f"{EPOCH}-4"


async def test_a_cursor_older_than_the_log_is_answered_with_a_reset(gateway: LiveGateway) -> None:
    await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    await gateway.store.run(lambda tx: tx.execute("DELETE FROM events WHERE seq <= 2").rowcount)
    async with gateway.socket() as watcher:
        assert (await watcher.ask(type="subscribe", all=True, since=f"{EPOCH}-1"))["reason"] == "too_old"
    async with gateway.socket() as watcher:
        # The first event that is missing is the first that is left: nothing is lost.
        assert (await watcher.ask(type="subscribe", all=True, since=f"{EPOCH}-2"))["type"] == "subscribed"
        assert (await watcher.next())["step"] == "submitted"


async def test_an_emptied_log_still_knows_whether_something_is_missing(gateway: LiveGateway) -> None:
    await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    await gateway.store.run(lambda tx: tx.execute("DELETE FROM events").rowcount)
    async with gateway.socket() as watcher:
        assert (await watcher.ask(type="subscribe", all=True, since=f"{EPOCH}-2"))["type"] == "reset"
        await watcher.next()
        assert (await watcher.ask(type="subscribe", all=True, since=f"{EPOCH}-3"))["type"] == "subscribed"


async def test_nothing_is_lost_or_doubled_while_attaching_under_fire(gateway: LiveGateway) -> None:
    """Jobs go on all the time; readers come, and come back, at any moment."""

    async def run_one() -> None:
        job = await accepted(gateway.store)
        await walk(gateway.store, job, *to_processing(f"ext-{job.id}"), *to_completed())

    async def watch(fired: asyncio.Task[None]) -> None:
        cursor = f"{EPOCH}-0"
        seen: list[dict[str, Any]] = []
        for _ in range(6):
            async with gateway.socket() as watcher:
                assert (await watcher.ask(type="subscribe", all=True, since=cursor))["type"] == "subscribed"
                for _ in range(7):
                    if fired.done() and int(cursor.split("-")[1]) == await gateway.store.head():
                        break
                    update = await watcher.next()
                    cursor = update["cursor"]
                    seen.append(update)
        async with gateway.socket() as watcher:
            await watcher.ask(type="subscribe", all=True, since=cursor)
            await fired
            while int(cursor.split("-")[1]) < len(gateway.committed):
                update = await watcher.next()
                cursor = update["cursor"]
                seen.append(update)
        cursors = [int(update["cursor"].split("-")[1]) for update in seen]
        assert cursors == sorted(set(cursors))
        finals = {event.job_id for event in gateway.committed if event.final}
        assert {update["videoId"] for update in seen if update["status"] == "completed"} == finals

    async def fire() -> None:
        for _ in range(8):
            await asyncio.gather(*(run_one() for _ in range(3)))

    fired = asyncio.create_task(fire())
    await asyncio.gather(*(watch(fired) for _ in range(4)))


async def test_what_is_committed_while_the_log_is_read_is_told_once(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    read = gateway.store.events_after

    async def read_late(scope: EventScope, seq: int, limit: int) -> Replay:
        await walk(gateway.store, job, *to_completed())
        return await read(scope, seq, limit)

    monkeypatch.setattr(gateway.store, "events_after", read_late)
    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", videoId=job.id, since=f"{EPOCH}-0")
        updates = await watcher.until("done")
        await watcher.silence()
    assert [update["seq"] for update in updates] in ([1, 2, 3, 4, 5, 6], [1, 2, 3, 6])


async def test_an_awaited_id_that_is_stored_while_it_is_looked_for_is_not_missed(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await accepted(gateway.store)
    find = gateway.store.find

    async def find_too_early(text: str, principal: Principal) -> j.Job:
        try:
            return await find(text, principal)
        finally:
            if text == "ext-9":
                await walk(gateway.store, job, *to_processing("ext-9"))

    monkeypatch.setattr(gateway.store, "find", find_too_early)
    async with gateway.socket() as watcher:
        answer = await watcher.ask(type="subscribe", externalVideoId="ext-9", pending=True)
        await watcher.silence()
    assert [task["stage"] for task in answer["tasks"]] == ["processing"]


async def test_what_an_awaited_job_was_is_not_left_to_who_still_awaits_it(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await accepted(gateway.store)
    read = gateway.store.events_after

    async def read_late(scope: EventScope, seq: int, limit: int) -> Replay:
        monkeypatch.undo()
        await walk(gateway.store, job, *to_processing("ext-9"))
        return await read(scope, seq, limit)

    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", externalVideoId="ext-9", pending=True, since=f"{EPOCH}-0")
        monkeypatch.setattr(gateway.store, "events_after", read_late)
        await watcher.say(type="subscribe", all=True, since=f"{EPOCH}-0")
        told = [await watcher.next() for _ in range(4)]
        await watcher.silence()
    assert [message["topic"] for message in told if message["type"] == "subscribed"] == [
        "all",
        "external:ext-9",
    ]
    assert [message["seq"] for message in told if message["type"] == "update"] == [1, 3]


async def test_what_one_topic_has_read_from_the_log_is_not_told_for_the_sake_of_another(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on its way to everybody while both begin."""
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
    live = Live(gateway.store, gateway.hub, gateway.accounts, gateway.clock, RealtimeLimits)
    publish = gateway.hub.publish
    on_its_way: list[StoredEvent] = []
    monkeypatch.setattr(gateway.hub, "publish", on_its_way.extend)
    await walk(gateway.store, job, j.UpstreamFailed(NOW, "moderation", "No."))
    with gateway.hub.connect(ADA) as mailbox:
        session = Session(live, mailbox)
        for topic, job_id in (("all", None), ("one", job.id)):
            subscription = gateway.hub.follow(mailbox, topic, job_id=job_id, since=f"{EPOCH}-3")
            attached = await session.attach(subscription)
            assert attached.missed == (1 if job_id is None else 0)
        publish(on_its_way)
        assert mailbox.take() is None


async def test_a_fresh_reader_never_sees_a_job_go_back(tmp_path: Path) -> None:
    """The snapshot may be newer than events that are still on their way: those are not told any more."""
    async with live_gateway(tmp_path, limits=RealtimeLimits(messages_per_second=10_000)) as gateway:
        await _watch_afresh_all_the_time(gateway)


async def _watch_afresh_all_the_time(gateway: LiveGateway) -> None:
    job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))

    async def progress() -> None:
        nonlocal job
        for percent in range(1, 80):
            job = await walk(gateway.store, job, j.Observed(NOW, float(percent)))

    async with gateway.socket() as watcher:
        moving = asyncio.create_task(progress())
        known = 0
        while not moving.done():
            await watcher.say(type="subscribe", videoId=job.id)
            while (message := await watcher.next())["type"] != "subscribed":
                assert message["seq"] > known
                known = message["seq"]
            assert message["tasks"][0]["seq"] >= known
            known = message["tasks"][0]["seq"]
        await moving
        while known < job.version:
            message = await watcher.next()
            assert message["seq"] > known
            known = message["seq"]


async def test_a_topic_that_is_left_takes_no_event_of_another_with_it(tmp_path: Path) -> None:
    """What is unread was left to the topic that was followed first."""
    async with live_gateway(tmp_path) as gateway:
        job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
        live = Live(gateway.store, gateway.hub, gateway.accounts, gateway.clock, RealtimeLimits)
        with gateway.hub.connect(ADA) as mailbox:
            session = Session(live, mailbox)
            everything = gateway.hub.follow(mailbox, "all")
            await session.attach(everything)
            await walk(gateway.store, job, j.UpstreamFailed(NOW, "moderation", "No."))
            one = gateway.hub.follow(mailbox, "one", job_id=job.id, since=f"{EPOCH}-3")
            attached = await session.attach(one)
            assert [message.kind for message in attached.messages] == ["subscribed"]
            gateway.hub.unfollow(everything)
            letter = mailbox.take()
            assert letter is not None
            assert letter.event.final
            assert mailbox.take() is None


async def test_who_is_ended_while_a_question_is_served_follows_nothing(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await accepted(gateway.store)
    find = gateway.store.find

    async def found_too_late(text: str, principal: Principal) -> j.Job:
        found = await find(text, principal)
        for mailbox in list(gateway.hub._mailboxes):
            mailbox.close(CloseCode.RESYNC)
        while gateway.hub._mailboxes:  # noqa: ASYNC110 - before its client answers the close
            await asyncio.sleep(0)
        return found

    monkeypatch.setattr(gateway.store, "find", found_too_late)
    async with gateway.socket() as watcher:
        await watcher.say(type="subscribe", videoId=job.id)
        assert await watcher.close_code() == CloseCode.RESYNC
    await until(lambda: not [t for t in asyncio.all_tasks() if t.get_name() == "live question"])
    assert not gateway.hub.watched(job)


# --- manners -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "null", '{"type":"dance"}', '{"type":"ping","extra":1}', '{"type":"subscribe"}',
        '{"type":"subscribe","videoId":"a","all":true}', '{"type":"subscribe","all":false}',
        '{"type":"subscribe","videoId":7}', "[" * 5000,
    ],
)  # fmt: skip
async def test_a_message_that_is_none_ends_the_connection(gateway: LiveGateway, text: str) -> None:
    async with gateway.socket() as watcher:
        await watcher.connection.send(text)
        assert await watcher.close_code() == CloseCode.BAD_MESSAGE
        assert watcher.connection.close_reason


async def test_binary_ends_the_connection(gateway: LiveGateway) -> None:
    async with gateway.socket() as watcher:
        await watcher.connection.send(b'{"type":"ping"}')
        assert await watcher.close_code() == CloseCode.BAD_MESSAGE


async def test_a_message_of_more_than_64_kib_ends_the_connection(gateway: LiveGateway) -> None:
    async with gateway.socket() as watcher:
        await watcher.connection.send("x" * 65537)
        assert await watcher.close_code() == CloseCode.TOO_BIG


async def test_thirty_messages_a_second_are_served_and_one_more_ends_it(tmp_path: Path) -> None:
    clock = ManualClock()
    async with live_gateway(tmp_path, clock=clock) as gateway, gateway.socket() as watcher:
        for _ in range(2):
            for _ in range(30):
                assert await watcher.ask(type="ping") == {"type": "pong"}
            await clock.advance(1.0)
        for _ in range(31):
            await watcher.say(type="ping")
        assert await watcher.close_code() == CloseCode.TOO_MANY_MESSAGES


async def test_compression_is_not_negotiated(gateway: LiveGateway) -> None:
    async with gateway.socket() as watcher:
        assert watcher.connection.response is not None
        assert "sec-websocket-extensions" not in watcher.connection.response.headers


async def test_many_changes_at_once_are_told_to_who_reads_them(gateway: LiveGateway) -> None:
    """More than a mailbox holds: what the line takes is not kept there."""
    async with gateway.socket(ROOT) as watcher:
        await watcher.ask(type="subscribe", all=True)
        jobs = [make_job() for _ in range(2 * MAX_EVENTS)]
        await gateway.store.run(lambda tx: accept(tx, [NewJob(job) for job in jobs]))
        seen = [(await watcher.next())["videoId"] for _ in jobs]
    assert seen == [job.id for job in jobs]


@pytest.mark.parametrize("plain", [False, True])
async def test_a_reader_that_is_too_slow_is_closed_and_comes_back_with_its_cursor(
    tmp_path: Path, plain: bool
) -> None:
    jobs: list[j.Job] = []
    async with live_gateway(tmp_path, limits=RealtimeLimits(replay=100_000), plain=plain) as gateway:
        async with gateway.socket(ROOT) as watcher:
            cursor = (await watcher.ask(type="subscribe", all=True))["cursor"]
            watcher.connection.transport.pause_reading()
            while not gateway.hub.statistics().too_slow:
                more = [make_job() for _ in range(100)]
                jobs += more
                await gateway.store.run(lambda tx, more=more: accept(tx, [NewJob(job) for job in more]))  # type: ignore[misc]
            watcher.connection.transport.resume_reading()
            assert await watcher.close_code() == CloseCode.TOO_SLOW
        async with gateway.socket(ROOT) as watcher:
            assert (await watcher.ask(type="subscribe", all=True, since=cursor))["type"] == "subscribed"
            seen = [(await watcher.next())["videoId"] for _ in jobs]
    assert seen == [job.id for job in jobs]


async def test_a_peer_that_never_reads_is_given_up_and_nobody_else_waits(tmp_path: Path) -> None:
    limits = RealtimeLimits(send_timeout=0.2)
    async with live_gateway(tmp_path, limits=limits) as gateway, peer_of(gateway.port) as deaf:
        job = await walk(gateway.store, await accepted(gateway.store), *to_processing("ext-1"))
        key = await gateway.key()
        await deaf.send(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {key}\r\n\r\n".encode()
        )
        await deaf.reader.readuntil(b"\r\n\r\n")
        await deaf.send(_masked(b'{"type":"subscribe","all":true}'))
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: gateway.hub.statistics().subscriptions == 1)
        async with gateway.socket() as watcher:
            await watcher.ask(type="subscribe", videoId=job.id)
            number = 0
            while gateway.hub.statistics().too_slow == 0:
                number += 1
                job = await walk(gateway.store, job, j.Waiting(NOW, f"{number} " + "x" * 50_000))
                assert (await watcher.next())["seq"] > 0
        await until(lambda: gateway.hub.statistics().connections == 0)


# --- the credential ----------------------------------------------------------------------------------


async def test_a_new_credential_keeps_the_connection_and_its_subscriptions(gateway: LiveGateway) -> None:
    job = await accepted(gateway.store)
    async with gateway.socket() as watcher:
        await watcher.ask(type="subscribe", videoId=job.id)
        assert (await watcher.ask(type="auth", token=await gateway.session()))["type"] == "ready"
        await walk(gateway.store, job, j.Claimed(NOW))
        assert (await watcher.next())["step"] == "submitting"


async def test_a_wrong_new_credential_ends_the_connection(gateway: LiveGateway) -> None:
    async with gateway.socket() as watcher:
        await watcher.say(type="auth", token="sgw_wrong")
        assert await watcher.close_code() == CloseCode.NOT_AUTHENTICATED


async def test_a_connection_does_not_change_hands(gateway: LiveGateway) -> None:
    async with gateway.socket(ADA) as watcher:
        await watcher.say(type="auth", token=await gateway.key(BEN))
        assert await watcher.close_code() == CloseCode.FORBIDDEN


async def test_a_revoked_key_ends_its_open_connections_within_half_a_minute(tmp_path: Path) -> None:
    clock = ManualClock()
    async with live_gateway(tmp_path, clock=clock) as gateway, gateway.socket() as watcher:
        await clock.advance(31)
        await watcher.silence()
        [key] = await gateway.accounts.keys(ADA.user_id)
        await gateway.accounts.revoke_key(ADA.user_id, key.id)
        await clock.advance(30)
        assert await watcher.close_code() == CloseCode.FORBIDDEN


# --- the end -----------------------------------------------------------------------------------------


async def test_a_stopping_gateway_says_1012_to_everyone(gateway: LiveGateway) -> None:
    async with gateway.socket(ADA) as ada, gateway.socket(BEN) as ben:
        await gateway.hub.close(CloseCode.RESTARTING)
        assert await ada.close_code() == await ben.close_code() == CloseCode.RESTARTING


async def test_a_connection_that_is_asked_nothing_has_no_task_and_one_that_ends_leaves_none(
    tmp_path: Path,
) -> None:
    def live_tasks() -> list[str]:
        return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("live"))

    async with live_gateway(tmp_path) as gateway:
        async with gateway.socket() as polite, gateway.socket() as rude:
            await polite.ask(type="subscribe", all=True)
            await until(lambda: live_tasks() == ["live rights"])
            rude.connection.transport.abort()
            await until(lambda: gateway.hub.statistics().connections == 1)
        await until(lambda: not live_tasks())
        await until(lambda: gateway.hub.statistics().connections == 0)


def _masked(payload: bytes) -> bytes:
    """One text frame as a client sends it, masked with zeros."""
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload
