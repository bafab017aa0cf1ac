"""Who has which plan: those of the configuration and those that administrators make, kept in memory because the
queue asks at every turn. Every change goes through here, so that what is kept is what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from sora_gateway.accounts.tokens import digest
from sora_gateway.clock import Clock
from sora_gateway.core.plans import DEFAULT, Allowance, Plan, allowance, plan_of, settings_of
from sora_gateway.errors import NotFound, StorageFailed, StorageFull
from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.credits import Standing
from sora_gateway.store.plans import Held, StoredPlan


class Plans:
    """*configured* are those of the configuration; one that is made here under the same name replaces it."""

    def __init__(self, store: Store, clock: Clock, configured: Mapping[str, Plan]) -> None:
        self._store = store
        self._clock = clock
        self._configured = {DEFAULT: Plan(), **configured}
        self._made: dict[str, Plan] = {}
        self._held: dict[str, Held] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when somebody may have other limits than before."""

    async def load(self) -> None:
        """Reads what is stored; once, before anything is asked."""
        self._made = {
            stored.name: plan_of(stored.name, json.loads(stored.settings))
            for stored in await self._store.credits.plans()
        }
        self._held = dict(await self._store.credits.held())

    # --- asking ----------------------------------------------------------------------------------

    def known(self) -> Mapping[str, Plan]:
        """All plans by name."""
        return {**self._configured, **self._made}

    def made_here(self, name: str) -> bool:
        """Whether an administrator made, or changed, the plan while the gateway ran."""
        return name in self._made

    def count(self, name: str) -> int:
        """How many people were given the plan; nobody is given the default one."""
        return sum(held.plan == name for held in self._held.values())

    def people(self) -> list[str]:
        """Everybody who was given a plan, by their id; everybody else has the default one."""
        return list(self._held)

    def held(self, user_id: str) -> Held:
        """What the person was given; :meth:`of` says what that means today."""
        return self._held.get(user_id, Held(None, None))

    def of(self, user_id: str) -> Plan:
        """The plan that counts now: once theirs has expired, or is not known any more, it is the default."""
        plan = self._plan_of(user_id)
        return (self._named(plan) if plan is not None else None) or self._default

    def _plan_of(self, user_id: str) -> str | None:
        held = self.held(user_id)
        return held.plan if held.until is None or held.until > self._clock.now() else None

    def lost(self, user_id: str) -> bool:
        """Whether the person has a plan that is not known any more, such as one that somebody took out of the
        configuration or misspelt there."""
        plan = self._plan_of(user_id)
        return plan is not None and self._named(plan) is None

    @property
    def _default(self) -> Plan:
        return self._made.get(DEFAULT) or self._configured[DEFAULT]

    def _named(self, name: str) -> Plan | None:
        return self._made.get(name) or self._configured.get(name)

    def allowance(self, user_id: str) -> Allowance:
        return allowance(self.of(user_id), self._clock.now())

    async def standing(self, user_id: str, wanted: int = 0, price: int = 0) -> Standing:
        """How the person stands for whom *wanted* more videos would cost *price*; gives them this month's credits,
        if they have not had them and the disk allows it."""
        now, allowed = self._clock.now(), self.allowance(user_id)
        try:
            return await self._store.credits.standing(user_id, allowed, now, wanted, price)
        except (StorageFull, StorageFailed):
            # What is stored stays readable.
            without = replace(allowed, monthly_credits=0)
            return await self._store.credits.standing(user_id, without, now, wanted, price)

    def seats(self, user_id: str) -> int:
        """How many of the person's videos may be in the making at once; 0 is unlimited."""
        return self.of(user_id).concurrency

    # --- changing --------------------------------------------------------------------------------

    async def put(self, plan: Plan, entry: AuditEntry) -> None:
        """Makes or replaces a plan."""
        settings = json.dumps(settings_of(plan), sort_keys=True)
        stored = StoredPlan(plan.name, settings, self._clock.now())
        await self._store.credits.put_plan(stored, entry)
        self._made[plan.name] = plan
        self.changed()

    async def remove(self, name: str, entry: AuditEntry) -> None:
        """Raises NotFound unless it was made here; Conflict while somebody has it and the configuration has no other."""
        await self._store.credits.remove_plan(name, entry, another=name in self._configured)
        self._made.pop(name, None)
        self.changed()

    async def give(self, user_id: str, plan: str | None, until: float | None, entry: AuditEntry) -> None:
        """Puts a person on a plan, for ever or until a moment; None is the default. Raises NotFound."""
        if plan is not None and self._named(plan) is None:
            raise NotFound(f"There is no plan {plan!r}.")
        await self._store.credits.give_plan(user_id, plan, until, entry)
        self._remember(user_id, Held(plan, until))

    async def redeem(self, code: str, user_id: str, entry: AuditEntry) -> CodeRecord:
        """Gives a person what *code* is worth. Raises NotFound; Conflict if they have redeemed it before, or
        have another plan than the one that it brings."""
        record, held = await self._store.credits.redeem(digest(code), user_id, entry, self.known().keys())
        if record.plan is not None:
            self._remember(user_id, held)
        return record

    def _remember(self, user_id: str, held: Held) -> None:
        self._held[user_id] = held
        self.changed()
