"""Reference images become pictures of the wanted size, in a child process, with nothing left of them but pixels."""

from __future__ import annotations

import asyncio
import errno
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from sora_gateway.core.picture import Fit, Picture
from sora_gateway.entropy import SystemEntropy
from sora_gateway.errors import (
    GatewayError,
    InvalidImage,
    InvalidRequest,
    StorageFailed,
    StorageFull,
    Unavailable,
)
from sora_gateway.media.child import ChildFailed, TaskStopped
from sora_gateway.media.image_task import prepare
from sora_gateway.media.images import Images
from sora_gateway.media.task import TaskFailed

from .examples import examples
from .fakes import CountingEntropy
from .loop_lag import calmest, watching
from .pictures import (
    BLACK,
    BLUE,
    FORMATS,
    GREEN,
    RED,
    WHITE,
    bomb,
    chunk,
    decoded,
    encoded,
    film,
    png,
    sixteen_bits,
    striped,
)

CANARY = b"48.8583N 2.2945E"
MAX_PIXELS = 1_000_000
MAX_STALL = 0.05
Colour = tuple[int, int, int]


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path / "scratch", CountingEntropy())


def made(data: bytes, size: tuple[int, int] | None = None, fit: Fit = Fit.CROP) -> Image.Image:
    """What the child makes of *data*, without a child."""
    source, target = Path("given"), Path("made")
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    prepare(str(source), str(target), MAX_PIXELS, size, fit)
    return decoded(target.read_bytes())


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def near(one: Any, other: Colour, by: int = 3) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


