"""JSON with texts as large as files: read as any other JSON, slice by slice, or refused in one sentence."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sora_gateway.errors import GatewayError, TooLarge
from sora_gateway.http import json_body
from sora_gateway.http.json_body import read_json

NO_ADDRESS = "The body has a text of more than 524288 bytes that is no data: address."
LONG = 600_000


def test_a_long_text_is_read_to_its_last_character_wherever_it_stands() -> None:
    address = "data:image/png;base64," + "AB+/" * (LONG // 4)
    value = {"a": [address, "x", 1.5, {"b": address + "="}], "c": "NaN", "d": None}
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(address).encode()) == address


@pytest.mark.parametrize("before", range(12))
def test_an_escape_is_not_cut_apart(before: int) -> None:
    """Slices are of 131,072 bytes; the escapes lie at every place around their ends."""
    text = "x" * before + "/+" * (LONG // 2)
    written = text.replace("/", r"\/").replace("+", r"\u002B")
    assert read_json(f'"{written}"'.encode()) == text


REFUSED: dict[str, tuple[str, str]] = {
    "a long text of ships": ('{"a": "' + "🚢" * LONG + '"}', NO_ADDRESS),
    "a long text of escaped ships": ('{"a": "' + r"\ud83d\udea2" * LONG + '"}', NO_ADDRESS),
    "a long text with a quote": ('{"a": "' + "a" * LONG + r"\"" + '"}', NO_ADDRESS),
    "a long text with a backslash": ('{"a": "' + "a" * LONG + r"\\" + '"}', NO_ADDRESS),
    "a long text with a line end": ('{"a": "' + "a" * LONG + "\n" + '"}', "The body is not valid JSON."),
    "a long text with an escape that is none": ('{"a": "' + "a" * LONG + r"\x" + '"}', "The body is not valid JSON."),
    "a long text without an end": ('{"a": "' + "a" * LONG, "The body is not valid JSON."),
    "a long name": ('{"' + "a" * LONG + '": 1}', "The body is not valid JSON."),
    "long texts side by side": ('["' + "a" * LONG + '" "' + "a" * LONG + '"]', "The body is not valid JSON."),
    "NaN beside a long text": ('[NaN, "' + "a" * LONG + '"]', "NaN is not a JSON value."),
    "infinity beside a long text": ('[-Infinity, "' + "a" * LONG + '"]', "-Infinity is not a JSON value."),
    "half of NaN before a long text": ('[Na"' + "a" * LONG + '"]', "The body is not valid JSON."),
    "a name twice": ('{"a": "' + "a" * LONG + '", "a": 1}', "The field 'a' is given twice."),
    "not UTF-8 in between": ('{"a": "' + "a" * LONG + '", "b": "\udcff"}', "The body is not valid JSON."),
    "half a surrogate pair": ('{"a": "' + "a" * LONG + r'", "b": "\ud83d"}', "The body has text that is not valid Unicode."),
    "many numbers": ("[" + "1," * LONG + "1]", "Apart from its texts the body is larger than 65536 bytes."),
    "many spaces": (" " * LONG + "1", "Apart from its texts the body is larger than 65536 bytes."),
    "many short texts": (
        "[" + ",".join(['"' + "a" * 100_000 + '"'] * 11) + "]",
        "Apart from its data: addresses the body is larger than 1048576 bytes.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_with_a_large_body_is_one_sentence(case: str) -> None:
    text, sentence = REFUSED[case]
    with pytest.raises(GatewayError) as refused:
        read_json(text.encode("utf-8", "surrogateescape"))
    assert refused.value.message == sentence
    assert isinstance(refused.value, TooLarge) == ("larger" in sentence)


PLAIN = "ab/+=\n"
"""Of these a long text may consist for certain,"""
NEVER = "\u00e9\\"
"""none of these may be in one; and a quote is read or refused, depending on where it is found."""
TEXTS = st.text(st.sampled_from(PLAIN), max_size=60) | st.text(
    st.sampled_from(PLAIN + NEVER + '"'), max_size=40
)


def written(text: str, ascii_only: bool) -> str:
    """As some clients write it, with slashes and pluses escaped."""
    return json.dumps(text, ensure_ascii=ascii_only).replace("/", r"\/").replace("+", r"\u002B")


@given(st.lists(TEXTS, max_size=4), st.booleans(), st.integers(8, 20))
@example(["/" * 60], True, 8)
@example(["+" * 60, "NaN", "+" * 61], True, 9)
@example(["", "", '=//++"'], False, 8)
@example(["\n" * 30], False, 8)
def test_a_large_body_is_read_as_a_small_one_is_or_refused(
    texts: list[str], ascii_only: bool, size: int
) -> None:
    """With limits so low that a text of twenty bytes is long already."""
    each = [written(text, ascii_only) for text in texts]
    long_ones = "".join(text for one, text in zip(each, texts, strict=True) if len(one.encode()) > 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_body, "MAX_STRUCTURE", 40)
        patch.setattr(json_body, "LONG_TEXT", 20)
        patch.setattr(json_body, "_SLICE", size)
        body = f'{{"texts": [{", ".join(each)}]}}'.encode()
        if len(body) <= 40 or set(long_ones) <= set(PLAIN):
            assert read_json(body) == {"texts": texts}
        elif set(long_ones) & set(NEVER):
            with pytest.raises(GatewayError):
                read_json(body)
        else:
            with contextlib.suppress(GatewayError):
                assert read_json(body) == {"texts": texts}
