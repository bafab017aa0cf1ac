"""The ``chat-stream`` dialect: relays that make a video as the answer to a chat message, on ``/v1/chat/completions``.

The connection is the job: there is no list, no look and no way back. So the adapter reads each stream to its end in
a task of its own, and looks are answered from what it has read. A stream that ends without saying how, or of which
this process knows nothing, is lost for good: its job becomes ``unknown`` at once, and is never paid again by itself.

What proves that the relay took the order is its first word; a status or an error object before that is a refusal.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal

from sora_gateway.clock import Clock, SystemClock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look, LookKind
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, RejectRules
from sora_gateway.upstream.account import account_of
from sora_gateway.upstream.adapter import CancelAnswer, Content, ContentTrouble, CreateOrder, Variant
from sora_gateway.upstream.addresses import AddressGuard, public_only
from sora_gateway.upstream.chat_parsing import Transcript
from sora_gateway.upstream.chat_profiles import ChatProfile, chat_body
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Request, Stream
from sora_gateway.upstream.download import Downloader, Place, Resume
from sora_gateway.upstream.parsing import load_object, parse_create

SILENCE = 300.0
"""Seconds without a byte after which the connection counts as dead; relays are silent for minutes."""
LONGEST = 1800.0
"""Seconds that one video may take in total."""
LINGER = 3.0
"""Seconds that a stream is read on once it is known how the job ended: some never close."""
MAX_STREAM = 16 << 20
"""Bytes of one stream; a relay with more to say is not reporting on a video."""
KEPT = 256
"""Ended streams whose end is remembered."""
PROBE_DEADLINE = 15.0

_REFUSED_BEFORE_WORK = frozenset({500, 503})
"""Instead of a stream, a relay answers with these when none of its channels takes the order."""
_PATIENCE = 0.5
"""Part of a create's time in which an open stream without a word in it may still turn into a refusal."""
_NOT_FOR_US = "a relay that chats has no such operation"