# --- as large as the video ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
async def test_cropping_keeps_the_middle(images: Images, kind: str) -> None:
    # The middle half of the stripes is red and blue; the green quarters hang over.
    for side in (40, 200, 400, 800):
        picture = await images.fitted(encoded(striped(800, 400), kind), f"{side}x{side}", Fit.CROP)
        image = decoded(picture.data)
        assert image.size == (picture.width, picture.height) == (side, side)
        for row in (0, side // 2, side - 1):
            assert near(image.getpixel((side // 4, row)), RED)
            assert near(image.getpixel((3 * side // 4, row)), BLUE)
            if side == 400:
                # Not scaled: cut off to the pixel.
                assert near(image.getpixel((0, row)), RED)
                assert near(image.getpixel((399, row)), BLUE)


@pytest.mark.parametrize("kind", FORMATS)
async def test_padding_keeps_everything_in_the_middle_of_black(images: Images, kind: str) -> None:
    picture = await images.fitted(encoded(striped(80, 40), kind), "400x400", Fit.PAD)
    image = decoded(picture.data)
    assert image.size == (picture.width, picture.height) == (400, 400)
    for row in (0, 50, 90, 310, 399):
        assert near(image.getpixel((200, row)), BLACK)
    for column, colour in ((50, GREEN), (150, RED), (250, BLUE), (350, GREEN)):
        assert near(image.getpixel((column, 200)), colour)
        assert near(image.getpixel((column, 110)), colour, by=12)


@pytest.mark.parametrize("kind", FORMATS)
async def test_stretching_keeps_everything_and_no_proportions(images: Images, kind: str) -> None:
    picture = await images.fitted(encoded(striped(80, 40), kind), "40x400", Fit.STRETCH)
    image = decoded(picture.data)
    assert image.size == (picture.width, picture.height) == (40, 400)
    for column, colour in ((5, GREEN), (15, RED), (25, BLUE), (35, GREEN)):
        for row in (2, 200, 397):
            assert near(image.getpixel((column, row)), colour, by=8)


@pytest.mark.parametrize("fit", Fit)
def test_an_image_that_has_the_size_already_keeps_every_pixel(fit: Fit) -> None:
    image = Image.effect_noise((64, 36), 90).convert("RGB")
    assert made(encoded(image), (64, 36), fit).tobytes() == image.tobytes()


@settings(
    deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.sampled_from(Fit),
    st.sampled_from(FORMATS),
)
def test_every_image_becomes_exactly_as_large_as_it_shall(
    given_size: tuple[int, int], wanted: tuple[int, int], fit: Fit, kind: str
) -> None:
    assert made(encoded(Image.new("RGB", given_size, RED), kind), wanted, fit).size == wanted


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("size", [(1_000_000, 1), (1, 1_000_000)])
def test_an_image_as_thin_as_a_thread_needs_no_filter_of_its_own_length(
    fit: Fit, size: tuple[int, int]
) -> None:
    assert made(encoded(Image.new("RGB", size, RED)), (128, 72), fit).size == (128, 72)


@pytest.mark.parametrize(
    "size", ["", "1280", "0x10", "10x0", "-1x5", "1280x720x3", "1e3x5", "99999x1", "9999x9999", "１２x3"]
)
async def test_a_size_that_is_none_is_the_callers_mistake(images: Images, size: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await images.fitted(encoded(striped()), size, Fit.CROP)
    assert (type(caught.value), caught.value.param) == (InvalidRequest, "size")


# --- upright, opaque, in the colours of the screen ----------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/png")]
)
async def test_a_jpeg_stays_one_and_everything_else_becomes_a_png(
    images: Images, kind: str, media_type: str
) -> None:
    picture = await images.normalised(encoded(striped(), kind))
    assert (picture.media_type, picture.width, picture.height) == (media_type, 80, 40)
    image = decoded(picture.data)
    assert image.mode == "RGB"
    assert Image.MIME[image.format or ""] == media_type


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FORMATS)
def test_a_photo_stands_as_its_camera_was_held(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = encoded(striped(), kind, exif=exif.tobytes())
    upright = ImageOps.exif_transpose(decoded(photo)).convert("RGB")
    image = made(photo)
    assert image.size == upright.size == ((80, 40) if orientation < 5 else (40, 80))
    for point in ((3, 3), (30, 10), (37, 37)):
        expected = upright.getpixel(point)
        assert isinstance(expected, tuple)
        assert near(image.getpixel(point), (expected[0], expected[1], expected[2]), by=20)


async def test_a_turned_photo_is_fitted_as_it_stands(images: Images) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = await images.fitted(encoded(striped(), "JPEG", exif=exif.tobytes()), "100x200", Fit.STRETCH)
    image = decoded(picture.data)
    assert image.size == (100, 200)
    for row, colour in ((25, GREEN), (75, RED), (125, BLUE), (175, GREEN)):
        assert near(image.getpixel((50, row)), colour, by=8)


@pytest.mark.parametrize("value", ["03000100000000000000", "03000100000009000000", "02000400000061626300"])
def test_an_orientation_that_is_none_turns_nothing(value: str) -> None:
    """0, 9 and the text "abc": type, count and value of the field."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01" + bytes.fromhex(value) + bytes(4)
    assert made(encoded(striped(), "JPEG", exif=exif)).size == (80, 40)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_data_are_no_reason_to_refuse_whole_pixels() -> None:
    for broken in (b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0nonsense", b"Exif\0\0"):
        assert made(encoded(striped(), "JPEG", exif=broken)).size == (80, 40)


@pytest.mark.parametrize(
    ("mode", "value", "seen"),
    [
        ("1", 1, WHITE),
        ("L", 100, (100, 100, 100)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), WHITE),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (0, 0, 0, 128), (127, 127, 127)),
    ],
)
@pytest.mark.parametrize("fitted", [None, (20, 10)])
def test_what_shines_through_is_white(
    mode: str, value: Any, seen: Colour, fitted: tuple[int, int] | None
) -> None:
    assert made(encoded(Image.new(mode, (20, 20), value)), fitted).getpixel((4, 4)) == seen


def test_a_palette_becomes_its_colours_and_its_hole_white() -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, *RED, *BLUE])
    image.paste(2, (10, 0, 20, 20))
    assert made(encoded(image)).getpixel((15, 4)) == BLUE
    assert made(encoded(image, transparency=1)).getpixel((4, 4)) == WHITE
    assert made(encoded(Image.new("RGB", (20, 20), RED), transparency=RED)).getpixel((4, 4)) == WHITE


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    image = made(sixteen_bits(0, 100 << 8, 200 << 8, 65_535))
    assert [image.getpixel((column, 0)) for column in range(4)] == [
        (value, value, value) for value in (0, 100, 200, 255)
    ]


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_the_four_colours_of_a_printer_become_three(options: dict[str, Any]) -> None:
    image = made(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", **options))
    assert image.mode == "RGB"
    assert near(image.getpixel((8, 8)), RED, by=6)


def with_red_and_blue_exchanged() -> bytes:
    """A colour profile by which red is shown as blue: sRGB with two of its tags exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ", 128), profile.index(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("fitted", [None, (20, 10)])
def test_colours_are_what_the_profile_says(kind: str, fitted: tuple[int, int] | None) -> None:
    red = encoded(Image.new("RGB", (16, 16), RED), kind, icc_profile=with_red_and_blue_exchanged())
    assert near(made(red, fitted).getpixel((8, 4)), BLUE, by=6)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("profile", [b"nonsense", bytes(128), with_red_and_blue_exchanged()[:200]])
def test_a_profile_that_cannot_be_used_is_dropped(mode: str, profile: bytes) -> None:
    image = made(encoded(Image.new(mode, (16, 16)), "JPEG", icc_profile=profile))
    assert near(image.getpixel((8, 8)), WHITE if mode == "CMYK" else BLACK)


# --- and nothing else ---------------------------------------------------------------------------------


def with_everything(kind: str) -> bytes:
    """An image with a place, a comment, a text and a profile in it; all of them hold the canary."""
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.9), 29: CANARY.decode()})
    profile = with_red_and_blue_exchanged() + CANARY
    data = encoded(striped(), kind, exif=exif.tobytes(), icc_profile=profile, xmp=b"<x>" + CANARY + b"</x>")
    if kind == "JPEG":
        comment = b"\xff\xfe" + struct.pack(">H", 2 + len(CANARY)) + CANARY
        return data[:2] + comment + data[2:] + film() + b""
    if kind == "PNG":
        texts = chunk(b"tEXt", b"Comment\0" + CANARY) + chunk(b"pRVt", b"PK\x03\x04" + CANARY)
        return data[:33] + texts + data[33:]
    return data


def parts_of(data: bytes) -> set[bytes]:
    """The kinds of chunks of a PNG, or of segments of a JPEG before its scan."""
    if data.startswith(b"\x89PNG"):
        kinds, position = set(), 8
        while position < len(data):
            length, kind = struct.unpack_from(">I4s", data, position)
            kinds.add(kind)
            position += 12 + length
        return kinds
    kinds, position = set(), 2
    while not data.startswith(b"\xff\xda", position):
        kinds.add(data[position : position + 2])
        position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    return kinds


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [None, "64x64"])
async def test_nobody_learns_from_a_picture_where_it_was_taken(
    images: Images, kind: str, size: str | None
) -> None:
    data = with_everything(kind)
    assert CANARY in data
    picture = await (images.fitted(data, size, Fit.PAD) if size else images.normalised(data))
    assert CANARY not in picture.data
    assert not decoded(picture.data).getexif()
    if kind == "JPEG":
        # JFIF, quantisation, frame, Huffman tables: what pixels need.
        assert parts_of(picture.data) == {b"\xff\xe0", b"\xff\xdb", b"\xff\xc0", b"\xff\xc4"}
    else:
        assert parts_of(picture.data) == {b"IHDR", b"IDAT", b"IEND"}


async def test_a_phones_several_pictures_in_one_file_are_the_first_one(images: Images) -> None:
    first, second = striped(), Image.new("RGB", (20, 20), BLUE)
    stream = BytesIO()
    first.save(stream, "MPO", save_all=True, append_images=[second], quality=95)
    picture = await images.normalised(stream.getvalue())
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 80, 40)
    assert near(decoded(picture.data).getpixel((30, 20)), RED)


async def test_a_motion_photo_is_its_picture(images: Images) -> None:
    assert (await images.normalised(encoded(striped(), "JPEG") + film())).width == 80


# --- what is refused ----------------------------------------------------------------------------------

REFUSED: dict[str, tuple[bytes, str]] = {
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG or WebP"),
    "a page": (b"<!doctype html><script>alert(1)</script>", "not a JPEG, PNG or WebP"),
    "a GIF": (encoded(striped(), "GIF"), "not a JPEG, PNG or WebP"),
    "nothing": (b"", "not a JPEG, PNG or WebP"),
    "a cut PNG": (encoded(striped())[:-20], "damaged or cut off"),
    "a cut JPEG": (encoded(striped(), "JPEG")[:-20], "damaged or cut off"),
    "a cut WebP": (encoded(striped(), "WEBP")[:-20], "damaged or cut off"),
    "an archive behind a PNG": (encoded(striped()) + b"PK\x03\x04", "goes on after the end"),
    "a page behind a JPEG": (encoded(striped(), "JPEG") + b"<html>", "goes on after the end"),
    "rows that are missing": (png(64, 64, 8, 2, zlib.compress(bytes(10))), "damaged or cut off"),
    "rows that are no rows": (png(64, 64, 8, 2, b"nonsense"), "damaged or cut off"),
    "too many pixels": (bomb(), "13000 x 13000 pixels, more than the 16 million"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_usable_image_is_refused_with_one_sentence(
    images: Images, tmp_path: Path, case: str
) -> None:
    data, words = REFUSED[case]
    with pytest.raises(InvalidImage, match=words) as caught:
        await images.normalised(data)
    message = caught.value.message
    assert message.endswith(".")
    assert ". " not in message
    assert str(tmp_path) not in message
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.measures
async def test_a_bomb_of_twenty_kilobytes_hurts_nobody(images: Images) -> None:
    data = bomb()
    assert len(data) < 25_000

    async def explode() -> None:
        with pytest.raises(InvalidImage, match="13000 x 13000"):
            await images.fitted(data, "1280x720", Fit.CROP)

    watch = await calmest(explode, MAX_STALL)
    assert watch.longest < MAX_STALL
    assert watch.grown < 50 << 20


@pytest.mark.measures
async def test_a_bomb_that_is_let_in_explodes_in_the_child_alone(tmp_path: Path) -> None:
    images = Images(tmp_path / "scratch", CountingEntropy(), max_pixels=200_000_000)
    async with watching() as watch:
        with pytest.raises(InvalidImage, match="too much memory or time"):
            await images.normalised(bomb())
    assert watch.grown < 50 << 20


@pytest.mark.measures
async def test_a_large_photo_stops_nobody_else(images: Images) -> None:
    photo = encoded(Image.effect_noise((4000, 4000), 60).convert("RGB"), "JPEG", quality=60)

    async def work() -> None:
        assert (await images.fitted(photo, "1280x720", Fit.CROP)).width == 1280

    assert (await calmest(work, MAX_STALL)).longest < MAX_STALL


WHOLE = [encoded(striped(), kind) for kind in FORMATS]


def outcome(data: bytes) -> str:
    """What the child's task does with *data*; every other exception is a bug."""
    try:
        return f"{made(data, (32, 32)).size}"
    except TaskFailed as refused:
        return str(refused)


@pytest.mark.filterwarnings("ignore")
@settings(
    deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6))
def test_damage_gives_a_picture_or_a_sentence(image: bytes, damage: list[tuple[int, int]]) -> None:
    data = bytearray(image)
    for position, value in damage:
        data[position % len(data)] = value
    assert outcome(bytes(data)) == "(32, 32)" or outcome(bytes(data)).endswith(".")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(WHOLE), st.integers(0, 1 << 16))
def test_a_part_of_an_image_is_never_taken_for_a_whole(image: bytes, length: int) -> None:
    assert outcome(image[: length % len(image)]).endswith(".")


# --- the child and its files --------------------------------------------------------------------------

Run = Callable[[str, dict[str, Any], float, int], Awaitable[dict[str, Any]]]


def ending_in(error: Exception) -> Run:
    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TaskStopped("The image task was ended by SIGSEGV."), InvalidImage),
        (ChildFailed("The image task could not be started: Resource temporarily unavailable."), Unavailable),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OSError(errno.EIO, "Input/output error"), StorageFailed),
    ],
)
async def test_only_what_an_image_has_done_is_its_senders_fault(
    tmp_path: Path, error: Exception, told: type[GatewayError]
) -> None:
    with pytest.raises(told) as caught:
        await Images(tmp_path / "scratch", CountingEntropy(), run=ending_in(error)).normalised(
            encoded(striped())
        )
    assert type(caught.value) is told
    assert list((tmp_path / "scratch").iterdir()) == []


