"""``/v1/videos``: OpenAI's Videos API over the same jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from starlette.responses import Response

from sora_gateway.core.job import Job
from sora_gateway.core.picture import Fit
from sora_gateway.core.views import OpenAIView, Video, video_view
from sora_gateway.errors import (
    Gone,
    InsufficientCredits,
    InvalidImage,
    InvalidType,
    NotFinished,
    NotFound,
    NotReady,
    RangeNotSatisfiable,
    StorageFull,
    UnknownModel,
    UnsupportedByUpstream,
)
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.finding import find, find_own, note_act
from sora_gateway.http.media import CONDITIONAL, MEDIA_TYPES
from sora_gateway.http.orders import Wish, order_for
from sora_gateway.http.paid import paid
from sora_gateway.http.reference_input import Given, ImageId, ImageUrl
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_wishes import MAX_DATA_URL, MAX_ID
from sora_gateway.http.tasks import content
from sora_gateway.http.uploads import FileOr, Upload
from sora_gateway.http.validation import WholeNumber
from sora_gateway.http.waiting import WaitSeconds, awaited, steer
from sora_gateway.store.jobs import Filter
from sora_gateway.upstream.adapter import Variant

MAX_CHARACTERS = 2


class ImageReference(OpenAIView):
    """An image by its address, which may be a ``data:`` address, or by the id of a saved one; either of them."""

    model_config = ConfigDict(extra="forbid")

    image_url: Annotated[str, Field(min_length=1, max_length=MAX_DATA_URL)] | None = None
    file_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> ImageReference:
        if (self.image_url is None) == (self.file_id is None):
            raise ValueError("Give image_url or file_id, one of them.")
        return self


class CharacterReference(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class _CreateVideo(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(examples=["A paper boat in the rain, slow motion"])
    model: str = "sora-2"
    seconds: WholeNumber = Field(4, description="A number of seconds, as text or as a number.")
    size: str = "720x1280"
    input_reference_fit: Fit = Field(
        Fit.CROP, description="How the image is made as large as the video; OpenAI's API has no such field."
    )
    characters: Annotated[list[CharacterReference], Field(max_length=MAX_CHARACTERS)] = Field(
        default_factory=list
    )


class CreateVideo(_CreateVideo):
    """What to make."""

    input_reference: ImageReference | None = None


class CreateVideoForm(_CreateVideo):
    """The same as a form, which may bring the image itself."""

    input_reference: FileOr[ImageReference] | None = None


class ListVideos(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=0, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"
    after: Annotated[str, Field(max_length=512)] | None = None


class RetrieveVideo(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    wait: WaitSeconds = 0.0


class VideoList(OpenAIView):
    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(OpenAIView):
    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: Literal[True] = True


class VideoContent(OpenAIView):
    model_config = ConfigDict(extra="forbid")

    variant: Variant = Variant.VIDEO


async def video_of(call: Call, job: Job) -> Video:
    """The answer with *job*, and when to ask again."""
    steer(call, job)
    return (await _videos_of(call, [job]))[0]


async def _videos_of(call: Call, jobs: list[Job]) -> list[Video]:
    rules = call.services.housekeeping.rules
    # A tag may spare a video; it matters only where files go because of their age.
    ended = [job.id for job in jobs if job.ended] if rules.any else []
    tags = await call.services.store.tags_of_many(ended) if ended else {}
    return [video_view(job, rules.kept_until(job, tags.get(job.id, ()))) for job in jobs]


async def create_video(call: Call) -> Video:
    """Accepts a video; it is durable when this answers."""
    asked: CreateVideo | CreateVideoForm = call.body
    wish = Wish(
        asked.prompt,
        asked.model,
        asked.seconds,
        asked.size,
        _given(asked.input_reference),
        fit=asked.input_reference_fit,
        characters=[character.id for character in asked.characters],
    )
    return await video_of(call, await paid(call, lambda: order_for(call.services, call.caller, wish)))


def _given(reference: Upload | ImageReference | None) -> Given | None:
    if reference is None or isinstance(reference, Upload):
        return reference
    return (
        ImageUrl(reference.image_url) if reference.image_url is not None else ImageId(str(reference.file_id))
    )


async def list_videos(call: Call) -> VideoList:
    """Full objects, newest first unless ``order=asc``; the next page is ``after=<last_id>``."""
    query: ListVideos = call.query
    await call.services.looks.note_list(call.caller, actor_of(call))
    jobs, more = await call.services.store.page(
        call.caller,
        Filter(
            query.limit,
            query.after,
            ascending=query.order == "asc",
            # Programs go through it and delete: what others show to the team does not turn up there.
            owner=None if call.caller.sees_all else call.caller.user_id,
        ),
    )
    return VideoList(
        data=await _videos_of(call, jobs),
        first_id=jobs[0].id if jobs else None,
        last_id=jobs[-1].id if jobs else None,
        has_more=more,
    )


async def retrieve_video(call: Call) -> Video:
    """By our id, or by the upstream's among what the caller may see. With ``wait``, which OpenAI's API does not
    have, it is answered when the video has ended, at the latest after so many seconds."""
    query: RetrieveVideo = call.query
    return await video_of(call, await awaited(call, query.wait))


async def delete_video(call: Call) -> VideoDeleted:
    """Removes an ended video."""
    job = await find_own(call)
    await note_act(call, job, "job.delete")
    await call.services.supervisor.delete(job)
    return VideoDeleted(id=job.id)


async def video_content(call: Call) -> Response:
    """The bytes of the video, its thumbnail or its spritesheet."""
    query: VideoContent = call.query
    return await content(call, await find(call), query.variant, download=True)


ENDPOINTS = [
    Endpoint(
        method="POST", path="/v1/videos", handler=create_video, summary="Create a video",
        access=Access.MEMBER, tag="openai", paid=True, request=CreateVideo, form=CreateVideoForm, uploads=True,
        response=Video, errors=(
            InvalidType, InvalidImage, UnknownModel, UnsupportedByUpstream, InsufficientCredits,
            StorageFull,
        ),
    ),
    Endpoint(
        method="GET", path="/v1/videos", handler=list_videos, summary="List videos",
        access=Access.VIEWER, tag="openai", query=ListVideos, response=VideoList,
    ),
    Endpoint(
        method="GET", path="/v1/videos/{id}", handler=retrieve_video, summary="Retrieve a video",
        access=Access.VIEWER, tag="openai", query=RetrieveVideo, response=Video, errors=(NotFound,),
    ),
    Endpoint(
        method="DELETE", path="/v1/videos/{id}", handler=delete_video, summary="Delete a video",
        access=Access.MEMBER, tag="openai", response=VideoDeleted, errors=(NotFound, NotFinished),
    ),
    Endpoint(
        method="GET", path="/v1/videos/{id}/content", handler=video_content, summary="Download a video",
        access=Access.VIEWER, tag="openai", query=VideoContent,
        produces=MEDIA_TYPES, also=CONDITIONAL, errors=(NotFound, NotReady, Gone, RangeNotSatisfiable),
    ),
]  # fmt: skip
