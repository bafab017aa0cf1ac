"""The same stream as ``/ws``, for one job or for everything of mine, over server-sent events.

``id:`` is the cursor, ``event:`` the message's type, ``data:`` the same JSON as on the WebSocket. A job's
stream ends after its final event; a client that comes back with that event's cursor gets a 204, which tells
an EventSource to stop. Any other end means: come back with the last id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sora_gateway.core.job import Job
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.flow import Flow, Gone
from sora_gateway.realtime.framing import Form, chunk, event, event_chunk
from sora_gateway.realtime.line import DIRECT, Line
from sora_gateway.realtime.live import Live
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.plain import PlainLine
from sora_gateway.realtime.session import Attached, Session
from sora_gateway.realtime.websocket import address_of

RETRY = 3000
"""Milliseconds after which a browser comes back."""
CLOSE_TIMEOUT = 1.0


def stream(request: Request, principal: Principal, job: Job | None, live: Live) -> Response:
    """The events of *job*, which *principal* may see, or of everything that they may see.

    ``Last-Event-ID`` resumes, or ``?since=`` at a first connection; the header wins. ``?log=true`` begins with the
    step log of *job*.
    """
    since = request.headers.get("last-event-id") or request.query_params.get("since") or None
    log = request.query_params.get("log", "").lower() in ("true", "1", "yes", "on", "t", "y")
    return EventStream(live, principal, job, since, log=log)


class EventStream(StreamingResponse):
    """Raises NotFound or LiveLimit, before anything is sent: the job was deleted meanwhile, or there are as many live
    connections as there may be."""

    def __init__(
        self, live: Live, principal: Principal, job: Job | None, since: str | None, *, log: bool
    ) -> None:
        super().__init__(
            content=(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        self._live = live
        self._principal = principal
        self._job = job
        self._since = since
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await Response(headers=self.headers)(scope, receive, send)
            return
        live, most = self._live, self._live.limits().most
        with (
            live.doors.entered(address_of(Request(scope)), most) as place,
            live.hub.connect(self._principal) as mailbox,
        ):
            place.known_as(self._principal.user_id, most)
            topic = "all" if self._job is None else f"video:{self._job.id}"
            subscription = live.hub.follow(
                mailbox, topic, job_id=self._job.id if self._job else None, since=self._since, log=self._log
            )
            attached = await Session(live, mailbox).attach(subscription)
            if attached.ended and attached.missed == 0:
                await Response(status_code=204)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            live.rights.watch(mailbox)
            # Only HTTP/1.1 has chunks, which is how our own bytes lie between the server's.
            line: Line | None = (
                scope.get("extensions", {}).get(DIRECT) if scope["http_version"] == "1.1" else None
            )
            if line is not None:
                speaker = _Speaker(live, mailbox, line, event_chunk, chunk, one_job=self._job is not None)
                await speaker.speak(attached)
                gone = speaker.gone
            else:
                gone = await self._speak_plainly(attached, mailbox, receive, send)
        if not gone:
            # To a reader that takes nothing even this cannot be said: that is left to the transport.
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _speak_plainly(
        self, attached: Attached, mailbox: Mailbox, receive: Receive, send: Send
    ) -> bool:
        """The same over plain ASGI. Returns whether the reader has gone."""
        line = PlainLine(lambda data: send({"type": "http.response.body", "body": data, "more_body": True}))
        speaker = _Speaker(self._live, mailbox, line, event, bytes, one_job=self._job is not None)

        async def until_the_end() -> None:
            try:
                await speaker.speak(attached)
            finally:
                line.end(0, "")

        carrying = asyncio.create_task(line.carry(), name="event stream's writer")
        leaving = asyncio.create_task(client_left(receive), name="event stream's reader")
        speaking = asyncio.create_task(until_the_end(), name="event stream")
        try:
            await asyncio.wait({carrying, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone = leaving.done()
            speaker.lost()
            for task in (carrying, leaving, speaking):
                task.cancel()
            await asyncio.gather(carrying, leaving, speaking, return_exceptions=True)
        return gone


class _Speaker:
    """Everything that is said on one stream; the reader of its line, from which nothing comes."""

    def __init__(
        self,
        live: Live,
        mailbox: Mailbox,
        line: Line,
        form: Form,
        wrap: Callable[[bytes], bytes],
        *,
        one_job: bool,
    ) -> None:
        """*wrap* makes what is no message fit the line; *one_job*: the stream is over with its job."""
        self._clock = live.clock
        self._limits = live.limits()
        self._mailbox = mailbox
        self._line = line
        self._wrap = wrap
        self._flow = Flow(mailbox, line, form, self._limits.send_timeout)
        self._over = asyncio.Event()
        self.gone = False
        """Whether the reader has left."""
        mailbox.closed.add_done_callback(self._ended)
        if one_job:
            mailbox.on_final = self._over.set

    async def speak(self, attached: Attached) -> None:
        """Returns when there is nothing more to say, nobody listens, or the stream has to end."""
        self._line.attach(self)
        ends_at = self._clock.monotonic() + self._limits.sse_max_age
        try:
            # A line of the first event: some clients take a block of its own for an empty message.
            self._line.write(self._wrap(f"retry: {RETRY}\n".encode()))
            for message in attached.messages:
                await self._flow.say(message)
            if not attached.ended:
                self._mailbox.flow()
                await self._keep_alive(ends_at)
            # What was said last is on its way before the response ends.
            await self._flow.drained()
        except Gone:
            pass
        finally:
            self._mailbox.rest()
            self._flow.over()
            if self._line.full:
                self._line.end(CloseCode.TOO_SLOW, "")

    def _ended(self, _closed: object) -> None:
        self._over.set()
        # Who is being told something waits for a reader who may never take it.
        self._flow.over()

    async def _keep_alive(self, ends_at: float) -> None:
        while not self._over.is_set():
            rest = min(self._limits.heartbeat, ends_at - self._clock.monotonic())
            if rest <= 0:
                return
            await self._clock.sleep(rest, self._over)
            if not self._over.is_set() and not self._line.full:
                self._line.write(self._wrap(b": still here\n\n"))

    def received(self, text: str | None) -> None:
        """Nothing comes on an event stream."""

    def paused(self) -> None:
        self._flow.paused()

    def resumed(self) -> None:
        self._flow.resumed()

    def lost(self) -> None:
        self.gone = True
        self._flow.over()
        self._over.set()
        self._mailbox.close(CloseCode.GOING_AWAY)


async def client_left(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
