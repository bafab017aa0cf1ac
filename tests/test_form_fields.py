"""Names with brackets are objects and lists; what can be read in two ways is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sora_gateway.errors import InvalidRequest
from sora_gateway.http.form_fields import nested
from sora_gateway.http.uploads import Upload

FILE = Upload("first.png", "image/png", b"bytes")

READ: dict[str, tuple[list[tuple[str, Any]], dict[str, Any]]] = {
    "plain fields": ([("prompt", "a"), ("seconds", "8")], {"prompt": "a", "seconds": "8"}),
    "an object": ([("video[id]", "v1")], {"video": {"id": "v1"}}),
    "an object in an object": ([("a[b][c]", "1"), ("a[b][d]", "2")], {"a": {"b": {"c": "1", "d": "2"}}}),
    "one object in a list": ([("characters[][id]", "x")], {"characters": [{"id": "x"}]}),
    "objects in a list": (
        [("characters[][id]", "x"), ("characters[][id]", "y")],
        {"characters": [{"id": "x"}, {"id": "y"}]},
    ),
    "objects in a list, key by key as the official SDKs send them": (
        [("c[][id]", "x"), ("c[][id]", "y"), ("c[][name]", "X"), ("c[][name]", "Y")],
        {"c": [{"id": "x", "name": "X"}, {"id": "y", "name": "Y"}]},
    ),
    "objects in a list, one after the other": (
        [("c[][id]", "x"), ("c[][name]", "X"), ("c[][id]", "y"), ("c[][name]", "Y")],
        {"c": [{"id": "x", "name": "X"}, {"id": "y", "name": "Y"}]},
    ),
    "numbered objects in any order": (
        [("c[1][id]", "y"), ("c[0][id]", "x"), ("c[1][name]", "Y")],
        {"c": [{"id": "x"}, {"id": "y", "name": "Y"}]},
    ),
    "values in a list": ([("c[]", "x"), ("c[]", "y")], {"c": ["x", "y"]}),
    "numbered values": ([("c[1]", "y"), ("c[0]", "x")], {"c": ["x", "y"]}),
    "a file": ([("input_reference", FILE)], {"input_reference": FILE}),
    "a file in a list of files": ([("input_reference[]", FILE)], {"input_reference": FILE}),
    "brackets that do not pair": ([("a[b", "1"), ("a]b", "2"), ("[c]", "3")], {"a[b": "1", "a]b": "2", "[c]": "3"}),
    "something after the brackets": ([("a[b]c", "1")], {"a[b]c": "1"}),
    "nothing": ([], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_names_with_brackets_are_objects_and_lists(case: str) -> None:
    pairs, value = READ[case]
    assert nested(pairs) == value


BOTH_WAYS = "The field 'a' is given both as a value and with brackets."
LIST_OR_OBJECT = "The field 'a' is given both as a list and as an object."
NUMBERED = "The items of 'a' must be numbered from 0, without a gap."
UNCLEAR = "It is not clear which values of 'a' belong together; number its items."
REFUSED: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "a field twice": ([("a", "1"), ("a", "2")], "The field 'a' is given twice."),
    "a field of an object twice": ([("a[b]", "1"), ("a[b]", "2")], "The field 'a[b]' is given twice."),
    "an item twice": ([("a[0]", "1"), ("a[0]", "2")], "The field 'a[0]' is given twice."),
    "two files": ([("a", FILE), ("a[]", FILE)], "The field 'a' is given twice."),
    "a file and a text": ([("a", FILE), ("a", "1")], "The field 'a' is given twice."),
    "a text and an object": ([("a", "1"), ("a[b]", "2")], BOTH_WAYS),
    "a file and an object": ([("a", FILE), ("a[b]", "2")], BOTH_WAYS),
    "a text and a list": ([("a", "1"), ("a[]", "2")], BOTH_WAYS),
    "an item that is a text and an object": (
        [("a[0]", "1"), ("a[0][b]", "2")], "The field 'a[0]' is given both as a value and with brackets."
    ),
    "a list and an object": ([("a[]", "1"), ("a[b]", "2")], LIST_OR_OBJECT),
    "a numbered list and an object": ([("a[0]", "1"), ("a[b]", "2")], LIST_OR_OBJECT),
    "a numbered list and another": ([("a[0]", "1"), ("a[]", "2")], LIST_OR_OBJECT),
    "values and objects": ([("a[]", "1"), ("a[][b]", "2")], "The field 'a' is given both as values and as objects."),
    "a gap": ([("a[0]", "1"), ("a[2]", "2")], NUMBERED),
    "a list from 1": ([("a[1]", "1")], NUMBERED),
    "an absurd index": ([("a[0]", "1"), ("a[999999999999]", "2")], NUMBERED),
    "an index of 5,000 digits": ([(f"a[{'9' * 5000}]", "1")], NUMBERED),
    "an index with zeros": ([("a[00]", "1")], NUMBERED),
    "an index in other digits": ([("a[٠]", "1")], NUMBERED),
    "objects of different sizes": ([("a[][b]", "1"), ("a[][b]", "2"), ("a[][c]", "3")], UNCLEAR),
    "lists in listed objects": ([("a[][b][]", "1"), ("a[][b][]", "2")], UNCLEAR),
    "very many brackets": ([("a" + "[b]" * 5, "1")], "The field 'a[b][b][b][b][b]' has more than 4 pairs of brackets."),
    "brackets without end": (
        [("a" + "[b]" * 100, "1")], f"The field '{('a' + '[b]' * 100)[:100]}…' has more than 4 pairs of brackets."
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_by_name(case: str) -> None:
    pairs, sentence = REFUSED[case]
    with pytest.raises(InvalidRequest) as refused:
        nested(pairs)
    assert refused.value.message == sentence
    assert refused.value.param is not None
    assert refused.value.param in sentence


def as_numbered_fields(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from as_numbered_fields(item, f"{name}[{key}]" if name else str(key))


NAMES = st.text("abc_", min_size=1, max_size=3)
VALUES = st.recursive(
    st.text(max_size=3),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.randoms())
@example({"a": [{"b": ["c"]}, "d"]}, None)
def test_whatever_was_written_with_brackets_is_read_again_in_any_order(
    value: dict[str, Any], random: Any
) -> None:
    pairs = list(as_numbered_fields(value, ""))
    if any(name.count("[") > 4 for name, _ in pairs):
        return
    if random is not None:
        random.shuffle(pairs)
    assert nested(pairs) == value
