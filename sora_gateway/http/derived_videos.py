"""Videos made from videos: remix, edits and extensions, where the upstream has them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import ConfigDict, Field

from sora_gateway.core.asset import InputFile
from sora_gateway.core.catalogue import MAX_SECONDS, choose_for, offer_of
from sora_gateway.core.job import Job, State
from sora_gateway.core.operation import Operation
from sora_gateway.core.principal import Principal
from sora_gateway.core.views import OpenAIView, Task, Video, View
from sora_gateway.errors import (
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    NotReady,
    StorageFull,
    UnsupportedByUpstream,
)
from sora_gateway.http.finding import find
from sora_gateway.http.openai_videos import video_of
from sora_gateway.http.orders import check_prompt, quoted
from sora_gateway.http.paid import paid
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.http.tasks import task_of
from sora_gateway.http.uploads import FileOr, Upload
from sora_gateway.http.validation import WholeNumber
from sora_gateway.media.mp4_facts import UnusableVideo, facts
from sora_gateway.supervisor import Order

DEFAULT_MODEL = "sora-2"
NAMES = {
    Operation.REMIX: "remixes",
    Operation.EDIT: "edits",
    Operation.EXTEND: "extensions",
}


class VideoReference(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=512, strict=True)]


class _Derive(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[str, Field(strict=True)]


class RemixVideo(_Derive):
    """What to make of it."""


class EditVideo(_Derive):
    """What to change. The video is a finished one of the caller's."""

    video: VideoReference


class EditVideoForm(_Derive):
    """The same as a form, which may bring the MP4 file itself."""

    video: FileOr[VideoReference]


class _Extend(_Derive):
    seconds: WholeNumber = Field(description="Seconds to add, as text or as a number.")


class ExtendVideo(_Extend):
    """How to go on. The video is a finished one of the caller's."""

    video: VideoReference


class ExtendVideoForm(_Extend):
    """The same as a form, which may bring the MP4 file itself."""

    video: FileOr[VideoReference]


class RemixTask(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "strict": True})

    prompt: str


def _from_job(
    services: Services,
    principal: Principal,
    operation: Operation,
    prompt: str,
    source: Job,
    added: int | None,
) -> Order:
    """An order for the upstream that has *source*.

    Raises:
        NotReady: *source* is not finished.
        InvalidRequest: it never will be, or the prompt cannot be used.
        UnsupportedByUpstream: the upstream has no such operation.
    """
    check_prompt(services, prompt)
    offer = offer_of(services.offers, source.upstream)
    if offer is None or operation not in offer.operations:
        raise UnsupportedByUpstream(f"{source.upstream}, which made this video, has no {NAMES[operation]}.")
    if source.state is not State.COMPLETED or source.external_id is None:
        if source.ended:
            raise InvalidRequest(
                f"The video is {source.state}; only a finished one can be used.", param="video"
            )
        raise NotReady("The video is not finished yet; ask again when it is.")
    price = quoted(services, source.model, source.size, source.seconds if added is None else added)
    return Order(
        owner=principal.user_id,
        prompt=prompt,
        model=source.model,
        upstream=source.upstream,
        upstream_model=source.upstream_model,
        seconds=source.seconds + (added or 0),
        size=source.size,
        credits=price.credits,
        price_version=price.version,
        operation=operation,
        source_id=source.id,
        source_external_id=source.external_id,
        extended_by=added,
    )


