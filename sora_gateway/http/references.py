"""Saved reference images, personal and the team's, and the preview of what would be sent upstream."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from sora_gateway.core.ids import time_ordered
from sora_gateway.core.picture import Fit, Picture
from sora_gateway.core.reference import MAX_NAME, Library, SavedImage, has_controls
from sora_gateway.core.views import View, iso
from sora_gateway.errors import (
    Conflict,
    Forbidden,
    Gone,
    InvalidImage,
    NotFound,
    RangeNotSatisfiable,
    StorageFailed,
    StorageFull,
)
from sora_gateway.http.auditing import entry
from sora_gateway.http.media import CONDITIONAL, file_response
from sora_gateway.http.reference_input import NOT_KEPT, Given, ImageId, ImageUrl, fitted, image_bytes
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_wishes import MAX_DATA_URL, InputImage
from sora_gateway.http.uploads import Upload
from sora_gateway.store.reference_images import Page

log = logging.getLogger(__name__)

UNNAMED = "Image"
IMAGE_TYPES = ("image/jpeg", "image/png")
"""What a saved or fitted image can be: everything is written anew as one of them."""


def _shown(name: str) -> str:
    if has_controls(name):
        raise ValueError("A name has no control characters.")
    return name


_ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})
_HOW_IT_FITS = "How it is made as large as the video."
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_NAME), AfterValidator(_shown)]


class _NewReference(View):
    model_config = _ASKED

    name: Name = Field("", description="What to call it; otherwise the file's name.")
    library: Library = "personal"


class SaveReference(_NewReference):
    """An image to keep, from an address or inside a ``data:`` address."""

    image_url: Annotated[str, Field(min_length=1, max_length=MAX_DATA_URL)]

    @property
    def given(self) -> Given:
        return ImageUrl(self.image_url)


class UploadReference(_NewReference):
    """An image to keep, as a file."""

    file: Upload

    @property
    def given(self) -> Given:
        return self.file


class PreviewImage(InputImage):
    """An image by its address or, when it is saved, by its id, and what it is to become."""

    size: str
    fit: Fit = Field(Fit.CROP, description=_HOW_IT_FITS)

    @property
    def given(self) -> Given:
        return ImageUrl(self.image_url) if self.image_url is not None else ImageId(self.image_id or "")


class PreviewUpload(View):
    """An image as a file, and what it is to become."""

    model_config = _ASKED

    file: Upload
    size: str
    fit: Fit = Field(Fit.CROP, description=_HOW_IT_FITS)

    @property
    def given(self) -> Given:
        return self.file


class Reference(View):
    """A saved image. Its sides are in pixels; its address needs the caller's credential."""

    id: str
    name: str
    library: Library
    owner: str = Field(description="Address of the person who saved it.")
    mine: bool
    media_type: str
    width: int
    height: int
    bytes: int
    created_at: str
    url: str


class ListReferences(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    library: Library | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str, Field(pattern="^ref_[0-9a-f]{32}$")] | None = Field(
        None, description="Id of the last image of the page before."
    )


class ReferencePage(View):
    references: list[Reference]
    has_more: bool


def _view(call: Call, image: SavedImage) -> Reference:
    return Reference(
        id=image.id,
        name=image.name,
        library=image.library,
        owner=image.owner_email,
        mine=image.owner == call.caller.user_id,
        media_type=image.media_type,
        width=image.width,
        height=image.height,
        bytes=image.size,
        created_at=iso(image.created_at) or "",
        url=f"{call.services.settings.server.root_path}/api/references/{image.id}/content",
    )


async def _find(call: Call) -> SavedImage:
    return await call.services.store.reference(call.path["id"], call.caller)


async def create_reference(call: Call) -> Reference:
    """Keeps an image, upright and without metadata. The same image once more in the same library is the one that is
    there already, under its first name."""
    services, wish = call.services, call.body
    if services.library.free_bytes() < services.settings.media.min_free_disk:
        raise StorageFull("The gateway's disk is nearly full; free some space and try again.")
    given: Given = wish.given
    async with image_bytes(services, call.caller, given) as data:
        picture = await services.images.normalised(data)
    name = wish.name or (given.filename if isinstance(given, Upload) else "") or UNNAMED
    # A caller that goes away must not leave a file without a row until the next start.
    kept = await asyncio.shield(asyncio.ensure_future(_keep(call, picture, name, wish.library)))
    return _view(call, kept)


