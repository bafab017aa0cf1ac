"""The hub tells everyone who follows a job, in order, and never waits for a slow one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core import job as j
from sora_gateway.core.job import Event, ExternalId, Job, advance
from sora_gateway.core.messages import StoredEvent, stored_state
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime import hub as hub_module
from sora_gateway.realtime.framing import text_frame
from sora_gateway.realtime.hub import SLICE, Hub
from sora_gateway.realtime.mailbox import MAX_BYTES, MAX_EVENTS, Mailbox
from tests.fake_line import FakeSocketLine
from tests.fakes import settle
from tests.jobs import NOW, make_job
from tests.live import urls_of
from tests.stores import ADA, BEN, EPOCH, ROOT


class Log:
    """Makes events as the store would: one global sequence, the jobs' own beside it."""

    def __init__(self) -> None:
        self.seq = 0

    def accept(self, job: Job) -> StoredEvent:
        return self._event(job, None)

    def change(self, job: Job, event: Event, variants: Sequence[str] = ()) -> tuple[Job, StoredEvent]:
        after = advance(job, event)
        assert after is not job
        return after, self._event(after, event, variants)

    def _event(self, job: Job, event: Event | None, variants: Sequence[str] = ()) -> StoredEvent:
        self.seq += 1
        step, payload = stored_state(job, event, NOW, variants)
        return StoredEvent(self.seq, job.id, job.owner, job.version, step, payload, NOW, job.ended)


def letters(mailbox: Mailbox) -> list[dict[str, Any]]:
    """Everything unread, as its reader gets it."""
    read = []
    while letter := mailbox.take():
        read.append(json.loads(letter.text))
    return read


def processing(log: Log, **overrides: Any) -> Job:
    job = make_job(**overrides)
    log.accept(job)
    job, _ = log.change(job, j.Claimed(NOW))
    job, _ = log.change(job, j.Accepted(NOW, ExternalId(f"ext-{job.id}")))
    return job


@contextmanager
def watching(hub: Hub, principal: Principal, **what: Any) -> Iterator[Mailbox]:
    with hub.connect(principal) as mailbox:
        hub.follow(mailbox, "test", **what)
        yield mailbox


@pytest.fixture
async def hub() -> Hub:
    return Hub(EPOCH, urls_of)


async def test_an_event_reaches_those_who_follow_its_job_its_owner_or_everybody(hub: Hub) -> None:
    log = Log()
    job, other = make_job(), make_job()
    with (
        watching(hub, ADA, job_id=job.id) as one,
        watching(hub, ADA) as mine,
        watching(hub, ROOT) as everybody,
        watching(hub, BEN) as stranger,
    ):
        hub.publish([log.accept(job), log.accept(other)])
        assert [update["videoId"] for update in letters(one)] == [job.id]
        assert [update["videoId"] for update in letters(mine)] == [job.id, other.id]
        assert [update["videoId"] for update in letters(everybody)] == [job.id, other.id]
        assert letters(stranger) == []


async def test_even_a_subscription_to_the_job_shows_a_stranger_nothing(hub: Hub) -> None:
    log = Log()
    job = make_job()
    with watching(hub, BEN, job_id=job.id) as stranger:
        hub.publish([log.accept(job)])
        assert letters(stranger) == []


async def test_a_reader_with_two_subscriptions_that_fit_gets_an_event_once(hub: Hub) -> None:
    log = Log()
    job = make_job()
    with watching(hub, ADA) as mailbox:
        hub.follow(mailbox, "one", job_id=job.id)
        hub.publish([log.accept(job)])
        assert len(letters(mailbox)) == 1