class _Chat:
    """One order and its stream."""

    def __init__(self, order: CreateOrder, secrets: tuple[str, ...], now: float) -> None:
        self.attempt_id = order.attempt_id
        self.transcript = Transcript(order.prompt, secrets)
        self.answer: asyncio.Future[CreateAnswer] = asyncio.get_running_loop().create_future()
        """What the create is told."""
        self.opened = False
        """Whether the relay has begun to answer with a stream."""
        self.end: Look | None = None
        """How the job ended; None while the stream is read."""
        self.began = now
        self.heard = now
        """When the last byte came."""
        self.told = now
        """When the last word came."""
        self.judged = False
        """Whether the words so far were found to leave open how the job ends."""
        self.task: asyncio.Task[None] | None = None

    def external_id(self) -> ExternalId:
        """The relay's id of the task; else one that no other order has, with the id of its answer for its people."""
        said = self.transcript
        own = f"{said.response_id}~{self.attempt_id}" if said.response_id else self.attempt_id
        return ExternalId(said.task_id or own)

    def reply(self, answer: CreateAnswer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def conclude(self, why: str) -> Look:
        """Settles how the job ended by all that was said; the text is not needed any more."""
        if self.end is None:
            self.end = self.transcript.last(why)
            self.transcript = Transcript("")
        return self.end


class ChatStreamAdapter:
    """One relay behind the :class:`~sora_gateway.upstream.adapter.Adapter` protocol."""

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str,
        profile: ChatProfile,
        client: HttpClient,
        *,
        max_file: int,
        clock: Clock | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        """*base_url* usually ends in ``/v1``, which is filled in when it has no path; *max_file* in bytes.

        The adapter owns *client* from here on. *guard* decides which foreign hosts results may come from.

        Raises:
            ValueError: *base_url* is not an http address, or *api_key* cannot be a header.
        """
        self._account = account_of(base_url, api_key, profile.auth_scheme)
        self._name = name
        self._profile = profile
        self._client = client
        self._clock = clock or SystemClock()
        self._chats: OrderedDict[ExternalId, _Chat] = OrderedDict()
        """By external id, the least recently asked for first."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._downloader = Downloader(
            client,
            self._account.base,
            self._account.auth,
            guard=guard or public_only(),
            clock=self._clock,
            max_file=max_file,
            not_yet=frozenset(),
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def rules(self) -> RejectRules:
        return RejectRules(_REFUSED_BEFORE_WORK)

    @property
    def min_poll_interval(self) -> float:
        # Looks are answered from memory.
        return 0.5

    @property
    def operations(self) -> frozenset[Operation]:
        return frozenset({Operation.CREATE})

    @property
    def characters(self) -> bool:
        return False

    @property
    def listing(self) -> Literal["none", "stale", "live"]:
        return "none"

    @property
    def idempotent(self) -> bool:
        return False

    # --- paying --------------------------------------------------------------------------------------

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        """See :meth:`Adapter.create`. The stream is read on after this returns a receipt."""
        if order.operation not in self.operations or order.characters:
            return CreateAnswer(not_sent=_NOT_FOR_US)
        if self._closed:
            return CreateAnswer(not_sent="the connection to the upstream is closed")
        chat = _Chat(order, self._account.secrets, self._clock.monotonic())
        request = self._request(order)
        chat.task = asyncio.create_task(self._run(chat, request, timeout), name=f"chat {order.attempt_id}")
        self._tasks.add(chat.task)
        chat.task.add_done_callback(self._tasks.discard)
        try:
            for part in (_PATIENCE, 1 - _PATIENCE):
                await asyncio.wait({chat.answer}, timeout=timeout * part)
                if not chat.answer.done() and chat.opened:
                    # It has not refused and the connection stands: what it makes will come out of it.
                    self._accept(chat)
                if chat.answer.done():
                    return chat.answer.result()
        except asyncio.CancelledError:
            await self._stop(chat)
            raise
        await self._stop(chat)
        return CreateAnswer(lost=f"no answer within {timeout:g} seconds")

    async def create_character(
        self, name: str, video: bytes, media_type: str, timeout: float, attempt_id: str
    ) -> CreateAnswer:
        """See :meth:`Adapter.create_character`; never sent."""
        return CreateAnswer(not_sent=_NOT_FOR_US)

    def _request(self, order: CreateOrder) -> Request:
        headers = self._account.auth | {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "X-Client-Request-Id": order.attempt_id,
        }
        body = json.dumps(chat_body(self._profile, order)).encode()
        return Request("POST", f"{self._account.base}/chat/completions", headers, body=body)

    def _accept(self, chat: _Chat) -> None:
        """The receipt: from here on the order is a job that can be asked for."""
        external_id = chat.external_id()
        if external_id not in self._chats:
            self._chats[external_id] = chat
        elif chat.task is not None:
            # Two orders, one id: the supervisor will refuse it, and the stream of the first stays what it is.
            chat.task.cancel()
        chat.reply(CreateAnswer(status=200, external_id=external_id))

    # --- reading -------------------------------------------------------------------------------------

    async def _run(self, chat: _Chat, request: Request, timeout: float) -> None:
        """One stream from the request to its end; whatever happens, the create has an answer then."""
        why = "the gateway stopped reading before the video was ready"
        try:
            stream = await self._client.open(request, deadline=timeout, silence=LONGEST, fresh=True)
            try:
                if 200 <= stream.status < 300:
                    why = await self._read(chat, stream)
                else:
                    reply = await stream.read(timeout)
                    chat.reply(
                        parse_create(reply, now=self._clock.now(), secrets=self._account.secrets, id_paths=())
                    )
            finally:
                self._settle(chat, why)
                await stream.aclose()
        except NotSent as error:
            chat.reply(CreateAnswer(not_sent=str(error)))
        except Lost as error:
            chat.reply(CreateAnswer(lost=str(error)))

    async def _read(self, chat: _Chat, stream: Stream) -> str:
        """Reads until nothing more is to be expected; says why, should the text not say how the job ended."""
        chat.opened = True
        chat.heard = chat.told = self._clock.monotonic()
        size = 0
        async with aclosing(stream.decoded()) as chunks:
            coming: asyncio.Future[bytes | None] | None = None
            try:
                while True:
                    coming = coming or asyncio.ensure_future(anext(chunks, None))
                    if not await self._comes(coming, chat):
                        if why := self._enough(chat):
                            return why
                        continue
                    try:
                        data = coming.result()
                    except Lost as error:
                        return f"{error} before the video was ready"
                    coming = None
                    if data is None:
                        chat.transcript.end_of_body()
                        self._take_in(chat)
                        return "the upstream ended the connection before the video was ready"
                    size += len(data)
                    chat.heard = self._clock.monotonic()
                    if chat.transcript.feed(data):
                        chat.told, chat.judged = chat.heard, False
                    self._take_in(chat)
                    if chat.transcript.done:
                        return "the upstream ended its answer"
                    if size > MAX_STREAM:
                        return "the upstream's answer has no end"
                    if why := self._enough(chat):
                        return why
            finally:
                if coming is not None and not coming.done():
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)

    async def _comes(self, coming: asyncio.Future[bytes | None], chat: _Chat) -> bool:
        """Waits for *coming*, until something is to be decided without it; says whether it is there."""
        if coming.done():
            return True
        now = self._clock.monotonic()
        moments = (chat.told + LINGER, chat.heard + SILENCE, chat.began + LONGEST)
        next_moment = min((moment for moment in moments if moment > now), default=now)
        timer = asyncio.ensure_future(self._clock.sleep(next_moment - now))
        either: tuple[asyncio.Future[Any], ...] = (coming, timer)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return coming.done()

    def _enough(self, chat: _Chat) -> str:
        """Why there is no point in reading on; empty when there is."""
        now = self._clock.monotonic()
        if now >= chat.began + LONGEST:
            return f"the video was not ready within {LONGEST / 60:g} minutes"
        if now >= chat.heard + SILENCE:
            return "the upstream fell silent before the video was ready"
        if now >= chat.told + LINGER and not chat.judged:
            chat.judged = not chat.transcript.concluded
            return "" if chat.judged else "the upstream ended its answer"
        return ""

    def _take_in(self, chat: _Chat) -> None:
        """Gives the receipt as soon as the relay has said something, and its id if it is one that names tasks."""
        said = chat.transcript
        if not chat.answer.done() and said.accepted and (said.task_id or not self._profile.names_task):
            self._accept(chat)

    def _settle(self, chat: _Chat, why: str) -> None:
        """The stream is over: whoever looks learns how the job ended, and a create that still waits, too."""
        said = chat.transcript
        if not chat.answer.done() and said.accepted:
            self._accept(chat)
        if not chat.answer.done() and said.error is not None:
            chat.reply(said.refusal())
        chat.reply(CreateAnswer(lost="the answer ended before it said anything", excerpt=said.excerpt()))
        chat.conclude(why)
        ended = [external_id for external_id, one in self._chats.items() if one.end is not None]
        for external_id in ended[:-KEPT]:
            del self._chats[external_id]

    async def _stop(self, chat: _Chat) -> None:
        if chat.task is not None:
            chat.task.cancel()
            await asyncio.gather(chat.task, return_exceptions=True)

    # --- being asked ---------------------------------------------------------------------------------

    async def look(self, external_id: ExternalId) -> Look:
        """See :meth:`Adapter.look`: from memory."""
        chat = self._chats.get(external_id)
        if chat is None:
            return Look(
                LookKind.LOST,
                message="the gateway was restarted, and the connection that was the job is gone",
            )
        self._chats.move_to_end(external_id)
        return chat.end or chat.transcript.now()

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        """See :meth:`Adapter.list_jobs`; a relay has no list."""
        return Look(LookKind.TROUBLE, message="a relay that chats has no list of jobs")

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        """See :meth:`Adapter.cancel`. A relay works on when nobody listens, so nothing is ever confirmed."""
        chat = self._chats.get(external_id)
        if chat is None:
            return CancelAnswer.UNSUPPORTED
        await self._stop(chat)
        return CancelAnswer.UNSUPPORTED if chat.conclude("").kind is LookKind.LOST else CancelAnswer.FINISHED

    @asynccontextmanager
    async def open_content(
        self,
        external_id: ExternalId,
        result_url: str | None,
        variant: Variant,
        offset: int = 0,
        etag: str | None = None,
    ) -> AsyncIterator[Content]:
        """See :meth:`Adapter.open_content`. There is only the address that the stream gave."""
        if variant is not Variant.VIDEO:
            raise ContentTrouble(ContentTrouble.Kind.UNSUPPORTED, f"The upstream has no {variant}.")
        if result_url is None:
            look = await self.look(external_id)
            if look.kind is LookKind.ALIVE:
                raise ContentTrouble(ContentTrouble.Kind.NOT_YET, "The upstream is still at it.")
            if look.result_url is None:
                raise ContentTrouble(
                    ContentTrouble.Kind.GONE, "its address came once, and the gateway was restarted since"
                )
            result_url = look.result_url
        async with self._downloader.open(Place(result_url), variant, Resume(offset, etag)) as content:
            yield content

    async def probe(self) -> str:
        """See :meth:`Adapter.probe`: by the list of models, the only thing that a relay tells for nothing."""
        request = Request("GET", f"{self._account.base}/models", self._account.auth)
        try:
            reply = await self._client.send(request, deadline=PROBE_DEADLINE)
        except (NotSent, Lost) as error:
            return f"The upstream cannot be reached: {error}."
        if reply.status in (401, 402, 403):
            return f"The upstream refuses our key or account (HTTP {reply.status})."
        if reply.status != 200 or load_object(reply) is None:
            return f"The upstream answers, but has no list of models (HTTP {reply.status}): check base_url."
        return "ok: it answers and takes our key."

    async def aclose(self) -> None:
        """Ends every stream; their jobs are unknown from then on."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()