FAKES = {
    "nothing": None,
    "a page": b"<html>",
    "a picture of another size": encoded(striped(10, 10)),
    "more than a picture": encoded(striped()) + b"<html>",
    "a picture without end": bytes(6 << 20),
}


def put(target: str, data: bytes | Path | None) -> None:
    """Bytes, or a link to a path, where the picture is expected."""
    if isinstance(data, Path):
        Path(target).symlink_to(data)
    elif data is not None:
        Path(target).write_bytes(data)


@pytest.mark.parametrize("case", FAKES)
async def test_a_child_that_was_taken_over_is_not_believed(tmp_path: Path, case: str) -> None:
    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        put(arguments["target"], FAKES[case])
        return {"width": 80, "height": 40}

    images = Images(tmp_path / "scratch", CountingEntropy(), run=run, max_pixels=MAX_PIXELS)
    with pytest.raises((Unavailable, StorageFailed)):
        await images.fitted(encoded(striped()), "80x40", Fit.CROP)


async def test_a_link_in_place_of_the_picture_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(striped()))

    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        put(arguments["target"], secret)
        return {}

    with pytest.raises(StorageFailed):
        await Images(tmp_path / "scratch", CountingEntropy(), run=run).normalised(encoded(striped()))


async def test_nobody_else_can_read_what_is_put_aside(tmp_path: Path) -> None:
    modes: list[int] = []

    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        source, target = Path(arguments["source"]), Path(arguments["target"])
        prepare(**arguments)
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (source.parent, source, target))
        return {}

    await Images(tmp_path / "scratch", CountingEntropy(), run=run).normalised(encoded(striped()))
    assert modes == [0o700, 0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "scratch").stat().st_mode) == 0o700


