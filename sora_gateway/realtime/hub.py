"""The in-process fan-out: from the store's writer, after its commit, to every connection that follows the job.

Publishing waits for nobody: the message of an event is made and framed once and written to the socket of every
connection that takes it, past its line, or put into its mailbox. Connections are found by job, by owner, or by following everybody.
Events are told in the order of the global sequence. After every :data:`SLICE` deliveries the event loop has its turn;
of the events that come meanwhile, one that is not final gives way to the next of its job, as in a mailbox.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeAlias

from sora_gateway.core.event_log import StoredEvent, UrlsOf
from sora_gateway.core.job import Job
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.framing import Form
from sora_gateway.realtime.letter import Letter
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.store.events import EventScope

log = logging.getLogger(__name__)

SLICE = 256
"""Deliveries in one turn of the event loop: some milliseconds with what the kernel does for them."""


@dataclass(frozen=True, slots=True)
class HubStatistics:
    """*connections* and *subscriptions* are open now; the others count since the start."""

    connections: int
    subscriptions: int
    published: int
    merged: int
    too_slow: int


@dataclass(slots=True, eq=False)
class Subscription:
    """What one connection follows: a job, or everything its principal may see, or a job yet to come."""

    mailbox: Mailbox
    topic: str
    job_id: str | None = None
    external_id: str | None = None
    """Awaited: the next event of the principal's own jobs that has it decides the job."""
    since: str | None = None
    log: bool = False
    """Whether the job's step log is told first."""
    floor: int = 0
    """Events up to this one were read from the log, or are in the snapshot."""
    owed: frozenset[int] = frozenset()
    """Events up to the floor that were left to another subscription, and are wanted if that one is left."""
    attached: bool = False
    """Whether snapshot and replay were sent; until then this subscription vouches for nothing."""

    def covers(self, event: StoredEvent) -> bool:
        if not (event.team or self.may_always_see(event)):
            return False
        if self.job_id is not None:
            return self.job_id == event.job_id
        return self.external_id is None

    def may_always_see(self, event: StoredEvent) -> bool:
        """Whether its reader sees the job also when the team does not."""
        principal = self.mailbox.principal
        return principal.sees_all or event.owner == principal.user_id

    def wants(self, event: StoredEvent) -> bool:
        return (event.seq > self.floor or event.seq in self.owed) and self.covers(event)

    @property
    def scope(self) -> EventScope:
        """The same for the log."""
        if self.job_id is not None:
            return EventScope(job_id=self.job_id)
        principal = self.mailbox.principal
        return EventScope() if principal.sees_all else EventScope(owner=principal.user_id)


Followers: TypeAlias = dict[Subscription, Mailbox]
"""In the order in which they came, which is also how they lie in memory: a set is walked through in another one."""


