"""What one connection has not been sent yet, bounded in events and in bytes.

Every update carries the whole state of its job, so an unread one that is not final is replaced by the next
of its job instead of being kept beside it: a slow reader gets fewer updates, never older ones. Final states
are kept. A reader that is slow even so has its connection closed, and comes back with its cursor.

While nothing is unread and the line takes what it is given, nothing is kept here at all: the hub writes through.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.framing import Form, bare_text
from sora_gateway.realtime.letter import Letter
from sora_gateway.realtime.line import NONE, Line

if TYPE_CHECKING:
    from sora_gateway.realtime.hub import Subscription

MAX_EVENTS = 256
MAX_BYTES = 256 * 1024


def _nothing() -> None:
    pass


def _nothing_of(_mailbox: object) -> None:
    pass


class Through:
    """What is looked at for every delivery of an event: apart from the rest, so that it lies together in memory."""

    __slots__ = ("_line", "fd", "form", "last", "sees_all", "user_id")

    def __init__(self, principal: Principal) -> None:
        # The same string for all connections of one person: it is compared with events' owners.
        self.user_id = sys.intern(principal.user_id)
        self.sees_all = principal.sees_all
        self.fd = NONE
        """The line's, while nothing is unread and it takes what it is given: then the hub writes through."""
        self.form: Form = bare_text
        self.last = 0
        """The last event that was put in here or written through; an earlier one comes too late."""
        self._line: Line | None = None

    def left_over(self, data: bytes) -> None:
        """The rest of what was written through: the line keeps it, or notices that its peer is gone."""
        if self._line is not None:
            self._line.write(data)