async def test_a_caller_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        begun.set()
        await asyncio.Event().wait()
        return {}

    caller = asyncio.create_task(
        Images(tmp_path / "scratch", CountingEntropy(), run=run).normalised(encoded(striped()))
    )
    await begun.wait()
    assert list((tmp_path / "scratch").iterdir()) != []
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "image_1"
    left.mkdir(parents=True)
    (left / "given").write_bytes(b"somebody's photo")
    (tmp_path / "scratch" / "notes.txt").write_text("not ours")
    Images(tmp_path / "scratch", CountingEntropy())
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["notes.txt"]


async def test_a_child_of_a_killed_process_does_not_draw_into_an_image_of_the_next(tmp_path: Path) -> None:
    """It may be at work long after its parent is gone and the next one has begun."""
    orders: list[dict[str, Any]] = []
    late = asyncio.Event()

    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        orders.append(arguments)
        await late.wait()
        prepare(**arguments)
        return {}

    async def begun(images: Images, data: bytes) -> asyncio.Task[Picture]:
        before = len(orders)
        drawing = asyncio.create_task(images.normalised(data))
        while len(orders) == before:  # noqa: ASYNC110  # nothing tells that a child was started
            await asyncio.sleep(0.001)
        return drawing

    killed = await begun(Images(tmp_path / "scratch", SystemEntropy(), run=run), encoded(striped(10, 10)))
    drawing = await begun(Images(tmp_path / "scratch", SystemEntropy(), run=run), encoded(striped()))
    late.set()
    assert (await drawing).width == 80
    with pytest.raises(StorageFailed):
        await killed
    assert not {orders[0]["source"], orders[0]["target"]} & {orders[1]["source"], orders[1]["target"]}


async def test_so_many_images_at_once_and_no_more(tmp_path: Path) -> None:
    running, most = 0, 0
    in_pairs = asyncio.Barrier(2)

    async def run(task: str, arguments: dict[str, Any], timeout: float, memory: int) -> dict[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await in_pairs.wait()
        prepare(**arguments)
        running -= 1
        return {}

    images = Images(tmp_path / "scratch", CountingEntropy(), run=run, at_once=2)
    pictures = await asyncio.gather(*(images.normalised(encoded(striped())) for _ in range(6)))
    assert most == 2
    assert all(isinstance(picture, Picture) for picture in pictures)


def test_no_decoder_and_no_client_is_loaded_by_the_parent() -> None:
    program = (
        "import sys, sora_gateway.media.images, sora_gateway.media.image_source as source;"
        "sys.exit(bool({'PIL', 'httpx', 'av'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
