"""One order at a relay and the stream that answers it: opened, read to its end, and turned into how the job ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from sora_gateway.clock import Clock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.upstream.chat_parsing import Transcript
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Request, Stream
from sora_gateway.upstream.parsing import parse_create

log = logging.getLogger(__name__)

SILENCE = 300.0
"""Seconds without a byte after which the connection counts as dead; relays are silent for minutes."""
LONGEST = 1800.0
"""Seconds that one video may take in total."""
LINGER = 3.0
"""Seconds that a stream is read on once it is known how the job ended: some never close."""
MAX_STREAM = 16 << 20
"""Bytes of one stream; a relay with more to say is not reporting on a video."""

_FOR_HEAD = 0.9
"""Part of a create's time in which an answer has to begin; the rest is for the body of a refusal."""


class Chat:
    """One order and its stream. Belongs to the task that runs :meth:`run`; everybody else reads what it has come to."""

    def __init__(
        self,
        attempt_id: str,
        transcript: Transcript,
        clock: Clock,
        on_accept: Callable[[Chat], None],
        *,
        names_task: bool,
    ) -> None:
        """*on_accept* is called once, when the relay has proved that it took the order, and gives the receipt."""
        self.attempt_id = attempt_id
        self.answer: asyncio.Future[CreateAnswer] = asyncio.get_running_loop().create_future()
        """What the create is told."""
        self.opened = False
        """Whether the relay has begun to answer with a stream."""
        self.end: Look | None = None
        """How the job ended; None while the stream is read."""
        self.unwanted = False
        """Whether nobody will ask how it ended."""
        self._task: asyncio.Task[None] | None = None
        self._transcript = transcript
        self._clock = clock
        self._on_accept = on_accept
        self._names_task = names_task
        self._began = self._heard = self._told = clock.monotonic()
        """When it began, when the last byte came, when the last word came."""
        self._judged = False
        """Whether the words so far were found to leave open how the job ends."""

    def external_id(self) -> ExternalId:
        """The relay's id of the task; else one that no other order has, with the id of its answer for its people."""
        said = self._transcript
        own = f"{said.response_id}~{self.attempt_id}" if said.response_id else self.attempt_id
        return ExternalId(said.task_id or own)

    def look(self) -> Look:
        return self.end or self._transcript.now()

    def reply(self, answer: CreateAnswer) -> None:
        """Answers the create, if nothing has yet."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def accept(self) -> None:
        """Gives the receipt, if the create still waits for an answer."""
        if not self.answer.done():
            self._on_accept(self)

    # --- the task ------------------------------------------------------------------------------------

    def start(self, client: HttpClient, request: Request, timeout: float) -> asyncio.Task[None]:
        """Sends *request* once, in a task that ends with the stream; *timeout* seconds are for its beginning."""
        self._task = asyncio.create_task(self._run(client, request, timeout), name=f"chat {self.attempt_id}")
        self._task.add_done_callback(self._over)
        return self._task

    async def stop(self) -> None:
        """Ends the reading; how the job ended is then what has been said."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, client: HttpClient, request: Request, timeout: float) -> None:
        why = "the gateway stopped reading before the video was ready"
        try:
            stream = await client.open(request, deadline=timeout * _FOR_HEAD, silence=LONGEST, fresh=True)
            try:
                if 200 <= stream.status < 300:
                    why = await self._read(stream)
                else:
                    reply = await stream.read(timeout * (1 - _FOR_HEAD))
                    self.reply(
                        parse_create(
                            reply, now=self._clock.now(), secrets=self._transcript.secrets, id_paths=()
                        )
                    )
            finally:
                self._settle(why)
                await stream.aclose()
        except NotSent as error:
            self.reply(CreateAnswer(not_sent=str(error)))
        except Lost as error:
            self.reply(CreateAnswer(lost=str(error)))

    def _over(self, task: asyncio.Task[None]) -> None:
        """Whatever became of the reading, nobody waits for it for ever."""
        broke = "reading the answer broke off"
        self.reply(CreateAnswer(lost=broke))
        self.end = self.end or Look(LookKind.LOST, message=broke)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: reading its stream broke", self.attempt_id, exc_info=error)

    def _settle(self, why: str) -> None:
        """The stream is over: a create that still waits learns what it was, and whoever looks how the job ended."""
        said = self._transcript
        if said.accepted:
            self.accept()
        elif said.error is not None:
            self.reply(said.refusal())
        self.reply(CreateAnswer(lost="the answer ended before it said anything", excerpt=said.excerpt()))
        self.end = said.last(why)
        # The text is not needed any more.
        self._transcript = Transcript("")

    # --- reading -------------------------------------------------------------------------------------

    async def _read(self, stream: Stream) -> str:
        """Reads until nothing more is to be expected; says why, should the text not say how the job ended."""
        self.opened = True
        self._heard = self._told = self._clock.monotonic()
        size = 0
        coming: asyncio.Future[bytes | None] | None = None
        async with aclosing(stream.decoded()) as chunks:
            try:
                while not (why := self._enough(size)):
                    coming = coming or asyncio.ensure_future(anext(chunks, None))
                    if not await self._comes(coming):
                        continue
                    data, coming = coming.result(), None
                    if data is None:
                        self._transcript.end_of_body()
                        return "the upstream ended the connection before the video was ready"
                    size += len(data)
                    self._take_in(data)
                return why
            except Lost as error:
                return f"{error} before the video was ready"
            finally:
                if coming is not None and not coming.done():
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)

    def _take_in(self, data: bytes) -> None:
        """The receipt comes with the first word, or with the task's id at a relay that names tasks."""
        said = self._transcript
        self._heard = self._clock.monotonic()
        if said.feed(data):
            self._told, self._judged = self._heard, False
        if not self.answer.done() and said.accepted and (not self._names_task or said.task_id):
            self.accept()

    def _enough(self, size: int) -> str:
        """Why there is no point in reading on after *size* bytes; empty when there is."""
        now, said = self._clock.monotonic(), self._transcript
        if self.unwanted:
            return "another order has its id"
        if size > MAX_STREAM:
            return "the upstream's answer has no end"
        if now >= self._began + LONGEST:
            return f"the video was not ready within {LONGEST / 60:g} minutes"
        if now >= self._heard + SILENCE:
            return "the upstream fell silent before the video was ready"
        if now >= self._told + LINGER and not self._judged:
            self._judged = not said.concluded
        over = said.done or (now >= self._told + LINGER and not self._judged)
        return "the upstream ended its answer" if over else ""

    async def _comes(self, coming: asyncio.Future[bytes | None]) -> bool:
        """Waits for *coming*, until something is to be decided without it; says whether it is there."""
        if coming.done():
            return True
        now = self._clock.monotonic()
        moments = (self._told + LINGER, self._heard + SILENCE, self._began + LONGEST)
        next_one = min((at for at in moments if at > now), default=now)
        timer = asyncio.ensure_future(self._clock.sleep(next_one - now))
        either: tuple[asyncio.Future[Any], ...] = (coming, timer)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return coming.done()
