"""What one connection has not been sent yet, bounded in events and in bytes.

Every update carries the whole state of its job, so an unread one that is not final is replaced by the next
of its job instead of being kept beside it: a slow reader gets fewer updates, never older ones. Final states
are kept. A reader that is slow even so has its connection closed, and comes back with its cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway.core.messages import StoredEvent
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode

if TYPE_CHECKING:
    from sora_gateway.realtime.hub import Subscription

MAX_EVENTS = 256
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One event with the message that all its readers get. *size* is the message's in bytes of UTF-8."""

    event: StoredEvent
    text: str
    size: int


class Mailbox:
    """One per connection, made by :meth:`Hub.connect`; all of it belongs to the event loop."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.subscriptions: set[Subscription] = set()
        self.bound: list[Subscription] = []
        """Subscriptions whose job came to exist, to be attached before anything else is read."""
        self.arrived = asyncio.Event()
        """Set while there is something to read or to attach."""
        self.doubted = asyncio.Event()
        """Set when the person's rights may have changed: their credential is to be looked at now."""
        self.closed: asyncio.Future[CloseCode] = asyncio.get_running_loop().create_future()
        """Done with the reason once the connection has to end."""
        self.merged = 0
        self._letters: dict[int, Letter] = {}
        """By sequence number, and in its order: letters arrive in that order and are only taken out."""
        self._newest: dict[str, int] = {}
        """The unread letter of each job that the job's next one replaces."""
        self._bytes = 0
        self._last = 0
        self._known: dict[str, int] = {}
        self._known_until = 0

    def put(self, letter: Letter) -> None:
        """Takes *letter* in, unless the reader has it, or knows better from a snapshot. Never waits."""
        event = letter.event
        if self.closed.done() or event.seq <= self._last or self._is_known(event):
            return
        self._last = event.seq
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
        self.arrived.set()

    def take(self) -> Letter | None:
        """The oldest unread letter, None when all are read."""
        seq = next(iter(self._letters), None)
        if seq is None:
            if not self.bound:
                self.arrived.clear()
            return None
        return self._remove(seq)

    def keep(self, wanted: Callable[[StoredEvent], bool]) -> None:
        """Drops the unread letters that nobody here wants any more, or that a snapshot has overtaken."""
        for letter in list(self._letters.values()):
            if not wanted(letter.event) or self._is_known(letter.event):
                self._remove(letter.event.seq)

    def knows(self, versions: dict[str, int], until: int) -> None:
        """A snapshot told the reader these versions of these jobs; it holds no change later than *until*."""
        self._known = {**self._known, **versions}
        self._known_until = max(self._known_until, until)

    def doubt(self) -> None:
        """Has whoever reads look at the credential now."""
        self.doubted.set()
        self.arrived.set()

    def close(self, code: CloseCode) -> None:
        """Ends the connection; what is unread stays unread. The first reason counts."""
        if not self.closed.done():
            self.closed.set_result(code)
            self._letters.clear()
            self._newest.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._letters)

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
