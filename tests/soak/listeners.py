"""Clients of the live protocol on real sockets: each comes back with its cursor whenever it is cut off, by the gateway's
death or of its own accord, and keeps what it was told for :class:`tests.transcripts.Verifier`."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from sora_gateway.core.messages import Cursor
from tests.stores import EPOCH
from tests.transcripts import Asked, Connected, Entry, Told

SILENCE = 12.0
"""Seconds without a byte after which a stream is taken for dead; its heartbeat comes every two."""
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass
class Listener:
    """Follows *job_id*, or everything that its person may see: of *owner*, of everybody if that is None."""

    address: str
    key: str
    chance: random.Random
    owner: str | None
    job_id: str | None = None
    naps: float = 0.0
    """Share of its interruptions after which it stays away for a while."""
    transcript: list[Entry] = field(default_factory=list)
    since: Cursor | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing more is to come, or it has seen the end."""
    refused: bool = False
    """Whether there is no such video any more."""
    connections: int = 0
    anew: bool = True
    """Whether the next snapshot is where it begins; one to a cursor is followed by what came after the cursor."""
    resets: int = 0

    @property
    def name(self) -> str:
        return f"{type(self).__name__} of {self.job_id or self.owner or 'everybody'}"

    async def run(self) -> None:
        """Until it is over."""
        ending = asyncio.create_task(self.over.wait())
        while not self.over.is_set():
            line = asyncio.create_task(self._line())
            cut = self.chance.uniform(2, 25)
            await asyncio.wait({line, ending}, timeout=cut, return_when=asyncio.FIRST_COMPLETED)
            line.cancel()
            # Whatever ends a line: it comes back.
            with suppress(asyncio.CancelledError, OSError, WebSocketException, httpx.HTTPError, TimeoutError):
                await line
            nap = (
                self.chance.uniform(3, 15)
                if self.chance.random() < self.naps
                else self.chance.uniform(0, 0.4)
            )
            await asyncio.wait({ending}, timeout=nap)

    async def _line(self) -> None:
        raise NotImplementedError

    def _hear(self, message: dict[str, Any]) -> None:
        self.transcript.append(Told(message))
        kind = message["type"]
        if kind in ("subscribed", "update"):
            self.since = Cursor.parse(message["cursor"])
        elif kind == "reset":
            self.resets += 1
            self.anew = True
        elif kind == "error" and message["code"] == "not_found":
            self.refused = True
            self.over.set()
        if (kind == "update" and message["status"] in ENDED) or (
            kind == "subscribed" and self.anew and any(task["status"] in ENDED for task in message["tasks"])
        ):
            self._final()

    def _final(self) -> None:
        """The one video that it follows has ended, and nothing will change any more."""


class SocketListener(Listener):
    async def _line(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        address = self.address.replace("http", "ws") + "/ws"
        async with connect(
            address, additional_headers=headers, proxy=None, open_timeout=5, close_timeout=0.2
        ) as socket:
            try:
                ready = json.loads(await socket.recv())
                self._begin(ready["cursor"])
                topic = {"videoId": self.job_id} if self.job_id else {"all": True}
                since = {"since": str(self.since)} if self.since else {}
                await socket.send(json.dumps({"type": "subscribe"} | topic | since))
                async for text in socket:
                    self._hear(json.loads(text))
            except asyncio.CancelledError:
                socket.transport.abort()
                raise

    def _begin(self, cursor: str) -> None:
        there = Cursor.parse(cursor)
        assert there is not None
        self.connections += 1
        self.anew = self.since is None
        self.transcript += [Connected(there.epoch), Asked(self.since)]

    def _final(self) -> None:
        if self.job_id:
            self.over.set()


class StreamListener(Listener):
    """The stream of one video ends by itself, with 204 at the last."""

    epoch: str = EPOCH

    async def _line(self) -> None:
        path = f"/api/video/tasks/{self.job_id}/stream" if self.job_id else "/api/events/stream"
        headers = {"Authorization": f"Bearer {self.key}"}
        if self.since:
            headers["Last-Event-ID"] = str(self.since)
        timeout = httpx.Timeout(5, read=SILENCE)
        async with (
            httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=timeout) as http,
            http.stream("GET", path, headers=headers) as answer,
        ):
            if answer.status_code == 404:
                self.refused = True
                self.over.set()
                return
            if answer.status_code not in (200, 204):
                return
            asked: list[Entry] = [Connected(self.epoch), Asked(self.since)]
            if answer.status_code == 204:
                self.transcript += [*asked, Told({"type": "nothing more"})]
                self.over.set()
                return
            self.connections += 1
            self.transcript += asked
            await self._events(answer)

    async def _events(self, answer: httpx.Response) -> None:
        cursor = data = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                cursor = value
            elif name == "data":
                data = value
            elif not line and data:
                self._hear(json.loads(data))
                # A reset has none: whoever is cut off before its snapshot begins anew.
                self.since, data = Cursor.parse(cursor), ""
