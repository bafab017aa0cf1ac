"""The composer shows what the gateway will make of a list, a template and an image: both work it out alike."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sora_gateway.core.picture import Fit
from sora_gateway.core.prompt_lines import prompts
from sora_gateway.core.template import TemplateError, fill, gaps
from sora_gateway.media.image_task import prepare
from tests.examples import examples

ROOT = Path(__file__).resolve().parent.parent
NODE = shutil.which("node") or ""
pytestmark = pytest.mark.skipif(not NODE, reason="what pages import is run by node")

# Each example is many cases at once: starting Node takes longer than all of them.
a_few = settings(
    max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def of_the_page(what: str, cases: list[Any]) -> list[Any]:
    done = subprocess.run(
        [NODE, str(ROOT / "tests/js/composing.mjs")],
        input=json.dumps({"what": what, "cases": cases}),
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    return list(json.loads(done.stdout))


LINE = st.sampled_from(
    ["- a boat", "* kite", "1. a", "2) b", "3. c", "1.", "-", "  ", "", "纸船", "• x", "10. y", "-dash"]
)
LISTS = st.lists(LINE, max_size=5).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r", "\v", "\u2028"]).map(lambda end: end.join(lines))
)


@a_few
@given(st.lists(LISTS, min_size=40, max_size=80))
def test_a_pasted_list_has_the_same_prompts(texts: list[str]) -> None:
    assert of_the_page("lines", texts) == [[prompt for _, prompt in prompts(text)] for text in texts]


PIECE = st.sampled_from(
    ["{a}", "{b_2}", "{城市}", "{{", "}}", "{{{a}}}", " in ", "é", "e\u0301", "{e\u0301}"]
)
VALUE = st.sampled_from(["x", "{a}", "}}", "$&", "雨"])


@a_few
@given(st.lists(st.tuples(st.lists(PIECE, max_size=6).map("".join), VALUE), min_size=40, max_size=80))
def test_a_template_becomes_the_same_prompt(cases: list[tuple[str, str]]) -> None:
    readable = [(text, dict.fromkeys(gaps(text), value)) for text, value in cases if is_template(text)]
    assert of_the_page("fill", readable) == [fill(text, values) for text, values in readable]


def is_template(text: str) -> bool:
    try:
        gaps(text)
    except TemplateError:
        return False
    return True


SIDE = st.integers(40, 200)
SIZE = st.tuples(SIDE, SIDE)


@a_few
@given(st.lists(st.tuples(SIZE, SIZE), min_size=3, max_size=6))
def test_an_image_lands_in_the_same_place(tmp_path: Path, cases: list[tuple[tuple[int, int], ...]]) -> None:
    """Seen in the picture that the gateway makes: red tells from where in the width of the image a pixel is, green from
    where in its height, and blue that it is of the image at all."""
    wanted = [(image, size, fit) for image, size in cases for fit in Fit]
    boxes = of_the_page("placed", [[sides(image), sides(size), fit] for image, size, fit in wanted])
    for (image, size, fit), box in zip(wanted, boxes, strict=True):
        made = picture(tmp_path, image, size, fit)
        to, taken = box["to"], box["from"]
        right, bottom = to["x"] + to["width"], to["y"] + to["height"]
        assert made.getchannel("B").point(lambda level: 255 if level > 100 else 0).getbbox() == (
            to["x"], to["y"], right, bottom,
        )  # fmt: skip
        middle = (to["x"] + to["width"] // 2, to["y"] + to["height"] // 2)
        reds = [made.getpixel((x, middle[1])) for x in (to["x"], right - 1)]
        greens = [made.getpixel((middle[0], y)) for y in (to["y"], bottom - 1)]
        for pixels, channel, start, length, whole in (
            (reds, 0, taken["x"], taken["width"], image[0]),
            (greens, 1, taken["y"], taken["height"], image[1]),
        ):
            expected = [255 * start / whole, 255 * (start + length) / whole]
            # A pixel is as wide as several levels are.
            slack = 255 * max(1.0, length / min(to["width"], to["height"])) / min(image) + 4
            seen = [pixel[channel] for pixel in pixels]  # type: ignore[index]  # Every pixel has three channels.
            assert all(abs(a - b) <= slack for a, b in zip(seen, expected, strict=True)), (image, size, fit)


def sides(size: tuple[int, int]) -> dict[str, int]:
    return {"width": size[0], "height": size[1]}


def picture(tmp_path: Path, image: tuple[int, int], size: tuple[int, int], fit: Fit) -> Image.Image:
    across = Image.linear_gradient("L").rotate(90).resize(image)
    down = Image.linear_gradient("L").resize(image)
    source, target = tmp_path / "source.png", tmp_path / "target.png"
    Image.merge("RGB", (across, down, Image.new("L", image, 255))).save(source)
    target.unlink(missing_ok=True)
    prepare(str(source), str(target), 1_000_000, size, fit.value)
    with Image.open(target) as opened:
        opened.load()
    return opened