async def test_unread_progress_is_replaced_and_final_states_are_kept(hub: Hub) -> None:
    log = Log()
    slow, quick = processing(log), processing(log)
    with watching(hub, ADA) as mailbox:
        for percent in (10.0, 20.0, 30.0):
            slow, event = log.change(slow, j.Observed(NOW, percent))
            hub.publish([event])
            quick, event = log.change(quick, j.Observed(NOW, percent))
            hub.publish([event])
        quick, failed = log.change(quick, j.UpstreamFailed(NOW, "moderation", "No."))
        quick, deleted = log.change(quick, j.Deleted(NOW))
        hub.publish([failed, deleted])

        read = letters(mailbox)

    assert [(u["videoId"], u["step"]) for u in read] == [
        (slow.id, "progress"), (quick.id, "failed"), (quick.id, "deleted"),
    ]  # fmt: skip
    assert read[0]["progress"] == 30.0
    cursors = [int(update["cursor"].split("-")[1]) for update in read]
    assert cursors == sorted(cursors)
    assert hub.statistics().merged == 5


async def test_the_message_of_an_event_is_made_once_for_all_its_readers() -> None:
    log = Log()
    signed = []

    def signing(job_id: str, variants: Sequence[str]) -> Mapping[str, str]:
        signed.append(job_id)
        return urls_of(job_id, variants)

    hub = Hub(EPOCH, signing)
    job = processing(log)
    job, _ = log.change(job, j.UpstreamCompleted(NOW))
    with watching(hub, ADA) as first, watching(hub, ADA, job_id=job.id) as second:
        job, event = log.change(job, j.Stored(NOW), ["thumbnail", "video"])
        hub.publish([event])
        assert first.take() is second.take()
    assert signed == [job.id]


async def test_a_completed_jobs_update_has_addresses_of_the_files_that_are_stored(hub: Hub) -> None:
    log = Log()
    job = processing(log)
    job, _ = log.change(job, j.UpstreamCompleted(NOW))
    with watching(hub, ADA) as mailbox:
        job, event = log.change(job, j.Stored(NOW), ["video"])
        hub.publish([event])
        [update] = letters(mailbox)
    assert update["assets"]["videoUrl"].startswith(f"/files/{job.id}/video?signature=")
    assert update["assets"]["thumbnailUrl"] is None
    assert "variants" not in update


async def test_an_event_that_nobody_follows_costs_no_message() -> None:
    def never(job_id: str, variants: Sequence[str]) -> Mapping[str, str]:
        raise AssertionError("signed for nobody")

    hub = Hub(EPOCH, never)
    log = Log()
    job = processing(log)
    job, _ = log.change(job, j.UpstreamCompleted(NOW))
    job, event = log.change(job, j.Stored(NOW), ["video"])
    hub.publish([event])
    assert hub.statistics().published == 1


async def test_a_reader_that_falls_too_many_jobs_behind_is_given_up_and_the_others_go_on(hub: Hub) -> None:
    log = Log()
    with hub.connect(ADA) as slow, hub.connect(ADA) as quick:
        hub.follow(slow, "all")
        hub.follow(quick, "all")
        for _ in range(MAX_EVENTS):
            hub.publish([log.accept(make_job())])
            quick.take()
        assert not slow.closed.done()
        hub.publish([log.accept(make_job())])

        assert slow.closed.result() is CloseCode.TOO_SLOW
        assert slow.take() is None
        assert quick.take() is not None
        assert not quick.closed.done()
    assert hub.statistics().too_slow == 1


