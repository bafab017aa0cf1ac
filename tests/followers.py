"""Clients of the live protocol on lines without sockets: each follows one topic, comes back with its cursor whenever it
is cut off, and keeps what it was told."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

from sora_gateway.core.messages import Cursor, StoredEvent
from sora_gateway.core.principal import Principal
from sora_gateway.errors import NotFound
from sora_gateway.realtime.connection import Connection
from sora_gateway.realtime.doors import Most
from sora_gateway.realtime.framing import text_frame
from sora_gateway.realtime.line import DIRECT
from sora_gateway.realtime.live import Live
from sora_gateway.realtime.sse import EventStream
from tests.fake_line import FakeLine, FakeSocketLine
from tests.transcripts import Asked, Connected, Entry, Told

How = Literal["id", "external", "all"]
NOBODY_LOOKS = Most()


class Follower:
    """*job_id* and *external_id* name what is followed; *how* says by which of them, or by ``all``.

    *since* is where it begins: the cursor of what it saw before, None to begin with a snapshot.
    """

    def __init__(
        self, principal: Principal, how: How, job_id: str, external_id: str, since: Cursor | None, high: int
    ) -> None:
        self.principal = principal
        self.how = how
        self.job_id = job_id
        self.external_id = external_id
        self.since = since
        self.wants_steps = False
        self.transcript: list[Entry] = []
        self.line: FakeLine | None = None
        self.attached = False
        """Whether its subscription was answered."""
        self.refused = False
        """Whether there is no such job, in the answer to the last question."""
        self._high = high
        self._times = 0
        """It has connected."""
        self._came = bytearray()
        self._task: asyncio.Task[None] | None = None

    def follows(self, event: StoredEvent) -> bool:
        """Whether *event* has to be told."""
        if self.how != "all":
            return event.job_id == self.job_id
        return self.principal.sees_all or event.owner == self.principal.user_id

    # --- the connection ----------------------------------------------------------------------------

    async def connect(self, live: Live) -> None:
        """Begins a connection, and asks for the topic."""
        self._times += 1
        # Every other time one that is written to past it.
        self.line = FakeSocketLine(self._high) if self._times % 2 else FakeLine(self._high)
        self.attached, self._came = False, bytearray()
        self.transcript.append(Connected(live.hub.epoch))
        await self._begin(live, self.line)

    async def _begin(self, live: Live, line: FakeLine) -> None:
        raise NotImplementedError

    def read(self, size: int | None = None) -> None:
        """Takes *size* bytes, or all that there are, and understands what is whole. Hangs up when that was the end."""
        line = self.line
        if line is None:
            return
        self._came += line.take(size)
        for message in self._messages(self._came):
            self._hear(message)
        if line.ended is not None and not line.untaken:
            line.cut()
        if line.gone:
            self.line = None

    def cut_off(self, size: int = 0) -> None:
        """The connection breaks after *size* more bytes: what is behind them is lost."""
        self.read(size)
        if self.line is not None:
            self.line.cut()
            self.line = None

    def leave(self) -> None:
        """Hangs up as one should."""
        self.read()
        if self.line is not None:
            self.line.leave()
            self.line = None

    def _messages(self, came: bytearray) -> Iterator[dict[str, Any]]:
        """Takes the whole messages out of *came*."""
        raise NotImplementedError

    def _hear(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        self.transcript.append(Told(message))
        if kind == "subscribed":
            # One that is awaited is not there yet, and its subscription will be answered once more.
            self.attached = True
        if kind in ("subscribed", "update"):
            # Not that of a reset: who is cut off before its snapshot would never hear of what it has lost.
            self.since = Cursor.parse(message["cursor"])
            assert self.since is not None
        if kind == "error":
            self.refused = True

    def _asks(self) -> dict[str, Any]:
        self.transcript.append(Asked(self.since))
        self.refused = False
        since = {} if self.since is None else {"since": str(self.since)}
        return since | ({"log": True} if self.wants_steps else {})


class SocketFollower(Follower):
    """Over a WebSocket."""

    async def _begin(self, live: Live, line: FakeLine) -> None:
        mailbox = live.hub.enter(self.principal)
        place = live.doors.enter("", NOBODY_LOOKS)
        line.say(self.question())
        connection = Connection(live, mailbox, place, line, text_frame, nobody_looks)
        self._task = asyncio.create_task(connection.begin())

    def question(self) -> str:
        """What it asks for, as a message."""
        topic: dict[str, Any] = {"all": True}
        if self.how == "id":
            topic = {"videoId": self.job_id}
        if self.how == "external":
            topic = {"externalVideoId": self.external_id, "pending": True}
        return json.dumps({"type": "subscribe"} | topic | self._asks())

    def ask_again(self) -> None:
        """The same topic once more, on the same connection, from where it is now."""
        if self.line is not None and self.attached:
            self.line.say(self.question())
            self.attached = False

    def stop(self) -> None:
        """Follows it no more, and a moment later again: the two in one packet."""
        if self.line is None or not self.attached:
            return
        question = json.loads(self.question())
        ending = {
            name: each for name, each in question.items() if name in ("videoId", "externalVideoId", "all")
        }
        self.line.say(
            json.dumps({"type": "unsubscribe"} | ending), json.dumps({"type": "ping"}), json.dumps(question)
        )
        self.attached = False

    def _messages(self, came: bytearray) -> Iterator[dict[str, Any]]:
        return messages_in(came)


def messages_in(came: bytearray) -> Iterator[dict[str, Any]]:
    """Takes the whole messages out of what *came* over a WebSocket."""
    while len(came) >= 2:
        assert came[0] == 0x81, "a whole message in one text frame"
        head, size = 2, came[1]
        if size == 126:
            head, size = 4, struct.unpack_from("!H", came, 2)[0] if len(came) >= 4 else 1 << 20
        elif size == 127:
            head, size = 10, struct.unpack_from("!Q", came, 2)[0] if len(came) >= 10 else 1 << 20
        if len(came) < head + size:
            return
        message = json.loads(came[head : head + size])
        del came[: head + size]
        yield message


class StreamFollower(Follower):
    """Over server-sent events. Who follows by an external id looks the job up first."""

    async def _begin(self, live: Live, line: FakeLine) -> None:
        job = None
        if self.how != "all":
            text = self.job_id if self.how == "id" else self.external_id
            try:
                job = await live.store.find(text, self.principal)
            except NotFound:
                line.cut()
                self.refused, self.line = True, None
                return
        asked = self._asks()
        stream = EventStream(live, self.principal, job, asked.get("since"), log="log" in asked)
        self._task = asyncio.create_task(self._stream(stream, line))

    async def _stream(self, stream: EventStream, line: FakeLine) -> None:
        async def send(message: Any) -> None:
            if message.get("status") == 204:
                self.transcript.append(Told({"type": "nothing more"}))
            if message["type"] == "http.response.body" and not message.get("more_body") and not line.gone:
                line.finish()

        async def receive() -> Any:
            raise AssertionError("nothing is read of a stream's reader")

        scope: dict[str, Any] = {
            "type": "http", "method": "GET", "http_version": "1.1", "headers": [], "client": None,
            "extensions": {DIRECT: line},
        }  # fmt: skip
        with suppress(NotFound):
            await stream(scope, receive, send)
        line.finish()

    def _messages(self, came: bytearray) -> Iterator[dict[str, Any]]:
        while (end := came.find(b"\r\n")) > 0:
            size = int(came[:end], 16)
            if len(came) < end + 2 + size + 2:
                return
            chunk = bytes(came[end + 2 : end + 2 + size]).decode()
            del came[: end + 2 + size + 2]
            lines = dict(line.split(": ", 1) for line in chunk.strip().split("\n"))
            if "data" in lines:
                message = json.loads(lines["data"])
                assert lines["event"] == message["type"]
                # Of a step log it is the id that says where the stream goes on.
                self.since = Cursor.parse(lines["id"])
                yield message


async def nobody_looks(_job: object) -> None:
    """Nobody writes it down here."""
