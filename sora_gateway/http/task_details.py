"""What is behind one video: its files, every create that was sent for it, and where its credits went."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sora_gateway.core.job import Job
from sora_gateway.core.views import View, iso
from sora_gateway.errors import NotFound
from sora_gateway.http.credits import OwnEntry, own_entry
from sora_gateway.http.finding import find
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.services import Services
from sora_gateway.store.attempts import AttemptRecord

_SHOWN = ("video", "thumbnail", "spritesheet", "reference")
"""Files with an address; an uploaded source video has none."""

Outcome = Literal[
    "not_sent", "refused_for_now", "out_of_order", "refused", "receipt", "known", "unknown", "adopted", "pay_again",
    "given_up",
]  # fmt: skip


class FileView(View):
    """One stored file."""

    variant: Literal["video", "thumbnail", "spritesheet", "reference"]
    media_type: str
    bytes: int
    sha256: str
    url: str | None = Field(description="Signed address; null when the file is not kept any more.")


class AttemptView(View):
    """One create that was, or may have been, sent."""

    id: str = Field(description="Went along as `X-Client-Request-Id`.")
    number: int
    upstream: str
    sent_at: str
    answered_at: str | None
    outcome: Outcome | None = Field(description="What became of it; null while its answer is open.")
    external_video_id: str | None
    http_status: int | None = Field(description="What the upstream answered, if it did.")
    answer: str | None = Field(description="The beginning of that answer, redacted; for administrators.")


class TaskDetails(View):
    """*attempts* and *ledger* are for the video's owner and administrators; null for whoever may only look."""

    files: list[FileView]
    attempts: list[AttemptView] | None
    ledger: list[OwnEntry] | None = Field(description="Its movements of credits, oldest first.")


async def task_details(call: Call) -> TaskDetails:
    """Its files with their sizes, and for its owner and administrators every create and every movement of credits."""
    job, store, reader = await find(call), call.services.store, call.caller
    files = await _files(call.services, job)
    if job.owner != reader.user_id and not reader.sees_all:
        return TaskDetails(files=files, attempts=None, ledger=None)
    # Entries tell whose decision it was as its owner reads it; an administrator reads over their shoulder.
    return TaskDetails(
        files=files,
        attempts=[_attempt(each, whole=reader.sees_all) for each in await store.attempts(job.id)],
        ledger=[own_entry(job.owner, line) for line in await store.credits.lines_of(job.id)],
    )


async def _files(services: Services, job: Job) -> list[FileView]:
    stored = await services.store.assets(job.id)
    found = []
    for variant in _SHOWN:
        if (asset := stored.get(variant)) is None:
            continue
        try:
            services.files.resolve(asset.path)
            url = services.urls.sign(job.id, variant)
        except FileNotFoundError:
            url = None
        found.append(
            FileView.model_validate(
                {
                    "variant": variant,
                    "media_type": asset.media_type,
                    "bytes": asset.size,
                    "sha256": asset.sha256,
                }
                | {"url": url}
            )
        )
    return found


def _attempt(record: AttemptRecord, *, whole: bool) -> AttemptView:
    return AttemptView.model_validate(
        {
            "id": record.id,
            "number": record.number,
            "upstream": record.upstream,
            "sent_at": iso(record.sent_at),
            "answered_at": iso(record.answered_at),
            "outcome": record.outcome,
            "external_video_id": record.external_id,
            "http_status": record.http_status,
            "answer": record.detail if whole else None,
        }
    )


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/video/tasks/{id}/details", handler=task_details, summary="What is behind it",
        access=Access.VIEWER, tag="videos", response=TaskDetails, errors=(NotFound,),
    ),
]  # fmt: skip
