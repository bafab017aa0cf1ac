"""Images inside of data URLs: decoded piece by piece, so that the largest one stops nobody else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.errors import InvalidImage
from sora_gateway.media.image_source import MAX_DATA_URL, from_data_url

from .loop_lag import calmest
from .pictures import encoded, striped

IMAGE = encoded(striped())
TEXT = base64.b64encode(IMAGE).decode()
URL = f"data:image/png;base64,{TEXT}"

SPELLINGS = {
    "as it should be": URL,
    "in capitals": f"DATA:IMAGE/PNG;BASE64,{TEXT}",
    "of another kind of image": f"data:image/jpeg;base64,{TEXT}",
    "with a parameter": f"data:image/png;name=boat.png;base64,{TEXT}",
    "without its padding": URL.rstrip("="),
    "in lines": "data:image/png;base64," + "\r\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
    "with base64 escaped": "data:image/png;base64," + TEXT.replace("+", "%2B").replace("/", "%2f").replace("=", "%3D"),
    "percent-encoded": "data:image/png," + quote_from_bytes(IMAGE),
    "percent-encoded through and through": "data:image/png," + "".join(f"%{byte:02x}" for byte in IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLINGS)
async def test_an_image_comes_out_however_it_was_written(case: str) -> None:
    assert await from_data_url(SPELLINGS[case]) == IMAGE


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300_000), st.integers(0, 3))
async def test_every_image_comes_out_as_it_went_in(rest: bytes, way: int) -> None:
    image = IMAGE + rest
    text = base64.b64encode(image).decode()
    url = (
        f"data:image/png;base64,{text}",
        f"data:image/png;base64,{text.rstrip('=')}",
        "data:image/png," + quote_from_bytes(image),
        "data:image/png;base64," + text.replace("A", "A\n").replace("=", "%3d"),
    )[way]
    assert await from_data_url(url) == image


NOT_OF_AN_IMAGE = {
    "another kind of data": f"data:text/html;base64,{TEXT}",
    "no kind": f"data:;base64,{TEXT}",
    "no comma": "data:image/png;base64",
    "an address": "https://example.org/boat.png",
    "nothing": "",
    "a very long head": "data:image/png;" + "a" * 300 + ";base64," + TEXT,
}


@pytest.mark.parametrize("case", NOT_OF_AN_IMAGE)
async def test_a_text_that_is_no_data_url_of_an_image_is_refused(case: str) -> None:
    with pytest.raises(InvalidImage, match="must begin with data:image/"):
        await from_data_url(NOT_OF_AN_IMAGE[case])


HEAD = "data:image/png;base64,"
BROKEN = {
    "letters of another alphabet": HEAD + "iVBORw0KGgo-_-_-",
    "one letter too many": HEAD + TEXT.rstrip("=") + "A" * (1 + -len(TEXT.rstrip("=")) % 4),
    "padding in the middle": HEAD + "iVBORw==" + TEXT,
    "more after the padding": HEAD + base64.b64encode(IMAGE + bytes(-len(IMAGE) % 3 + 1)).decode() + "A",
    "more after the padding, far away": HEAD + "AA==" + " " * 200_000 + "AAAA",
    "padding alone": HEAD + "====",
    "no ASCII": HEAD + TEXT + "é",
    "half a character": HEAD + TEXT + "\ud800",
    "base64 that is not said to be": "data:image/png," + TEXT + "é",
}


@pytest.mark.parametrize("case", BROKEN)
async def test_data_that_cannot_be_decoded_are_refused(case: str) -> None:
    with pytest.raises(InvalidImage, match="cannot be decoded"):
        await from_data_url(BROKEN[case])


@pytest.mark.parametrize(
    "url", ["data:image/svg+xml;utf8,<svg/>", "data:image/png;base64,", f"data:image/png,{TEXT}"]
)
async def test_what_comes_out_must_be_an_image_that_is_taken(url: str) -> None:
    with pytest.raises(InvalidImage, match="not a JPEG, PNG or WebP"):
        await from_data_url(url)


async def test_a_data_url_has_a_bound() -> None:
    longest = URL + "A" * (MAX_DATA_URL - len(URL))
    with pytest.raises(InvalidImage, match="cannot be decoded"):
        await from_data_url(longest)
    with pytest.raises(InvalidImage, match="longer than 20971520 characters"):
        await from_data_url(longest + "A")


PAYLOADS: dict[str, Callable[[], str]] = {
    "base64": lambda: (
        HEAD + base64.b64encode(IMAGE + bytes(MAX_DATA_URL * 3 // 4 - len(IMAGE) - 30)).decode()
    ),
    "escapes": lambda: (
        "data:image/png," + quote_from_bytes(IMAGE) + "%00" * (MAX_DATA_URL // 3 - len(IMAGE) - 5)
    ),
}


@pytest.mark.measures
@pytest.mark.parametrize("case", PAYLOADS)
async def test_the_largest_data_url_stops_nobody_else(case: str) -> None:
    url = PAYLOADS[case]()
    assert MAX_DATA_URL - 200 < len(url) <= MAX_DATA_URL

    async def work() -> None:
        assert (await from_data_url(url)).startswith(IMAGE)

    assert (await calmest(work, 0.05)).longest < 0.05
