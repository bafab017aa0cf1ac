"""From what a request gives as its reference image to the bytes that go upstream: the one way for all routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from sora_gateway.core.asset import InputFile
from sora_gateway.core.picture import Fit, Picture
from sora_gateway.core.principal import Principal
from sora_gateway.errors import InvalidImage, NotFound
from sora_gateway.http.services import Services
from sora_gateway.http.uploads import Upload
from sora_gateway.media.image_source import from_data_url

NOT_KEPT = "The file of this saved image is not kept any more."


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """An image at an address of the web, or inside a ``data:`` address."""

    url: str


@dataclass(frozen=True, slots=True)
class ImageId:
    """A saved image."""

    id: str


Given: TypeAlias = Upload | ImageUrl | ImageId


async def prepared(services: Services, principal: Principal, given: Given, size: str, fit: Fit) -> InputFile:
    """What goes upstream: a picture of exactly *size* (``WIDTHxHEIGHT``), with nothing in it but pixels.

    Raises:
        InvalidImage: it cannot be used or had, or is a saved one that *principal* does not see.
        InvalidRequest: there is no such size.
        Unavailable, StorageFull, StorageFailed: it cannot be looked at now.
    """
    picture = await fitted(services, principal, given, size, fit)
    return InputFile("reference", picture.data, picture.media_type)


async def fitted(services: Services, principal: Principal, given: Given, size: str, fit: Fit) -> Picture:
    """The same as a picture. Raises what :func:`prepared` does."""
    async with image_bytes(services, principal, given) as data:
        return await services.images.fitted(data, size, fit)


@asynccontextmanager
async def image_bytes(services: Services, principal: Principal, given: Given) -> AsyncIterator[bytes]:
    """The bytes of the image as they are, looked at by nobody yet.

    What comes with a request counts with its body (:mod:`.request_body`); of what one only names few are in memory
    at once, from when they are there until the block is left.

    Raises:
        InvalidImage: it cannot be had, or is a saved one that *principal* does not see.
        Unavailable: it cannot be fetched now.
    """
    async with AsyncExitStack() as place:
        yield await _taken(services, principal, given, place)


async def _taken(services: Services, principal: Principal, given: Given, place: AsyncExitStack) -> bytes:
    if isinstance(given, Upload):
        return given.data
    if isinstance(given, ImageUrl):
        if given.url[:5].lower() == "data:":
            return await from_data_url(given.url)
        return await place.enter_async_context(services.image_fetcher.fetched(given.url))
    try:
        saved = await services.store.reference(given.id, principal)
        return await place.enter_async_context(services.library.opened(saved.path))
    except NotFound as error:
        raise InvalidImage(error.message) from None
    except FileNotFoundError:
        raise InvalidImage(NOT_KEPT) from None
