"""Backups that are taken while the gateway works and dies."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from sora_gateway.cli import COMMANDS
from tests.clients.gateway import Home


@dataclass
class Backups:
    home: Home
    chance: random.Random
    taken: int = 0
    broken: list[str] = field(default_factory=list)

    async def run(self, while_running: asyncio.Task[None]) -> None:
        """Takes one now and then."""
        if "backup" not in COMMANDS:
            return
