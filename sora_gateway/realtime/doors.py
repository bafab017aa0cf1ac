"""How many live connections there may be: in all, of one person, from one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sora_gateway.core.networks import network_of
from sora_gateway.errors import LiveLimit


@dataclass(frozen=True, slots=True)
class Most:
    """0 is unlimited."""

    connections: int = 0
    per_person: int = 0
    per_address: int = 0


class Doors:
    """Counts who is in. A connection is counted with its address from the first moment, with its person once that is
    known."""

    def __init__(self) -> None:
        self._in_all = 0
        self._by_address: Counter[str] = Counter()
        self._by_person: Counter[str] = Counter()

    def enter(self, address: str, most: Most) -> Pass:
        """Raises LiveLimit: there are as many as there may be, in all or from there."""
        address = network_of(address)
        if most.connections and self._in_all >= most.connections:
            raise LiveLimit("The gateway has as many live connections as it may have; try again in a while.")
        if most.per_address and self._by_address[address] >= most.per_address:
            raise LiveLimit(
                f"There are {most.per_address} live connections from your address, which is all that there may be; "
                "close one, or try again in a while."
            )
        self._in_all += 1
        self._by_address[address] += 1
        return Pass(self, address)

    @contextmanager
    def entered(self, address: str, most: Most) -> Iterator[Pass]:
        """The same while this is entered."""
        found = self.enter(address, most)
        try:
            yield found
        finally:
            found.leave()

    def _known_as(self, person: str, most: Most) -> None:
        if most.per_person and self._by_person[person] >= most.per_person:
            raise LiveLimit(
                f"You have {most.per_person} live connections open, which is all that one person may have; close one."
            )
        self._by_person[person] += 1

    def _left(self, address: str, person: str | None) -> None:
        self._in_all -= 1
        for counted, name in ((self._by_address, address), (self._by_person, person)):
            if name is not None:
                counted[name] -= 1
                if not counted[name]:
                    del counted[name]


class Pass:
    """One connection's place."""

    __slots__ = ("_address", "_doors", "_inside", "_person")

    def __init__(self, doors: Doors, address: str) -> None:
        self._doors = doors
        self._address = address
        self._person: str | None = None
        self._inside = True

    def known_as(self, person: str, most: Most) -> None:
        """Raises LiveLimit: *person* has as many as one may have."""
        self._doors._known_as(person, most)
        self._person = person

    def leave(self) -> None:
        """More than once is the same as once."""
        if self._inside:
            self._inside = False
            self._doors._left(self._address, self._person)
