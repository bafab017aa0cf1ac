"""The video that a request is about: who may see it, who may do something with it, and who looked."""

from __future__ import annotations

import logging
from collections import OrderedDict

from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.core.job import Job
from sora_gateway.core.principal import Principal
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import Forbidden, GatewayError
from sora_gateway.http.auditing import actor_of, entry
from sora_gateway.http.routing import Call
from sora_gateway.store import Store, audit

log = logging.getLogger(__name__)

LOOK_INTERVAL = 3600.0
"""Seconds for which one administrator's looks at one video are one line of the audit log."""
REMEMBERED = 10_000
LOOKED = "job.look"
"""What the audit log calls it."""
EVERYBODYS = "everybody's videos"
"""And what they looked at, when it was a list."""


class Looks:
    """Writes down when an administrator looks at somebody's private video."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        """By person and what they looked at, the oldest first."""

    async def note(self, principal: Principal, job: Job, by: Actor) -> None:
        """Before *job* is shown to *principal*, who is *by*."""
        anothers = job.owner != principal.user_id
        if anothers and principal.sees_all and job.visibility is Visibility.PRIVATE:
            await self._write(principal, job.id, by)

    async def note_list(self, principal: Principal, by: Actor) -> None:
        """Before *principal* is shown everything that they may see: lists carry addresses of files as well."""
        if principal.sees_all:
            await self._write(principal, EVERYBODYS, by)

    async def _write(self, principal: Principal, target: str, by: Actor) -> None:
        key, now = (principal.user_id, target), self._clock.monotonic()
        noted = self._noted.get(key)
        if noted is not None and now - noted < LOOK_INTERVAL:
            return
        self._noted[key] = now
        self._noted.move_to_end(key)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        try:
            await self._store.audit(audit.entry(by, self._clock.now(), LOOKED, target))
        except GatewayError as error:
            # A full disk: what is stored stays readable, to administrators above all.
            self._noted.pop(key, None)
            log.error("that %s looked at %s could not be written down: %s", by.name, target, error.message)


async def find(call: Call, text: str | None = None) -> Job:
    """The video that the path, or *text*, names by either id.

    Raises:
        NotFound: there is none that the caller may see.
    """
    job = await call.services.store.find(call.path["id"] if text is None else text, call.caller)
    await call.services.looks.note(call.caller, job, actor_of(call))
    return job


async def find_own(call: Call, text: str | None = None) -> Job:
    """The same for what only its owner and administrators may do.

    Raises:
        NotFound: there is none that the caller may see.
        Forbidden: they see it because its owner shows it to the team, and that is all.
    """
    job = await find(call, text)
    if job.owner != call.caller.user_id and not call.caller.sees_all:
        raise Forbidden("This video is somebody else's: you may look at it and make your own from it.")
    return job


async def note_act(call: Call, job: Job, action: str) -> None:
    """Writes down, before it is done, what an administrator does to somebody else's video."""
    if job.owner != call.caller.user_id:
        await call.services.store.audit(entry(call, action, job.id))
