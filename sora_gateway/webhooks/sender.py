"""Sends what is in the outbox. A receiver that is dead or slow delays nobody: it has few places, and all that fail
together leave half of them to the others.

What is under way is known here only. A process that ends, by whatever, has the rest in the store, and the next one
goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sora_gateway.clock import Clock
from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.tally import Tally
from sora_gateway.core.webhooks import GONE, Answer, DeliveryStatus, next_wait
from sora_gateway.entropy import Entropy
from sora_gateway.errors import StorageFailed, StorageFull
from sora_gateway.store import Store
from sora_gateway.store.webhook_deliveries import Conclusion, DeliveryRecord, Due, TryRecord
from sora_gateway.store.webhooks import Recipient
from sora_gateway.webhooks.messages import Messages, NotTold
from sora_gateway.webhooks.signing import Secrets

log = logging.getLogger(__name__)

PER_WEBHOOK = 2
"""Tries to one endpoint under way at once; one that fails has one."""
IDLE = 3600.0
"""Seconds between two looks at the outbox when nothing happens."""
AFTER_TROUBLE = 30.0
"""Seconds until the store, or what else failed in here, is tried again."""
MAKINGS = 10
"""How often a message is made that cannot be made, with that time in between: a disk that cannot be read for a moment
loses no message."""
ANSWERED_GONE = "The receiver answered that it is gone for good (status 410)."


class Post(Protocol):
    async def __call__(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Sends once, and never raises."""
        ...


@dataclass(frozen=True, slots=True)
class SenderLimits:
    at_once: int = 32
    disable_after: float = 432_000.0


