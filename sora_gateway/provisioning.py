"""Upstreams while the gateway runs: added, changed, tried, switched off and on, taken away; and how each one does.

What is changed is stored, with its entry in the audit log, before it is done.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.core.breaker import BreakerState
from sora_gateway.core.durations import Percentiles
from sora_gateway.core.spend import DAY
from sora_gateway.errors import Conflict, InvalidRequest, NotFound, StartupError
from sora_gateway.keybox import KeyBox
from sora_gateway.settings import Upstream as Entry
from sora_gateway.store import Store, audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.statistics import Ended
from sora_gateway.store.upstreams import AddedUpstream, Failure
from sora_gateway.supervisor import Supervisor
from sora_gateway.supervisor.durations import Kind
from sora_gateway.upstream.adapter import Adapter
from sora_gateway.wiring import SIMULATOR, Upstreams, known_profiles

if TYPE_CHECKING:
    from sora_gateway.diagnosis import Line

log = logging.getLogger(__name__)

SWITCHED_OFF = "an administrator switched it off"
LAST_FAILURES = 5

Secrets = Mapping[str, str | None]
"""``api_key`` and ``webhook_secret``; None keeps what is there."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How one upstream does now; moments in epoch seconds, money in the operator's own."""

    name: str
    added: bool
    """Whether it was added at run time, and may be changed here."""
    entry: Entry | None
    """Its configuration; None for the embedded simulator."""
    adapter: Adapter
    """What it can do is asked there."""
    open: bool
    reason: str
    held: bool
    """Whether an administrator has switched it off."""
    closed_since: float | None
    """Since when something is wrong with it; None while all is well."""
    breaker: BreakerState
    opens_at: float | None
    inside: int
    max_concurrent: int
    """Its places; 0 is unlimited."""
    waiting: int
    budget_free: int | None
    spent: float
    cap_reached: bool
    """Whether the spend cap stops creates."""
    in_doubt: int
    failures: list[Failure]
    durations: Mapping[Kind, Percentiles]
    """How long videos take there, by kind."""
    last_day: Ended
    """What came of the videos that ended there in the last 24 hours."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What is read once for all upstreams: jobs in doubt, and what ended lately, by upstream."""

    in_doubt: Mapping[str, int]
    ended: Mapping[str, Ended]


