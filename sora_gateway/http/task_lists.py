"""Lists of videos: by status, tag, text, time and batch; and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field

from sora_gateway.core.job import State
from sora_gateway.core.principal import Principal
from sora_gateway.core.views import Status, Task, View, status_of
from sora_gateway.errors import NotFound
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_wishes import MAX_ID, Tags
from sora_gateway.http.tasks import tasks_of
from sora_gateway.http.validation import Moment
from sora_gateway.store.jobs import Filter

MAX_SEARCH = 200
Scope: TypeAlias = Literal["visible", "mine", "team"]


class TaskFilter(View):
    """Which videos: those that fit all that is said."""

    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    status: Annotated[list[Status], Field(max_length=16)] = Field([], description="One of these; none: any.")
    tag: Tags = Field([], description="All of these.")
    model: Annotated[list[Annotated[str, Field(max_length=MAX_ID)]], Field(max_length=50)] = Field(
        [], description="One of these; none: any."
    )
    q: Annotated[str, Field(max_length=MAX_SEARCH)] = Field(
        "", description="In the prompt; Latin letters in either case."
    )
    batch: Annotated[str, Field(min_length=1, max_length=MAX_ID)] | None = Field(
        None, description="Id of a batch."
    )
    since: Moment | None = Field(None, description="From this moment on (ISO 8601 with a time zone).")
    until: Moment | None = Field(None, description="Before this moment.")
    scope: Scope = Field(
        "visible", description="Everything that you may see, what is yours, or what the team may see."
    )


class ListTasks(TaskFilter):
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str, Field(max_length=MAX_ID)] | None = Field(
        None, description="Id of the last task of the page before."
    )

    owner: Annotated[str, Field(max_length=MAX_ID)] | None = Field(
        None, description="The id of the person whose they are."
    )
    made_from: Annotated[str, Field(max_length=MAX_ID)] | None = Field(
        None, description="The gateway's id of the video that they try again, remix, edit or extend."
    )


class FacetsQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    scope: Scope = "visible"


class ModelCount(View):
    model: str
    videos: int


class TagCount(View):
    tag: str
    videos: int


class PersonCount(View):
    id: str
    email: str
    videos: int


class FacetsView(View):
    """The most frequent first, at most 200 of each."""

    models: list[ModelCount]
    tags: list[TagCount]
    people: list[PersonCount]


class TaskPage(View):
    tasks: list[Task]
    has_more: bool


class Stats(View):
    """How many visible videos there are, by status and by stage."""

    counts: dict[Status, int]
    stages: dict[State, int]


def states_of(query: TaskFilter) -> tuple[State, ...]:
    """The stages in which what *query* asks for can be."""
    return tuple(state for state in State if not query.status or status_of(state) in query.status)


def chosen(query: TaskFilter, principal: Principal, limit: int, after: str | None = None) -> Filter:
    """What *query* means to the store when *principal* asks."""
    return Filter(
        limit,
        after,
        states=states_of(query) if query.status else (),
        owner=principal.user_id if query.scope == "mine" else None,
        team=query.scope == "team",
        tags=tuple(query.tag),
        batch_id=query.batch,
        text=query.q,
        models=tuple(query.model),
        since=_moment(query.since),
        until=_moment(query.until),
    )


def _moment(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


async def list_tasks(call: Call) -> TaskPage:
    """Newest first. The next page is asked for with ``after``, the id of the last task of this one."""
    query: ListTasks = call.query
    if query.scope == "visible":
        await call.services.looks.note_list(call.caller, actor_of(call))
    wanted = replace(
        chosen(query, call.caller, query.limit, query.after), person=query.owner, made_from=query.made_from
    )
    jobs, more = await call.services.store.page(call.caller, wanted)
    return TaskPage(tasks=await tasks_of(call.services, jobs, call.caller), has_more=more)


async def list_facets(call: Call) -> FacetsView:
    """By what the videos in a list differ, and how many there are of each: what it can be narrowed to."""
    query: FacetsQuery = call.query
    wanted = Filter(owner=call.caller.user_id if query.scope == "mine" else None, team=query.scope == "team")
    found = await call.services.store.facets(call.caller, wanted)
    return FacetsView(
        models=[ModelCount(model=model, videos=number) for model, number in found.models.items()],
        tags=[TagCount(tag=tag, videos=number) for tag, number in found.tags.items()],
        people=[PersonCount(id=each.id, email=each.email, videos=each.jobs) for each in found.people],
    )


async def stats(call: Call) -> Stats:
    """How many videos the caller may see, by status and stage."""
    stages = await call.services.store.counts(call.caller)
    return Stats(counts=by_status(stages), stages=stages)


def by_status(stages: Mapping[State, int]) -> dict[Status, int]:
    """The numbers of the stages, added up for each status."""
    counts: dict[Status, int] = {}
    for state, number in stages.items():
        counts[status_of(state)] = counts.get(status_of(state), 0) + number
    return counts


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/video/stats", handler=stats, summary="Counts by status",
        access=Access.VIEWER, tag="videos", response=Stats,
    ),
    Endpoint(
        method="GET", path="/api/video/facets", handler=list_facets, summary="What a list can be narrowed to",
        access=Access.VIEWER, tag="videos", query=FacetsQuery, response=FacetsView,
    ),
    Endpoint(
        method="GET", path="/api/video/tasks", handler=list_tasks, summary="List videos",
        access=Access.VIEWER, tag="videos", query=ListTasks, response=TaskPage, errors=(NotFound,),
    ),
]  # fmt: skip
