"""Lists of videos: by status, tag, text, time and batch; and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

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


class TaskFilter(View):
    """Which videos: those that fit all that is said."""

    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    status: Annotated[list[Status], Field(max_length=16)] = Field([], description="One of these; none: any.")
    tag: Tags = Field([], description="All of these.")
    q: Annotated[str, Field(max_length=MAX_SEARCH)] = Field(
        "", description="In the prompt; Latin letters in either case."
    )
    batch: Annotated[str, Field(min_length=1, max_length=MAX_ID)] | None = Field(
        None, description="Id of a batch."
    )
    since: Moment | None = Field(None, description="From this moment on (ISO 8601 with a time zone).")
    until: Moment | None = Field(None, description="Before this moment.")
    scope: Literal["visible", "mine", "team"] = Field(
        "visible", description="Everything that you may see, what is yours, or what the team may see."
    )


class ListTasks(TaskFilter):
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str, Field(max_length=MAX_ID)] | None = Field(
        None, description="Id of the last task of the page before."
    )


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
    jobs, more = await call.services.store.page(
        call.caller, chosen(query, call.caller, query.limit, query.after)
    )
    return TaskPage(tasks=await tasks_of(call.services, jobs, call.caller), has_more=more)


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
        method="GET", path="/api/video/tasks", handler=list_tasks, summary="List videos",
        access=Access.VIEWER, tag="videos", query=ListTasks, response=TaskPage, errors=(NotFound,),
    ),
]  # fmt: skip
