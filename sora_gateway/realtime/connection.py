"""One authenticated WebSocket, until either side ends it: what it is asked, and what it is told.

It has no task while it is asked nothing: what comes in and what goes out is called from the line and from the hub. A
question gets a task that serves one after the other; meanwhile the line takes nothing more in, and the mailbox rests.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from pydantic import BaseModel

from sora_gateway.core.messages import (
    AnyClientMessage,
    Auth,
    BadMessage,
    ErrorMessage,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    Unsubscribed,
    parse_client_message,
)
from sora_gateway.errors import CloseCode, GatewayError
from sora_gateway.realtime.doors import Pass
from sora_gateway.realtime.flow import Flow, Gone
from sora_gateway.realtime.framing import Form, Kind, Outgoing
from sora_gateway.realtime.hub import Subscription
from sora_gateway.realtime.line import Line
from sora_gateway.realtime.live import Live
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.rights import renew
from sora_gateway.realtime.session import Looked, Session

log = logging.getLogger(__name__)

MAX_REASON = 120
"""Bytes; the protocol has room for 123."""

REASONS = {
    CloseCode.RESTARTING: "the gateway restarts; come back with your cursor",
    CloseCode.LIMIT_REACHED: "too many connections; come back later",
    CloseCode.TOO_SLOW: "too slow; come back with your cursor",
    CloseCode.EXPIRED: "the credential has expired; renew it and come back with your cursor",
    CloseCode.RESYNC: "come back without a cursor",
    CloseCode.TOO_MANY_MESSAGES: "too many messages; slow down",
    CloseCode.NOT_AUTHENTICATED: "not authenticated",
    CloseCode.FORBIDDEN: "the credential is no longer good",
}


def reason_of(code: int, text: str = "") -> str:
    """What is said beside *code*, as long as the protocol has room for."""
    said = text or REASONS.get(CloseCode(code), "")
    return said.encode()[:MAX_REASON].decode(errors="ignore")


class Connection:
    """The reader of one line. :meth:`begin` greets."""

    __slots__ = ("_came", "_flow", "_inbox", "_limits", "_line", "_live", "_mailbox", "_place", "_reason", "_session", "_work", "_working")  # fmt: skip

    def __init__(
        self, live: Live, mailbox: Mailbox, place: Pass, line: Line, form: Form, looked: Looked
    ) -> None:
        self._live = live
        self._limits = live.limits()
        self._mailbox = mailbox
        self._place = place
        self._line = line
        self._flow = Flow(mailbox, line, form, self._limits.send_timeout)
        self._session = Session(live, mailbox, looked)
        self._reason = ""
        self._inbox: deque[str | None] | None = None
        """What came and was not served yet; a deque is large, and most connections ask once."""
        self._came: list[float] = []
        """When the last messages came, of the last second."""
        self._working = False
        self._work: asyncio.Task[None] | None = None
        mailbox.on_bound = self._wake
        mailbox.closed.add_done_callback(self._ended)

    async def begin(self) -> None:
        """Greets, and serves what has come until then."""
        self._working = True
        self._line.attach(self)
        self._live.rights.watch(self._mailbox)
        await self._serve(greet=True)

    # --- what the line tells -----------------------------------------------------------------------

    def received(self, text: str | None) -> None:
        if self._mailbox.closed.done():
            return
        if self._too_many():
            self._mailbox.close(CloseCode.TOO_MANY_MESSAGES)
            return
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(text)
        self._wake()

    def paused(self) -> None:
        self._flow.paused()

    def resumed(self) -> None:
        self._flow.resumed()

    def lost(self) -> None:
        self._flow.over()
        self._live.hub.leave(self._mailbox)
        self._place.leave()
        if self._work is not None:
            self._work.cancel()

    def _ended(self, closed: asyncio.Future[CloseCode]) -> None:
        code = closed.result()
        self._flow.over()
        self._line.end(code, reason_of(code, self._reason))
        # What holds for it ends now, also if the peer takes its time.
        self._live.hub.leave(self._mailbox)
        self._place.leave()

    def _too_many(self) -> bool:
        """Whether this message is one too many within a second."""
        now = self._live.clock.monotonic()
        self._came = [moment for moment in self._came if now - moment < 1.0]
        self._came.append(now)
        return len(self._came) > self._limits.messages_per_second

    # --- serving -----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._working:
            self._working = True
            self._work = asyncio.create_task(self._serve(), name="live question")

    async def _serve(self, greet: bool = False) -> None:
        """Serves until there is nothing more to serve."""
        mailbox = self._mailbox
        mailbox.rest()
        self._line.hold()
        try:
            if greet:
                await self._flow.say(await self._session.ready())
            while not mailbox.closed.done():
                if mailbox.bound:
                    await self._attach(mailbox.bound[0])
                elif self._inbox:
                    await self._answer(self._inbox.popleft())
                else:
                    break
        except Gone:
            pass
        except BadMessage as error:
            self._end(CloseCode.BAD_MESSAGE, str(error))
        except Exception:
            # A bug, or a store that is gone, in what one connection asked: its client begins anew.
            log.exception("a live connection could not be served")
            self._end(CloseCode.RESYNC, "")
        finally:
            self._working, self._work, self._inbox = False, None, None
            mailbox.flow()
            self._line.go_on()

    async def _answer(self, text: str | None) -> None:
        """Raises BadMessage, Gone."""
        if text is None:
            raise BadMessage("messages are JSON text, not binary")
        wanted: AnyClientMessage = parse_client_message(text)
        match wanted:
            case Subscribe():
                await self._subscribe(wanted)
            case Unsubscribe():
                self._forget(wanted.name)
                await self._tell("unsubscribed", Unsubscribed(topic=wanted.name))
            case Auth():
                await self._authenticate_again(wanted)
            case Ping():
                await self._tell("pong", Pong())

    async def _subscribe(self, wanted: Subscribe) -> None:
        self._forget(wanted.name)
        limit = self._limits.topics
        if limit and len(self._mailbox.subscriptions) >= limit:
            full = f"One connection follows at most {limit} topics; unsubscribe from one, or use all."
            await self._tell("error", ErrorMessage(code="too_many_topics", message=full, topic=wanted.name))
            return
        try:
            subscription = await self._session.follow(wanted)
        except GatewayError as error:
            await self._refuse(error, wanted.name)
        else:
            await self._attach(subscription)

    async def _attach(self, subscription: Subscription) -> None:
        """Says what a subscription begins with."""
        try:
            attached = await self._session.attach(subscription)
        except GatewayError as error:
            self._live.hub.unfollow(subscription)
            await self._refuse(error, subscription.topic)
            return
        for message in attached.messages:
            await self._flow.say(message)

    async def _authenticate_again(self, wanted: Auth) -> None:
        principal = await self._live.authenticator.by_bearer(wanted.token)
        renew(self._mailbox, principal, CloseCode.NOT_AUTHENTICATED)
        self._mailbox.doubt()  # The new credential may end before the next look at the old one.
        await self._flow.say(await self._session.ready())

    def _forget(self, topic: str) -> None:
        for subscription in [s for s in self._mailbox.subscriptions if s.topic == topic]:
            self._live.hub.unfollow(subscription)

    async def _refuse(self, error: GatewayError, topic: str) -> None:
        await self._tell("error", ErrorMessage(code=error.code, message=error.message, topic=topic))

    async def _tell(self, kind: Kind, message: BaseModel) -> None:
        await self._flow.say(Outgoing(kind, message.model_dump_json(by_alias=True).encode()))

    def _end(self, code: CloseCode, reason: str) -> None:
        self._reason = reason
        self._mailbox.close(code)
