"""Looks into video files with PyAV. Runs in the child process; the parent only asks :func:`available`.

The files are a stranger's: only two container families are opened, and nothing but the file itself is read
(FFmpeg would otherwise follow a playlist that calls itself .mp4 to any file or address).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sora_gateway.media.task import TaskFailed

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from PIL.Image import Image

POSTER_WIDTH = 640
SPRITES = (5, 2)
"""Columns and rows of the spritesheet."""
SPRITE_BOX = (192, 192)
"""Each frame fits into this, in pixels."""

_ONLY_FILES = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
    # With edit lists obeyed, packets outside of them would look like missing ones.
    "advanced_editlist": "0",
}


def available() -> bool:
    """Whether the media extra is installed. Imports nothing."""
    return find_spec("av") is not None


def probe(path: str) -> dict[str, Any]:
    """Reads every packet of the file at *path*, which a look at its head does not replace.

    Returns codec, width, height, seconds (0 if unknown), packets (really there), declared_packets (0 when the
    container declares none) and whole (no read error, and none of the declared packets is missing).

    Raises:
        TaskFailed: it is no video that can be opened.
    """
    import av

    with _opened(path) as container:
        stream = container.streams.video[0]
        packets, error = 0, False
        try:
            # The last packet is an empty one, to flush decoders; one cut short is given out as corrupt.
            packets = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_corrupt)
        except av.FFmpegError:
            error = True
        return {
            "codec": stream.codec_context.name,
            "width": stream.width,
            "height": stream.height,
            "seconds": _seconds(container),
            "packets": packets,
            "declared_packets": stream.frames,
            "whole": not error and packets >= stream.frames,
        }


def poster(path: str, target: str) -> dict[str, Any]:
    """Writes a frame from the end of the first third as WebP, 640 wide, to *target*. Returns width and height.

    Raises:
        TaskFailed: there is no frame that can be decoded.
    """
    with _opened(path) as container:
        image = _frame_at(container, _seconds(container) / 3)
    image = image.resize((POSTER_WIDTH, max(1, round(POSTER_WIDTH * image.height / image.width))))
    _save(image, target, "WEBP", quality=80)
    return {"width": image.width, "height": image.height}


def spritesheet(path: str, target: str) -> dict[str, Any]:
    """Writes ten frames, evenly spread, as one JPEG (WebP if *target* says so): five in a row, two rows.

    Returns columns, rows, and the width and height of one frame in pixels.

    Raises:
        TaskFailed: there is no frame that can be decoded.
    """
    from PIL import Image

    columns, rows = SPRITES
    sheet: Image.Image | None = None
    with _opened(path) as container:
        step = _seconds(container) / (columns * rows)
        for index in range(columns * rows):
            frame = _frame_at(container, (index + 0.5) * step)
            if sheet is None:
                # The first one decides the size of all.
                frame.thumbnail(SPRITE_BOX)
                size = frame.size
                sheet = Image.new("RGB", (columns * size[0], rows * size[1]))
            row, column = divmod(index, columns)
            sheet.paste(frame.resize(size), (column * size[0], row * size[1]))
    assert sheet is not None
    _save(sheet, target, "WEBP" if target.endswith(".webp") else "JPEG", quality=70)
    return {"columns": columns, "rows": rows, "width": size[0], "height": size[1]}


def _opened(path: str) -> InputContainer:
    import av

    try:
        container = av.open(path, options=_ONLY_FILES)
    except (av.FFmpegError, OSError):
        raise TaskFailed("The file is not a video that can be read.") from None
    if not container.streams.video:
        container.close()
        raise TaskFailed("The file has no video in it.")
    # One thread per core would need more address space on a larger machine than the child may use.
    container.streams.video[0].codec_context.thread_count = 2
    return container


def _seconds(container: InputContainer) -> float:
    return container.duration / 1_000_000 if container.duration else 0.0


def _frame_at(container: InputContainer, seconds: float) -> Image:
    """The first frame at or after *seconds*, or the last one before.

    Raises:
        TaskFailed: no frame can be decoded.
    """
    import av

    last: av.VideoFrame | None = None
    try:
        container.seek(int(seconds * 1_000_000))
        for frame in container.decode(video=0):
            last = frame
            if frame.time is not None and frame.time >= seconds:
                break
    except av.FFmpegError:
        # What was decoded before the damage is still a picture.
        pass
    if last is None:
        raise TaskFailed("No frame of the video can be decoded.")
    image: Image = last.to_image()  # type: ignore[no-untyped-call]
    return image


def _save(image: Image, target: str, kind: str, quality: int) -> None:
    """Writes beside *target* first: whoever finds the file finds all of it."""
    part = target + ".part"
    image.save(part, kind, quality=quality)
    os.replace(part, target)
