"""The ``openai`` dialect: anything that speaks ``/v1/videos``, each with its profile."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Literal
from urllib.parse import quote

from sora_gateway.clock import Clock, SystemClock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look, LookKind
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, RejectRules
from sora_gateway.upstream.account import account_of
from sora_gateway.upstream.adapter import CancelAnswer, Content, ContentTrouble, CreateOrder, Variant
from sora_gateway.upstream.addresses import AddressGuard, public_only
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Reply, Request
from sora_gateway.upstream.detection import NOBODYS, knows_no_such_video
from sora_gateway.upstream.download import Downloader, Place, Resume
from sora_gateway.upstream.listing import ListReader
from sora_gateway.upstream.openai_requests import PaidRequests
from sora_gateway.upstream.parsing import STATUSES, load_object, parse_cancel, parse_create, parse_look
from sora_gateway.upstream.profiles import Profile

log = logging.getLogger(__name__)

LOOK_DEADLINE = 30.0
PROBE_DEADLINE = 15.0
"""Seconds in total, from the connection to the last byte."""
MAX_NEW_WORDS = 100
"""Words for a state that are remembered as unknown, so that each is told of once."""
PAGE = 100
"""Jobs asked for at once: what every list allows at most."""

_OUT_OF_ORDER = (401, 402, 403)
_TRY_ELSEWHERE = frozenset({ContentTrouble.Kind.EXPIRED, ContentTrouble.Kind.NOT_MEDIA})
_NOTHING_THERE = _TRY_ELSEWHERE | {ContentTrouble.Kind.NOT_YET}


class OpenAIAdapter:
    """One upstream behind the :class:`~sora_gateway.upstream.adapter.Adapter` protocol."""

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str,
        profile: Profile,
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
        account = account_of(base_url, api_key, profile.auth_scheme)
        self._base, self._auth, self._secrets = account.base, account.auth, account.secrets
        self._videos = f"{self._base}{profile.videos_path}"
        self._name = name
        self._profile = profile
        self._client = client
        self._clock = clock or SystemClock()
        self._new_words: set[str] = set()
        self._list = ListReader(
            id_paths=profile.id_paths, progress_scale=profile.progress_scale, secrets=self._secrets
        )
        self._requests = PaidRequests(self._base, self._auth, profile)
        self._downloader = Downloader(
            client,
            self._base,
            self._auth,
            guard=guard or public_only(),
            clock=self._clock,
            max_file=max_file,
            not_yet=profile.content_not_yet,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def rules(self) -> RejectRules:
        return RejectRules(self._profile.rejected_before_work)

    @property
    def min_poll_interval(self) -> float:
        return self._profile.min_poll_interval

    @property
    def operations(self) -> frozenset[Operation]:
        return self._profile.operations

    @property
    def characters(self) -> bool:
        return self._profile.characters

    @property
    def listing(self) -> Literal["none", "stale", "live"]:
        return self._profile.listing

    @property
    def looks_are_requests(self) -> bool:
        return True

    @property
    def idempotent(self) -> bool:
        return bool(self._profile.idempotency_header)

    @property
    def stops_jobs(self) -> bool:
        return self._profile.delete_cancels

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        """See :meth:`Adapter.create`."""
        own_key = self.idempotent and bool(order.idempotency_key)
        answer = await self._pay(lambda: self._requests.video(order), timeout)
        return replace(answer, own_key=own_key)

    async def create_character(
        self, name: str, video: bytes, media_type: str, timeout: float, attempt_id: str
    ) -> CreateAnswer:
        """See :meth:`Adapter.create_character`."""
        return await self._pay(lambda: self._requests.character(name, video, media_type, attempt_id), timeout)

    async def look(self, external_id: ExternalId) -> Look:
        """See :meth:`Adapter.look`."""
        try:
            reply = await self._ask("GET", self._video(external_id))
        except (NotSent, Lost) as error:
            return Look(LookKind.TROUBLE, message=str(error))
        look = self._parse_look(reply, external_id)
        self._note(look)
        return look

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        """See :meth:`Adapter.list_jobs`."""
        page = f"?limit={PAGE}&order=desc" + (f"&after={quote(after, safe='')}" if after is not None else "")
        try:
            reply = await self._client.read(self._videos + page, self._auth, deadline=LOOK_DEADLINE)
        except (NotSent, Lost) as error:
            return Look(LookKind.TROUBLE, message=str(error))
        return self._list.read(reply, after) or self._parse_look(reply, "")

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        """See :meth:`Adapter.cancel`."""
        if not self.stops_jobs:
            return CancelAnswer.UNSUPPORTED
        try:
            reply = await self._ask("DELETE", self._video(external_id))
        except (NotSent, Lost):
            return CancelAnswer.TROUBLE
        return parse_cancel(reply)

    @asynccontextmanager
    async def open_content(
        self,
        external_id: ExternalId,
        result_url: str | None,
        variant: Variant,
        offset: int = 0,
        etag: str | None = None,
    ) -> AsyncIterator[Content]:
        """See :meth:`Adapter.open_content`."""
        resume = Resume(offset, etag)
        places = self._places(external_id, result_url, variant)
        async with AsyncExitStack() as stack:
            try:
                content = await stack.enter_async_context(self._downloader.open(places[0], variant, resume))
            except ContentTrouble as first:
                if len(places) == 1 or first.kind not in _TRY_ELSEWHERE:
                    raise
                try:
                    content = await stack.enter_async_context(
                        self._downloader.open(places[1], variant, resume)
                    )
                except ContentTrouble as second:
                    # A fresh address can be had by looking at the job; that the other place has nothing is less.
                    stale = first.kind is ContentTrouble.Kind.EXPIRED and second.kind in _NOTHING_THERE
                    raise (first if stale else second) from None
            yield content

    async def probe(self) -> str:
        """See :meth:`Adapter.probe`."""
        try:
            reply = await self._ask("GET", f"{self._videos}?limit=1", PROBE_DEADLINE)
            listing = reply.status == 200 and load_object(reply) is not None
            if not listing and reply.status not in _OUT_OF_ORDER:
                reply = await self._ask("GET", f"{self._base}/models", PROBE_DEADLINE)
            if reply.status == 404 and self._profile.listing == "none":
                reply = await self._ask("GET", self._video(NOBODYS), PROBE_DEADLINE)
                if knows_no_such_video(reply, self._parse_look(reply, NOBODYS)):
                    return "ok: it answers and takes our key."
        except (NotSent, Lost) as error:
            return f"The upstream cannot be reached: {error}."
        if reply.status in _OUT_OF_ORDER:
            return f"The upstream refuses our key or account (HTTP {reply.status})."
        if reply.status != 200:
            return f"The upstream answers, but neither videos nor models are there (HTTP {reply.status}): check base_url."
        if load_object(reply) is None:
            return "The upstream answers, but not with JSON: check base_url."
        return "ok: it answers and takes our key" + (", and lists its videos." if listing else ".")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _pay(self, build: Callable[[], Request], timeout: float) -> CreateAnswer:
        """Sends once, on a connection of its own: whatever costs something goes this way."""
        try:
            reply = await self._client.send(build(), deadline=timeout, fresh=True)
        except NotSent as error:
            return CreateAnswer(not_sent=str(error))
        except Lost as error:
            return CreateAnswer(lost=str(error))
        return parse_create(
            reply, now=self._clock.now(), id_paths=self._profile.id_paths, secrets=self._secrets
        )

    async def _ask(self, method: str, url: str, deadline: float = LOOK_DEADLINE) -> Reply:
        return await self._client.send(Request(method, url, self._auth), deadline=deadline)

    def _video(self, external_id: ExternalId) -> str:
        return f"{self._videos}/{quote(external_id, safe='')}"

    def _note(self, look: Look) -> None:
        """Says once that a word for a state is not known: the job counts as running, perhaps for ever."""
        if look.status and look.status not in STATUSES and len(self._new_words) < MAX_NEW_WORDS:
            if look.status not in self._new_words:
                log.warning("%s calls a state %r, which counts as running", self._name, look.status)
            self._new_words.add(look.status)

    def _parse_look(self, reply: Reply, external_id: str) -> Look:
        return parse_look(
            reply,
            external_id,
            now=self._clock.now(),
            id_paths=self._profile.id_paths,
            progress_scale=self._profile.progress_scale,
            secrets=self._secrets,
        )

    def _places(self, external_id: ExternalId, result_url: str | None, variant: Variant) -> list[Place]:
        """Where the file may be, best first.

        Raises:
            ContentTrouble: there is no such place.
        """
        profile = self._profile
        named = [Place(result_url)] if result_url is not None and variant is Variant.VIDEO else []
        endpoint = f"{self._video(external_id)}/content"
        if profile.variant_param == "send":
            endpoint += f"?variant={variant}"
        elif variant is not Variant.VIDEO:
            raise ContentTrouble(ContentTrouble.Kind.UNSUPPORTED, f"The upstream has no {variant}.")
        if profile.content_via == "endpoint":
            return [Place(endpoint, endpoint=True), *named]
        if profile.content_via == "url_first":
            return [*named, Place(endpoint, endpoint=True)]
        if not named:
            # Only a look can find one.
            raise ContentTrouble(
                ContentTrouble.Kind.EXPIRED, "The upstream has named no address for the file."
            )
        return named
