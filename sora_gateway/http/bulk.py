"""One act on many videos: each under the caller's rights, and each with a result of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sora_gateway.core.job import ENDED, Job
from sora_gateway.core.views import TaskError, View
from sora_gateway.errors import GatewayError
from sora_gateway.http.finding import find_own, note_act
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_lists import TaskFilter, chosen, states_of
from sora_gateway.http.task_wishes import ASKED, MAX_ID

log = logging.getLogger(__name__)

MAX_BULK = 200
AT_ONCE = 8
"""Acts that are under way together: what they store is committed together."""

VideoId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class BulkAct(View):
    """What to do with which videos: *ids*, a *batch*, or those that fit a *filter*."""

    model_config = ASKED

    action: Literal["cancel", "delete"]
    ids: Annotated[list[VideoId], Field(min_length=1, max_length=MAX_BULK)] | None = None
    batch: VideoId | None = None
    filter: TaskFilter | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> BulkAct:
        if sum(each is not None for each in (self.ids, self.batch, self.filter)) != 1:
            raise ValueError("Give ids, a batch or a filter, one of them.")
        return self


class BulkResult(View):
    id: str = Field(description="As it was asked for.")
    done: bool
    error: TaskError | None = Field(description="Why not.")


class BulkResults(View):
    """What became of each. *hasMore*: there are more that it could be done to; ask again."""

    results: list[BulkResult]
    has_more: bool


async def act_on_many(call: Call) -> BulkResults:
    """Cancels or deletes up to 200 videos. What cannot be done to one of them holds up none of the others. Of a batch
    or a filter those are taken that it can be done to, the newest first."""
    asked: BulkAct = call.body
    ids, more = await _ids(call, asked)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(video_id: str) -> BulkResult:
        async with places:
            return await _result(call, asked.action, video_id)

    return BulkResults(results=list(await asyncio.gather(*map(one, ids))), has_more=more)


async def _ids(call: Call, asked: BulkAct) -> tuple[Sequence[str], bool]:
    if asked.ids is not None:
        return list(dict.fromkeys(asked.ids)), False
    query = asked.filter or TaskFilter.model_validate({"batch": asked.batch})
    states = tuple(state for state in states_of(query) if (state in ENDED) == (asked.action == "delete"))
    if not states:
        return [], False
    wanted = replace(chosen(query, call.caller, MAX_BULK), states=states)
    everybodys = asked.filter is None or "scope" in asked.filter.model_fields_set
    if not (call.caller.sees_all and everybodys):
        # What others show to the team can be looked at, and nothing else; and an administrator who leaves something
        # out does not mean everybody.
        wanted = replace(wanted, owner=call.caller.user_id)
    jobs, more = await call.services.store.page(call.caller, wanted)
    return [job.id for job in jobs], more


async def _result(call: Call, action: Literal["cancel", "delete"], video_id: str) -> BulkResult:
    try:
        job = await find_own(call, video_id)
        await note_act(call, job, f"job.{action}")
        await _act(call, action, job)
        return BulkResult(id=video_id, done=True, error=None)
    except GatewayError as error:
        why = error
    except Exception:
        # Whatever is wrong with this one must not hide what became of the others.
        log.exception("%s of %s failed", action, video_id)
        why = GatewayError("Something went wrong with this one; the log says more.")
    return BulkResult(id=video_id, done=False, error=TaskError(code=why.code, message=why.message))


async def _act(call: Call, action: Literal["cancel", "delete"], job: Job) -> None:
    if action == "cancel":
        await call.services.supervisor.cancel(job)
    else:
        await call.services.supervisor.delete(job)


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/video/tasks/bulk", handler=act_on_many, summary="Cancel or delete many videos",
        access=Access.MEMBER, tag="videos", request=BulkAct, response=BulkResults,
    ),
]  # fmt: skip
