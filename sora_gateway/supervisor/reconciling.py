"""What becomes of a create whose answer was lost: found, sent again where that is safe, or left to a person.

In this order: the same create again with its idempotency key, where the upstream honours one; our own word for it in
the upstream's list; a video in that list that can be no other. Nothing of this is a second purchase. Only
``resubmit_if_absent``, which an operator or the profile of a server that costs nothing has chosen, buys again by
itself: once per job, when a complete list does not have it at the end of the search.

What was sent before the database was restored from a backup is only looked for, and only our own word for it counts:
what the gateway did after the backup is not known here, so neither the same key nor an absent video proves anything.

All moments are counted from the stored moment of sending, so a restart goes on where the search was; what became due
meanwhile is one look. A person can decide at any time.
"""

from __future__ import annotations

import logging
import re
from typing import Protocol

from sora_gateway.core import job as j
from sora_gateway.core import reconcile
from sora_gateway.core.job import ExternalId, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import Outcome, OutcomeClass
from sora_gateway.core.reconcile import Kind, OnAmbiguous, Verdict
from sora_gateway.errors import Conflict
from sora_gateway.store.jobs import Answered, ExternalIdTaken
from sora_gateway.supervisor.creating import send_again
from sora_gateway.supervisor.search import Finding, made_within, turn
from sora_gateway.supervisor.watcher import Upstream, Watcher

log = logging.getLogger(__name__)

DAY = 86400.0
LOST_LOOKS = (60.0, 300.0, 1800.0, 7200.0, 21600.0, DAY)
"""Seconds after which a job that its upstream denies is asked for again; counted anew by every process."""
LIST_RETRIES = 11
"""How often a list that cannot be had is asked for once it should have settled the matter: for two hours."""
LONGEST_RETRY = 900.0
PAUSED, BUSY = 30.0, 2.0
"""Seconds until an upstream that gets no creates, or gets another one again, is thought of again."""

_THERE = frozenset({LookKind.ALIVE, LookKind.COMPLETED, LookKind.FAILED, LookKind.CANCELLED})
_LOST_ANSWER, _LOST_JOB = "Its answer was lost", "Its upstream lost it"
_DECIDE = "an administrator has to decide"
_SETTLED = re.compile(rf"(?:{_LOST_ANSWER}|{_LOST_JOB}) \((.*)\), and (.*): {_DECIDE}\.", re.DOTALL)


async def unknown(watcher: Watcher) -> None:
    """Looks for the create until it is found, or a person or a policy has decided."""
    upstream, name = watcher.upstream, watcher.job.upstream
    quest: _Quest
    if upstream is None:
        quest = _Nowhere(name)
    elif watcher.job.external_id is None:
        quest = _LostAnswer(watcher, upstream)
    else:
        quest = _LostJob(watcher, upstream)
    try:
        while watcher.job.state is State.UNKNOWN:
            if not await _once(watcher, quest):
                return
    finally:
        watcher.next_look = None
        watcher.answer(watcher.lookers)
        watcher.around.searches.of(name).forget(watcher.job.id)


async def _once(watcher: Watcher, quest: _Quest) -> bool:
    """Waits for the next look and looks; False when the step is to begin anew."""
    if quest.pointless:
        await settle(watcher, quest.pointless)
    delay = quest.delay()
    watcher.next_look = None if delay is None else watcher.now() + delay
    if await watcher.sleep(DAY if delay is None else delay):
        return False
    lookers, watcher.lookers = watcher.lookers, []
    if quest.pointless:
        for request in lookers:
            request.refuse(Conflict(f"There is nowhere to look: {quest.pointless}."))
        return True
    if not lookers and delay is None:
        return True
    try:
        return await quest.look(asked=bool(lookers))
    finally:
        # Also when it broke: what it came to is in the job.
        watcher.answer(lookers)


