"""The gateway's own API for videos: ``/api/video`` and ``/api/models``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from sora_gateway.core.job import Job, JobId, State
from sora_gateway.core.operation import Operation
from sora_gateway.core.principal import Principal, Scope
from sora_gateway.core.retention import gone_sentence
from sora_gateway.core.steps import PublicState
from sora_gateway.core.views import Beside, Task, View, task_view
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import (
    AlreadyEnded,
    Gone,
    InsufficientCredits,
    InvalidSignature,
    InvalidType,
    NotFinished,
    NotFound,
    NotReady,
    RangeNotSatisfiable,
    StorageFull,
    UnknownModel,
)
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.finding import find, find_own, note_act
from sora_gateway.http.long_text import LONG_TEXT
from sora_gateway.http.media import CONDITIONAL, MEDIA_TYPES, NOT_KEPT, file_response
from sora_gateway.http.orders import order_again, order_for
from sora_gateway.http.paid import paid
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.http.task_wishes import ASKED, MAX_DATA_URL, CreateTask, CreateTaskForm, wish_of
from sora_gateway.http.waiting import WaitSeconds, awaited, steer
from sora_gateway.store.events import EventScope
from sora_gateway.supervisor import Order

MAX_EVENTS = 1000


class GetTask(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    wait: WaitSeconds = 0.0


class SetVisibility(View):
    model_config = ASKED

    visibility: Visibility


class TaskEvents(View):
    events: list[PublicState]


class ContentQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    variant: Literal["video", "thumbnail", "spritesheet", "reference"] = "video"
    expires: int | None = Field(None, description="Part of a signed address.")
    # Addresses from before there were several keys do not say by which.
    signed_by: Annotated[str, Field(max_length=16)] = Field("1", description="Part of a signed address.")
    signature: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Part of a signed address."
    )


class Model(View):
    id: str
    upstream: str
    sizes: list[str] = Field(description="Empty: any.")
    seconds: list[int] = Field(description="Empty: 1 to 60.")
    operations: list[Operation] = Field(
        description="What its upstream makes: new videos, and which from others."
    )


class CreateLimits(View):
    """What is refused for being too much, known before it is sent. Limits of 0 are unlimited."""

    prompt: int = Field(description="Characters of a prompt.")
    batch: int = Field(description="Videos that are made together.")
    image_bytes: int = Field(description="Of an image inside a `data:` address, before it is encoded.")
    image_pixels: int = Field(description="Width times height of an image.")


class Models(View):
    models: list[Model]
    limits: CreateLimits


async def task_of(call: Call, job: Job) -> Task:
    """The answer with *job*: addresses signed for its reader, and when to ask again."""
    steer(call, job)
    return (await tasks_of(call.services, [job], call.caller))[0]


async def tasks_of(services: Services, jobs: list[Job], reader: Principal) -> list[Task]:
    """The same for many, with one look at the store for each kind of thing."""
    variants = await services.store.assets_of_many([job.id for job in jobs]) if jobs else {}
    emails = await services.store.emails({job.owner for job in jobs} - {reader.user_id})
    emails[reader.user_id] = reader.email
    tags = await services.store.tags_of_many([job.id for job in jobs]) if jobs else {}
    return [
        task_view(
            job,
            Beside(
                {variant: services.urls.sign(job.id, variant) for variant in variants.get(job.id, ())},
                emails.get(job.owner),
                services.supervisor.expected(job),
                tags.get(job.id, ()),
                services.supervisor.turn(job),
                services.housekeeping.rules.kept_until(job, tags.get(job.id, ())),
            ),
            reader=reader.user_id,
        )
        for job in jobs
    ]


async def create_task(call: Call) -> Task:
    """Accepts a video. It is durable, and its credits are held, when this answers."""
    asked: CreateTask | CreateTaskForm = call.body

    async def order() -> Order:
        return await order_for(call.services, call.caller, await wish_of(call, asked))

    return await task_of(call, await paid(call, order))


async def get_task(call: Call) -> Task:
    """By either id: ours, or the upstream's among what the caller may see. With ``wait`` it is answered when the
    video has ended, at the latest after so many seconds."""
    query: GetTask = call.query
    return await task_of(call, await awaited(call, query.wait))


async def task_events(call: Call) -> TaskEvents:
    """Everything that happened to the task, in order."""
    job = await find(call)
    replay = await call.services.store.events_after(EventScope(job_id=job.id), 0, MAX_EVENTS)
    return TaskEvents(events=[PublicState.model_validate_json(event.payload) for event in replay.events])


async def task_content(call: Call) -> Response:
    """The stored file. A signed address needs no login; ranges and conditional requests are honoured."""
    query: ContentQuery = call.query
    return await content(call, await _readable(call, query), query.variant, download=False)


async def _readable(call: Call, query: ContentQuery) -> Job:
    """The job whose file is asked for, by signature or by right.

    Whether a signature is good is decided before anything is looked up: a bad one gets the same answer for an id that
    exists and for one that does not.
    """
    nothing = "There is no video by that id; if you may see it, sign in or send your key."
    if query.signature is not None and query.expires is not None:
        job_id = call.path["id"]
        good = call.services.urls.verify(
            job_id, query.variant, query.expires, query.signed_by, query.signature
        )
        if good:
            job = await call.services.store.get(JobId(job_id))
            if job is None or job.deleted_at is not None:
                raise NotFound(nothing)
            return job
        if call.principal is None:
            raise InvalidSignature(
                "This address has expired or was changed; ask for a new one with refresh-url."
            )
    if call.principal is None:
        raise NotFound(nothing)
    return await find(call)


async def content(call: Call, job: Job, variant: str, *, download: bool) -> Response:
    """One stored file of *job*, which the caller may see."""
    asset = (await call.services.store.assets(job.id)).get(variant)
    if asset is None:
        removed_at, because = job.files_removed_at, job.files_removed_because
        if (
            removed_at is not None
            and because is not None
            and variant in await call.services.store.upkeep.removed(job.id)
        ):
            raise Gone(gone_sentence(removed_at, because))
        if variant == "reference":
            raise NotFound("This video has no reference image.")
        if job.state is State.COMPLETED:
            raise NotFound(f"This video has no {variant}.")
        if job.ended:
            raise NotFound(f"The video is {job.state}; there is no file.")
        raise NotReady("The video is not finished yet; ask again later.")
    try:
        path = call.services.files.resolve(asset.path)
    except FileNotFoundError:
        raise Gone(NOT_KEPT) from None
    name = f"{job.id}{path.suffix}" if download else None
    return file_response(call.request, path, asset.media_type, asset.sha256, name)


async def cancel_task(call: Call) -> Task:
    """Asks for the task to be stopped; what the upstream has accepted ends when the upstream says so."""
    job = await find_own(call)
    await note_act(call, job, "job.cancel")
    return await task_of(call, await call.services.supervisor.cancel(job))


async def retry_task(call: Call) -> Task:
    """The same video once more, as a new task (``retryOf``) with its own hold."""

    async def order() -> Order:
        job = await find(call)
        if not job.ended:
            raise NotFinished("The video is not finished; cancel it first.")
        return await order_again(call.services, call.caller, job)

    return await task_of(call, await paid(call, order))


async def delete_task(call: Call) -> Response:
    """Removes the files of an ended task; it disappears from every list."""
    job = await find_own(call)
    await note_act(call, job, "job.delete")
    await call.services.supervisor.delete(job)
    return Response(status_code=204)


async def refresh_url(call: Call) -> Task:
    """The task with newly signed addresses."""
    return await task_of(call, await find(call))


async def set_visibility(call: Call) -> Task:
    """Shows the video to the team, or takes that back; in every stage. Who may not see it any more is told nothing
    more of it."""
    asked: SetVisibility = call.body
    job = await find_own(call)
    return await task_of(call, await call.services.supervisor.show(job.id, asked.visibility, actor_of(call)))


async def models(call: Call) -> Models:
    """What can be asked for, and at which sizes and durations."""
    found = {
        name: Model(
            id=name,
            upstream=offer.upstream,
            sizes=list(offer.sizes),
            seconds=list(offer.seconds),
            operations=[each for each in Operation if each in offer.operations],
        )
        for offer in reversed(call.services.offers)
        for name in offer.models
    }
    settings = call.services.settings
    limits = CreateLimits(
        prompt=settings.jobs.max_prompt,
        batch=settings.limits.batch,
        # Base64 makes four characters of three bytes; beside the image a body has a prompt.
        image_bytes=min(MAX_DATA_URL, max(0, settings.server.max_upload - LONG_TEXT)) * 3 // 4 - 100,
        image_pixels=call.services.images.max_pixels,
    )
    return Models(models=[found[name] for name in sorted(found)], limits=limits)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/models", handler=models, summary="Models and what they can make",
        access=Access.VIEWER, tag="videos", response=Models,
    ),
    Endpoint(
        method="POST", path="/api/video/tasks", handler=create_task, summary="Make a video",
        access=Access.MEMBER, tag="videos", paid=True, request=CreateTask, form=CreateTaskForm, uploads=True,
        response=Task, status=202, errors=(InvalidType, UnknownModel, InsufficientCredits, StorageFull),
    ),
    Endpoint(
        method="GET", path="/api/video/tasks/{id}", handler=get_task, summary="One video",
        access=Access.VIEWER, tag="videos", query=GetTask, response=Task, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/video/tasks/{id}/events", handler=task_events, summary="What happened to it",
        access=Access.VIEWER, tag="videos", response=TaskEvents, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/video/tasks/{id}/content", handler=task_content, summary="Its file",
        access=Access.OPTIONAL, tag="videos", query=ContentQuery,
        produces=MEDIA_TYPES, also=CONDITIONAL,
        errors=(InvalidSignature, NotFound, NotReady, Gone, RangeNotSatisfiable),
    ),
    Endpoint(
        method="POST", path="/api/video/tasks/{id}/cancel", handler=cancel_task, summary="Stop it",
        access=Access.MEMBER, tag="videos", response=Task, errors=(NotFound, AlreadyEnded),
    ),
    Endpoint(
        method="POST", path="/api/video/tasks/{id}/retry", handler=retry_task, summary="Make it again",
        access=Access.MEMBER, tag="videos", paid=True, response=Task, status=202,
        errors=(NotFound, NotFinished, InsufficientCredits, StorageFull),
    ),
    Endpoint(
        method="POST", path="/api/video/tasks/{id}/refresh-url", handler=refresh_url, summary="New addresses of its files",
        access=Access.VIEWER, tag="videos", needs=Scope.READ, response=Task, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/video/tasks/{id}/visibility", handler=set_visibility, summary="Who may see it",
        access=Access.MEMBER, tag="videos", request=SetVisibility, response=Task, errors=(NotFound,),
    ),
    Endpoint(
        method="DELETE", path="/api/video/tasks/{id}", handler=delete_task, summary="Remove it",
        access=Access.MEMBER, tag="videos", status=204, errors=(NotFound, NotFinished),
    ),
]  # fmt: skip
