"""Backups that are taken while the gateway works and dies."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sora_gateway.backup.manifest import DATABASE
from tests.clients.gateway import Home
from tests.soak.people import Books


@dataclass
class Backups:
    """*every* is how many seconds pass between two of them, on average; with 0 there are none."""

    home: Home
    books: Books
    chance: random.Random
    every: float
    taken: int = 0
    broken: list[str] = field(default_factory=list)

    async def run(self, load: asyncio.Task[None]) -> None:
        """Takes one now and then, until *load* is done, and looks through it."""
        while self.every and not load.done():
            await asyncio.wait({load}, timeout=self.chance.uniform(0.5, 1.5) * self.every)
            try:
                await self._take()
            except RuntimeError as error:
                self.broken.append(str(error))

    async def _take(self) -> None:
        """Raises RuntimeError: one of the commands failed."""
        promised = set(self.books.accepted)
        said = await self.home.command("backup", str(self.home.root / "backups"), "--keep", "3")
        backup = Path(said.partition(": ")[0])
        await self.home.command("restore", "--verify", str(backup))
        with closing(sqlite3.connect(backup / DATABASE)) as database:
            there = {row[0] for row in database.execute("SELECT id FROM jobs")}
        lost = promised - there
        if lost:
            self.broken.append(
                f"{backup.name} lacks {len(lost)} jobs that were accepted before it, such as {min(lost)}"
            )
        if "gone or damaged" in said:
            self.broken.append(said)
        self.taken += 1
