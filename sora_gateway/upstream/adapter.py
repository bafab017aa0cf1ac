"""What the supervisor may ask of an upstream, whatever language it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, Look
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, RejectRules


@dataclass(frozen=True, slots=True)
class CreateOrder:
    """One paid create. *attempt_id* is ours (``attempt_<hex>``) and goes along as the request id."""

    attempt_id: str
    prompt: str
    model: str
    """The upstream's own name for the model."""
    seconds: int
    size: str
    """``WIDTHxHEIGHT``"""
    image: bytes | None = None
    image_type: str = ""
    operation: Operation = Operation.CREATE
    source: ExternalId | None = None
    """The upstream's video that a remix, edit or extension starts from. *seconds* of an extension is what it adds."""
    source_file: bytes | None = None
    """The same, uploaded; an edit or extension has one of the two."""
    source_type: str = ""
    characters: tuple[str, ...] = ()
    """The upstream's ids of characters that are to appear."""
    idempotency_key: str = ""
    """Ours, the same for every sending of one attempt; goes along where the upstream honours one."""


class CancelAnswer(StrEnum):
    CONFIRMED = "confirmed"
    """The upstream says that it stopped."""
    UNSUPPORTED = "unsupported"
    """It has no way to stop a job."""
    FINISHED = "finished"
    """It is past stopping: look at it."""
    TROUBLE = "trouble"
    """No usable answer; worth asking again."""


class Variant(StrEnum):
    VIDEO = "video"
    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"


class ContentTrouble(Exception):
    """The file cannot be had now. *kind* says what to do; *retry_after* in seconds."""

    class Kind(StrEnum):
        NOT_YET = "not_yet"
        """404 or 409: it says that it is still at it."""
        EXPIRED = "expired"
        """401, 403, 404 or 410 on a result address, or none is known: look at the job again for a fresh one."""
        NOT_MEDIA = "not_media"
        """It answered something that is no media (HTML, JSON without an address)."""
        TOO_LARGE = "too_large"
        INTERRUPTED = "interrupted"
        """Broken, slow or refused in transit: resume."""
        UNSUPPORTED = "unsupported"
        """This upstream has no such variant."""
        GONE = "gone"
        """Nobody can say any more where it is."""

    def __init__(self, kind: Kind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


@dataclass(slots=True)
class Content:
    """An open download. *offset* is where the bytes really start: 0 when the upstream ignored the range."""

    offset: int
    total: int | None
    """Length of the whole file if declared."""
    content_type: str
    etag: str | None
    chunks: AsyncIterator[bytes]
    """Raises :class:`ContentTrouble` when the transfer breaks or stays below the minimum throughput."""


class Adapter(Protocol):
    """One configured upstream. No method raises anything but what it names; cancellation passes through."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> RejectRules: ...

    @property
    def min_poll_interval(self) -> float:
        """Seconds below which polling this server is pointless."""
        ...

    @property
    def operations(self) -> frozenset[Operation]:
        """What it can be asked to make; an order for anything else is not sent."""
        ...

    @property
    def characters(self) -> bool:
        """Whether it has characters; without, an order that names some is not sent."""
        ...

    @property
    def listing(self) -> Literal["none", "stale", "live"]:
        """Whether it lists its jobs, and whether the list says how they are now."""
        ...

    @property
    def looks_are_requests(self) -> bool:
        """Whether a look asks the upstream; otherwise it is answered from memory, and costs nothing."""
        ...

    @property
    def idempotent(self) -> bool:
        """Whether a create that is sent again with its key is answered with its first job, and not paid again."""
        ...

    @property
    def stops_jobs(self) -> bool:
        """Whether it stops a running job when it is asked to, and says so."""
        ...

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        """Sends the paid create once. *timeout* is a total deadline in seconds. Never raises, never retries."""
        ...

    async def create_character(
        self, name: str, video: bytes, media_type: str, timeout: float, attempt_id: str
    ) -> CreateAnswer:
        """Makes a character out of *video*; its id there is the answer's. Sent once, as :meth:`create` is.

        *timeout* is a total deadline in seconds, *attempt_id* goes along as the request id. Never raises.
        """
        ...

    async def look(self, external_id: ExternalId) -> Look:
        """Asks for one job. Never raises."""
        ...

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        """The newest hundred jobs, or those that follow *after*; trouble is told as a Look is. Never raises."""
        ...

    async def cancel(self, external_id: ExternalId) -> CancelAnswer:
        """Asks the upstream to stop. Never raises."""
        ...

    def open_content(
        self,
        external_id: ExternalId,
        result_url: str | None,
        variant: Variant,
        offset: int = 0,
        etag: str | None = None,
    ) -> AbstractAsyncContextManager[Content]:
        """Opens a result file from *offset* (``Range`` with ``If-Range: etag``).

        Raises:
            ContentTrouble: it cannot be had now.
        """
        ...

    async def probe(self) -> str:
        """Checks reachability and credentials without spending: one sentence, starting with ``ok`` when all is well."""
        ...

    async def aclose(self) -> None: ...