class Sender:
    """``async with sender:`` begins sending; leaving it ends every try at once."""

    def __init__(
        self,
        store: Store,
        messages: Messages,
        secrets: Secrets,
        post: Post,
        clock: Clock,
        entropy: Entropy,
        limits: SenderLimits,
    ) -> None:
        self._store = store
        self._messages = messages
        self._secrets = secrets
        self._post = post
        self._clock = clock
        self._entropy = entropy
        self._limits = limits
        self._wake = asyncio.Event()
        self._under_way: dict[int, Due] = {}
        self._ended: set[int] = set()
        """What has ended since the outbox was begun to be read: what is read of it may be old."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.tries = Tally((status.value,) for status in DeliveryStatus)
        """By what each led to."""

    async def __aenter__(self) -> Sender:
        self._start(self._run(), "webhooks")
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def committed(self, events: Iterable[StoredEvent]) -> None:
        """Looks at the outbox if one of *events* has ended a job."""
        if any(event.final for event in events):
            self.look()

    def look(self) -> None:
        """There may be something new in the outbox."""
        self._wake.set()

    # --- the outbox ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = await self._send_due()
            except Exception:
                # Whatever it is, what comes later must still be told of.
                log.exception("the outbox of webhooks cannot be read")
                await self._clock.sleep(AFTER_TROUBLE)
                continue
            await self._clock.sleep(pause, self._wake)

    async def _send_due(self) -> float:
        """Begins what is due and has a place; returns the seconds after which there is more to do by itself."""
        now = self._clock.now()
        self._ended.clear()
        for due in await self._store.webhooks.due(now, 2 * PER_WEBHOOK):
            if due.delivery.seq not in self._ended and self._has_place(due):
                self._under_way[due.delivery.seq] = due
                self._start(self._deliver(due), "webhook delivery")
        # What is due and has no place is looked at when a try ends.
        moment = await self._store.webhooks.next_due(now)
        return IDLE if moment is None else min(IDLE, moment - now)

    def _has_place(self, due: Due) -> bool:
        others = self._under_way
        if due.delivery.seq in others or len(others) >= self._limits.at_once:
            return False
        webhooks = Counter(each.delivery.webhook_id for each in others.values())
        owners = Counter(each.owner for each in others.values())
        failing = sum(each.failing for each in others.values())
        return (
            webhooks[due.delivery.webhook_id] < (1 if due.failing else PER_WEBHOOK)
            # Nobody can have all places with many endpoints.
            and owners[due.owner] < self._limits.at_once // 4 + 1
            and not (due.failing and failing >= self._limits.at_once // 2)
        )

    # --- one delivery ----------------------------------------------------------------------------

    async def _deliver(self, due: Due) -> None:
        delivery = due.delivery
        made = 1
        try:
            while not await self._tried(delivery, last=made >= MAKINGS):
                made += 1
                # It keeps its place: sent again at once, it would be sent again and again.
                await self._clock.sleep(AFTER_TROUBLE)
        finally:
            del self._under_way[delivery.seq]
            self._ended.add(delivery.seq)
            self._wake.set()

    async def _tried(self, delivery: DeliveryRecord, *, last: bool) -> bool:
        """Whether it is done with for now: something was found out about it, and stored."""
        try:
            recipient = await self._store.webhooks.recipient(delivery.webhook_id)
            if recipient is not None:
                await self._try(delivery, recipient)
        except NotTold as reason:
            return await self._stored_end(delivery, str(reason))
        except Exception:
            # A message that cannot be made must not be made for ever, nor end the sending of others.
            log.exception("a webhook's message cannot be made")
            if not last:
                return False
            return await self._stored_end(delivery, "The message could not be made.")
        return True

    async def _stored_end(self, delivery: DeliveryRecord, note: str) -> bool:
        try:
            await self._store.webhooks.give_up(delivery, note)
        except (StorageFull, StorageFailed) as error:
            log.error("the end of a webhook's delivery cannot be stored: %s", error)
            return False
        return True

    async def _try(self, delivery: DeliveryRecord, recipient: Recipient) -> None:
        at, answer = await self._sent(delivery, recipient)
        conclusion = self._conclusion(recipient, at, answer, delivery.tries + 1)
        self.tries.add(conclusion.status.value)
        while True:
            try:
                return await self._store.webhooks.conclude(delivery, conclusion)
            except (StorageFull, StorageFailed) as error:
                # It was sent; what is missing is the note of it, not another try.
                log.error("what became of a webhook's delivery cannot be stored: %s", error)
                await self._clock.sleep(AFTER_TROUBLE)

    async def send_test(self, tested: DeliveryRecord, recipient: Recipient) -> tuple[TryRecord, bool]:
        """Sends *tested* now, once, and writes it down; what came of it, and whether it was delivered.

        Raises:
            NotTold: the endpoint's owner is told nothing.
        """
        at, answer = await self._sent(tested, recipient)
        conclusion = self._conclusion(recipient, at, answer, None)
        await self._store.webhooks.insert_test(tested, conclusion)
        return conclusion.made, answer.delivered

    async def _sent(self, delivery: DeliveryRecord, recipient: Recipient) -> tuple[float, Answer]:
        body = await self._messages.body(delivery, recipient)
        at = self._clock.now()
        headers = await self._secrets.headers(recipient.webhook, delivery.id, body, at)
        return at, await self._post(recipient.webhook.url, headers, body)

    def _conclusion(self, recipient: Recipient, at: float, answer: Answer, tries: int | None) -> Conclusion:
        """*tries* is None for what is tried once."""
        made = TryRecord(at, answer.duration, answer.http_status, answer.error)
        url = recipient.webhook.url
        if answer.delivered:
            return Conclusion(made, DeliveryStatus.DELIVERED, url)
        wait = None if tries is None else next_wait(tries, self._entropy.fraction(), answer)
        if wait is not None:
            return Conclusion(made, DeliveryStatus.PENDING, url, next_at=self._clock.now() + wait)
        return Conclusion(
            made,
            DeliveryStatus.GIVEN_UP,
            url,
            disable=ANSWERED_GONE if answer.http_status == GONE else "",
            failing_limit=0.0 if tries is None else self._limits.disable_after,
        )

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
