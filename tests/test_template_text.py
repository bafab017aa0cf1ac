"""Prompts with gaps, and prompts from pasted lines: what they are read as."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.prompt_lines import prompts
from sora_gateway.core.template import MAX_GAPS, MAX_NAME, MAX_VALUE, TemplateError, fill, gaps
from tests.examples import examples

NAMES = st.from_regex(r"[a-zäß动][a-z0-9_ö物]{0,10}", fullmatch=True).map(
    lambda name: unicodedata.normalize("NFC", name)
)
TEXTS = st.text(max_size=30)


def written(text: str) -> str:
    """*text* as a template that has no gaps says it."""
    return text.replace("{", "{{").replace("}", "}}")


def test_a_template_names_its_gaps_each_once_in_their_order() -> None:
    assert gaps("a {animal} and a {colour} {animal} in {{braces}}") == ["animal", "colour"]
    assert fill("a {animal} and a {colour} {animal} in {{braces}}", {"animal": "cat", "colour": "red"}) == (
        "a cat and a red cat in {braces}"
    )


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(TEXTS, NAMES), max_size=10), st.data())
def test_what_is_filled_is_the_text_with_the_values_and_nothing_else(
    parts: list[tuple[str, str]], data: st.DataObject
) -> None:
    names = list(dict.fromkeys(name for _, name in parts))
    values = {name: data.draw(TEXTS) for name in names}
    # Between text and gap a brace of the text would be read with the gap's: a space keeps them apart.
    template = "".join(f"{written(text)} {{{name}}} " for text, name in parts)
    assert gaps(template) == names
    assert fill(template, values) == "".join(f"{text} {values[name]} " for text, name in parts)


@settings(max_examples=examples(200))
@given(TEXTS)
def test_any_text_can_be_said_by_a_template_without_gaps(text: str) -> None:
    assert gaps(written(text)) == []
    assert fill(written(text), {}) == text


@settings(max_examples=examples(300))
@given(st.text(alphabet="{}a_1 é", max_size=30), st.dictionaries(NAMES, TEXTS, max_size=3))
def test_whatever_is_written_is_a_template_or_one_sentence(text: str, values: dict[str, str]) -> None:
    told = ""
    try:
        fill(text, values)
    except TemplateError as error:
        told = str(error)
    assert not told or (told.endswith(".") and "\n" not in told)


@pytest.mark.parametrize(
    ("text", "values", "sentence"),
    [
        ("a {animal}", {}, "The template needs a value for {animal}."),
        (
            "a {animal} in {place}",
            {"animal": "cat", "place": "rain", "anmal": "dog"},
            "The template has no gap {anmal}; it has {animal}, {place}.",
        ),
        ("a cat", {"animal": "dog"}, "The template has no gap {animal}; it has none."),
        ("a { cat", {}, "The { at character 3 belongs to no gap; write {{ for a brace."),
        ("a cat }", {}, "The } at character 7 belongs to no gap; write }} for a brace."),
        (
            "a {}", {},
            "{} is no gap: a name has letters, digits and _, begins with a letter and has at most 50 characters.",
        ),
        ("{a}", {"a": "x" * (MAX_VALUE + 1)}, "The value of {a} has 2001 characters; at most 2000 are taken."),
        ("{a}" * (MAX_GAPS + 1), {"a": ""}, "The template has 101 gaps; at most 100 are taken."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_that_names_it(
    text: str, values: dict[str, str], sentence: str
) -> None:
    with pytest.raises(TemplateError) as told:
        fill(text, values)
    assert str(told.value) == sentence


@pytest.mark.parametrize("name", ["1a", "_a", "a b", "a.b", "a[0]", "a!r", "a:>9", "x" * (MAX_NAME + 1)])
def test_a_gap_has_a_name_and_no_language_of_its_own(name: str) -> None:
    with pytest.raises(TemplateError, match="is no gap"):
        gaps(f"a {{{name}}}")


def test_a_letter_typed_as_two_characters_is_the_same_letter() -> None:
    assert fill("{cafe\u0301}", {"caf\u00e9": "in Vienna"}) == "in Vienna"


# --- pasted lines ------------------------------------------------------------------------------------


def test_each_line_is_a_prompt_and_empty_ones_are_none() -> None:
    assert prompts("a cat\r\n\r\n  a dog  \n\n") == [(1, "a cat"), (3, "a dog")]
    assert prompts(" \n\t\n") == []


@pytest.mark.parametrize(
    "pasted",
    [
        "- a cat\n- a dog",
        "* a cat\n\n* a dog",
        "• a cat\n• a dog",
        "1. a cat\n2. a dog",
        "1) a cat\n2)  a dog",
    ],
)
def test_a_pasted_list_loses_its_marks(pasted: str) -> None:
    assert [line for _, line in prompts(pasted)] == ["a cat", "a dog"]


@pytest.mark.parametrize(
    "pasted", ["- a cat\na dog", "1. a cat", "2. a cat\n3. a dog", "3.5 cats\n4.5 dogs", "-cat\n-dog"]
)
def test_what_is_no_list_stays_as_it_is_written(pasted: str) -> None:
    assert [line for _, line in prompts(pasted)] == pasted.split("\n")


@settings(max_examples=examples(200))
@given(st.lists(st.text(max_size=20), max_size=10))
def test_no_line_is_lost_or_made_up(lines: list[str]) -> None:
    text = "\n".join(lines)
    wanted = [line for line in text.splitlines() if line.strip()]
    found = prompts(text)
    assert len(found) == len(wanted)
    for number, line in found:
        assert line
        assert text.splitlines()[number - 1].strip().endswith(line)
