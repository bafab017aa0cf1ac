"""Characters: one call to an upstream, its intent stored first, never sent twice for one request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from sora_gateway.clock import Clock
from sora_gateway.core.character import Character
from sora_gateway.core.claim import Claim
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.outcome import OutcomeClass, classify
from sora_gateway.entropy import Entropy
from sora_gateway.errors import InvalidRequest, OutcomeUnknown, Unavailable
from sora_gateway.store import Store
from sora_gateway.supervisor.watcher import Upstream

log = logging.getLogger(__name__)


class Characters:
    """Has upstreams learn characters; *timeout* bounds one call, in seconds."""

    def __init__(
        self, store: Store, upstreams: Mapping[str, Upstream], clock: Clock, entropy: Entropy, timeout: float
    ) -> None:
        self._store = store
        self._upstreams = upstreams
        self._clock = clock
        self._entropy = entropy
        self._timeout = timeout

    async def create(
        self, owner: str, upstream: str, name: str, video: bytes, claim: Claim | None
    ) -> Character:
        """The character that *upstream* learned from *video*, an MP4 file; or the one that *claim* made before.

        Raises:
            InvalidRequest: the upstream refuses it.
            Unavailable: it was not sent; the same request may be tried again.
            OutcomeUnknown: it was, or may have been, sent, and the answer cannot be had.
            IdempotencyMismatch: the key of *claim* was used for another request.
        """
        now = self._clock.now()
        character = Character(
            time_ordered("char", now, self._entropy.new_id("char")), owner, name, upstream, now
        )
        # A caller that goes away must not take the answer along.
        return await asyncio.shield(asyncio.ensure_future(self._create(character, video, claim)))

    async def _create(self, character: Character, video: bytes, claim: Claim | None) -> Character:
        stored = await self._store.begin_character(character, claim)
        if stored.id != character.id:
            if stored.state != "ready":
                raise _unknown(stored.upstream)
            return stored
        adapter = self._upstreams[character.upstream].adapter
        answer = await adapter.create_character(
            character.name, video, "video/mp4", self._timeout, self._entropy.new_id("attempt")
        )
        outcome = classify(answer, adapter.rules)
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


def _unknown(upstream: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"It is not known whether {upstream} made this character; look there before you ask for it anew."
    )
