"""Small real videos and images, made once per test run."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

import av
from PIL import Image


@cache
def sample_mp4(faststart: bool = True, fragmented: bool = False, frames: int = 24) -> bytes:
    """A second of moving grey with silence, 64x48, with its index first (*faststart*), last, or in pieces."""
    flags = "faststart" if faststart else "frag_keyframe+empty_moov" if fragmented else ""
    return _encoded("mp4", {"movflags": flags} if flags else {}, "libx264", "aac", frames)


@cache
def sample_webm(frames: int = 12) -> bytes:
    return _encoded("webm", {}, "libvpx", "libopus", frames)


@cache
def sample_image(kind: str = "webp") -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(target, kind)
    return target.getvalue()


def _encoded(kind: str, options: dict[str, str], codec: str, voice: str, frames: int) -> bytes:
    # A real file, for the muxer reads it again to move the index to the front.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sample")
        with av.open(str(path), "w", format=kind, options=options) as container:
            picture, sound = container.add_stream(codec, rate=24), container.add_stream(voice, rate=48000)
            assert isinstance(picture, av.VideoStream)
            assert isinstance(sound, av.AudioStream)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
            # A key frame now and then, so that a fragmented file has more than one fragment.
            picture.options = {"g": "8"}
            for number in range(frames):
                image = Image.new("RGB", (64, 48), (number * 10 % 256, 90, 120))
                container.mux(picture.encode(av.VideoFrame.from_image(image)))  # type: ignore[no-untyped-call]
            silence = av.AudioFrame(format="fltp", layout="stereo", samples=48000 * frames // 24)
            silence.sample_rate, silence.pts = 48000, 0
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(sound.encode(silence))
            container.mux(picture.encode(None))
            container.mux(sound.encode(None))
        return path.read_bytes()
