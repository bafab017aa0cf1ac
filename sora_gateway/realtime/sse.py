"""The same stream as ``/ws``, for one job or for everything of mine, over server-sent events.

``id:`` is the cursor, ``event:`` the message's type, ``data:`` the same JSON as on the WebSocket. A job's
stream ends after its final event; a client that comes back with that event's cursor gets a 204, which tells
an EventSource to stop. Any other end means: come back with the last id.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sora_gateway.core.job import Job
from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.session import Attached, Live, Outgoing, Session

RETRY = 3000
"""Milliseconds after which a browser comes back."""
CLOSE_TIMEOUT = 1.0


def stream(request: Request, principal: Principal, job: Job | None, live: Live) -> Response:
    """The events of *job*, which *principal* may see, or of everything that they may see.

    ``Last-Event-ID`` resumes, or ``?since=`` at a first connection; the header wins.
    """
    since = request.headers.get("last-event-id") or request.query_params.get("since") or None
    return EventStream(live, principal, job, since)


class EventStream(StreamingResponse):
    """Raises NotFound, before anything is sent, if the job was deleted meanwhile."""

    def __init__(self, live: Live, principal: Principal, job: Job | None, since: str | None) -> None:
        super().__init__(
            content=(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        self._live = live
        self._principal = principal
        self._job = job
        self._since = since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await Response(headers=self.headers)(scope, receive, send)
            return
        with self._live.hub.connect(self._principal) as mailbox:
            topic = "all" if self._job is None else f"video:{self._job.id}"
            subscription = self._live.hub.follow(
                mailbox, topic, job_id=self._job.id if self._job else None, since=self._since
            )
            session = Session(self._live, mailbox)
            attached = await session.attach(subscription)
            if attached.ended and attached.missed == 0:
                await Response(status_code=204)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            speaker = _Speaker(self._live, session, mailbox, send, self._job is not None)
            await self._converse(speaker, attached, session, receive)

    async def _converse(
        self, speaker: _Speaker, attached: Attached, session: Session, receive: Receive
    ) -> None:
        """Speaks until there is nothing more to say, nobody listens, or the stream has to end."""
        speaking = asyncio.create_task(speaker.speak(attached), name="event stream")
        leaving = asyncio.create_task(client_left(receive), name="event stream's reader")
        guarding = asyncio.create_task(session.guard(), name="event stream's rights")
        try:
            ends = {speaking, leaving, guarding, session.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = leaving.done()
            for task in (speaking, leaving, guarding):
                task.cancel()
            results = await asyncio.gather(speaking, leaving, guarding, return_exceptions=True)
        if not left:
            # To a reader that takes nothing even this cannot be said: that is left to the transport.
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await speaker.end()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result


class _Speaker:
    """Everything that is said on one stream."""

    def __init__(self, live: Live, session: Session, mailbox: Mailbox, send: Send, ends: bool) -> None:
        """*ends*: whether it is one job's stream, over with the job."""
        self._live = live
        self._ends = ends
        self._session = session
        self._mailbox = mailbox
        self._send = send

    async def speak(self, attached: Attached) -> None:
        clock, limits = self._live.clock, self._live.limits
        ends_at = clock.monotonic() + limits.sse_max_age
        await self._say(f"retry: {RETRY}\n\n")
        for message in attached.messages:
            if self._mailbox.closed.done():
                return  # what was read before may not be told any more
            await self._tell(message)
        if attached.ended:
            return
        beat_at = clock.monotonic() + limits.heartbeat
        while clock.monotonic() < ends_at:
            letter = self._mailbox.take()
            if letter is not None:
                await self._tell(self._session.update(letter))
                if self._ends and letter.event.final:
                    return
                beat_at = clock.monotonic() + limits.heartbeat
                continue
            await clock.sleep(min(ends_at, beat_at) - clock.monotonic(), self._mailbox.arrived)
            if clock.monotonic() >= beat_at:
                await self._say(": still here\n\n")
                beat_at = clock.monotonic() + limits.heartbeat

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, message: Outgoing) -> None:
        await self._say(f"id: {message.cursor}\nevent: {message.kind}\ndata: {message.text}\n\n")

    async def _say(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._live.limits.send_timeout):
                await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        except TimeoutError:
            self._mailbox.close(CloseCode.TOO_SLOW)
            raise BrokenPipeError("the reader takes nothing") from None


async def client_left(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
