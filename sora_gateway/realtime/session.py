"""What WebSocket and SSE share: one reader, what they may see today, and attaching without a gap.

The mailbox is registered before the log is read, so nothing falls between the two:

1. the hub puts events into the mailbox from now on;
2. the snapshot is read, between two looks at the head of the log;
3. a cursor that can be honoured gets the log's events from there to the head, any other a ``reset``;
4. what the mailbox holds of the same events, or of what the snapshot already told, is dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sora_gateway.core.job import Job
from sora_gateway.core.messages import (
    LOG_STEPS,
    Cursor,
    Ready,
    Reset,
    StoredEvent,
    Subscribe,
    Subscribed,
    log_of,
)
from sora_gateway.core.principal import Principal
from sora_gateway.core.views import Beside, Task, task_view
from sora_gateway.errors import NotFound
from sora_gateway.realtime.framing import Message, Outgoing
from sora_gateway.realtime.hub import Subscription
from sora_gateway.realtime.live import Live
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.store.jobs import Filter

SNAPSHOT = 100
"""Newest tasks in the snapshot of everything."""

ResetReason = Literal["epoch", "too_old", "too_many", "unknown_cursor"]

Looked: TypeAlias = Callable[[Job | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attached:
    """What a new subscription is told first."""

    messages: Iterator[Message]
    missed: int | None
    """Events replayed; None if there was no cursor, or it was not honoured."""
    ended: bool
    """Whether it is one job, and that has ended: after these messages nothing follows."""


class Session:
    """One connection's subscriptions and rights. Whoever uses it attaches one subscription at a time, and
    takes nothing from the mailbox meanwhile."""

    def __init__(self, live: Live, mailbox: Mailbox, looked: Looked | None = None) -> None:
        """*looked* is told of every single job that the reader begins to follow, and with None of everything."""
        self._live = live
        self._mailbox = mailbox
        self._looked = looked

    async def ready(self) -> Outgoing:
        """The message that greets an authenticated reader."""
        cursor = str(Cursor(self._live.hub.epoch, await self._live.store.head()))
        ready = Ready(cursor=cursor, heartbeat=self._live.limits().heartbeat)
        return Outgoing("ready", ready.model_dump_json(by_alias=True).encode(), cursor)

    async def follow(self, wanted: Subscribe) -> Subscription:
        """Registers what the reader asks for; :meth:`attach` comes next.

        Raises:
            NotFound: there is no such job among those the reader may see, and it is not to be awaited.
        """
        hub, mailbox, topic = self._live.hub, self._mailbox, wanted.name
        text = wanted.video_id or wanted.external_video_id
        if text is None:
            if self._looked is not None:
                await self._looked(None)
            return hub.follow(mailbox, topic, since=wanted.since)
        waiting: Subscription | None = None
        if wanted.pending and wanted.external_video_id is not None:
            # Before looking: an id that is stored while we look must not be missed.
            waiting = hub.follow(mailbox, topic, external_id=text, since=wanted.since, log=wanted.log)
        try:
            job = await self._live.store.find(text, mailbox.principal)
        except NotFound:
            if waiting is None:
                raise
            return waiting
        if self._looked is not None:
            await self._looked(job)
        if waiting is not None:
            hub.unfollow(waiting)
        return hub.follow(mailbox, topic, job_id=job.id, since=wanted.since, log=wanted.log)

    async def attach(self, subscription: Subscription) -> Attached:
        """Closes the gap between the log and the mailbox.

        Raises:
            NotFound: the job was deleted meanwhile; nothing is followed.
        """
        store, mailbox = self._live.store, self._mailbox
        if subscription in mailbox.bound:
            mailbox.bound.remove(subscription)
        # Decided once: its job may come while the log is read, and then it is bound, and attached once more.
        awaited = subscription.job_id is None and subscription.external_id is not None
        before = await store.head()
        try:
            jobs = [] if awaited else await self._snapshot(subscription)
        except NotFound:
            self._live.hub.unfollow(subscription)
            raise
        tasks = await self._tasks(jobs, mailbox.principal)
        after = await store.head()
        missed = await self._missed(subscription, after, awaited)
        steps = None if awaited else await self._steps(subscription)

        if isinstance(missed, list):
            subscription.floor = after
        else:
            subscription.floor = before
            mailbox.knows({job.id: job.version for job in jobs}, after)
        # Bound meanwhile it has told nothing of its job yet.
        subscription.attached = subscription not in mailbox.bound
        mailbox.ask_until(subscription.floor)
        mailbox.keep_wanted()
        # It may have ended after the snapshot was read; then its last event is among the missed ones.
        told_the_end = isinstance(missed, list) and bool(missed) and missed[-1].final
        one_ended = not awaited and subscription.job_id is not None and (jobs[0].ended or told_the_end)
        return Attached(
            self._told(subscription, tasks, missed, steps),
            missed=len(missed) if isinstance(missed, list) else None,
            ended=one_ended,
        )

    async def _snapshot(self, subscription: Subscription) -> list[Job]:
        principal = self._mailbox.principal
        if subscription.job_id is not None:
            return [await self._live.store.find(subscription.job_id, principal)]
        jobs, _ = await self._live.store.page(principal, Filter(limit=SNAPSHOT))
        return jobs

    async def _tasks(self, jobs: list[Job], reader: Principal) -> list[Task]:
        store, urls_of = self._live.store, self._live.hub.urls_of
        variants = await store.assets_of_many([job.id for job in jobs]) if jobs else {}
        emails = await store.emails({job.owner for job in jobs} - {reader.user_id})
        emails[reader.user_id] = reader.email
        tags = await store.tags_of_many([job.id for job in jobs]) if jobs else {}
        return [
            task_view(
                job,
                Beside(
                    urls_of(job.id, sorted(variants.get(job.id, ()))),
                    emails.get(job.owner),
                    tags=tags.get(job.id, ()),
                    kept_until=self._live.kept_until(job, tags.get(job.id, ())),
                ),
                reader=reader.user_id,
            )
            for job in jobs
        ]

    async def _missed(
        self, subscription: Subscription, head: int, awaited: bool
    ) -> list[StoredEvent] | ResetReason | None:
        """The log's events after the reader's cursor, or why they cannot be had; None without a cursor."""
        if subscription.since is None:
            return None
        cursor = Cursor.parse(subscription.since)
        if cursor is None:
            return "unknown_cursor"
        if cursor.epoch != self._live.hub.epoch:
            return "epoch"
        if cursor.seq > head:
            return "unknown_cursor"
        if awaited:
            return []  # The job is not there yet; once it is, the cursor is used.
        replay = await self._live.store.events_after(
            subscription.scope, cursor.seq, self._live.limits().replay
        )
        # After reading, because the log may have been trimmed meanwhile; an empty one ends at its head.
        oldest = await self._live.store.oldest_event() or head + 1
        if cursor.seq + 1 < oldest:
            return "too_old"
        if not replay.complete:
            return "too_many"
        # What the reader follows already it has, or gets in its order: the past must not come after it.
        others = [each for each in self._mailbox.subscriptions if each.attached and each is not subscription]
        theirs = {event.seq for event in replay.events if any(other.covers(event) for other in others)}
        # Not what they have read from the log: it may be on its way from the hub yet, and would be told twice.
        subscription.owed = frozenset(
            event.seq for event in replay.events if any(other.wants(event) for other in others)
        )
        return [event for event in replay.events if event.seq <= head and event.seq not in theirs]

    async def _steps(self, subscription: Subscription) -> Outgoing | None:
        """The step log, if it was asked for. What the snapshot does not know yet may be in it."""
        if not subscription.log or subscription.job_id is None:
            return None
        events = await self._live.store.events_of(subscription.job_id, LOG_STEPS + 1)
        log = log_of(subscription.topic, subscription.job_id, events)
        return Outgoing("log", log.model_dump_json(by_alias=True).encode())

    def _told(
        self,
        subscription: Subscription,
        tasks: list[Task],
        missed: list[StoredEvent] | ResetReason | None,
        steps: Outgoing | None,
    ) -> Iterator[Message]:
        cursor = str(Cursor(self._live.hub.epoch, subscription.floor))
        if isinstance(missed, str):
            reset = Reset(cursor=cursor, reason=missed)
            # Not where a stream goes on: who is cut off here comes back for the snapshot.
            yield Outgoing("reset", reset.model_dump_json(by_alias=True).encode())
        elif missed is not None and subscription.since is not None:
            cursor = subscription.since
        if steps is not None:
            # On a stream its id is where the stream goes on, as that of every message.
            yield Outgoing(steps.kind, steps.body, "" if isinstance(missed, str) else cursor)
        subscribed = Subscribed(topic=subscription.topic, cursor=cursor, tasks=tasks)
        yield Outgoing("subscribed", subscribed.model_dump_json(by_alias=True).encode(), cursor)
        for event in missed if isinstance(missed, list) else ():
            yield self._live.hub.letter(event)
