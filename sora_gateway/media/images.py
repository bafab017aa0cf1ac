"""Reference images: from whatever a person sends to a picture of the size that the upstream wants.

This process looks at the first bytes and at what comes back, and at nothing between: images of strangers are
decoded in a limited child process. Bytes go to it and come from it in files of a directory that is nobody else's.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sora_gateway.core.picture import Fit, Picture
from sora_gateway.entropy import Entropy
from sora_gateway.errors import InvalidImage, InvalidRequest, StorageFailed, StorageFull, Unavailable
from sora_gateway.media.child import ChildFailed, TaskRefused, TaskStopped, run_in_child
from sora_gateway.media.image_container import NO_IMAGE, UnusableImage, outline_of
from sora_gateway.media.sniff import HEAD, IMAGE_TYPES, sniff
from sora_gateway.media.threads import finish_in_thread

RunTask = Callable[[str, dict[str, Any], float, int], Awaitable[dict[str, Any]]]
"""Task name, its keyword arguments, seconds, bytes of memory: :func:`sora_gateway.media.child.run_in_child`."""

_TIMEOUT = 10.0
_MEMORY = 512 << 20
_SIZE = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", re.ASCII)
_TOO_MUCH = (
    "The image takes too much memory or time to read; save it as a plain JPEG or PNG with fewer pixels."
)


def require_image(head: bytes) -> None:
    """Refuses what does not begin like a JPEG, PNG or WebP file; *head* is its first bytes.

    Raises:
        InvalidImage: that is none.
    """
    if sniff(head[:HEAD]) not in IMAGE_TYPES:
        raise InvalidImage(NO_IMAGE)


class Images:
    """Makes pictures of images. Those who hand images in bound their bytes."""

    def __init__(
        self,
        scratch: Path,
        entropy: Entropy,
        *,
        run: RunTask = run_in_child,
        max_pixels: int = 16_000_000,
        at_once: int = 2,
    ) -> None:
        """*scratch* is a directory in which what an earlier process left of its images is removed. No name in it comes
        twice: a child of that process may still be at work.

        *max_pixels* is width times height, *at_once* how many child processes there may be.

        Raises:
            OSError: *scratch* cannot be made.
        """
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in scratch.glob("image_*"):
            shutil.rmtree(left, ignore_errors=True)
        self._scratch = scratch
        self._entropy = entropy
        self._run = run
        self.max_pixels = max_pixels
        self._turns = asyncio.Semaphore(at_once)

    async def normalised(self, data: bytes) -> Picture:
        """The image upright, opaque, in sRGB and without metadata, in its own size.

        Raises:
            InvalidImage: it cannot be used; the sentence says what to do.
            Unavailable, StorageFull, StorageFailed: it cannot be looked at now.
        """
        return await self._prepared(data, None, Fit.CROP)

    async def fitted(self, data: bytes, size: str, fit: Fit) -> Picture:
        """The same, and exactly *size* (``WIDTHxHEIGHT`` in pixels) in the way of *fit*.

        Raises:
            InvalidImage, Unavailable, StorageFull, StorageFailed: as for :meth:`normalised`.
            InvalidRequest: there is no such size.
        """
        sides = _SIZE.fullmatch(size)
        if sides is None or int(sides[1]) * int(sides[2]) > self.max_pixels:
            raise InvalidRequest(
                "An image can be fitted to a size of WIDTHxHEIGHT pixels, for example 1280x720.", param="size"
            )
        return await self._prepared(data, (int(sides[1]), int(sides[2])), fit)

    async def _prepared(self, data: bytes, size: tuple[int, int] | None, fit: Fit) -> Picture:
        require_image(data)
        async with self._turns:
            directory = self._scratch / self._entropy.new_id("image")
            source, target = directory / "given", directory / "made"
            order = {"source": str(source), "target": str(target), "max_pixels": self.max_pixels}
            try:
                await finish_in_thread(_put, source, data)
                await self._run("image", {**order, "size": size, "fit": fit.value}, _TIMEOUT, _MEMORY)
                # Five bytes per pixel are more than any picture has, even if it does not compress at all.
                return await finish_in_thread(_taken, target, 5 * self.max_pixels + (1 << 16), size)
            except TaskRefused as refused:
                raise InvalidImage(str(refused)) from None
            except TaskStopped:
                raise InvalidImage(_TOO_MUCH) from None
            except (ChildFailed, UnusableImage) as failure:
                raise Unavailable("Images cannot be looked at now; try again in a moment.") from failure
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StorageFull("The gateway's disk is full; free some space and try again.") from None
                raise StorageFailed("The image could not be put aside to be looked at.") from error
            finally:
                await finish_in_thread(shutil.rmtree, directory, ignore_errors=True)


def _put(source: Path, data: bytes) -> None:
    source.parent.mkdir(mode=0o700)
    with os.fdopen(os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _taken(target: Path, max_bytes: int, size: tuple[int, int] | None) -> Picture:
    """What the child wrote, measured here: a stranger's bytes were in there, and it is not taken at its word.

    Raises:
        OSError, UnusableImage: it wrote no picture.
    """
    with os.fdopen(os.open(target, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        data = file.read(max_bytes + 1)
    outline = outline_of(data)
    if len(data) > max_bytes or size not in (None, (outline.width, outline.height)):
        raise UnusableImage("The picture is not what it should be.")
    return Picture(data, outline.media_type, outline.width, outline.height)
