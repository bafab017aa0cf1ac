"""Characters: one call to an upstream, its intent stored first, never sent twice for one request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from sora_gateway.clock import Clock
from sora_gateway.core.character import Character
from sora_gateway.core.claim import Claim
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.outcome import CreateAnswer, OutcomeClass, classify
from sora_gateway.entropy import Entropy
from sora_gateway.errors import InvalidRequest, OutcomeUnknown, Unavailable
from sora_gateway.store import Store
from sora_gateway.supervisor.supervisor import CREATES_MAY_FINISH
from sora_gateway.supervisor.watcher import Upstream
from sora_gateway.upstream.adapter import Adapter

log = logging.getLogger(__name__)


class Characters:
    """Has upstreams learn characters; *timeout* bounds one call, in seconds. Stopped at the end, like jobs."""

    def __init__(
        self, store: Store, upstreams: Mapping[str, Upstream], clock: Clock, entropy: Entropy, timeout: float
    ) -> None:
        self._store = store
        self._upstreams = upstreams
        self._clock = clock
        self._entropy = entropy
        self._timeout = timeout
        self._stopping = False
        self._creating: set[asyncio.Task[Character]] = set()
        self._calls: set[asyncio.Task[CreateAnswer]] = set()

    def begin_stopping(self) -> None:
        """Asks for no new one from here on."""
        self._stopping = True

    async def stop(self, grace: float = CREATES_MAY_FINISH) -> None:
        """Upstreams that have been asked get *grace* seconds to answer; what they then have not is unknown."""
        self.begin_stopping()
        if self._creating:
            await asyncio.wait(self._creating, timeout=grace)
        for call in self._calls:
            call.cancel("characters: shutting down")
        if self._creating:
            # What has come is still stored, and those who wait for it are told.
            await asyncio.wait(self._creating)

    async def create(
        self, owner: str, upstream: str, name: str, video: bytes, claim: Claim | None
    ) -> Character:
        """The character that *upstream* learned from *video*, an MP4 file; or the one that *claim* made before.

        Raises:
            InvalidRequest: the upstream refuses it.
            Unavailable: it was not sent, or the gateway is stopping; the same request may be tried again.
            OutcomeUnknown: it was, or may have been, sent, and the answer cannot be had.
            IdempotencyMismatch: the key of *claim* was used for another request.
        """
        if self._stopping:
            raise _restarting()
        now = self._clock.now()
        character = Character(
            time_ordered("char", now, self._entropy.new_id("char")), owner, name, upstream, now
        )
        # A caller that goes away must not take the answer along.
        creating = asyncio.create_task(self._create(character, video, claim), name=f"create {character.id}")
        self._creating.add(creating)
        creating.add_done_callback(self._creating.discard)
        return await asyncio.shield(creating)

    async def _create(self, character: Character, video: bytes, claim: Claim | None) -> Character:
        stored = await self._store.begin_character(character, claim)
        if stored.id != character.id:
            if stored.state != "ready":
                raise _unknown(stored.upstream)
            return stored
        if self._stopping:
            await self._store.forget_character(character.id)
            raise _restarting()
        adapter = self._upstreams[character.upstream].adapter
        outcome = classify(await self._ask(adapter, character.name, video), adapter.rules)
        match outcome.kind:
            case OutcomeClass.RECEIPT | OutcomeClass.KNOWN:
                await self._store.conclude_character(character.id, outcome.external_id)
                return Character(
                    character.id, character.owner, character.name, character.upstream, character.created_at,
                    "ready", outcome.external_id,
                )  # fmt: skip
            case OutcomeClass.REFUSED:
                await self._store.forget_character(character.id)
                raise InvalidRequest(outcome.message)
            case OutcomeClass.UNKNOWN:
                await self._store.conclude_character(character.id, None)
                log.warning(
                    "%s: the outcome at %s is unknown: %s", character.id, character.upstream, outcome.message
                )
                raise _unknown(character.upstream)
            case _:
                await self._store.forget_character(character.id)
                raise Unavailable(
                    f"{character.upstream} cannot take it now: {outcome.message}.",
                    retry_after=outcome.retry_after or 10,
                )

    async def _ask(self, adapter: Adapter, name: str, video: bytes) -> CreateAnswer:
        attempt = self._entropy.new_id("attempt")
        call = asyncio.ensure_future(
            adapter.create_character(name, video, "video/mp4", self._timeout, attempt)
        )
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            return await call
        except asyncio.CancelledError:
            # Nobody else cancels it than stop().
            return CreateAnswer(lost="the gateway stopped before the answer came")


def _restarting() -> Unavailable:
    return Unavailable("The gateway is restarting; try again in a moment.", retry_after=10)


def _unknown(upstream: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"It is not known whether {upstream} made this character; look there before you ask for it anew."
    )