async def settle(watcher: Watcher, finding: str) -> None:
    """Says plainly that a person has to decide, and why."""
    reason = watcher.job.note
    if match := _SETTLED.fullmatch(reason):
        reason = match[1]
    lost = _LOST_ANSWER if watcher.job.external_id is None else _LOST_JOB
    await watcher.wait(f"{lost} ({reason}), and {finding}: {_DECIDE}.")


class _Quest(Protocol):
    @property
    def pointless(self) -> str:
        """Why looking can come to nothing; empty when it can."""

    def delay(self) -> float | None:
        """Seconds to the next look; None when there is none left."""

    async def look(self, *, asked: bool) -> bool:
        """Looks once, *asked* by a person or not, and records what it came to; False when the step is to begin anew."""


class _Nowhere:
    """Its upstream is not configured any more; when it is again, the step begins anew."""

    def __init__(self, name: str) -> None:
        self.pointless = f"the upstream {name} is not in the configuration any more"

    def delay(self) -> float | None:
        return None

    async def look(self, *, asked: bool) -> bool:
        return True


class _LostAnswer:
    """Whether the upstream took the create at all is not known."""

    def __init__(self, watcher: Watcher, upstream: Upstream) -> None:
        self._watcher = watcher
        self._upstream = upstream
        self._name = upstream.adapter.name
        self._search = watcher.around.searches.of(watcher.job.upstream)
        self._looks = reconcile.looks(made_within(upstream, watcher.around.limits.create_timeout))
        self._looked: float | None = None
        self._unlisted = 0
        """Looks in a row at the end of the search for which the list could not be had."""
        self._sent_again: float | None = None
        self._not_before = 0.0
        self._refused = False
        """Whether it can be sent again no more: the upstream does not take it, or it cannot be the same."""

    @property
    def pointless(self) -> str:
        if self._listed or self._may_send_again():
            return ""
        if self._restored:
            return "it may have been sent again after the backup that it was restored from"
        if self._upstream.adapter.idempotent:
            # Why it was not taken, if that is known, says more.
            said = _SETTLED.fullmatch(self._watcher.job.note)
            return said[2] if said else f"it cannot be sent to {self._name} again"
        return f"{self._name} has no list of its videos"

    def delay(self) -> float | None:
        moment = self._next_sending()
        if moment is not None:
            return max(moment, self._not_before - self._watcher.now())
        if not self._listed:
            return None
        if 0 < self._unlisted <= LIST_RETRIES:
            return min(LONGEST_RETRY, 60.0 * 2.0 ** (self._unlisted - 1))
        return reconcile.next_moment(self._looks, self._age(), self._looked)

    async def look(self, *, asked: bool) -> bool:
        if self._may_send_again() and (asked or self._next_sending() is not None):
            return await self._send_again()
        return await self._look_at_list() if self._listed else True

    @property
    def _listed(self) -> bool:
        return self._upstream.adapter.listing != "none"

    @property
    def _restored(self) -> bool:
        """Whether it was sent before the database was restored, and so may have been sent again since."""
        return self._sent_at() <= self._search.restored_at

    def _age(self) -> float:
        return self._watcher.now() - self._sent_at()

    def _sent_at(self) -> float:
        assert self._watcher.job.submitted_at is not None, "what was never sent is not in doubt"
        return self._watcher.job.submitted_at

    # --- the same create again ---------------------------------------------------------------------

    def _may_send_again(self) -> bool:
        # A clock that was set back says nothing about the age of a key.
        fresh = -reconcile.EARLY <= self._age() < reconcile.KEY_LIFETIME
        return self._upstream.adapter.idempotent and fresh and not self._refused and not self._restored

    def _next_sending(self) -> float | None:
        if not self._may_send_again():
            return None
        return reconcile.next_moment(reconcile.RESENDS, self._age(), self._sent_again)

    async def _send_again(self) -> bool:
        watcher, upstream = self._watcher, self._upstream
        if (wait := self._wait_for_turn()) > 0:
            self._not_before = watcher.now() + wait
            return True
        async with self._search.resending:
            upstream.gate.budget.take(watcher.around.clock.monotonic())
            self._sent_again = self._age()
            attempts = await self._search.attempts(watcher.job.id)
            sent = await send_again(watcher, upstream, attempts[-1].id) if attempts else None
        if sent is None:
            self._refused = True
            await settle(watcher, "what it was to be made from is not in the gateway's files any more")
            return True
        outcome, answer = sent
        if watcher.job.state is not State.UNKNOWN:
            if outcome.external_id is not None:
                log.warning("%s: %s has it after all, as %s", watcher.job.id, self._name, outcome.external_id)
            return False
        if outcome.kind in (OutcomeClass.RECEIPT, OutcomeClass.KNOWN):
            assert outcome.external_id is not None
            upstream.gate.worked()
            answered = Answered(outcome.kind.value, outcome.external_id, answer.status)
            return not await self._adopt(outcome.external_id, answered)
        await self._learn(outcome)
        return True

    def _wait_for_turn(self) -> float:
        """Seconds until it may be thought of sending again; 0 is now. People are served meanwhile."""
        gate, now = self._upstream.gate, self._watcher.around.clock.monotonic()
        if gate.paused or self._watcher.around.stopping.is_set():
            return PAUSED if gate.opens_at is None else max(BUSY, gate.opens_at - now)
        if self._search.resending.locked():
            return BUSY
        return gate.budget.ready_at(now) - now

    async def _learn(self, outcome: Outcome) -> None:
        """What is said of a create that was sent again and brought no id: it may have been paid for all the same."""
        watcher, gate = self._watcher, self._upstream.gate
        log.info("%s: sent to %s again: %s", watcher.job.id, self._name, outcome.message)
        match outcome.kind:
            case OutcomeClass.REFUSED:
                # Perhaps of the create, perhaps of the key: the first sending may have been taken.
                self._refused = True
                await settle(watcher, f"{self._name} refused it when it was sent again ({outcome.message})")
            case OutcomeClass.OUT_OF_ORDER:
                gate.pause(outcome.message)
            case OutcomeClass.REFUSED_FOR_NOW:
                self._not_before = watcher.now() + (outcome.retry_after or 0.0)
            case _:
                gate.failed()
        if not self._refused and self._next_sending() is None and not self._listed:
            await settle(watcher, f"{self._name} never answered when it was sent again")

    # --- the list ----------------------------------------------------------------------------------

    async def _look_at_list(self) -> bool:
        watcher = self._watcher
        finding = await watcher.meanwhile(
            self._search.ask(
                self._upstream, names_of(watcher, self._upstream), watcher.job.id, self._sent_at()
            )
        )
        if finding is None:
            return False
        self._looked = finding.at - self._sent_at()
        settled = self._looked >= self._looks[-1]
        if finding.trouble:
            log.info("%s: no list from %s: %s", watcher.job.id, self._name, finding.trouble)
            self._unlisted += settled
        else:
            self._unlisted = 0
        verdict = finding.verdict
        # With a backup whole jobs may be gone whose videos look the same: those are for a person to tell apart.
        sure = not self._restored or any(row.token for row in verdict.candidates)
        found = verdict.external_id if sure else None
        if found is not None and await self._adopt(found, Answered("adopted", found)):
            return False
        if not settled:
            return True
        if verdict.kind is Kind.ABSENT and await self._buy_again():
            return False
        await settle(watcher, self._said(finding))
        return True

    async def _buy_again(self) -> bool:
        wanted = self._upstream.on_ambiguous is OnAmbiguous.RESUBMIT_IF_ABSENT
        if not wanted or self._upstream.adapter.idempotent or self._restored:
            return False
        return await buy_again(self._watcher, self._name)

    def _said(self, finding: Finding) -> str:
        return (
            f"the list of {self._name} cannot be had ({finding.trouble})"
            if finding.trouble
            else _in_words(finding.verdict, self._name)
        )

    # --- what it comes to --------------------------------------------------------------------------

    async def _adopt(self, external_id: ExternalId, answered: Answered) -> bool:
        watcher = self._watcher
        try:
            await watcher.insist(j.Adopted(watcher.now(), external_id), answered)
        except ExternalIdTaken:
            log.warning("%s: %s says %s, which another job has", watcher.job.id, self._name, external_id)
            return False
        log.warning("%s: found at %s as %s", watcher.job.id, self._name, external_id)
        return True


