"""Looks at what is wrong every few seconds, and tells each destination what it does not know yet.

Each destination has a task of its own, so one that is dead or slow delays nobody, and nobody waits for any of them.
What each was told of is kept over restarts: a gateway that starts again neither says everything anew nor forgets to
say that something is over. Where that cannot be stored, a restart says again what is still wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from sora_gateway.alerts.post import Posted, Poster
from sora_gateway.alerts.troubles import Troubles
from sora_gateway.alerts_settings import Alert as Destination
from sora_gateway.clock import Clock
from sora_gateway.core.alerts import Alert, AlertKind, Desk, Key, Message, Wishes, observe, recalled
from sora_gateway.entropy import Entropy
from sora_gateway.errors import NotFound, StorageFailed, StorageFull, Unavailable
from sora_gateway.store import Store

log = logging.getLogger(__name__)

LOOK = 10.0
"""Seconds between two looks at what is wrong."""


@dataclass
class _Bell:
    """A destination at work."""

    name: str
    destination: Destination
    wishes: Wishes
    desk: Desk = field(default_factory=Desk)
    latest: Posted | None = None
    """What came of the latest try, a test included."""
    latest_at: float | None = None
    ring: asyncio.Event = field(default_factory=asyncio.Event)
    testing: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a destination does. *latest* is what came of the latest message, at the moment *latest_at*."""

    name: str
    destination: Destination
    latest: Posted | None
    latest_at: float | None
    failures: int


class Alerter:
    """``async with alerter:`` begins to look and to tell; leaving it ends every try at once. Without destinations
    nobody looks, except who asks."""

    def __init__(
        self,
        destinations: Mapping[str, Destination],
        troubles: Troubles,
        poster: Poster,
        store: Store,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._troubles = troubles
        self._poster = poster
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._alerts: dict[Key, Alert] = {}
        self._bells = {
            name: _Bell(
                name,
                each,
                Wishes(frozenset(each.about) or frozenset(AlertKind), each.repeat_after),
            )
            for name, each in destinations.items()
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._unstored = False

    async def __aenter__(self) -> Alerter:
        if self._bells:
            await self._recall()
            self._start(self._watch(), "alerts")
            for bell in self._bells.values():
                self._start(self._serve(bell), f"alerts to {bell.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._poster.aclose()

    # --- for people ------------------------------------------------------------------------------

    async def now(self) -> list[Alert]:
        """What is wrong at this moment, the oldest first."""
        self._alerts = observe(self._alerts, await self._troubles.now(fresh=True), self._clock.now())
        present = (alert for alert in self._alerts.values() if alert.present)
        return sorted(present, key=lambda alert: (alert.since, alert.trouble.key))

    def standings(self) -> list[Standing]:
        """Every destination, in the order of the configuration."""
        return [
            Standing(bell.name, bell.destination, bell.latest, bell.latest_at, bell.desk.failures)
            for bell in self._bells.values()
        ]

    async def test(self, name: str) -> Posted:
        """Sends a test, whatever is wrong or not.

        Raises:
            NotFound: there is no such destination.
            Unavailable: it is being tested.
        """
        bell = self._bells.get(name)
        if bell is None:
            raise NotFound("There is no such destination of alerts.")
        if bell.testing:
            raise Unavailable("It is being tested; try again in a moment.", retry_after=15)
        bell.testing = True
        try:
            posted = await self._poster.test(bell.destination)
        finally:
            bell.testing = False
        bell.latest, bell.latest_at = posted, self._clock.now()
        return posted

    # --- looking ---------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            try:
                found = await self._troubles.now()
                self._alerts = observe(self._alerts, found, self._clock.now())
            except Exception:
                # Whatever it is, what is wrong later must still be told of.
                log.exception("what is wrong cannot be looked at")
            for bell in self._bells.values():
                bell.ring.set()
            await self._clock.sleep(LOOK)

    async def _recall(self) -> None:
        try:
            told = await self._store.alerts.told()
        except Exception:
            # A note of ours that cannot be read must not keep the gateway from starting.
            log.exception("what was told of before the start cannot be read; what is wrong is told again")
            return
        for bell in self._bells.values():
            known = [each for each in told.get(bell.name, ()) if each.trouble.kind in bell.wishes.kinds]
            bell.desk = Desk({each.trouble.key: each for each in known})
            self._alerts |= recalled(known, self._clock.now())

    # --- telling ---------------------------------------------------------------------------------

    async def _serve(self, bell: _Bell) -> None:
        while True:
            await bell.ring.wait()
            bell.ring.clear()
            try:
                await self._tell(bell)
            except Exception:
                # A message that cannot be made or noted must not end the telling of later ones.
                log.exception("an alert to %s could not be made", bell.name)

    async def _tell(self, bell: _Bell) -> None:
        message = bell.desk.message(self._alerts, self._clock.now(), bell.wishes)
        if message is None:
            return
        posted = await self._posted(bell, message)
        bell.latest, bell.latest_at = posted, self._clock.now()
        if not posted.delivered:
            if not bell.desk.failures:
                log.warning("alerts do not reach %s: %s", bell.name, posted.said)
            bell.desk = bell.desk.failed(self._clock.now(), self._entropy.fraction(), posted.retry_after)
            return
        if bell.desk.failures:
            log.info("alerts reach %s again", bell.name)
        bell.desk = bell.desk.delivered(message, self._clock.now())
        await self._remember()

    async def _posted(self, bell: _Bell, message: Message) -> Posted:
        from sora_gateway.alerts.wording import text_of  # there is something to tell

        text = text_of(message, bell.destination.language, self._poster.gateway)
        return await self._poster.post(bell.destination, text, message)

    async def _remember(self) -> None:
        told = {bell.name: list(bell.desk.told.values()) for bell in self._bells.values()}
        try:
            await self._store.alerts.remember(told)
            self._unstored = False
        except (StorageFull, StorageFailed) as error:
            # The disk may be what is being told of; what was told is known here as long as the process lives.
            if not self._unstored:
                log.warning("what was told of cannot be stored: %s", error)
            self._unstored = True

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
