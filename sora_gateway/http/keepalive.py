"""One sweep over all WebSockets asks each for a sign of life once in an interval.

A timer for each would have them asked in the order in which they came: after a restart ten thousand come within
seconds, and would be asked within seconds ever after. Here a new one is put where the fewest are.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

log = logging.getLogger(__name__)

PLACES = 80
"""Parts of an interval: of ten thousand connections a hundred and some are asked in one turn of the event loop."""


class Peer(Protocol):
    def beat(self) -> None:
        """Called once in an interval."""
        ...


class Keepalive:
    """Calls each peer every *interval* seconds, at first within one; all of it belongs to the event loop."""

    def __init__(self, interval: float) -> None:
        self._pause = interval / PLACES
        self._places: list[dict[Peer, None]] = [{} for _ in range(PLACES)]
        self._of: dict[Peer, int] = {}
        self._next = self._last = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, peer: Peer) -> None:
        place = self._last = (self._last + 1) % PLACES
        self._of[peer] = place
        self._places[place][peer] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._turn)

    def discard(self, peer: Peer) -> None:
        place = self._of.pop(peer, None)
        if place is not None:
            del self._places[place][peer]

    def _turn(self) -> None:
        for peer in list(self._places[self._next]):
            try:
                peer.beat()
            except Exception:  # a bug in one connection is no reason to ask none of the others ever again
                log.exception("a WebSocket could not be asked whether it is still there")
        self._next = (self._next + 1) % PLACES
        # Nobody is left, so nothing keeps the loop awake.
        later = asyncio.get_running_loop().call_later
        self._timer = later(self._pause, self._turn) if self._of else None
