"""Share links: an address that opens one video's files to whoever has it. Its owner and administrators make them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from sora_gateway.core.job import Job
from sora_gateway.core.views import Orientation, Status, View, iso, orientation_of, status_of
from sora_gateway.errors import Conflict, Gone, NotFound, NotReady, RangeNotSatisfiable
from sora_gateway.http.auditing import entry
from sora_gateway.http.finding import find_own
from sora_gateway.http.media import CONDITIONAL, MEDIA_TYPES
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.tasks import content
from sora_gateway.store.shares import ShareRecord

DAY = 86400
DEFAULT_LIFETIME = 7 * DAY
MAX_LIFETIME = 365 * DAY

_PUBLIC = ("video", "thumbnail", "spritesheet")
"""What a link opens. What the video was made from is nobody else's business."""


class CreateShare(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})

    expires_in: Annotated[int, Field(strict=True, ge=1, le=MAX_LIFETIME)] = Field(
        DEFAULT_LIFETIME, description="Seconds."
    )


class Share(View):
    """A link that works."""

    id: str
    url: str = Field(description="Relative to the gateway, like the addresses of files.")
    created_at: str
    expires_at: str


class Shares(View):
    shares: list[Share]


class SharedVideo(View):
    """What whoever has the link is told."""

    status: Status
    model: str
    seconds: int
    size: str
    orientation: Orientation
    expires_at: str = Field(description="When the link ends.")
    video_url: str | None
    thumbnail_url: str | None
    spritesheet_url: str | None


class SharedContent(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    variant: Literal["video", "thumbnail", "spritesheet"] = "video"


def _address(call: Call, share: ShareRecord) -> str:
    return f"{call.services.settings.server.root_path}/api/shared/{call.services.sharing.sign(share.id)}"


def _share(call: Call, share: ShareRecord) -> Share:
    return Share(
        id=share.id,
        url=_address(call, share),
        created_at=iso(share.created_at) or "",
        expires_at=iso(share.expires_at) or "",
    )


async def create_share(call: Call) -> Share:
    """A new link. It works until it expires, is revoked, or the video is deleted, whoever may see the video else."""
    job, now = await find_own(call), call.services.clock.now()
    share = ShareRecord(
        call.services.entropy.new_id("share"), job.id, call.caller.user_id, now, now + call.body.expires_in
    )
    noted = entry(call, "share.create", job.id, f"{share.id} until {iso(share.expires_at)}")
    await call.services.store.create_share(share, noted)
    return _share(call, share)


async def list_shares(call: Call) -> Shares:
    """The links that work, newest first. They are signed with today's key: a link that a dropped key had signed is
    had anew from here."""
    job = await find_own(call)
    found = await call.services.store.shares(job.id, call.services.clock.now())
    return Shares(shares=[_share(call, share) for share in found])


async def revoke_share(call: Call) -> Response:
    """The link ends with the next request."""
    job, share_id = await find_own(call), call.path["share"]
    noted = entry(call, "share.revoke", job.id, share_id[:100])
    await call.services.store.revoke_share(share_id, job.id, call.services.clock.now(), noted)
    return Response(status_code=204)


async def _opened(call: Call) -> tuple[ShareRecord, Job]:
    share_id = call.services.sharing.verify(call.path["token"])
    found = None
    if share_id is not None:
        found = await call.services.store.opened_share(share_id, call.services.clock.now())
    if found is None:
        raise NotFound("Nothing is shared at this address (any more).")
    return found


async def shared_video(call: Call) -> SharedVideo:
    """What is shared, and where its files are. Neither the prompt nor whose it is."""
    share, job = await _opened(call)
    stored = await call.services.store.assets(job.id)
    address = _address(call, share)
    urls = {
        variant: f"{address}/content?variant={variant}" if variant in stored else None for variant in _PUBLIC
    }
    return SharedVideo(
        status=status_of(job.state),
        model=job.model,
        seconds=job.seconds,
        size=job.size,
        orientation=orientation_of(job.size),
        expires_at=iso(share.expires_at) or "",
        video_url=urls["video"],
        thumbnail_url=urls["thumbnail"],
        spritesheet_url=urls["spritesheet"],
    )


async def shared_content(call: Call) -> Response:
    """A shared file; ranges and conditional requests are honoured."""
    query: SharedContent = call.query
    _, job = await _opened(call)
    return await content(call, job, query.variant, download=False)


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/video/tasks/{id}/shares", handler=create_share, summary="Share it by a link",
        access=Access.MEMBER, tag="shares", request=CreateShare, response=Share, status=201,
        errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="GET", path="/api/video/tasks/{id}/shares", handler=list_shares, summary="Its share links",
        access=Access.MEMBER, tag="shares", response=Shares, errors=(NotFound,),
    ),
    Endpoint(
        method="DELETE", path="/api/video/tasks/{id}/shares/{share}", handler=revoke_share, summary="Revoke a share link",
        access=Access.MEMBER, tag="shares", status=204, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/shared/{token}", handler=shared_video, summary="What a share link opens",
        access=Access.PUBLIC, tag="shares", response=SharedVideo, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/shared/{token}/content", handler=shared_content, summary="A shared file",
        access=Access.PUBLIC, tag="shares", query=SharedContent, produces=MEDIA_TYPES, also=CONDITIONAL,
        errors=(NotFound, NotReady, Gone, RangeNotSatisfiable),
    ),
]  # fmt: skip