class Provisioning:
    """What administrators do to upstreams. :meth:`load` first, before the supervisor is entered."""

    def __init__(
        self,
        upstreams: Upstreams,
        store: Store,
        box: KeyBox,
        clock: Clock,
        hide: Callable[[Iterable[str]], None],
    ) -> None:
        """*hide* is told of every secret before it is used."""
        self._upstreams = upstreams
        self._store = store
        self._box = box
        self._clock = clock
        self._hide = hide
        self._configured = set(upstreams.entries)
        self._supervisor: Supervisor | None = None
        # Two administrators at once would take each other's upstream away half-way.
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Puts what was added before into use. One that cannot be used any more is told of, and missed by its jobs."""
        for row in await self._store.added_upstreams():
            if row.settings and row.name not in self._configured:
                try:
                    self._upstreams.add(row.name, self._entry(row))
                except (StartupError, InvalidRequest) as error:
                    log.error(
                        "the upstream %s, which was added at run time, cannot be used: %s", row.name, error
                    )
            if not row.enabled and row.name in self._upstreams.by_name:
                self._upstreams.by_name[row.name].gate.hold(
                    SWITCHED_OFF, ago=self._clock.now() - row.changed_at
                )

    def serve(self, supervisor: Supervisor) -> None:
        """From now on *supervisor* is told of every change."""
        self._supervisor = supervisor

    async def put(self, by: Actor, name: str, fields: Mapping[str, Any], secrets: Secrets) -> None:
        """Adds an upstream, or changes one that was added; of *secrets* it keeps those that are not given.

        Raises:
            Conflict: the name is one of the configuration's.
            InvalidRequest: the configuration cannot work; ``param`` names the field.
        """
        async with self._turn:
            await self._put(by, name, fields, secrets)

    async def _put(self, by: Actor, name: str, fields: Mapping[str, Any], secrets: Secrets) -> None:
        if name in self._configured or name == SIMULATOR:
            raise Conflict(f"{name} is set in the configuration; change it there, or choose another name.")
        known = self._upstreams.entries.get(name)
        kept = self._kept(name, secrets)
        entry = _validated(fields, kept)
        try:
            # Whether it can be used is found out before anything is stored.
            await self._upstreams.check(name, entry)
        except StartupError as error:
            raise InvalidRequest(str(error)) from None
        row = AddedUpstream(name, json.dumps(dict(fields)), self._box.lock(json.dumps(kept)), enabled=True)
        what = "upstream.change" if known else "upstream.add"
        await self._store.put_upstream(
            row, self._audit(by, what, name, f"{entry.profile} at {entry.base_url}")
        )
        if known is not None:
            await self._upstreams.remove(name)
        self._upstreams.spent(await self._store.paid_since(self._clock.now() - DAY))
        self._upstreams.add(name, entry)
        self._rewired(name)

    async def remove(self, by: Actor, name: str) -> None:
        """Takes away one that was added; its jobs wait, as they do for one that left the configuration.

        Raises:
            NotFound: there is none.
            Conflict: it is one of the configuration's.
        """
        self._known(name)
        if name in self._configured or name == SIMULATOR:
            raise Conflict(
                f"{name} is set in the configuration; it can be switched off here, and removed there."
            )
        await self._store.remove_upstream(name, self._audit(by, "upstream.remove", name))
        await self._upstreams.remove(name)
        self._rewired(name)

    async def switch(self, by: Actor, name: str, on: bool) -> None:
        """Switches creates off, or on whatever had closed the gate; jobs that it has are watched on. Raises NotFound."""
        self._known(name)
        entry = self._audit(by, "upstream.resume" if on else "upstream.pause", name)
        await self._store.enable_upstream(name, on, entry)
        gate = self._upstreams.by_name[name].gate
        if on:
            gate.release()
        else:
            gate.hold(SWITCHED_OFF)
        self._rewired(name)

    async def probe(self, name: str) -> str:
        """Whether it can be reached and takes our key, in one sentence; costs nothing. Raises NotFound."""
        self._known(name)
        return await self._upstreams.by_name[name].adapter.probe()

    async def diagnose(self, name: str) -> list[Line]:
        """What is to be said of an upstream that there is; costs nothing. Raises NotFound."""
        from sora_gateway.diagnosis import answer_of, diagnose  # nobody asks at the start

        self._known(name)
        entry = self._upstreams.entries.get(name)
        if entry is None:
            return [answer_of(await self.probe(name))]
        return await diagnose(name, entry, self._upstreams.max_file, self._clock)

    async def diagnose_new(self, name: str, fields: Mapping[str, Any], secrets: Secrets) -> list[Line]:
        """The same of what :meth:`put` would make of it; nothing is stored, and no key of the configuration is used.

        Raises:
            InvalidRequest: the configuration cannot work; ``param`` names the field.
        """
        from sora_gateway.diagnosis import diagnose

        if name in self._configured:
            raise Conflict(f"{name} is set in the configuration; choose another name.")
        entry = _validated(fields, self._kept(name, secrets))
        return await diagnose(name, entry, self._upstreams.max_file, self._clock)

    def _kept(self, name: str, secrets: Secrets) -> dict[str, str]:
        """*secrets* that are given, and for the others those that are there."""
        known = self._upstreams.entries.get(name)
        kept = {each: given for each, given in secrets.items() if given is not None}
        if known is not None:
            kept = {each: getattr(known, each).get_secret_value() for each in secrets} | kept
        self._hide(kept.values())
        return kept

    def profiles(self) -> list[tuple[str, str, str]]:
        """Dialect, name and servers of every profile that an upstream may have."""
        return known_profiles()

    async def conditions(self) -> list[Condition]:
        """Every upstream, in the order in which they came."""
        around = await self._around()
        return [await self._condition(name, around) for name in self._upstreams.by_name]

    async def condition(self, name: str) -> Condition:
        """One of them. Raises NotFound."""
        self._known(name)
        return await self._condition(name, await self._around())

    async def _around(self) -> _Around:
        now = self._clock.now()
        ended = await self._store.statistics.ended("upstream", now - DAY, now)
        return _Around(await self._store.in_doubt(), {each.name: each for each in ended})

    async def _condition(self, name: str, around: _Around) -> Condition:
        upstream = self._upstreams.by_name[name]
        gate = upstream.gate
        entry = self._upstreams.entries.get(name)
        now, ticks = self._clock.now(), self._clock.monotonic()
        return Condition(
            name=name,
            added=entry is not None and name not in self._configured,
            entry=entry,
            adapter=upstream.adapter,
            open=not gate.paused,
            reason=gate.reason,
            held=gate.held,
            closed_since=None if gate.closed_since is None else now + gate.closed_since - ticks,
            breaker=gate.breaker,
            opens_at=None if gate.opens_at is None else now + gate.opens_at - ticks,
            inside=gate.inside,
            max_concurrent=gate.max_concurrent,
            waiting=gate.waiting,
            budget_free=gate.budget.free(ticks),
            spent=gate.spend.total(now),
            cap_reached=gate.spend.reached(now),
            in_doubt=around.in_doubt.get(name, 0),
            failures=await self._store.failures(name, LAST_FAILURES),
            durations=await self._supervisor.percentiles(name) if self._supervisor is not None else {},
            last_day=around.ended.get(name, Ended(name)),
        )

    def _known(self, name: str) -> None:
        if name not in self._upstreams.by_name:
            raise NotFound("There is no upstream of that name.")

    def _entry(self, row: AddedUpstream) -> Entry:
        fields = json.loads(row.settings)
        secrets = json.loads(self._box.unlock(row.api_key))
        self._hide(secrets.values())
        return _validated(fields, secrets)

    def webhook_secret(self, name: str) -> str:
        """The secret of an upstream's webhooks; empty when it may send none, or is not there."""
        entry = self._upstreams.entries.get(name)
        return "" if entry is None else entry.webhook_secret.get_secret_value()

    def _rewired(self, name: str) -> None:
        if self._supervisor is not None:
            self._supervisor.rewired(name)

    def _audit(self, by: Actor, action: str, name: str, detail: str = "") -> AuditEntry:
        return audit.entry(by, self._clock.now(), action, f"upstream {name}", detail)


def _validated(fields: Mapping[str, Any], secrets: Mapping[str, str]) -> Entry:
    """Raises InvalidRequest, which names the first wrong field."""
    try:
        hidden: dict[str, Any] = {name: SecretStr(value) for name, value in secrets.items()}
        return Entry(**fields, **hidden)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise InvalidRequest(f"The field {where!r} is not valid: {problem['msg']}.", param=where) from None