class _LostJob:
    """The upstream had taken it, and denies it now. It is asked for by its id, as it would be watched."""

    pointless = ""

    def __init__(self, watcher: Watcher, upstream: Upstream) -> None:
        self._watcher = watcher
        self._upstream = upstream
        self._since = watcher.now()
        self._looked: float | None = None

    def delay(self) -> float | None:
        return reconcile.next_moment(LOST_LOOKS, self._watcher.now() - self._since, self._looked)

    async def look(self, *, asked: bool) -> bool:
        watcher, upstream = self._watcher, self._upstream
        external_id = watcher.job.external_id
        assert external_id is not None
        self._looked = watcher.now() - self._since
        look = await watcher.meanwhile(self._ask(external_id))
        if look is None:
            return False
        if look.kind in _THERE:
            log.warning("%s: %s has it again", watcher.job.id, upstream.adapter.name)
            await watcher.insist(j.Adopted(watcher.now(), external_id))
            return False
        if look.kind is LookKind.MISSING and await self._buy_again(external_id):
            return False
        await settle(watcher, f"{upstream.adapter.name} cannot say how it is")
        return True

    async def _ask(self, external_id: ExternalId) -> Look:
        await turn(self._watcher.around.clock, self._upstream.gate.budget)
        return await self._upstream.adapter.look(external_id)

    async def _buy_again(self, external_id: ExternalId) -> bool:
        """It was taken once for certain, so only where that cost nothing, and where no list has it either."""
        watcher, upstream = self._watcher, self._upstream
        wanted = upstream.free and upstream.on_ambiguous is OnAmbiguous.RESUBMIT_IF_ABSENT
        sent_at = watcher.job.submitted_at
        if not wanted or upstream.adapter.listing == "none" or sent_at is None:
            return False
        search = watcher.around.searches.of(watcher.job.upstream)
        finding = await watcher.meanwhile(
            search.ask(upstream, names_of(watcher, upstream), watcher.job.id, sent_at)
        )
        seen = finding.seen if finding is not None else None
        if seen is None or seen.since > reconcile.begin(sent_at, seen.skew):
            return False
        listed = {row.external_id for row in seen.rows}
        return external_id not in listed and await buy_again(watcher, upstream.adapter.name)


