"""Many finished videos as one ZIP archive, made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, BinaryIO

from pydantic import Field, model_validator
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from sora_gateway.core.file_names import FileNames
from sora_gateway.core.job import Job, State
from sora_gateway.core.principal import Scope
from sora_gateway.core.retention import gone_sentence
from sora_gateway.core.views import View
from sora_gateway.errors import Gone, InvalidRequest, NotFound, NotReady
from sora_gateway.http.finding import find
from sora_gateway.http.media import NOT_KEPT
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_wishes import ASKED, MAX_ID
from sora_gateway.media.zip_stream import Member, opened, zipped
from sora_gateway.store.jobs import Filter

MAX_FILES = 200
MAX_IN_ADDRESS = 50
ZIP = "application/zip"
MISSING = "missing.txt"
"""In the archive: which of the videos are not, and why."""

VideoId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class AskArchive(View):
    """Which videos: *ids*, or a *batch*."""

    model_config = ASKED

    ids: Annotated[list[VideoId], Field(max_length=MAX_FILES)] = Field([])
    batch: VideoId | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> AskArchive:
        if bool(self.ids) == (self.batch is not None):
            raise ValueError("Give ids or a batch, one of them.")
        return self


class ArchiveQuery(AskArchive):
    """The same in an address, which is not as long as any body."""

    ids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128, pattern="^[!-~]+$")]],
        Field(max_length=MAX_IN_ADDRESS),
    ] = Field([])


class ArchiveResponse(StreamingResponse):
    """Lets go of the file that is open as soon as the reader is gone."""

    async def stream_response(self, send: Send) -> None:
        assert isinstance(self.body_iterator, AsyncGenerator)
        async with aclosing(self.body_iterator):
            await super().stream_response(send)


async def archive_by_address(call: Call) -> Response:
    """The files of finished videos: ``?ids=`` once for each (at most 50), or ``?batch=`` (at most 200). What has no file, or none any
    more, is named in ``missing.txt`` of the archive. An archive without an end broke off: ask again."""
    return await _archive(call, call.query)


async def archive_by_body(call: Call) -> Response:
    """The same for up to 200 ids."""
    return await _archive(call, call.body)


async def _archive(call: Call, asked: AskArchive) -> Response:
    jobs = await _jobs(call, asked)
    if not any(job.state is State.COMPLETED for job in jobs):
        raise NotReady("None of these videos is finished; there is no file yet.")
    stamp = FileNames().name(call.services.clock.now(), "videos", ".zip")
    headers = {"content-disposition": f'attachment; filename="{stamp}"', "cache-control": "private, no-store"}
    if call.request.method == "HEAD":
        return Response(headers=headers, media_type=ZIP)
    return ArchiveResponse(zipped(_members(call, jobs)), media_type=ZIP, headers=headers)


async def _jobs(call: Call, asked: AskArchive) -> Sequence[Job]:
    """Raises NotFound for what the caller does not see; InvalidRequest for a batch that is too large."""
    if asked.batch is None:
        found = [await find(call, video_id) for video_id in dict.fromkeys(asked.ids)]
        return list({job.id: job for job in found}.values())
    wanted = Filter(MAX_FILES, ascending=True, batch_id=asked.batch)
    jobs, more = await call.services.store.page(call.caller, wanted)
    if more:
        raise InvalidRequest(
            f"The batch has more than {MAX_FILES} videos; ask for them by their ids.", param="batch"
        )
    if not jobs:
        raise NotFound("There is no batch by that id.")
    return [await find(call, job.id) for job in jobs]


async def _members(call: Call, jobs: Sequence[Job]) -> AsyncIterator[Member]:
    names, missing = FileNames(), []
    for job in jobs:
        try:
            # A large archive takes long to send, and rights can be withdrawn and files be deleted meanwhile.
            file, suffix = await _opened(call, await call.services.store.find(job.id, call.caller))
        except (NotFound, NotReady, Gone) as error:
            missing.append(f"{job.id}: {error.message}\n")
            continue
        yield Member(names.name(job.created_at, job.prompt, suffix), job.created_at, file)
    if missing:
        yield Member(MISSING, call.services.clock.now(), "".join(missing).encode())


async def _opened(call: Call, job: Job) -> tuple[BinaryIO, str]:
    """The file of *job*, and what its name ends with. Raises NotReady, Gone."""
    asset = (await call.services.store.assets(job.id)).get("video")
    if asset is None and job.files_removed_at is not None and job.files_removed_because is not None:
        raise Gone(gone_sentence(job.files_removed_at, job.files_removed_because))
    if asset is None:
        reason = (
            f"The video is {job.state}; there is no file." if job.ended else "The video is not finished yet."
        )
        raise NotReady(reason)
    try:
        path = call.services.files.resolve(asset.path)
        return opened(path), path.suffix
    except OSError:
        raise Gone(NOT_KEPT) from None


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/video/tasks/archive", handler=archive_by_address, summary="Many files as one",
        access=Access.VIEWER, tag="videos", query=ArchiveQuery, produces=(ZIP,), errors=(NotFound, NotReady),
    ),
    Endpoint(
        method="POST", path="/api/video/tasks/archive", handler=archive_by_body,
        summary="The same by a body", access=Access.VIEWER, tag="videos", needs=Scope.READ,
        request=AskArchive, produces=(ZIP,), errors=(NotFound, NotReady),
    ),
]  # fmt: skip
