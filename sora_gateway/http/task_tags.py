"""Tags of videos: words that their owners find them by."""

from __future__ import annotations

from sora_gateway.core.views import Task, View
from sora_gateway.errors import NotFound
from sora_gateway.http.finding import find_own, note_act
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_lists import TagCount
from sora_gateway.http.task_wishes import ASKED, Tags
from sora_gateway.http.tasks import task_of


class SetTags(View):
    model_config = ASKED

    tags: Tags


class TagCounts(View):
    tags: list[TagCount]


async def set_tags(call: Call) -> Task:
    """Replaces the tags of a video, in every stage. Whoever may see it sees them."""
    asked: SetTags = call.body
    job = await find_own(call)
    await note_act(call, job, "job.tag")
    await call.services.store.tag(job.id, asked.tags)
    return await task_of(call, job)


async def list_tags(call: Call) -> TagCounts:
    """The tags of your own videos, and how many have each."""
    counts = await call.services.store.tags(call.caller)
    return TagCounts(tags=[TagCount(tag=tag, videos=number) for tag, number in counts.items()])


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/video/tags", handler=list_tags, summary="My tags",
        access=Access.VIEWER, tag="videos", response=TagCounts,
    ),
    Endpoint(
        method="PUT", path="/api/video/tasks/{id}/tags", handler=set_tags, summary="Its tags",
        access=Access.MEMBER, tag="videos", request=SetTags, response=Task, errors=(NotFound,),
    ),
]  # fmt: skip
