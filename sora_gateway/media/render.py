"""Makes the simulator's videos: the prompt on a drifting background, as a real H.264 file.

Runs in the child process. Cheap on purpose: everything that does not move is drawn once, a frame is one
stretched crop, a few pasted discs and one pasted caption.
"""

from __future__ import annotations

import colorsys
import math
import os
import random
from typing import TYPE_CHECKING, Any

from sora_gateway.media.caption import caption
from sora_gateway.media.task import TaskFailed

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_FRAMES = 360
"""Beyond it the frame rate goes down, not the length."""
MAX_SIDE = 2048
MARK = "simulated"

_STILL_SHARE = 0.4
"""The part of a video that shows its still; in the second half of it, the still fades."""
_TEXTURE = 96
"""Side of the background before it is stretched; blurred colours need no more."""


def render(
    target: str,
    prompt: str,
    width: int,
    height: int,
    seconds: float,
    fps: int = 24,
    seed: int = 0,
    still: str = "",
) -> dict[str, Any]:
    """Writes an MP4 (H.264, yuv420p, index first) of *seconds* to *target*.

    It begins with the picture at the path *still*, of the video's size, if one is given.
    The same arguments draw the same pictures. Returns frames, fps and bytes.

    Raises:
        TaskFailed: the size cannot be encoded, the still cannot be used, or there is no H.264 encoder.
    """
    import av

    if width % 2 or height % 2 or min(width, height) < 16 or max(width, height) > MAX_SIDE:
        raise TaskFailed(f"A video of {width}x{height} cannot be made here.")
    fps = max(1, min(fps, int(MAX_FRAMES / seconds)))
    frames = max(1, round(seconds * fps))
    scene = Scene(prompt, width, height, seed, _still(still, width, height) if still else None)
    part = target + ".part"
    try:
        with av.open(part, "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=fps, options=_encoding(fps))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for index in range(frames):
                picture = scene.draw(index / frames)
                frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    except av.FFmpegError:
        raise TaskFailed("The video encoder is missing or failed.") from None
    os.replace(part, target)
    return {"frames": frames, "fps": fps, "bytes": os.path.getsize(target)}


def _encoding(fps: int) -> dict[str, str]:
    return {
        "preset": "veryfast",
        "crf": "27",
        # A key frame per second makes seeking, and posters, cheap; without B frames nothing is reordered.
        "g": str(fps),
        "bf": "0",
        "threads": "2",
    }


def _still(path: str, width: int, height: int) -> Image:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as opened:
            # A larger one is not even decoded.
            fitting = opened.convert("RGB") if opened.size == (width, height) else None
    except Exception:
        # Pillow raises what it likes over a broken file.
        raise TaskFailed("The still cannot be read.") from None
    if fitting is None:
        raise TaskFailed("The still has not the size of the video.")
    return fitting


class Scene:
    """What one video shows; :meth:`draw` gives the picture at a moment."""

    def __init__(self, prompt: str, width: int, height: int, seed: int, still: Image | None = None) -> None:
        self._size = (width, height)
        self._still = still
        chance = random.Random(seed)  # noqa: S311 - pictures, no secret
        # From teal over blue and violet to warm red: white letters are read well on all of them.
        hue = chance.uniform(0.5, 0.98)
        self._texture = _texture(chance, hue)
        self._discs = [_Disc(chance, hue, min(width, height)) for _ in range(7)]
        self._accent = _colour(hue + 0.5, 0.35, 1.0)
        self._caption = caption(prompt, width, height)
        self._mark = caption(MARK, width, height, small=True)

    def draw(self, moment: float) -> Image:
        """The picture at *moment*, 0 at the beginning and 1 at the end."""
        from PIL import Image, ImageDraw

        width, height = self._size
        turn = 2 * math.pi * moment
        # The crop wanders on a small ellipse and ends where it began, so a loop has no seam.
        reach = _TEXTURE * 0.18
        left = reach * (1 + math.cos(turn))
        top = reach * (1 + math.sin(turn))
        side = _TEXTURE - 2 * reach
        picture = self._texture.resize(self._size, box=(left, top, left + side, top + side))
        for disc in self._discs:
            disc.paste_on(picture, turn)
        if self._still is not None and moment < _STILL_SHARE:
            picture = Image.blend(self._still, picture, max(0.0, 2 * moment / _STILL_SHARE - 1))
        margin = min(width, height) // 14
        bar = max(2, height // 120)
        # In the middle, because players lay their controls over the lower edge.
        picture.paste(self._caption, (margin - bar, (height - self._caption.height) // 2), self._caption)
        picture.paste(self._mark, (width - margin - self._mark.width, margin), self._mark)
        canvas = ImageDraw.Draw(picture)
        end = margin + (width - 2 * margin) * moment
        canvas.rectangle((margin, height - margin - bar, width - margin, height - margin), fill=(40, 40, 48))
        canvas.rectangle((margin, height - margin - bar, end, height - margin), fill=self._accent)
        return picture


class _Disc:
    """A soft light that goes round its place once per video."""

    def __init__(self, chance: random.Random, hue: float, scale: int) -> None:
        from PIL import Image

        side = int(scale * chance.uniform(0.18, 0.6))
        strength = chance.uniform(0.12, 0.38)
        glow = Image.radial_gradient("L").resize((side, side))
        # The gradient is dark in the middle: turned round, with a soft edge that reaches zero inside the square.
        self._mask = glow.point(
            [int(max(0, min(150, (176 - value) * 2.2)) * strength) for value in range(256)]
        )
        self._colour = _colour(hue + chance.uniform(-0.15, 0.2), chance.uniform(0.1, 0.5), 1.0)
        self._place = (chance.random(), chance.random())
        self._reach = scale * chance.uniform(0.04, 0.16)
        self._phase = chance.uniform(0, 2 * math.pi)

    def paste_on(self, picture: Image, turn: float) -> None:
        side = self._mask.width
        x = self._place[0] * picture.width + self._reach * math.cos(turn + self._phase) - side / 2
        y = self._place[1] * picture.height + self._reach * math.sin(turn + self._phase) - side / 2
        picture.paste(self._colour, (round(x), round(y)), self._mask)


def _texture(chance: random.Random, hue: float) -> Image:
    """Blurred blobs of neighbouring hues on a dark ground."""
    from PIL import Image, ImageDraw, ImageFilter

    image = Image.new("RGB", (_TEXTURE, _TEXTURE), _colour(hue, 0.7, 0.22))
    canvas = ImageDraw.Draw(image)
    for index in range(9):
        x, y = chance.uniform(0, _TEXTURE), chance.uniform(0, _TEXTURE)
        radius = chance.uniform(0.12, 0.3) * _TEXTURE
        colour = _colour(hue + chance.uniform(-0.16, 0.12), chance.uniform(0.5, 0.85), 0.25 + 0.05 * index)
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image.filter(ImageFilter.GaussianBlur(_TEXTURE / 9))


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, min(1.0, value))
    return int(red * 255), int(green * 255), int(blue * 255)
