"""Everybody who uses the gateway during a soak: people with their hands full, and those who follow what happens."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from tests.soak.listeners import Listener, SocketListener, StreamListener
from tests.soak.people import Books, Person
from tests.soak.plan import Plan

MEMBERS = ("ann", "ben", "cleo")
LISTENS = 0.25
"""Share of the videos that somebody follows by their id."""


@dataclass
class Crowd:
    """Everybody who uses the gateway at *address*."""

    address: str
    keys: dict[str, str]
    """By their names; ``root`` administers."""
    plan: Plan
    chance: random.Random
    books: Books = field(default_factory=Books)
    listeners: list[Listener] = field(default_factory=list)
    _marks: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _people: list[Person] = field(default_factory=list)
    _hands: list[asyncio.Task[None]] = field(default_factory=list)
    _listening: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (*self._hands, *self._listening):
            task.cancel()
        await asyncio.gather(*self._hands, *self._listening, return_exceptions=True)
        for person in self._people:
            await person.http.aclose()

    async def comes(self) -> None:
        """Everybody begins."""
        for name in MEMBERS:
            who = Person(
                name,
                f"user_{name}",
                self.client(name),
                self.books,
                self._own(),
                self._marks,
                self._hear,
                self.plan.faulty,
            )
            self._people.append(who)
            self._hands += [asyncio.create_task(who.hand(self.plan.pause)) for _ in range(self.plan.hands)]
            self.listens(SocketListener, name)
            self.listens(StreamListener, name, naps=self.plan.naps)
        self.listens(SocketListener, None)

    def client(self, name: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.keys[name]}"}
        return httpx.AsyncClient(base_url=self.address, headers=headers, trust_env=False, timeout=20)

    def listens(
        self, kind: type[Listener], name: str | None, job_id: str | None = None, naps: float = 0.0
    ) -> None:
        """One more who follows; of everybody, as the administrator, without a *name*."""
        owner = f"user_{name}" if name else None
        new = kind(self.address, self.keys[name or "root"], self._own(), owner, job_id, naps)
        self.listeners.append(new)
        self._listening.append(asyncio.create_task(new.run()))

    def _hear(self, person: Person, job_id: str) -> None:
        if self.chance.random() < LISTENS:
            self.listens(self.chance.choice([SocketListener, StreamListener]), person.name, job_id)

    def _own(self) -> random.Random:
        return random.Random(self.chance.random())

    async def has_done(self) -> None:
        """Brings to its end what was begun; the gateway has to be there for it."""
        for person in self._people:
            person.over.set()
        await asyncio.gather(*self._hands)

    async def leaves(self, events: dict[str | None, int], within: float = 25.0) -> None:
        """Once everybody has heard of everything: *events* has the last number of each owner, and of all."""
        deadline = time.monotonic() + within
        for each in self.listeners:
            each.naps = 0.0
        for each in self.listeners:
            if each.job_id is None:
                last = events.get(each.owner, 0)
                while time.monotonic() < deadline and (each.since is None or each.since.seq < last):  # noqa: ASYNC110 - a message sets no event
                    await asyncio.sleep(0.05)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(each.over.wait(), max(0.1, deadline - time.monotonic()))
        for each in self.listeners:
            each.over.set()
        await asyncio.gather(*self._listening)
        for person in self._people:
            await person.http.aclose()
