"""The gateway's own API for videos: ``/api/video`` and ``/api/models``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from starlette.responses import Response

from sora_gateway.core.job import Job, JobId, State
from sora_gateway.core.messages import PublicState
from sora_gateway.core.picture import Fit
from sora_gateway.core.principal import Principal, Scope
from sora_gateway.core.views import Beside, Status, Task, View, status_of, task_view
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
from sora_gateway.http.media import CONDITIONAL, MEDIA_TYPES, file_response
from sora_gateway.http.orders import Wish, order_again, order_for
from sora_gateway.http.paid import paid
from sora_gateway.http.reference_input import Given, ImageId, ImageUrl
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.http.uploads import FileOr, Upload
from sora_gateway.http.validation import WholeNumber
from sora_gateway.http.waiting import WaitSeconds, awaited, steer
from sora_gateway.store.events import EventScope
from sora_gateway.store.jobs import Filter
from sora_gateway.supervisor import Order

MAX_EVENTS = 1000
MAX_DATA_URL = 20_971_520
"""Characters of an address that holds the image itself, as OpenAI has it."""
MAX_ID = 512


_ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})
"""Of what is asked for: unknown fields are refused, and each has one name."""


class InputImage(View):
    """An image by its address, which may be a ``data:`` address, or by the id of a saved one; either of them."""

    model_config = _ASKED

    image_url: Annotated[str, Field(min_length=1, max_length=MAX_DATA_URL)] | None = None
    image_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> InputImage:
        if (self.image_url is None) == (self.image_id is None):
            raise ValueError("Give imageUrl or imageId, one of them.")
        return self


class _CreateTask(View):
    model_config = _ASKED

    prompt: str
    model: str = "sora-2"
    size: str = "720x1280"
    fit: Fit = Field(Fit.CROP, description="How the image is made as large as the video.")
    visibility: Visibility = Field(Visibility.PRIVATE, description="Who may see it: only you, or the team.")


class CreateTask(_CreateTask):
    """What to make. Sizes and durations are those of ``/api/models``."""

    seconds: Annotated[int, Field(strict=True)] = 4
    input_reference: InputImage | None = None


class CreateTaskForm(_CreateTask):
    """The same as a form, which may bring the image itself."""

    seconds: WholeNumber = 4
    input_reference: FileOr[InputImage] | None = None


class ListTasks(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str, Field(max_length=512)] | None = Field(
        None, description="Id of the last task of the page before."
    )
    status: Status | None = None
    scope: Literal["visible", "mine", "team"] = Field(
        "visible", description="Everything that you may see, what is yours, or what the team may see."
    )


class GetTask(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    wait: WaitSeconds = 0.0


class SetVisibility(View):
    model_config = _ASKED

    visibility: Visibility


class TaskPage(View):
    tasks: list[Task]
    has_more: bool


class TaskEvents(View):
    events: list[PublicState]


class Stats(View):
    """How many visible videos there are, by status and by stage."""

    counts: dict[Status, int]
    stages: dict[State, int]


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


class Models(View):
    models: list[Model]


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
            ),
            reader=reader.user_id,
        )
        for job in jobs
    ]


async def create_task(call: Call) -> Task:
    """Accepts a video. It is durable, and its credits are held, when this answers."""
    asked: CreateTask | CreateTaskForm = call.body
    image = _given(asked.input_reference)
    wish = Wish(
        asked.prompt, asked.model, asked.seconds, asked.size, image, "inputReference", asked.fit,
        visibility=asked.visibility,
    )  # fmt: skip
    return await task_of(call, await paid(call, lambda: order_for(call.services, call.caller, wish)))


def _given(reference: Upload | InputImage | None) -> Given | None:
    if reference is None or isinstance(reference, Upload):
        return reference
    return (
        ImageUrl(reference.image_url) if reference.image_url is not None else ImageId(str(reference.image_id))
    )


async def list_tasks(call: Call) -> TaskPage:
    """Newest first. The next page is asked for with ``after``, the id of the last task of this one."""
    query: ListTasks = call.query
    states = tuple(state for state in State if query.status is not None and status_of(state) == query.status)
    wanted = Filter(
        query.limit,
        query.after,
        states=states,
        owner=call.caller.user_id if query.scope == "mine" else None,
        team=query.scope == "team",
    )
    jobs, more = await call.services.store.page(call.caller, wanted)
    return TaskPage(tasks=await tasks_of(call.services, jobs, call.caller), has_more=more)


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
        raise Gone("The file of this video is not kept any more.") from None
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


async def stats(call: Call) -> Stats:
    """How many videos the caller may see, by status and stage."""
    stages = await call.services.store.counts(call.caller)
    counts: dict[Status, int] = {}
    for state, number in stages.items():
        counts[status_of(state)] = counts.get(status_of(state), 0) + number
    return Stats(counts=counts, stages=stages)


async def models(call: Call) -> Models:
    """What can be asked for, and at which sizes and durations."""
    found = {
        name: Model(id=name, upstream=offer.upstream, sizes=list(offer.sizes), seconds=list(offer.seconds))
        for offer in reversed(call.services.offers)
        for name in offer.models
    }
    return Models(models=[found[name] for name in sorted(found)])


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/models", handler=models, summary="Models and what they can make",
        access=Access.VIEWER, tag="videos", response=Models,
    ),
    Endpoint(
        method="GET", path="/api/video/stats", handler=stats, summary="Counts by status",
        access=Access.VIEWER, tag="videos", response=Stats,
    ),
    Endpoint(
        method="POST", path="/api/video/tasks", handler=create_task, summary="Make a video",
        access=Access.MEMBER, tag="videos", paid=True, request=CreateTask, form=CreateTaskForm, uploads=True,
        response=Task, status=202, errors=(InvalidType, UnknownModel, InsufficientCredits, StorageFull),
    ),
    Endpoint(
        method="GET", path="/api/video/tasks", handler=list_tasks, summary="List videos",
        access=Access.VIEWER, tag="videos", query=ListTasks, response=TaskPage,
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