async def test_a_reader_that_falls_too_many_bytes_behind_is_given_up(hub: Hub) -> None:
    log = Log()
    reason = "雨" * (MAX_BYTES // 3 // 10)
    with watching(hub, ADA) as mailbox:
        for number in range(10):
            assert not mailbox.closed.done(), number
            job, _ = log.change(make_job(), j.Waiting(NOW, "wait"))
            job, event = log.change(job, j.Waiting(NOW, reason))
            hub.publish([event])
        assert mailbox.closed.result() is CloseCode.TOO_SLOW


async def test_one_job_can_never_fill_a_mailbox(hub: Hub) -> None:
    log = Log()
    job = processing(log)
    with watching(hub, ADA) as mailbox:
        for number in range(3 * MAX_EVENTS):
            job, event = log.change(job, j.Waiting(NOW, f"reason {number}"))
            hub.publish([event])
        assert len(mailbox) == 1


async def test_what_a_left_topic_left_unread_is_dropped_unless_another_topic_wants_it(hub: Hub) -> None:
    log = Log()
    job, other = make_job(), make_job()
    with watching(hub, ADA, job_id=job.id) as mailbox:
        everything = hub.follow(mailbox, "all")
        hub.publish([log.accept(job), log.accept(other)])
        hub.unfollow(everything)
        assert [update["videoId"] for update in letters(mailbox)] == [job.id]


@contextmanager
def written_to(hub: Hub) -> Iterator[tuple[Mailbox, FakeSocketLine]]:
    """A mailbox whose line is written to past it, as soon as nothing speaks against it."""
    line = FakeSocketLine(8192)
    try:
        with hub.connect(ADA) as mailbox:
            mailbox.serve(line, text_frame)
            mailbox.flow()
            yield mailbox, line
    finally:
        line.cut()


async def test_who_leaves_a_topic_while_others_are_told_is_not_told_any_more(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 1)
    log = Log()
    job = processing(log)
    with written_to(hub) as (first, stays), written_to(hub) as (second, leaves):
        hub.follow(first, "video", job_id=job.id)
        left = hub.follow(second, "video", job_id=job.id)
        assert first.fd == stays.descriptor
        hub.publish([log.accept(job)])
        assert (stays.untaken > 0, leaves.untaken) == (True, 0), "it is told one by one"
        hub.unfollow(left)
        second.rest()
        second.flow()
        await settle()
        assert not leaves.untaken


async def test_who_comes_while_others_are_told_is_not_told_what_was_in_the_log(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 1)
    log = Log()
    job, other = processing(log), processing(log)
    with watching(hub, ADA), watching(hub, ADA), written_to(hub) as (late, line):
        hub.publish([log.accept(job), log.accept(other)])
        # The second of them is told to nobody yet, and stands in the log.
        late.rest()
        subscription = hub.follow(late, "all")
        subscription.floor, subscription.attached = log.seq, True
        late.ask_until(log.seq)
        late.flow()
        await settle()
        assert not line.untaken
        for _ in range(2):
            hub.publish([log.accept(job)])
            await settle()
            line.take()
        assert late.fd == line.descriptor, "after the first one that is new it is written through again"


async def test_a_job_that_is_awaited_by_its_external_id_is_found_among_ones_own_only(hub: Hub) -> None:
    log = Log()
    foreign, mine = make_job(owner=BEN.user_id), make_job()
    with watching(hub, ADA, external_id="ext-7") as mailbox:
        for job in (foreign, mine):
            job, claimed = log.change(job, j.Claimed(NOW))
            job, accepted = log.change(job, j.Accepted(NOW, ExternalId("ext-7")))
            hub.publish([claimed, accepted])
        assert [subscription.job_id for subscription in mailbox.bound] == [mine.id]
        assert [update["videoId"] for update in letters(mailbox)] == [mine.id]


async def test_a_message_that_cannot_be_made_ends_its_readers_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(job_id: str, variants: Sequence[str]) -> Mapping[str, str]:
        raise RuntimeError("no secret")

    hub = Hub(EPOCH, broken)
    log = Log()
    job = processing(log)
    job, _ = log.change(job, j.UpstreamCompleted(NOW))
    with watching(hub, ADA) as reader, watching(hub, BEN) as other:
        job, event = log.change(job, j.Stored(NOW), ["video"])
        hub.publish([event, log.accept(make_job(owner=BEN.user_id))])
        assert reader.closed.result() is CloseCode.RESYNC
        assert len(letters(other)) == 1
    assert "could not be told" in caplog.text


async def test_it_is_known_whose_jobs_are_watched_and_said_when_that_begins(hub: Hub) -> None:
    mine, other = make_job(owner=ADA.user_id), make_job(owner=BEN.user_id)
    roots = make_job(owner=ROOT.user_id)
    begun: list[tuple[str | None, str]] = []
    hub.watching = lambda job_id, owner: begun.append((job_id, owner))

    def watched() -> list[bool]:
        return [hub.watched(job) for job in (mine, other, roots)]

    with hub.connect(ADA) as ada, hub.connect(ROOT) as root:
        assert watched() == [False, False, False]
        one = hub.follow(ada, "video", job_id=mine.id)
        assert watched() == [True, False, False]
        hub.unfollow(one)
        hub.follow(ada, "external", external_id="ext-9")
        assert watched() == [False, False, False], "what is awaited is not there yet"
        hub.follow(ada, "all")
        assert watched() == [True, False, False]
        hub.follow(root, "all")
        assert watched() == [True, False, True], "an administrator waits for their own"
    assert watched() == [False, False, False]
    assert begun == [(mine.id, ADA.user_id), (None, ADA.user_id), (None, ROOT.user_id)]


async def test_a_closed_hub_ends_the_connections_it_has_and_those_that_come(hub: Hub) -> None:
    with hub.connect(ADA) as early:
        await hub.close()
        with hub.connect(ADA) as late:
            assert early.closed.result() is late.closed.result() is CloseCode.RESTARTING


async def test_many_connections_are_ended_a_slice_at_a_time_and_all_by_the_end(hub: Hub) -> None:
    with ExitStack() as stack:
        mailboxes = [stack.enter_context(hub.connect(ADA)) for _ in range(3 * SLICE)]
        told = 0
        in_each_turn = [0]

        def heard(_: object) -> None:
            nonlocal told
            told += 1
            in_each_turn[-1] += 1

        for mailbox in mailboxes:
            mailbox.closed.add_done_callback(heard)
        closing = asyncio.create_task(hub.close())
        while not closing.done():
            await asyncio.sleep(0)
            in_each_turn.append(0)
        assert told == len(mailboxes), "whoever goes on after the close finds everybody told"
        assert max(in_each_turn) <= SLICE


async def test_nothing_is_left_of_a_connection_that_ended(hub: Hub) -> None:
    with hub.connect(ADA) as mailbox:
        hub.follow(mailbox, "one", job_id="video_1")
        hub.follow(mailbox, "all")
        hub.follow(mailbox, "external", external_id="ext-1")
        assert (hub.statistics().connections, hub.statistics().subscriptions) == (1, 3)
    assert (hub.statistics().connections, hub.statistics().subscriptions) == (0, 0)
    assert not hub._by_job
    assert not hub._by_owner
    assert not hub._awaiting


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["step", "read"])), max_size=120))
async def test_whatever_is_published_and_read_in_whatever_order_every_job_is_seen_in_order_up_to_its_end(
    moves: list[tuple[int, str]],
) -> None:
    hub = Hub(EPOCH, urls_of)
    log = Log()
    jobs = [processing(log) for _ in range(4)]
    written: dict[str, list[int]] = {job.id: [] for job in jobs}
    read: list[dict[str, Any]] = []
    with watching(hub, ADA) as mailbox:
        for which, move in moves:
            if move == "read":
                letter = mailbox.take()
                read += [json.loads(letter.text)] if letter else []
            elif not jobs[which].ended:
                progress = jobs[which].progress + 20.0
                step = j.Observed(NOW, progress) if progress < 90 else j.UpstreamFailed(NOW, "x", "No.")
                jobs[which], event = log.change(jobs[which], step)
                written[event.job_id].append(event.job_seq)
                hub.publish([event])
        read += letters(mailbox)

    cursors = [int(update["cursor"].split("-")[1]) for update in read]
    assert cursors == sorted(set(cursors))
    for job in jobs:
        seen = [update["seq"] for update in read if update["videoId"] == job.id]
        assert seen == sorted(set(seen))
        assert set(seen) <= set(written[job.id])
        assert seen[-1:] == written[job.id][-1:]
        if job.ended:
            last = [update for update in read if update["videoId"] == job.id][-1]
            assert last["status"] == "failed"
