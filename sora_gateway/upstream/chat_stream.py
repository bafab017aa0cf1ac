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
from contextlib import asynccontextmanager
from typing import Literal

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
from sora_gateway.upstream.chat_reading import Chat
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Request
from sora_gateway.upstream.download import Downloader, Place, Resume
from sora_gateway.upstream.parsing import load_object

KEPT = 256
"""Ended streams whose end is remembered."""
PROBE_DEADLINE = 15.0

_REFUSED_BEFORE_WORK = frozenset({500, 503})
"""Instead of a stream, a relay answers with these when none of its channels takes the order."""
_PATIENCE = 0.5
"""Part of a create's time in which an open stream without a word in it may still turn into a refusal."""
_NOT_FOR_US = "a relay that chats has no such operation"


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
        self._chats: OrderedDict[ExternalId, Chat] = OrderedDict()
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
    def looks_are_requests(self) -> bool:
        return False

    @property
    def idempotent(self) -> bool:
        return False

    @property
    def stops_jobs(self) -> bool:
        return False

    # --- paying --------------------------------------------------------------------------------------

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        """See :meth:`Adapter.create`. The stream is read on after this returns a receipt."""
        if order.operation not in self.operations or order.characters:
            return CreateAnswer(not_sent=_NOT_FOR_US)
        if self._closed:
            return CreateAnswer(not_sent="the connection to the upstream is closed")
        chat = Chat(
            order.attempt_id,
            Transcript(order.prompt, self._account.secrets),
            self._clock,
            self._accept,
            names_task=self._profile.names_task,
        )
        task = chat.start(self._client, self._request(order), timeout)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            for part in (_PATIENCE, 1 - _PATIENCE):
                if not chat.opened:
                    await asyncio.wait({chat.answer}, timeout=timeout * part)
            if chat.opened:
                # It has not refused and the connection stands: what it makes will come out of it.
                chat.accept()
            # What is not open by now has run out of time. It ends by itself: a connection that is cancelled
            # twice, by its own deadline and from here, is never closed.
            return await chat.answer
        except asyncio.CancelledError:
            await chat.stop()
            raise

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

    def _accept(self, chat: Chat) -> None:
        """The receipt: from here on the order is a job that can be asked for."""
        external_id = chat.external_id()
        if external_id not in self._chats:
            self._chats[external_id] = chat
        else:
            # Two orders, one id: the supervisor will refuse it, and the stream of the first stays what it is.
            chat.unwanted = True
        chat.reply(CreateAnswer(status=200, external_id=external_id))

    def _forget(self, task: asyncio.Task[None]) -> None:
        """One stream less; of those that have ended, the last that were asked for are remembered."""
        self._tasks.discard(task)
        ended = [external_id for external_id, chat in self._chats.items() if chat.end is not None]
        for external_id in ended[:-KEPT]:
            del self._chats[external_id]

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
        return chat.look()

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        """See :meth:`Adapter.list_jobs`; a relay has no list."""
        return Look(LookKind.TROUBLE, message="a relay that chats has no list of jobs")

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        """See :meth:`Adapter.cancel`. A relay works on when nobody listens, so nothing is ever confirmed."""
        chat = self._chats.get(external_id)
        if chat is None:
            return CancelAnswer.UNSUPPORTED
        await chat.stop()
        return CancelAnswer.UNSUPPORTED if chat.look().kind is LookKind.LOST else CancelAnswer.FINISHED

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
