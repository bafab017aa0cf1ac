"""Decodes a stranger's image and writes a new one with nothing of the old but its pixels. Runs in the child process."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sora_gateway.core.picture import Fit
from sora_gateway.media.image_container import DAMAGED, UnusableImage, outline_of
from sora_gateway.media.task import TaskFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_JPEG_QUALITY = 95
_PNG_LEVEL = 1
"""Photographs hardly get smaller at higher levels, and take several times as long."""
_REDUCING_GAP = 3.0
"""How much larger than wanted an image may be before it is first averaged down: a very long one would otherwise
need filters as large as itself."""


def prepare(
    source: str, target: str, max_pixels: int, size: Sequence[int] | None, fit: str
) -> dict[str, int]:
    """Reads the image at *source* and writes it upright, opaque, in sRGB and without metadata to *target*.

    It keeps its own size, or becomes *size* (width and height in pixels) in the way of *fit*. A JPEG stays one;
    everything else becomes a PNG. Returns width and height.

    Raises:
        TaskFailed: it is no image that can be used.
    """
    data = Path(source).read_bytes()
    try:
        outline = outline_of(data)
    except UnusableImage as error:
        raise TaskFailed(str(error)) from None
    if outline.width * outline.height > max_pixels:
        raise TaskFailed(
            f"The image has {outline.width} x {outline.height} pixels, more than the {max_pixels / 1e6:g} million"
            " that are taken; make it smaller."
        )
    image, profile = _decoded(
        data[: outline.length], _FORMATS[outline.media_type], (outline.width, outline.height)
    )
    if size is None:
        image = _in_srgb(image, profile)
    else:
        image = _fitted(image, profile, (size[0], size[1]), Fit(fit))
    _write(image, target, as_jpeg=outline.media_type == "image/jpeg")
    return {"width": image.width, "height": image.height}


def _decoded(data: bytes, kind: str, declared: tuple[int, int]) -> tuple[Image, bytes | None]:
    """The image, upright and opaque, as L, RGB or CMYK, and its colour profile.

    Raises:
        TaskFailed: it cannot be decoded to its end.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as opened:
            if opened.size != declared:
                raise TaskFailed(DAMAGED)
            opened.load()
            profile = opened.info.get("icc_profile")
            return _opaque(_upright(opened)), profile
    except (TaskFailed, MemoryError):
        raise
    except Exception:
        # Pillow raises what it likes over a damaged file.
        raise TaskFailed(DAMAGED) from None


def _upright(image: Image) -> Image:
    """The image turned as its EXIF data say."""
    from PIL.ExifTags import Base
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(Base.Orientation, 1))
    except Exception:
        # Broken EXIF data are no reason to refuse pixels that are whole; Pillow raises what it likes over them.
        turn = None
    return image if turn is None else image.transpose(turn)


def _opaque(image: Image) -> Image:
    """The image as L, RGB or CMYK; what shines through is white, as in most programs that show it."""
    from PIL import Image

    if image.mode.startswith("I"):
        # 16 bits per pixel: a plain conversion would cut the values off at 255 instead of scaling them.
        image.info.pop("transparency", None)
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        ground = Image.new("RGB", image.size, "white")
        ground.paste(coloured, mask=coloured)
        return ground
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image, profile: bytes | None) -> Image:
    """The image as RGB, by its colour profile if that can be used."""
    from PIL import ImageCms

    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError):
            # Broken, or a profile of other colours than these.
            converted = None
        if converted is not None:
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _fitted(image: Image, profile: bytes | None, size: tuple[int, int], fit: Fit) -> Image:
    """Exactly *size*, in sRGB. Scaled before the colours are converted: that is the smaller work."""
    whole = (0.0, 0.0, float(image.width), float(image.height))
    match fit:
        case Fit.CROP:
            return _in_srgb(_scaled(image, size, _middle(image.size, size)), profile)
        case Fit.STRETCH:
            return _in_srgb(_scaled(image, size, whole), profile)
        case Fit.PAD:
            scale = min(size[0] / image.width, size[1] / image.height)
            inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            return _on_black(_in_srgb(_scaled(image, inner, whole), profile), size)


def _on_black(image: Image, size: tuple[int, int]) -> Image:
    from PIL import Image

    padded = Image.new("RGB", size, "black")
    padded.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return padded


def _scaled(image: Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image:
    from PIL.Image import Resampling

    return image.resize(size, Resampling.LANCZOS, box=box, reducing_gap=_REDUCING_GAP)


def _middle(of: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest box in the middle of an image that has the proportions of *wanted*."""
    width = min(of[0], of[1] * wanted[0] / wanted[1])
    height = min(of[1], of[0] * wanted[1] / wanted[0])
    left, top = (of[0] - width) / 2, (of[1] - height) / 2
    return left, top, left + width, top + height


def _write(image: Image, target: str, *, as_jpeg: bool) -> None:
    # Pillow would write comments, profiles and texts of the old image into the new one.
    image.info = {}
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        if as_jpeg:
            image.save(file, "JPEG", quality=_JPEG_QUALITY)
        else:
            image.save(file, "PNG", compress_level=_PNG_LEVEL)
