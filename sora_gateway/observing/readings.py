"""What ``/metrics`` shows, read when it is asked for: from the parts on their own event loop, from the store through its
readers, from the disk in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway.core.job import State
from sora_gateway.core.states import ENDED
from sora_gateway.core.tally import Histogram, Labels
from sora_gateway.observing import catalogue as m
from sora_gateway.observing.catalogue import Metric
from sora_gateway.observing.sources import Sources

if TYPE_CHECKING:
    from sora_gateway.store.credits import Balance
    from sora_gateway.store.space import DatabaseSize
    from sora_gateway.store.totals import Outbox

Value = float | Histogram
Reading = tuple[Metric, list[tuple[Labels, Value]]]

PHASES = ("starting", "serving", "stopping")
BREAKER = ("closed", "open", "half-open")


@dataclass(frozen=True, slots=True)
class Asked:
    """What had to be waited for."""

    size: DatabaseSize
    free: int
    disk: int
    balance: Balance
    moved: Mapping[str, int]
    outbox: Outbox


class Readings:
    """*sources* as numbers."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def take(self) -> list[Reading]:
        """All of them, as of now."""
        store, files = self._sources.store, self._sources.files
        free, disk = await asyncio.to_thread(lambda: (files.free_bytes(), files.disk_bytes()))
        asked = Asked(
            await store.space.database(),
            free,
            disk,
            await store.totals.balances(),
            await store.totals.moved(),
            await store.totals.outbox(),
        )
        return [
            *self._process(),
            *self._jobs(),
            *self._upstreams(),
            *self._live(),
            *self._stored(asked),
            *self._http(),
            *self._webhooks(asked.outbox),
        ]

    def _process(self) -> Iterator[Reading]:
        phase = self._sources.readiness.phase.value
        yield m.PHASE, _one_of(PHASES, phase)
        yield m.WRITABLE, _alone(not self._sources.store.measured.failing)

    def _jobs(self) -> Iterator[Reading]:
        found = self._sources.supervisor.statistics()
        names = {*self._sources.upstreams.by_name, *(name for name, _ in found.watched)}
        yield (
            m.JOBS,
            [
                ((name, state.value), found.watched.get((name, state), 0))
                for name in sorted(names)
                for state in State
                if state not in ENDED
            ],
        )
        yield m.OVERDUE, _alone(found.overdue)
        yield m.JOB_STATES, _all(found.course.states)
        yield m.DETECTION, _all(found.course.detection)

    def _upstreams(self) -> Iterator[Reading]:
        upstreams, now = self._sources.upstreams, self._sources.clock.now()
        yield m.CALLS, _all(upstreams.calls.outcomes)
        yield m.CALL_SECONDS, _all(upstreams.calls.seconds)
        gates = {name: upstream.gate for name, upstream in upstreams.by_name.items()}
        yield (
            m.BREAKER,
            [
                ((name, *of), value)
                for name, gate in gates.items()
                for of, value in _one_of(BREAKER, gate.breaker)
            ],
        )
        of_gates: list[tuple[Metric, dict[str, float]]] = [
            (m.PAUSED, {name: gate.paused for name, gate in gates.items()}),
            (m.SPEND_REACHED, {name: gate.spend.reached(now) for name, gate in gates.items()}),
            (m.SPEND, {name: gate.spend.total(now) for name, gate in gates.items()}),
            (m.INSIDE, {name: gate.inside for name, gate in gates.items()}),
            (m.PLACES, {name: gate.max_concurrent for name, gate in gates.items()}),
            (m.WAITING, {name: gate.waiting for name, gate in gates.items()}),
        ]
        for metric, values in of_gates:
            yield metric, [((name,), value) for name, value in values.items()]

    def _live(self) -> Iterator[Reading]:
        live = self._sources.hub.statistics()
        yield m.CONNECTIONS, _alone(live.connections)
        yield m.SUBSCRIPTIONS, _alone(live.subscriptions)
        yield m.CHANGES, _alone(live.published)
        yield m.MERGED, _alone(live.merged)
        yield m.TOO_SLOW, _alone(live.too_slow)
        yield m.FAN_OUT, _alone(self._sources.fan_out.delays)

    def _stored(self, asked: Asked) -> Iterator[Reading]:
        commits = self._sources.store.measured
        yield m.COMMIT_SECONDS, _alone(commits.seconds)
        yield m.COMMIT_UNITS, _alone(commits.units)
        yield m.COMMITS_FAILED, _alone(commits.failed)
        yield m.DATABASE, _alone(asked.size.main)
        yield m.WAL, _alone(asked.size.log)
        yield m.DISK_FREE, _alone(asked.free)
        yield m.DISK_SIZE, _alone(asked.disk)
        yield m.DISK_FLOOR, _alone(self._sources.disk_floor())
        yield m.CREDITS_AVAILABLE, _alone(asked.balance.available)
        yield m.CREDITS_HELD, _alone(asked.balance.held)
        yield m.CREDITS_MOVED, [((kind,), credits) for kind, credits in asked.moved.items()]

    def _http(self) -> Iterator[Reading]:
        requests = self._sources.requests
        yield m.REQUESTS, _all(requests.answers)
        yield m.REQUEST_SECONDS, _all(requests.seconds)
        yield m.IN_PROGRESS, _alone(requests.in_progress)

    def _webhooks(self, outbox: Outbox) -> Iterator[Reading]:
        late = 0.0 if outbox.oldest_due is None else max(0.0, self._sources.clock.now() - outbox.oldest_due)
        yield m.WEBHOOK_TRIES, _all(self._sources.webhooks.sender.tries)
        yield m.WEBHOOKS_PENDING, _alone(outbox.pending)
        yield m.WEBHOOKS_LATE, _alone(late)


def _alone(value: Value) -> list[tuple[Labels, Value]]:
    return [((), value)]


def _all(counted: Iterable[tuple[Labels, Value]]) -> list[tuple[Labels, Value]]:
    return list(counted)


def _one_of(words: Iterable[str], now: str) -> list[tuple[Labels, Value]]:
    """1 for the word that it is now, 0 for the others."""
    return [((word,), float(word == now)) for word in words]