class Hub:
    """*epoch* is the event log's; *urls_of* signs addresses and must not block."""

    def __init__(self, epoch: str, urls_of: UrlsOf) -> None:
        self.epoch = epoch
        self.urls_of = urls_of
        self.watching: Callable[[str | None, str], None] = lambda _job_id, _owner: None
        """Called when somebody begins to follow a job, or with None everything of an owner's."""
        self.told: Callable[[Sequence[int]], None] = lambda _seqs: None
        """Called after each turn with the numbers of the events that everybody was handed who follows them."""
        self._closed: CloseCode | None = None
        self._mailboxes: set[Mailbox] = set()
        self._by_job: dict[str, Followers] = {}
        self._by_owner: dict[str, Followers] = {}
        self._of_everybody: Followers = {}
        self._awaiting: dict[str, Followers] = {}
        """By owner: subscriptions to external ids that no job has yet."""
        self._pending: deque[StoredEvent] = deque()
        """What nobody was told yet, and what has given way meanwhile."""
        self._newest: dict[str, StoredEvent] = {}
        """The pending event of each job that the job's next one replaces."""
        self._done: list[int] = []
        """What was told in this turn."""
        self._head = 0
        """The number of the newest event that was published."""
        self._telling: Iterator[None] | None = None
        self._published = 0
        self._merged = 0
        self._too_slow = 0

    # --- telling ---------------------------------------------------------------------------------

    def publish(self, events: list[StoredEvent]) -> None:
        """Tells what was just committed. Called by the store's writer, in order; never waits, never raises."""
        for event in events:
            self._published += 1
            self._head = event.seq
            try:
                # At once, and not when its turn comes: who may read what has changed already.
                if event.step == "visibility" and not event.team:
                    self._withdraw(event)
                if event.owner in self._awaiting:
                    self._bind(event)
            except Exception:  # as below
                self._untold(event)
            else:
                self._add(event)
        if self._telling is None and self._pending:
            self._telling = self._tell_all()
            self._turn()

    def _add(self, event: StoredEvent) -> None:
        job_id = event.job_id
        if event.final:
            replaced = self._newest.pop(job_id, None)
        else:
            replaced, self._newest[job_id] = self._newest.get(job_id), event
        if replaced is not None:
            self._merged += 1
        self._pending.append(event)

    def _turn(self) -> None:
        """Tells until it is somebody else's turn, and has itself called again if that was not all."""
        assert self._telling is not None
        done = next(self._telling, self) is self
        self.told(self._done)
        self._done.clear()
        if done:
            self._telling = None
        else:
            asyncio.get_running_loop().call_soon(self._turn)

    def _tell_all(self) -> Iterator[None]:
        """Tells every pending event, also those that come meanwhile, with a pause after each slice."""
        left, pending, newest = SLICE, self._pending, self._newest
        while pending:
            event = pending.popleft()
            if not event.final:
                if newest.get(event.job_id) is not event:
                    continue  # It gave way to a later one.
                del newest[event.job_id]
            try:
                # Who comes later than this list reads the event in the log, or in its snapshot.
                audience = self._audience(event)
                untold = len(audience)
                if untold:
                    letter = self.letter(event)
                    to_come = iter(audience)
                    while untold > left:
                        hand_out(letter, islice(to_come, left))
                        untold -= left
                        yield
                        left = SLICE
                    hand_out(letter, to_come)
                    left -= untold
                self._done.append(event.seq)
            except Exception:  # a bug in one message is no reason to be silent about the next
                self._untold(event)
            if not left:
                yield
                left = SLICE

    def _untold(self, event: StoredEvent) -> None:
        """A bug in one message must not keep the writer from its callers, nor leave a silent hole."""
        log.exception("the event %d could not be told", event.seq)
        for mailbox in self._audience(event):
            mailbox.close(CloseCode.RESYNC)

    def letter(self, event: StoredEvent) -> Letter:
        """The message of *event*, the same for all its readers, with addresses signed now."""
        return Letter(event, self.epoch, self.urls_of)

    def _audience(self, event: StoredEvent) -> list[Mailbox]:
        """Where somebody may follow it; more than once, if by several subscriptions."""
        followers = self._by_job.get(event.job_id)
        audience = list(followers.values()) if followers else []
        if event.team:
            for followers in self._by_owner.values():
                audience += followers.values()
        elif followers := self._by_owner.get(event.owner):
            audience += followers.values()
        if self._of_everybody:
            audience += self._of_everybody.values()
        return audience

    def _withdraw(self, event: StoredEvent) -> None:
        """A job that the team could see is private again. Whoever followed it, or everything, and may not see it any
        more begins anew; what they have not read yet they never will."""
        everything = chain.from_iterable(self._by_owner.values())
        for subscription in chain(self._by_job.get(event.job_id, ()), everything):
            if not subscription.may_always_see(event):
                subscription.mailbox.close(CloseCode.RESYNC)

    def _bind(self, event: StoredEvent) -> None:
        """Gives waiting subscriptions their job, if this event is the first that says its external id."""
        external_id = json.loads(event.payload)["externalVideoId"]
        for subscription in list(self._awaiting[event.owner]):
            if subscription.external_id == external_id:
                self._unlink(subscription)
                subscription.job_id, subscription.attached = event.job_id, False
                self._link(subscription)
                subscription.mailbox.bind(subscription)

    # --- following -------------------------------------------------------------------------------

    def enter(self, principal: Principal) -> Mailbox:
        """A mailbox for one connection, closed at once if the hub is. :meth:`leave` it in the end."""
        mailbox = Mailbox(principal)
        if self._closed is not None:
            mailbox.close(self._closed)
        self._mailboxes.add(mailbox)
        return mailbox

    def leave(self, mailbox: Mailbox) -> None:
        """Forgets *mailbox*; more than once is the same as once."""
        if mailbox not in self._mailboxes:
            return
        self._mailboxes.remove(mailbox)
        mailbox.close(
            CloseCode.NORMAL
        )  # First: from here on nothing is written to its descriptor, whatever happens.
        for subscription in list(mailbox.subscriptions):
            self.unfollow(subscription)
        self._merged += mailbox.merged
        if mailbox.closed.result() is CloseCode.TOO_SLOW:
            self._too_slow += 1

    @contextmanager
    def connect(self, principal: Principal) -> Iterator[Mailbox]:
        """A mailbox while this is entered."""
        mailbox = self.enter(principal)
        try:
            yield mailbox
        finally:
            self.leave(mailbox)

    def watched(self, job: Job) -> bool:
        """Whether somebody follows *job*, or everything of its owner's, at this moment."""
        if job.id in self._by_job or job.owner in self._by_owner:
            return True
        # An administrator follows everybody, and waits for their own.
        return any(each.mailbox.principal.user_id == job.owner for each in self._of_everybody)

    def follow(
        self,
        mailbox: Mailbox,
        topic: str,
        *,
        job_id: str | None = None,
        external_id: str | None = None,
        since: str | None = None,
        log: bool = False,
    ) -> Subscription:
        """From now on *mailbox* gets the events of one job, of a job awaited by its external id, or with
        neither of everything that its principal may see. Whether the job may be seen was asked before."""
        subscription = Subscription(mailbox, topic, job_id, external_id, since, log)
        # Its connection may have ended while somebody looked whether it may be seen, and leaves no second time.
        if mailbox in self._mailboxes:
            self._link(subscription)
            mailbox.subscriptions.add(subscription)
        return subscription

    def unfollow(self, subscription: Subscription) -> None:
        """Ends *subscription*, and drops what was unread only for its sake."""
        mailbox = subscription.mailbox
        self._unlink(subscription)
        mailbox.subscriptions.discard(subscription)
        if subscription in mailbox.bound:
            mailbox.bound.remove(subscription)
        mailbox.keep_wanted()
        # It may be in the audience of what is being told.
        mailbox.ask_until(self._head)

    def _link(self, subscription: Subscription) -> None:
        mailbox = subscription.mailbox
        principal = mailbox.principal
        if subscription.job_id is not None:
            self._by_job.setdefault(subscription.job_id, {})[subscription] = mailbox
        elif subscription.external_id is not None:
            self._awaiting.setdefault(principal.user_id, {})[subscription] = mailbox
        elif principal.sees_all:
            self._of_everybody[subscription] = mailbox
        else:
            self._by_owner.setdefault(principal.user_id, {})[subscription] = mailbox
        if subscription.job_id is not None or subscription.external_id is None:
            self.watching(subscription.job_id, principal.user_id)

    def _unlink(self, subscription: Subscription) -> None:
        self._of_everybody.pop(subscription, None)
        user_id = subscription.mailbox.principal.user_id
        for index, key in (
            (self._by_job, subscription.job_id),
            (self._by_owner, user_id),
            (self._awaiting, user_id),
        ):
            found = index.get(key) if key is not None else None
            if key is not None and found is not None:
                found.pop(subscription, None)
                if not found:
                    del index[key]

    # --- rights ----------------------------------------------------------------------------------

    def recheck(self, user_id: str) -> None:
        """A credential of that person was revoked, or their role has changed: every connection of theirs looks at
        its credential now."""
        for mailbox in self._mailboxes:
            if mailbox.principal.user_id == user_id:
                mailbox.doubt()

    # --- the rest --------------------------------------------------------------------------------

    async def close(self, code: CloseCode = CloseCode.RESTARTING) -> None:
        """Ends every connection, and each one that still comes; when this returns, all were told.

        In slices: to tell ten thousand at once holds the event loop for most of half a second, in which no download
        goes on and no second signal is heard.
        """
        self._closed = code
        open_now = list(self._mailboxes)
        for start in range(0, len(open_now), SLICE):
            for mailbox in open_now[start : start + SLICE]:
                mailbox.close(code)
            # What each of them does about it was put into the loop before this, and happens before it goes on.
            await asyncio.sleep(0)

    def statistics(self) -> HubStatistics:
        return HubStatistics(
            connections=len(self._mailboxes),
            subscriptions=sum(len(mailbox.subscriptions) for mailbox in self._mailboxes),
            published=self._published,
            merged=self._merged + sum(mailbox.merged for mailbox in self._mailboxes),
            too_slow=self._too_slow,
        )


def hand_out(letter: Letter, audience: Iterable[Mailbox]) -> None:
    """The innermost loop: what stands here is done ten thousand times for one event.

    It looks at nothing of a connection but its mailbox, and of that only at what lies together: in memory that was not
    touched since the last event each look elsewhere takes longer than all the rest of the line.
    """
    event = letter.event
    seq, owner, team, final = event.seq, event.owner, event.team, event.final
    form: Form | None = None
    write = os.write
    data, size = b"", 0
    for mailbox in audience:
        fd = mailbox.fd
        if fd < 0 or final or seq <= mailbox.last:
            if mailbox.wants(event):
                mailbox.put(letter)
                mailbox.go_on()
        elif team or mailbox.user_id == owner or mailbox.sees_all:
            if mailbox.form is not form:
                form = mailbox.form
                data = letter.framed(form)
                size = len(data)
            mailbox.last = seq
            try:
                taken = write(fd, data)
            except OSError:
                taken = 0
            if taken != size:
                mailbox.left_over(data[taken:])
