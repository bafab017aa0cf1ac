"""For clients that ask again and again: when it is worth it, and a question that waits for its answer."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, TypeAlias

from pydantic import Field
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from sora_gateway.clock import Clock
from sora_gateway.core.job import Job
from sora_gateway.core.steering import kept_interval, poll_after
from sora_gateway.http.finding import find
from sora_gateway.http.routing import Call
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.sse import client_left

MAX_WAIT = 60.0

WaitSeconds: TypeAlias = Annotated[
    float,
    Field(ge=0, le=MAX_WAIT, description="Answer when the video has ended, or after so many seconds."),
]


def steer(call: Call, job: Job) -> None:
    """Tells the caller when to ask for *job* again, unless it has ended."""
    after = poll_after(job, call.services.supervisor.next_look(job.id), call.services.clock.now())
    if after is None:
        return
    if "x-stainless-poll-helper" in call.request.headers:
        after = kept_interval(after)
    call.answer_headers["openai-poll-after-ms"] = str(math.ceil(after * 1000))
    call.answer_headers["retry-after"] = str(math.ceil(after))


async def awaited(call: Call, seconds: float) -> Job:
    """The job that the path names, as soon as it has ended, at the latest after *seconds*.

    It comes as it is when the gateway stops, or when the caller's rights may have changed.

    Raises:
        NotFound, NotAuthenticated: what the same request would be told if it came now; rights can be withdrawn
            while it waits.
        ClientDisconnect: nobody is left to be answered.
    """
    services = call.services
    job = await find(call)
    if job.ended or not seconds:
        return job
    with services.hub.connect(call.caller) as mailbox:
        services.hub.follow(mailbox, f"video:{job.id}", job_id=job.id)
        # Only now: what ends from here on is in the mailbox, and what ended before is seen.
        job = await services.store.find(job.id, call.caller)
        if job.ended:
            return job
        await _end(mailbox, call.request.receive, services.clock, seconds)
    principal = await services.authenticate(call.request)
    assert principal is not None, "it came with a credential"
    return await services.store.find(job.id, principal)


async def _end(mailbox: Mailbox, receive: Receive, clock: Clock, seconds: float) -> None:
    """Returns when the followed job has ended, when the hub closes *mailbox* or doubts who reads it, or after *seconds*."""
    until = clock.monotonic() + seconds
    leaving = asyncio.create_task(client_left(receive), name="long poll's reader")
    for end in (leaving, mailbox.closed):
        end.add_done_callback(lambda _: mailbox.arrived.set())
    try:
        while not leaving.done() and not mailbox.closed.done() and not mailbox.doubted:
            letter = mailbox.take()
            if letter is not None and letter.event.final:
                return
            rest = until - clock.monotonic()
            if rest <= 0:
                return
            if letter is None:
                await clock.sleep(rest, mailbox.arrived)
        if leaving.done():
            leaving.result()
            raise ClientDisconnect
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
