"""A receiver of webhooks that verifies what it gets, and is out of order now and then."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.lab import closing
from tests.raw_server import Received, Wire, serving_raw
from tests.receivers import signed_by

FAILS = 0.05
"""Share of the messages whose first try fails; the second comes five seconds later."""


@dataclass
class HookReceiver:
    """*heard* has, for each video, the types of the messages that came whole and were answered with 204."""

    chance: random.Random
    port: int = 0
    secret: str = ""
    heard: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    complaints: list[str] = field(default_factory=list)
    _failed: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def handle(self, request: Received, wire: Wire) -> None:
        message = request.headers["webhook-id"]
        if message not in self._failed and self.chance.random() < FAILS:
            self._failed.add(message)
            if self.chance.random() < 0.5:
                wire.reset()
            else:
                await wire.send(closing(500))
            return
        if self.secret and not signed_by(request, self.secret, time.time()):
            self.complaints.append(f"the webhook's message {message} is not signed")
        body = request.json
        data = body["data"]
        assert isinstance(data, dict)
        self.heard[str(data["videoId"])].add(str(body["type"]))
        await wire.send(closing(204))


@asynccontextmanager
async def listening_for_hooks(chance: random.Random) -> AsyncIterator[HookReceiver]:
    receiver = HookReceiver(chance)
    async with serving_raw(receiver.handle) as server:
        receiver.port = server.port
        yield receiver