async def _keep(call: Call, picture: Picture, name: str, library: Library) -> SavedImage:
    services, caller = call.services, call.caller
    now = services.clock.now()
    image_id = time_ordered("ref", now, services.entropy.new_id("ref"))
    stored = await services.library.put(image_id, picture.data, picture.media_type)
    image = SavedImage(
        image_id, caller.user_id, caller.email, library, name, stored.path, stored.media_type,
        picture.width, picture.height, stored.size, stored.sha256, now,
    )  # fmt: skip
    kept = None
    try:
        kept = await services.store.add_reference(image, services.settings.media.max_references)
    finally:
        if kept is None or kept.id != image_id:
            await _discard(call, stored.path)
    return kept


async def _discard(call: Call, path: str) -> None:
    """Removes a file that no row has (any more); if that fails, the sweep of the next start does it."""
    try:
        await call.services.library.delete(path)
    except OSError as error:
        log.warning("the image %s could not be removed: %s", path, error.strerror)


async def list_references(call: Call) -> ReferencePage:
    """The caller's own images and the team's, newest first; administrators see all."""
    query: ListReferences = call.query
    wanted = Page(query.limit, query.after, query.library)
    images, more = await call.services.store.reference_page(call.caller, wanted)
    return ReferencePage(references=[_view(call, image) for image in images], has_more=more)


async def get_reference(call: Call) -> Reference:
    """What is known of it."""
    return _view(call, await _find(call))


async def reference_content(call: Call) -> Response:
    """The image itself; conditional requests are honoured."""
    image = await _find(call)
    try:
        path = call.services.library.resolve(image.path)
    except FileNotFoundError:
        raise Gone(NOT_KEPT) from None
    return file_response(call.request, path, image.media_type, image.sha256, None)


async def delete_reference(call: Call) -> Response:
    """Removes an image. Videos that were made from it, or are being made, have their own copy."""
    image = await _find(call)
    if not image.deletable_by(call.caller):
        raise Forbidden("Only the person who saved this image, or an administrator, can delete it.")
    if image.owner != call.caller.user_id:
        await call.services.store.audit(entry(call, "reference.delete", image.id))
    await call.services.store.remove_reference(image.id)
    await _discard(call, image.path)
    return Response(status_code=204)


async def preview_reference(call: Call) -> Response:
    """The image exactly as it would be sent upstream for a video of that size; nothing is stored or paid for."""
    wish: PreviewImage | PreviewUpload = call.body
    picture = await fitted(call.services, call.caller, wish.given, wish.size, wish.fit)
    return Response(picture.data, media_type=picture.media_type)


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/references", handler=create_reference, summary="Save an image",
        access=Access.MEMBER, tag="references", request=SaveReference, form=UploadReference, uploads=True,
        response=Reference, status=201, errors=(InvalidImage, Conflict, StorageFull, StorageFailed),
    ),
    Endpoint(
        method="GET", path="/api/references", handler=list_references, summary="Saved images",
        access=Access.VIEWER, tag="references", query=ListReferences, response=ReferencePage,
    ),
    Endpoint(
        method="POST", path="/api/references/preview", handler=preview_reference,
        summary="What would be sent upstream", access=Access.MEMBER, tag="references",
        request=PreviewImage, form=PreviewUpload, uploads=True, produces=IMAGE_TYPES,
        errors=(InvalidImage, StorageFull, StorageFailed),
    ),
    Endpoint(
        method="GET", path="/api/references/{id}", handler=get_reference, summary="One saved image",
        access=Access.VIEWER, tag="references", response=Reference, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/references/{id}/content", handler=reference_content, summary="Its file",
        access=Access.VIEWER, tag="references", produces=IMAGE_TYPES, also=CONDITIONAL,
        errors=(NotFound, Gone, RangeNotSatisfiable),
    ),
    Endpoint(
        method="DELETE", path="/api/references/{id}", handler=delete_reference, summary="Delete a saved image",
        access=Access.MEMBER, tag="references", status=204, errors=(NotFound, Forbidden),
    ),
]  # fmt: skip