async def buy_again(watcher: Watcher, name: str) -> bool:
    """Has a job that is provably not at *name* sent once more, unless that was done before."""
    attempts = await watcher.around.searches.of(watcher.job.upstream).attempts(watcher.job.id)
    if watcher.job.state is not State.UNKNOWN or any(each.outcome == "pay_again" for each in attempts):
        return False
    why = f"resubmit_if_absent: {name} has a complete list without it"
    await watcher.insist(j.PayAgain(watcher.now()), Answered("pay_again", detail=why))
    log.warning("%s: sent again, because %s", watcher.job.id, why)
    return True


def names_of(watcher: Watcher, upstream: Upstream) -> tuple[str, ...]:
    """The job's upstream, and the others that are the same account."""
    mine = watcher.job.upstream
    others = (
        name
        for name, other in watcher.around.upstreams.items()
        if name != mine and other.account and other.account == upstream.account
    )
    return (mine, *others)


def _in_words(verdict: Verdict, name: str) -> str:
    match verdict.kind, len(verdict.candidates):
        case Kind.ABSENT, _:
            return f"the list of {name} does not have it"
        case Kind.AMBIGUOUS, 1:
            return f"a video in the list of {name} that may be it may as well be another's"
        case Kind.AMBIGUOUS, number:
            return f"{number} videos in the list of {name} may be it, and others' as well"
        case _, 0:
            return f"the list of {name} says too little, or ends too early"
        case _, number:
            return f"the list of {name} has {number} like it, none of them for certain"
    raise AssertionError(verdict)
