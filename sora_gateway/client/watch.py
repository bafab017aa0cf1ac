"""Following videos through whatever happens to the connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

from sora_gateway.client.failures import Answered, Ended, Unreachable
from sora_gateway.client.http import Http
from sora_gateway.client.lines import LINES, Hearing, Line, Message
from sora_gateway.client.listening import Better, Listening, works
from sora_gateway.client.values import Pace, State, Topic, Transport, Update
from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy
from sora_gateway.errors import CloseCode

Renew = Callable[[], Awaitable[str]]
"""Gives a new key when the old one has expired."""

_WAYS = tuple(LINES)
_STOP = frozenset({CloseCode.NORMAL, CloseCode.BAD_MESSAGE, CloseCode.TOO_BIG})
_BUSY = frozenset({CloseCode.LIMIT_REACHED, CloseCode.TOO_MANY_MESSAGES})


class Watch:
    """``async for update in watch``: every change once and in order; a snapshot's videos where it begins, or has to
    begin anew. One video's ends after its final update, everything's never.

    Raises:
        Answered: the gateway says that this cannot be followed (any more).
        Unreachable: for longer than *patience* seconds nothing was heard.
    """

    def __init__(
        self,
        http: Http,
        topic: Topic,
        *,
        clock: Clock,
        entropy: Entropy,
        pace: Pace,
        renew: Renew | None = None,
        patience: float | None = None,
        on_state: Callable[[State, Transport | None], None] | None = None,
    ) -> None:
        self._http = http
        self._topic = topic
        self._clock = clock
        self._entropy = entropy
        self._pace = pace
        self._renew = renew
        self._patience = patience
        self._on_state = on_state
        self.state: State = "connecting"
        self.transport: Transport | None = None
        """What tells at the moment; None while nothing does."""
        self._way = 0
        self._failures = 0
        self._attempts = 0
        self._probe_delay = pace.first_probe
        self._cursor: str | None = None
        self._reset = False
        self._known: dict[str, int] = {}
        self._renewed = False
        self._live_since: float | None = None
        self._heard_at = clock.monotonic()
        self._updates = self._follow()

    def __aiter__(self) -> AsyncGenerator[Update, None]:
        return self._updates

    async def aclose(self) -> None:
        """Ends it from outside of the loop."""
        await self._updates.aclose()

    # --- the loop --------------------------------------------------------------------------------

    async def _follow(self) -> AsyncGenerator[Update, None]:
        self._say("connecting")
        while True:
            transport = _WAYS[self._way]
            self._live_since = None
            self._reset = False
            try:
                async with Listening(
                    self._line(), transport, self._probe if self._way else None
                ) as listening:
                    while True:
                        message = await listening.next()
                        self._works(transport)
                        for update in self._learned(message, transport):
                            yield update
                            if update.final and self._topic.id is not None:
                                self._say("ended")
                                return
            except Better as better:
                self._way, self._failures = _WAYS.index(better.transport), 0
            except Ended as end:
                await self._after(end)
            except Answered:
                self._say("ended")
                raise

    def _line(self) -> Line:
        hearing = Hearing(self._clock, self._pace.open_timeout)
        return Line(self._http, self._topic, self._cursor, self._clock, self._entropy, self._pace, hearing)

    def _works(self, transport: Transport) -> None:
        self._heard_at = self._clock.monotonic()
        if self._live_since is None:
            self._live_since = self._heard_at
            if self._way == 0:
                self._probe_delay = self._pace.first_probe
            self._say("polling" if transport == "polling" else "live", transport)

    def _say(self, state: State, transport: Transport | None = None) -> None:
        if (state, transport) != (self.state, self.transport) or state == "connecting":
            self.state, self.transport = state, transport
            if self._on_state is not None:
                self._on_state(state, transport)

    async def _probe(self) -> Transport:
        """A better way, once one works."""
        while True:
            await self._clock.sleep(self._probe_delay)
            for transport in _WAYS[: self._way]:
                if await works(self._line(), transport):
                    return transport
            self._probe_delay = min(self._pace.last_probe, 2 * self._probe_delay)

    # --- coming back -----------------------------------------------------------------------------

    async def _after(self, end: Ended) -> None:
        """Waits until it is time to come back. Raises Answered or Unreachable when that is never."""
        now = self._clock.monotonic()
        lasted = self._live_since is not None and now - self._live_since >= self._pace.lasting
        if lasted:
            self._attempts = 0
            # A new key that ends in the same moment as well is no reason to make another one, again and again.
            self._renewed = False
        if self._live_since is not None:
            self._heard_at = now
        if end.code == CloseCode.EXPIRED and self._renew is not None and not self._renewed:
            self._say("reconnecting")
            self._renewed = True
            self._http.key = await self._renew()
            return
        if end.code in _STOP or end.code == CloseCode.EXPIRED or 4400 <= end.code <= 4499:
            self._say("ended")
            raise end.refusal
        self._say("reconnecting")
        if self._patience is not None and now - self._heard_at >= self._patience:
            raise Unreachable(end.reason)
        if end.code == CloseCode.RESYNC:
            self._cursor = None
        await self._clock.sleep(self._delay(end, lasted))

    def _delay(self, end: Ended, lasted: bool) -> float:
        pace = self._pace
        # Full jitter: after a restart not everybody comes back in the same moment.
        ceiling = min(pace.last_delay, pace.first_delay * 2.0 ** min(self._attempts, 16))
        self._attempts += 1
        if end.code in _BUSY:
            return max(pace.busy_delay, end.after) + self._entropy.fraction() * ceiling
        if end.code == CloseCode.RESTARTING:
            return self._entropy.fraction() * max(ceiling, pace.restart_delay)
        if not end.said:
            # What broke without a word after a moment does not work: a proxy in between, perhaps.
            self._failures = 0 if lasted else self._failures + 1
            if self._failures >= pace.tries:
                self._way, self._failures = (self._way + 1) % len(_WAYS), 0
        return end.after + self._entropy.fraction() * ceiling

    # --- what is told ----------------------------------------------------------------------------

    def _learned(self, message: Message, transport: Transport) -> list[Update]:
        """Raises Ended when that is no message; Answered."""
        cursor = self._cursor
        try:
            return list(self._learn(message, transport))
        except (KeyError, TypeError, AttributeError):
            self._cursor = cursor
            raise Ended("it sends what is no live update") from None

    def _learn(self, message: Message, transport: Transport) -> Iterator[Update]:
        match message["type"]:
            case "reset":
                self._reset = True
                if message.get("reason") in ("epoch", "unknown_cursor"):
                    # Another database, or an older state of the same: what its numbers say has nothing to do with what
                    # was told.
                    self._known.clear()
            case "subscribed":
                resumed = not self._reset and message["cursor"] == self._cursor
                self._cursor, self._reset = message["cursor"], False
                # What was missed follows: the snapshot only says where that leads.
                if not resumed:
                    yield from self._found(message["tasks"], transport)
            case "tasks":
                yield from self._found(message["tasks"], transport)
            case "update":
                self._cursor = message["cursor"]
                if message["seq"] > self._known.get(message["videoId"], 0):
                    self._known[message["videoId"]] = message["seq"]
                    yield Update.of(message, transport)
            case "error":
                raise Answered(404, message["code"], message["message"])

    def _found(self, tasks: list[Message], transport: Transport) -> Iterator[Update]:
        for task in tasks:
            if self._known.get(task["videoId"]) != task["seq"]:
                self._known[task["videoId"]] = task["seq"]
                yield Update.of(task, transport)
