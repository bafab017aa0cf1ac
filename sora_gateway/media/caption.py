"""Text as a picture: wrapped, sized to fit, readable on any background, in any script that a font has."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

FONTS = (
    # With Chinese, Japanese and Korean glyphs.
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/wenquanyi/wqy-microhei/wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    # Without.
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "C:/Windows/Fonts/arial.ttf",
)
"""Looked for in this order; Pillow's own font, which is Latin only, comes last."""

MAX_LINES = 5
MAX_CHARACTERS = 300


def caption(text: str, width: int, height: int, *, small: bool = False) -> Image:
    """*text* in white with a soft shadow on nothing (RGBA), to be pasted on a *width* x *height* picture.

    Long text gets smaller letters first and then an ellipsis. *small* is one line of small print.
    """
    from PIL import Image, ImageDraw, ImageFilter

    text = printable(text)
    scale = min(width, height)
    room = width - 2 * (scale // 14)
    sizes = [scale // 28] if small else [scale // 11, scale // 14, scale // 18, scale // 22]
    for size in sizes:
        font = _font(max(8, size))
        lines = wrapped(text, room, font.getlength)
        if len(lines) <= MAX_LINES:
            break
    else:
        lines = [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1][:-1] + "…"]
    block = "\n".join(lines)
    pad = max(2, size // 4)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), block, font)
    box = (int(right - left) + 2 * pad, int(bottom - top) + 2 * pad)
    letters = Image.new("L", box)
    ImageDraw.Draw(letters).multiline_text((pad - left, pad - top), block, fill=255, font=font)
    shadow = letters.filter(ImageFilter.GaussianBlur(pad / 2)).point(lambda value: min(190, value * 2))
    layer = Image.new("RGBA", box, (8, 8, 16, 0))
    layer.putalpha(shadow)
    white = Image.new("RGBA", box, (255, 255, 255, 235))
    white.putalpha(letters)
    return Image.alpha_composite(layer, white)


def printable(text: str) -> str:
    """One line without control characters, cut to what a picture has room for."""
    cleaned = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    cleaned = " ".join(cleaned[: 2 * MAX_CHARACTERS].split())
    return cleaned if len(cleaned) <= MAX_CHARACTERS else cleaned[: MAX_CHARACTERS - 1] + "…"


def wrapped(text: str, room: float, length: Callable[[str], float]) -> list[str]:
    """Breaks *text* into lines no longer than *room* by *length*: between words, and between wide characters."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and length((line + piece).rstrip()) > room:
            lines.append(line.rstrip())
            line = ""
        line += piece.lstrip() if not line else piece
        # One word that is longer than a line is broken where the line ends.
        while length(line.rstrip()) > room and len(line) > 1:
            cut = len(line)
            while cut > 1 and length(line[:cut]) > room:
                cut -= 1
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> Iterator[str]:
    """What must stay together: a word with the space after it, or one wide character."""
    word = ""
    for char in text:
        if unicodedata.east_asian_width(char) in "WF":
            if word:
                yield word
            yield char
            word = ""
        else:
            word += char
            if char == " ":
                yield word
                word = ""
    if word:
        yield word


def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    for path in FONTS:
        if os.path.exists(path):
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)
