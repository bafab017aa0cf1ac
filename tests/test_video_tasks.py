"""Videos are made, counted, and turned into posters and spritesheets; what is no whole video is called so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from sora_gateway.media.caption import caption, printable, wrapped
from sora_gateway.media.child import ChildFailed, run_in_child
from sora_gateway.media.render import MAX_FRAMES, render
from sora_gateway.media.task import TaskFailed
from sora_gateway.media.video import available, poster, probe, spritesheet


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    render(str(path), "A paper boat in the rain 纸船", 320, 180, 4, fps=12, seed=1)
    return path


async def child(task: str, **arguments: Any) -> dict[str, Any]:
    return await run_in_child(task, arguments, timeout=30.0)


async def test_a_rendered_video_is_what_was_ordered(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    order = {"target": str(path), "prompt": "a paper boat", "width": 640, "height": 360, "seconds": 2}
    made = await child("render", **order, fps=12, seed=3)
    assert made == {"frames": 24, "fps": 12, "bytes": path.stat().st_size}
    seen = await child("probe", path=str(path))
    assert seen == {
        "codec": "h264",
        "width": 640,
        "height": 360,
        "seconds": 2.0,
        "packets": 24,
        "declared_packets": 24,
        "whole": True,
    }


def test_the_parent_can_ask_whether_videos_can_be_made_without_loading_anything() -> None:
    assert available()
    light = "import sys, sora_gateway.media.video as video; video.available(); print('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], capture_output=True, check=True).stdout == b"False\n"


def test_players_can_start_before_the_whole_file_is_there(film: Path) -> None:
    data = film.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_same_order_makes_the_same_file(tmp_path: Path) -> None:
    first, second = tmp_path / "1.mp4", tmp_path / "2.mp4"
    for path in (first, second):
        render(str(path), "twice", 64, 64, 1, fps=4, seed=9)
    assert first.read_bytes() == second.read_bytes()


def test_a_long_video_gets_fewer_frames_and_keeps_its_length(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    assert render(str(path), "long", 64, 64, 120, fps=24)["frames"] <= MAX_FRAMES
    assert probe(str(path))["seconds"] == pytest.approx(120)


@pytest.mark.parametrize("size", [(321, 180), (8, 8), (4096, 64)])
def test_a_size_that_cannot_be_encoded_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="cannot be made"):
        render(str(tmp_path / "x.mp4"), "x", *size, 1)


def test_a_file_cut_at_any_point_after_its_index_is_not_whole(film: Path, tmp_path: Path) -> None:
    """It opens, and its head still claims everything: only counting tells."""
    data = film.read_bytes()
    for share in (0.6, 0.9, 0.999):
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(data[: int(len(data) * share)])
        seen = probe(str(cut))
        assert seen["declared_packets"] == 48
        assert not seen["whole"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><p>Bad gateway",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\n",
    ],
)
async def test_what_is_no_video_is_refused_and_never_followed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ChildFailed, match="not a video"):
        await child("probe", path=str(path))


def test_a_playlist_is_not_followed_to_a_real_video(film: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "playlist.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{film}\n#EXT-X-ENDLIST\n")
    with pytest.raises(TaskFailed, match="not a video"):
        probe(str(playlist))


def test_webm_is_read_too(tmp_path: Path) -> None:
    import av

    path = tmp_path / "film.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=10, options={"cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode())
    seen = probe(str(path))
    assert (seen["codec"], seen["packets"], seen["declared_packets"], seen["whole"]) == ("vp9", 5, 0, True)


async def test_a_poster_is_a_webp_of_640_pixels(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "poster.webp"
    assert await child("poster", path=str(film), target=str(target)) == {"width": 640, "height": 360}
    with Image.open(target) as image:
        assert (image.format, image.size) == ("WEBP", (640, 360))


@pytest.mark.parametrize(("name", "kind"), [("sheet.jpg", "JPEG"), ("sheet.webp", "WEBP")])
async def test_a_spritesheet_has_ten_frames_in_two_rows(
    name: str, kind: str, film: Path, tmp_path: Path
) -> None:
    target = tmp_path / name
    made = await child("spritesheet", path=str(film), target=str(target))
    assert made == {"columns": 5, "rows": 2, "width": 192, "height": 108}
    with Image.open(target) as image:
        assert (image.format, image.size) == (kind, (960, 216))


def test_a_spritesheet_shows_the_progress_of_time(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "sheet.webp"
    spritesheet(str(film), str(target))
    with Image.open(target) as image:
        first = image.crop((0, 0, 192, 108)).tobytes()
        last = image.crop((768, 108, 960, 216)).tobytes()
    assert first != last


def test_a_poster_is_made_of_what_is_left_of_a_cut_file(film: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    assert poster(str(cut), str(tmp_path / "poster.webp"))["width"] == 640


@given(st.text(max_size=400))
@example("")
@example("\x00\x1b[31m\n")
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    assert caption(prompt[:40], 64, 64).mode == "RGBA"
    assert printable(prompt).isprintable()


@given(st.text(alphabet="ab 纸船。,", max_size=80), st.integers(min_value=1, max_value=20))
def test_wrapping_keeps_every_letter_and_the_margin(text: str, room: int) -> None:
    def length(piece: str) -> float:
        return len(piece)

    lines = wrapped(text, room, length)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(length(line) <= room for line in lines)


def test_words_stay_whole_and_wide_characters_break_anywhere() -> None:
    assert wrapped("a paper boat", 7, len) == ["a paper", "boat"]
    assert wrapped("纸船在雨中漂流", 3, len) == ["纸船在", "雨中漂", "流"]
