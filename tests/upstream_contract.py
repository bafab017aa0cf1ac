"""What every honest upstream must look like through an adapter: run on our fake and on the simulator alike.

The supervisor is tested against fakes; they are worth something because the real thing passes the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import LookKind
from sora_gateway.core.outcome import OutcomeClass, classify
from sora_gateway.upstream.adapter import Adapter, CancelAnswer, ContentTrouble, CreateOrder, Variant

NEVER_GIVEN_OUT = ExternalId("video_nobody_knows")


@dataclass(frozen=True)
class Upstream:
    """One upstream under test. *finish* lets so much time pass that every job of it is ready."""

    adapter: Adapter
    finish: Callable[[], Awaitable[None]]
    order: CreateOrder
    cancels: bool
    thumbnails: bool


async def accepted(upstream: Upstream) -> ExternalId:
    outcome = classify(await upstream.adapter.create(upstream.order, 10), upstream.adapter.rules)
    assert outcome.kind is OutcomeClass.RECEIPT, outcome
    assert outcome.external_id is not None
    return outcome.external_id


async def _read(
    upstream: Upstream, job: ExternalId, variant: Variant, offset: int = 0, etag: str | None = None
) -> bytes:
    async with upstream.adapter.open_content(job, None, variant, offset, etag) as content:
        data = b"".join([chunk async for chunk in content.chunks])
        assert content.offset == offset
        assert content.total in (None, offset + len(data))
        return data


async def each_create_is_another_job(upstream: Upstream) -> None:
    assert await accepted(upstream) != await accepted(upstream)


async def a_job_goes_from_alive_to_a_file(upstream: Upstream) -> None:
    job = await accepted(upstream)
    first = await upstream.adapter.look(job)
    assert first.kind is LookKind.ALIVE, first
    assert first.progress is None or 0 <= first.progress < 100
    await upstream.finish()
    last = await upstream.adapter.look(job)
    assert last.kind is LookKind.COMPLETED, last
    video = await _read(upstream, job, Variant.VIDEO)
    assert video[4:8] == b"ftyp"


async def a_download_resumes(upstream: Upstream) -> None:
    job = await accepted(upstream)
    await upstream.finish()
    async with upstream.adapter.open_content(job, None, Variant.VIDEO) as content:
        etag = content.etag
        whole = b"".join([chunk async for chunk in content.chunks])
    half = len(whole) // 2
    assert await _read(upstream, job, Variant.VIDEO, half, etag) == whole[half:]


async def a_file_is_not_there_before_the_end(upstream: Upstream) -> None:
    job = await accepted(upstream)
    with pytest.raises(ContentTrouble) as caught:
        await _read(upstream, job, Variant.VIDEO)
    assert caught.value.kind is ContentTrouble.Kind.NOT_YET


async def a_thumbnail_is_an_image_or_unsupported(upstream: Upstream) -> None:
    job = await accepted(upstream)
    await upstream.finish()
    if upstream.thumbnails:
        async with upstream.adapter.open_content(job, None, Variant.THUMBNAIL) as content:
            assert content.content_type.startswith("image/")
        return
    with pytest.raises(ContentTrouble) as caught:
        await _read(upstream, job, Variant.THUMBNAIL)
    assert caught.value.kind is ContentTrouble.Kind.UNSUPPORTED


async def an_id_that_it_never_gave_out_is_missing(upstream: Upstream) -> None:
    assert (await upstream.adapter.look(NEVER_GIVEN_OUT)).kind is LookKind.MISSING


async def a_refused_order_is_refused_in_words(upstream: Upstream) -> None:
    answer = await upstream.adapter.create(replace(upstream.order, seconds=7777), 10)
    outcome = classify(answer, upstream.adapter.rules)
    assert outcome.kind is OutcomeClass.REFUSED, outcome
    assert outcome.message


async def cancelling_stops_a_job_where_it_can(upstream: Upstream) -> None:
    job = await accepted(upstream)
    said = await upstream.adapter.cancel(job)
    assert said is (CancelAnswer.CONFIRMED if upstream.cancels else CancelAnswer.UNSUPPORTED)
    kind = (await upstream.adapter.look(job)).kind
    assert kind in ((LookKind.MISSING, LookKind.CANCELLED) if upstream.cancels else (LookKind.ALIVE,))


async def probing_is_well_and_makes_nothing(upstream: Upstream) -> None:
    assert (await upstream.adapter.probe()).startswith("ok")


CONTRACT: tuple[Callable[[Upstream], Awaitable[None]], ...] = (
    each_create_is_another_job,
    a_job_goes_from_alive_to_a_file,
    a_download_resumes,
    a_file_is_not_there_before_the_end,
    a_thumbnail_is_an_image_or_unsupported,
    an_id_that_it_never_gave_out_is_missing,
    a_refused_order_is_refused_in_words,
    cancelling_stops_a_job_where_it_can,
    probing_is_well_and_makes_nothing,
)