async def _from_file(
    services: Services,
    principal: Principal,
    operation: Operation,
    prompt: str,
    upload: Upload,
    added: int | None,
) -> Order:
    """An order for the first upstream that takes a source file.

    Raises:
        InvalidRequest: the file is no MP4 that says its size and length, or the prompt cannot be used.
        UnsupportedByUpstream: no upstream has the operation.
    """
    check_prompt(services, prompt)
    offer = choose_for(services.offers, operation)
    if offer is None:
        raise UnsupportedByUpstream(f"No upstream has {NAMES[operation]}.")
    try:
        known = await asyncio.to_thread(facts, upload.data)
    except UnusableVideo as error:
        raise InvalidRequest(str(error), param="video") from None
    model = DEFAULT_MODEL if offer.name_of(DEFAULT_MODEL) else next(iter(offer.models))
    upstream_model = offer.name_of(model)
    assert upstream_model is not None
    length, size = max(1, round(known.seconds)), f"{known.width}x{known.height}"
    price = quoted(services, model, size, length if added is None else added)
    return Order(
        owner=principal.user_id,
        prompt=prompt,
        model=model,
        upstream=offer.upstream,
        upstream_model=upstream_model,
        seconds=length + (added or 0),
        size=size,
        credits=price.credits,
        price_version=price.version,
        operation=operation,
        extended_by=added,
        inputs=(InputFile("source", upload.data, "video/mp4"),),
    )


async def _derived(call: Call, operation: Operation, added: int | None = None) -> Job:
    wish: EditVideo | EditVideoForm | ExtendVideo | ExtendVideoForm = call.body
    video = wish.video
    services, caller = call.services, call.caller
    if added is not None and not 1 <= added <= MAX_SECONDS:
        raise InvalidRequest(f"An extension adds 1 to {MAX_SECONDS} seconds.", param="seconds")

    async def order() -> Order:
        if isinstance(video, Upload):
            return await _from_file(services, caller, operation, wish.prompt, video, added)
        source = await find(call, video.id)
        return _from_job(services, caller, operation, wish.prompt, source, added)

    return await paid(call, order)


async def _remix(call: Call) -> Job:
    async def order() -> Order:
        source = await find(call)
        return _from_job(call.services, call.caller, Operation.REMIX, call.body.prompt, source, None)

    return await paid(call, order)


async def remix_video(call: Call) -> Video:
    """The video once more with another prompt, made by the upstream that made it."""
    return await video_of(call, await _remix(call))


async def edit_video(call: Call) -> Video:
    """A finished or uploaded video, changed as the prompt says."""
    return await video_of(call, await _derived(call, Operation.EDIT))


async def extend_video(call: Call) -> Video:
    """A finished or uploaded video, continued; ``seconds`` of the answer is the length of the whole."""
    return await video_of(call, await _derived(call, Operation.EXTEND, call.body.seconds))


async def remix_task(call: Call) -> Task:
    """The video once more with another prompt, made by the upstream that made it."""
    return await task_of(call, await _remix(call))


_ERRORS = (NotFound, NotReady, UnsupportedByUpstream, InsufficientCredits, StorageFull)

# Before ``/v1/videos/{id}``, which would take "edits" for an id.
ENDPOINTS = [
    Endpoint(
        method="POST", path="/v1/videos/edits", handler=edit_video, summary="Edit a video",
        access=Access.MEMBER, tag="openai", paid=True, request=EditVideo, form=EditVideoForm, uploads=True, response=Video,
        errors=_ERRORS,
    ),
    Endpoint(
        method="POST", path="/v1/videos/extensions", handler=extend_video, summary="Extend a video",
        access=Access.MEMBER, tag="openai", paid=True, request=ExtendVideo, form=ExtendVideoForm, uploads=True, response=Video,
        errors=_ERRORS,
    ),
    Endpoint(
        method="POST", path="/v1/videos/{id}/remix", handler=remix_video, summary="Remix a video",
        access=Access.MEMBER, tag="openai", paid=True, request=RemixVideo, form=RemixVideo, response=Video,
        errors=_ERRORS,
    ),
    Endpoint(
        method="POST", path="/api/video/tasks/{id}/remix", handler=remix_task, summary="Remix it",
        access=Access.MEMBER, tag="videos", paid=True, request=RemixTask, response=Task, status=202,
        errors=_ERRORS,
    ),
]  # fmt: skip
