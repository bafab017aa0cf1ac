"""An upstream's list as a source of observations: read page by page, and believed as far as it was found true."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sora_gateway.clock import Clock
from sora_gateway.core.budget import Budget
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look, LookKind
from sora_gateway.core.sweep import Trust
from sora_gateway.supervisor.asking import Asking
from sora_gateway.supervisor.subject import Subject
from sora_gateway.upstream.adapter import Adapter

log = logging.getLogger(__name__)

_ENDED = frozenset({LookKind.COMPLETED, LookKind.FAILED, LookKind.CANCELLED})


class UpstreamList:
    def __init__(self, adapter: Adapter, asking: Asking, budget: Budget, clock: Clock) -> None:
        self._adapter = adapter
        self._asking = asking
        self._budget = budget
        self._clock = clock
        self._trust = Trust()

    @property
    def usable(self) -> bool:
        # A stale list repeats what our own single looks were told: it saves none of them.
        return self._adapter.listing == "live" and self._trust.allows(self._clock.monotonic())

    @property
    def proven(self) -> bool:
        """Whether it was right about a job that had ended."""
        return self._trust.proven

    async def page(self, after: ExternalId | None) -> Listing | None:
        """One page. Without one the list is left alone for a while."""
        answer = await self._asking.page(after)
        if isinstance(answer, Listing):
            self._trust.worked()
            return answer
        now = self._clock.monotonic()
        self._trust.failed(now)
        if answer.retry_after is not None:
            self._budget.hold_back(now, answer.retry_after)
        log.info("%s: no list, asking for each job: %s", self._adapter.name, answer.message)
        return None

    def doubtful(self, due: Iterable[Subject]) -> Subject | None:
        """One of *due* that was just listed as running and had better be looked at; None if it is not time for that.

        The oldest is the likeliest to have ended without the list's knowing.
        """
        if not self._trust.check_is_due(self._clock.monotonic()):
            return None
        running = (each for each in due if each.row is not None and not each.busy and not each.gone)
        return min(running, key=lambda each: each.job.accepted_at or 0.0, default=None)

    def compare(self, subject: Subject, look: Look) -> None:
        """Learns from what the list has said of a job and what the job itself says now."""
        listed, subject.listed = subject.listed, ""
        ended, now = look.kind in _ENDED, self._clock.monotonic()
        if not listed or not (ended or look.kind is LookKind.ALIVE):
            return
        if listed == "running":
            self._trust.checked(subject.listed_at, now, true=not ended)
        elif ended:
            self._trust.proven = True
        else:
            self._trust.lied(now)
        if not self._trust.allows(now):
            log.warning("the list of %s is not true; asking for each job", self._adapter.name)