class Mailbox(Through):
    """One per connection, made by :class:`Hub`; all of it belongs to the event loop.

    Either a *line* takes what comes (:meth:`serve`), or somebody reads: :attr:`arrived`, then :meth:`take`.
    """

    __slots__ = (
        "_arrived", "_asked_until", "_bytes", "_known", "_known_until", "_letters", "_newest", "_resting", "bound", "closed", "doubted",
        "look_at", "merged", "on_bound", "on_doubt", "on_final", "principal", "subscriptions",
    )  # fmt: skip

    def __init__(self, principal: Principal) -> None:
        super().__init__(principal)
        self.principal = principal
        self.subscriptions: set[Subscription] = set()
        self.bound: list[Subscription] = []
        """Subscriptions whose job came to exist, to be attached before anything else is read."""
        self.closed: asyncio.Future[CloseCode] = asyncio.get_running_loop().create_future()
        """Done with the reason once the connection has to end."""
        self.doubted = False
        """The person's rights may have changed: their credential is to be looked at now."""
        self.look_at = 0.0
        """When the credential is looked at next, by the monotonic clock."""
        self.merged = 0
        self.on_bound: Callable[[], None] = _nothing
        self.on_doubt: Callable[[Mailbox], None] = _nothing_of
        self.on_final: Callable[[], None] = _nothing
        """Called when the line was given the last event of a job."""
        self._resting = True
        self._asked_until = 0
        self._arrived: asyncio.Event | None = None
        self._letters: dict[int, Letter] = {}
        """By sequence number, and in its order: letters arrive in that order and are only taken out."""
        self._newest: dict[str, int] = {}
        """The unread letter of each job that the job's next one replaces."""
        self._bytes = 0
        self._known: dict[str, int] = {}
        self._known_until = 0

    @property
    def arrived(self) -> asyncio.Event:
        """Set while there is something to read, to attach or to look at."""
        if self._arrived is None:
            self._arrived = asyncio.Event()
            if self._letters or self.bound or self.doubted:
                self._arrived.set()
        return self._arrived

    def wants(self, event: StoredEvent) -> bool:
        """Whether one of its subscriptions does."""
        return any(subscription.wants(event) for subscription in self.subscriptions)

    # --- in ----------------------------------------------------------------------------------------

    def put(self, letter: Letter) -> None:
        """Takes *letter* in, unless the reader has it, or knows better from a snapshot. Never waits."""
        event = letter.event
        if self.closed.done() or event.seq <= self.last or self._is_known(event):
            return
        self.last = event.seq
        replaced = self._newest.pop(event.job_id, None)
        if replaced is not None:
            self._remove(replaced)
            self.merged += 1
        self._letters[event.seq] = letter
        self._bytes += letter.size
        if not event.final:
            self._newest[event.job_id] = event.seq
        if len(self._letters) > MAX_EVENTS or self._bytes > MAX_BYTES:
            self.close(CloseCode.TOO_SLOW)
        self._ring()

    def bind(self, subscription: Subscription) -> None:
        """The job that *subscription* waits for came to exist: it is attached before anything else is told."""
        self.bound.append(subscription)
        self.fd = NONE
        self._ring()
        self.on_bound()

    def knows(self, versions: dict[str, int], until: int) -> None:
        """A snapshot told the reader these versions of these jobs; it holds no change later than *until*."""
        self._known = {**self._known, **versions}
        self._known_until = max(self._known_until, until)

    def ask_until(self, seq: int) -> None:
        """Of each event up to this one it has to be asked whether it is wanted: nothing is written through before a
        later one has come."""
        self._asked_until = max(self._asked_until, seq)
        if self.last < self._asked_until:
            self.fd = NONE

    def doubt(self) -> None:
        """Has whoever reads look at the credential now."""
        self.doubted = True
        self._ring()
        self.on_doubt(self)

    def close(self, code: CloseCode) -> None:
        """Ends the connection; what is unread stays unread. The first reason counts."""
        if not self.closed.done():
            self.closed.set_result(code)
            self.fd = NONE
            self._letters.clear()
            self._newest.clear()
            self._bytes = 0
            # Whoever looks at credentials has it for half a minute yet; the connection behind it is gone.
            self._line = None
            self.on_bound = self.on_final = _nothing
            self.on_doubt = _nothing_of

    # --- out, read ---------------------------------------------------------------------------------

    def take(self) -> Letter | None:
        """The oldest unread letter, None when all are read."""
        seq = next(iter(self._letters), None)
        if seq is None:
            if self._arrived is not None and not self.bound and not self.doubted:
                self._arrived.clear()
            return None
        return self._remove(seq)

    # --- out, through a line -----------------------------------------------------------------------

    def serve(self, line: Line, form: Form) -> None:
        """From :meth:`flow` on, *line* is given what comes, in *form*."""
        if not self.closed.done():
            self._line, self.form = line, form

    def pause(self) -> None:
        """The line is full: what comes is kept, until :meth:`go_on`."""
        self.fd = NONE

    def rest(self) -> None:
        """Gives the line nothing until :meth:`flow`."""
        self._resting, self.fd = True, NONE

    def flow(self) -> None:
        """Gives the line what is unread, as far as it takes it, and what comes from now on."""
        self._resting = False
        self.go_on()

    def go_on(self) -> None:
        """The same, unless it rests."""
        line = self._line
        if line is None or self._resting or self.bound or self.closed.done():
            return
        while self._letters and not line.full:
            letter = self._remove(next(iter(self._letters)))
            line.write(letter.framed(self.form))
            if letter.event.final:
                self.on_final()
        # What a snapshot told already has to be kept out one by one.
        settled = not self._known and self.last >= self._asked_until
        through = settled and not self._letters and not line.full
        self.fd = line.descriptor if through and not self._resting else NONE

    # --- what is unread ----------------------------------------------------------------------------

    def keep_wanted(self) -> None:
        """Drops the unread letters that nobody here wants any more, or that a snapshot has overtaken."""
        for letter in list(self._letters.values()):
            if not self.wants(letter.event) or self._is_known(letter.event):
                self._remove(letter.event.seq)

    def __len__(self) -> int:
        return len(self._letters)

    def _ring(self) -> None:
        if self._arrived is not None:
            self._arrived.set()

    def _is_known(self, event: StoredEvent) -> bool:
        if event.seq > self._known_until:
            self._known.clear()
        return event.job_seq <= self._known.get(event.job_id, 0)

    def _remove(self, seq: int) -> Letter:
        letter = self._letters.pop(seq)
        self._bytes -= letter.size
        if self._newest.get(letter.event.job_id) == seq:
            del self._newest[letter.event.job_id]
        return letter
