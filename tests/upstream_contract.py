"""What every honest upstream must look like through an adapter: our fake, the simulator, and a server per profile.

The supervisor is tested against fakes; they are worth something because the real thing passes the same. A clause
takes an :class:`Upstream` and knows of no dialect; ``@clauses`` runs a test once for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, LookKind
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, Outcome, OutcomeClass, classify
from sora_gateway.upstream.adapter import Adapter, CancelAnswer, ContentTrouble, CreateOrder, Variant
from tests.sample_videos import sample_mp4

NEVER_GIVEN_OUT = ExternalId("video_nobody_knows")
NO_VIDEO = b"<html>no video</html>"


@dataclass(frozen=True)
class Upstream:
    """One upstream under test. *finish* lets so much time pass that every job of it is ready."""

    adapter: Adapter
    finish: Callable[[], Awaitable[None]]
    order: CreateOrder
    cancels: bool
    thumbnails: bool
    refused: CreateOrder | None = None
    """An order that it does not take; by default one for 7777 seconds."""
    ranges: bool = True
    """Whether a download goes on where it stopped; otherwise it begins again."""
    fail: Callable[[str], Awaitable[None]] | None = None
    """Lets every job fail for a reason, if a test can do that."""
    streamed: bool = False
    """Whether the connection is the job: what nobody reads any more is lost."""


Clause = Callable[[Upstream], Awaitable[None]]
CANCELS = 5
"""How often an upstream may say "not yet" to a cancellation."""


def judged(upstream: Upstream, answer: CreateAnswer) -> Outcome:
    return classify(answer, upstream.adapter.rules)


async def accepted(upstream: Upstream, order: CreateOrder | None = None) -> ExternalId:
    outcome = judged(upstream, await upstream.adapter.create(order or upstream.order, 10))
    assert outcome.kind is OutcomeClass.RECEIPT, outcome
    assert outcome.external_id is not None
    return outcome.external_id


async def refused(upstream: Upstream, order: CreateOrder) -> None:
    outcome = judged(upstream, await upstream.adapter.create(order, 10))
    assert outcome.kind is OutcomeClass.REFUSED, outcome
    assert outcome.message


def from_source(upstream: Upstream, source: ExternalId) -> list[CreateOrder]:
    """Every order that starts from *source* and can be sent there."""
    orders = [
        replace(upstream.order, operation=operation, source=source)
        for operation in (Operation.REMIX, Operation.EDIT, Operation.EXTEND)
    ]
    return [order for order in orders if order.operation in upstream.adapter.operations]


def from_file(upstream: Upstream, video: bytes) -> list[CreateOrder]:
    """Every order that starts from the uploaded *video* and can be sent there."""
    orders = [
        replace(upstream.order, operation=operation, source_file=video, source_type="video/mp4")
        for operation in (Operation.EDIT, Operation.EXTEND)
    ]
    return [order for order in orders if order.operation in upstream.adapter.operations]


async def finished(upstream: Upstream, job: ExternalId) -> str | None:
    """Lets *job* come to its end; where its file is, if its object says so."""
    await upstream.finish()
    look = await upstream.adapter.look(job)
    assert look.kind is LookKind.COMPLETED, look
    return look.result_url


async def _read(upstream: Upstream, job: ExternalId, url: str | None, variant: Variant) -> bytes:
    async with upstream.adapter.open_content(job, url, variant) as content:
        data = b"".join([chunk async for chunk in content.chunks])
        assert content.offset == 0
        assert content.total in (None, len(data))
        return data


async def each_create_is_another_job(upstream: Upstream) -> None:
    another = replace(upstream.order, attempt_id="attempt_2")
    assert await accepted(upstream) != await accepted(upstream, another)


async def a_job_goes_from_alive_to_a_file(upstream: Upstream) -> None:
    job = await accepted(upstream)
    first = await upstream.adapter.look(job)
    assert first.kind is LookKind.ALIVE, first
    assert first.progress is None or 0 <= first.progress < 100
    video = await _read(upstream, job, await finished(upstream, job), Variant.VIDEO)
    assert video[4:8] == b"ftyp"


async def a_failure_comes_with_its_reason(upstream: Upstream) -> None:
    if upstream.fail is not None:
        job = await accepted(upstream)
        await upstream.fail("It ran out of memory.")
        look = await upstream.adapter.look(job)
        assert (look.kind, look.message) == (LookKind.FAILED, "It ran out of memory."), look
        assert look.code


async def a_download_resumes(upstream: Upstream) -> None:
    job = await accepted(upstream)
    url = await finished(upstream, job)
    async with upstream.adapter.open_content(job, url, Variant.VIDEO) as content:
        etag = content.etag
        whole = b"".join([chunk async for chunk in content.chunks])
    half = len(whole) // 2
    async with upstream.adapter.open_content(job, url, Variant.VIDEO, half, etag) as content:
        assert content.offset == (half if upstream.ranges else 0)
        assert b"".join([chunk async for chunk in content.chunks]) == whole[content.offset :]
        assert content.total in (None, len(whole))


async def a_file_is_not_there_before_the_end(upstream: Upstream) -> None:
    job = await accepted(upstream)
    with pytest.raises(ContentTrouble) as caught:
        await _read(upstream, job, None, Variant.VIDEO)
    # Expired: only a look can say where it is.
    assert caught.value.kind in (ContentTrouble.Kind.NOT_YET, ContentTrouble.Kind.EXPIRED)


async def a_thumbnail_is_an_image_or_unsupported(upstream: Upstream) -> None:
    job = await accepted(upstream)
    url = await finished(upstream, job)
    if upstream.thumbnails:
        async with upstream.adapter.open_content(job, url, Variant.THUMBNAIL) as content:
            assert content.content_type.startswith("image/")
        return
    with pytest.raises(ContentTrouble) as caught:
        await _read(upstream, job, url, Variant.THUMBNAIL)
    assert caught.value.kind is ContentTrouble.Kind.UNSUPPORTED


async def an_id_that_it_never_gave_out_is_missing(upstream: Upstream) -> None:
    kind = (await upstream.adapter.look(NEVER_GIVEN_OUT)).kind
    assert kind is (LookKind.LOST if upstream.streamed else LookKind.MISSING)


async def a_refused_order_is_refused_in_words(upstream: Upstream) -> None:
    await refused(upstream, upstream.refused or replace(upstream.order, seconds=7777))


async def each_operation_is_a_job_that_becomes_a_file(upstream: Upstream) -> None:
    source = await accepted(upstream)
    await upstream.finish()
    orders = from_source(upstream, source) + from_file(upstream, sample_mp4())
    jobs = [await accepted(upstream, order) for order in orders]
    assert len({source, *jobs}) == len(jobs) + 1
    for job in jobs:
        assert (await upstream.adapter.look(job)).kind is LookKind.ALIVE
    for job in jobs:
        url = await finished(upstream, job)
        assert (await _read(upstream, job, url, Variant.VIDEO))[4:8] == b"ftyp"


async def a_source_is_a_finished_video_or_refused(upstream: Upstream) -> None:
    unfinished = await accepted(upstream)
    orders = from_source(upstream, NEVER_GIVEN_OUT) + from_source(upstream, unfinished)
    for order in orders + from_file(upstream, NO_VIDEO):
        await refused(upstream, order)


async def an_extension_has_to_say_how_long_in_reason(upstream: Upstream) -> None:
    source = await accepted(upstream)
    await upstream.finish()
    for order in from_source(upstream, source):
        if order.operation is Operation.EXTEND:
            await refused(upstream, replace(order, seconds=7777))


async def a_character_appears_once_it_is_made(upstream: Upstream) -> None:
    adapter = upstream.adapter
    made = judged(
        upstream, await adapter.create_character("Mossy", sample_mp4(), "video/mp4", 10, "attempt_2")
    )
    if not adapter.characters:
        assert made.kind is OutcomeClass.NOT_SENT
        return
    assert made.kind is OutcomeClass.RECEIPT, made
    assert made.external_id is not None
    await accepted(upstream, replace(upstream.order, characters=(made.external_id,)))
    await refused(upstream, replace(upstream.order, characters=(made.external_id, "char_nobody_made")))
    # It is no video.
    assert (await adapter.look(made.external_id)).kind is LookKind.MISSING


async def a_character_is_made_of_a_video_or_refused(upstream: Upstream) -> None:
    if upstream.adapter.characters:
        answer = await upstream.adapter.create_character("Mossy", NO_VIDEO, "video/mp4", 10, "attempt_2")
        assert judged(upstream, answer).kind is OutcomeClass.REFUSED


async def what_it_does_not_offer_is_not_sent(upstream: Upstream) -> None:
    for operation in frozenset(Operation) - upstream.adapter.operations:
        order = replace(upstream.order, operation=operation, source=NEVER_GIVEN_OUT)
        assert (await upstream.adapter.create(order, 10)).not_sent


async def cancelling_stops_a_job_where_it_can(upstream: Upstream) -> None:
    job = await accepted(upstream)
    said = await upstream.adapter.cancel(job)
    for _ in range(CANCELS):
        if said is not CancelAnswer.TROUBLE:
            break
        said = await upstream.adapter.cancel(job)
    assert said is (CancelAnswer.CONFIRMED if upstream.cancels else CancelAnswer.UNSUPPORTED)
    kind = (await upstream.adapter.look(job)).kind
    running = LookKind.LOST if upstream.streamed else LookKind.ALIVE
    assert kind in ((LookKind.MISSING, LookKind.CANCELLED) if upstream.cancels else (running,))


async def a_list_says_what_looks_say(upstream: Upstream) -> None:
    if upstream.adapter.listing == "none":
        return
    jobs = [await accepted(upstream) for _ in range(3)]
    assert [await _listed(upstream, job) for job in jobs] == [LookKind.ALIVE] * 3
    await upstream.finish()
    if upstream.adapter.listing == "live":
        assert [await _listed(upstream, job) for job in jobs] == [LookKind.COMPLETED] * 3


async def _listed(upstream: Upstream, job: ExternalId) -> LookKind:
    listing = await upstream.adapter.list_jobs()
    assert isinstance(listing, Listing), listing
    return {row.external_id: row.look.kind for row in listing.rows}[job]


async def a_create_that_is_sent_again_with_its_key_is_the_same_job(upstream: Upstream) -> None:
    if upstream.adapter.idempotent:
        order, other = (replace(upstream.order, idempotency_key=key) for key in ("job-1", "job-2"))
        job = await accepted(upstream, order)
        assert await accepted(upstream, other) != job
        assert await accepted(upstream, order) == job


async def probing_is_well_and_makes_nothing(upstream: Upstream) -> None:
    assert (await upstream.adapter.probe()).startswith("ok")


CONTRACT: tuple[Clause, ...] = (
    each_create_is_another_job,
    a_job_goes_from_alive_to_a_file,
    a_failure_comes_with_its_reason,
    a_download_resumes,
    a_file_is_not_there_before_the_end,
    a_thumbnail_is_an_image_or_unsupported,
    an_id_that_it_never_gave_out_is_missing,
    a_refused_order_is_refused_in_words,
    each_operation_is_a_job_that_becomes_a_file,
    a_source_is_a_finished_video_or_refused,
    an_extension_has_to_say_how_long_in_reason,
    a_character_appears_once_it_is_made,
    a_character_is_made_of_a_video_or_refused,
    what_it_does_not_offer_is_not_sent,
    cancelling_stops_a_job_where_it_can,
    a_list_says_what_looks_say,
    a_create_that_is_sent_again_with_its_key_is_the_same_job,
    probing_is_well_and_makes_nothing,
)

clauses = pytest.mark.parametrize("clause", CONTRACT, ids=lambda clause: clause.__name__)
