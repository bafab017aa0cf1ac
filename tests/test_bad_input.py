"""Bad input gets one clear sentence and costs nothing: no job, no credits, nothing sent to any upstream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.described import as_described
from tests.examples import examples
from tests.lab import Lab, at_the_lab
from tests.running import Person

OWN, OPENAI = "/api/video/tasks", "/v1/videos"
LIMITS = {"sizes": ["1280x720", "720x1280"], "seconds": [4, 8, 12]}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BIG = 10**400
Body = dict[str, Any] | str | bytes


@dataclass(frozen=True)
class Bad:
    """A body that is refused: fields beside a good prompt, or the whole of it as text or bytes; or, if it is large,
    what makes it."""

    body: Body | Callable[[], Body]
    message: str
    param: str | None = None
    code: str = "invalid_request"
    status: int = 400
    content_type: str = JSON

    @property
    def content(self) -> bytes:
        body = self.body() if callable(self.body) else self.body
        if isinstance(body, dict):
            return json.dumps({"prompt": "a boat"} | body).encode()
        return body.encode() if isinstance(body, str) else body


TEXT = "The field {!r} must be text."
WHOLE = "The field 'seconds' must be a whole number."
MODELS = "No upstream offers the model {}. Choose one of: sora-2."
SECONDS = "This model makes videos of 4, 8 or 12 seconds, not {}."
SIZES = "This model makes videos of 1280x720 or 720x1280, not {}."
NOT_JSON = "The body is not valid JSON."
UNICODE = "The body has text that is not valid Unicode."
SEND_JSON = "Send the body as JSON, with Content-Type: application/json."

EVERYWHERE: dict[str, Bad] = {
    # The prompt.
    "an empty prompt": Bad({"prompt": ""}, "The prompt is empty; say what the video should show.", "prompt"),
    "a blank prompt": Bad(
        {"prompt": " \n\t\u3000\u00a0"}, "The prompt is empty; say what the video should show.", "prompt"
    ),
    "a prompt that is too long": Bad(
        {"prompt": "x" * 32_001}, "The prompt has 32001 characters; at most 32000 are taken.", "prompt"
    ),
    "no prompt": Bad("{}", "The field 'prompt' is missing.", "prompt"),
    "NUL in the prompt": Bad(
        {"prompt": "a\0b"}, "The prompt has a NUL character, which cannot be sent.", "prompt"
    ),
    "a prompt of null": Bad({"prompt": None}, TEXT.format("prompt"), "prompt"),
    "a prompt of 7": Bad({"prompt": 7}, TEXT.format("prompt"), "prompt"),
    "a prompt of true": Bad({"prompt": True}, TEXT.format("prompt"), "prompt"),
    "a list of prompts": Bad({"prompt": ["a boat"]}, TEXT.format("prompt"), "prompt"),
    "an object as prompt": Bad({"prompt": {"text": "a boat"}}, TEXT.format("prompt"), "prompt"),
    # The model.
    "an unknown model": Bad({"model": "sora-9"}, MODELS.format("'sora-9'"), "model", "model_not_found"),
    "an empty model": Bad({"model": ""}, MODELS.format("''"), "model", "model_not_found"),
    "a very long model": Bad(
        {"model": "m" * 100_000}, MODELS.format(repr("m" * 128)), "model", "model_not_found"
    ),
    "the upstream's own name of it": Bad(
        {"model": "wan-2.2"}, MODELS.format("'wan-2.2'"), "model", "model_not_found"
    ),
    "a model of null": Bad({"model": None}, TEXT.format("model"), "model"),
    "a model of 2": Bad({"model": 2}, TEXT.format("model"), "model"),
    # The seconds.
    "5 seconds": Bad({"seconds": 5}, SECONDS.format(5), "seconds"),
    "0 seconds": Bad({"seconds": 0}, SECONDS.format(0), "seconds"),
    "-4 seconds": Bad({"seconds": -4}, SECONDS.format(-4), "seconds"),
    "very many seconds": Bad({"seconds": BIG}, SECONDS.format("10000000000000000000…"), "seconds"),
    "6.5 seconds": Bad({"seconds": 6.5}, WHOLE, "seconds"),
    "45e-1 seconds": Bad('{"prompt": "a boat", "seconds": 45e-1}', WHOLE, "seconds"),
    "5.0 seconds": Bad({"seconds": 5.0}, SECONDS.format(5), "seconds"),
    "1e300 seconds": Bad({"seconds": 1e300}, SECONDS.format("10000000000000000525…"), "seconds"),
    "true seconds": Bad({"seconds": True}, WHOLE, "seconds"),
    "null seconds": Bad({"seconds": None}, WHOLE, "seconds"),
    "a list of seconds": Bad({"seconds": [4]}, WHOLE, "seconds"),
    "seconds in words": Bad({"seconds": "four"}, WHOLE, "seconds"),
    "6.5 seconds as text": Bad({"seconds": "6.5"}, WHOLE, "seconds"),
    "seconds with a unit": Bad({"seconds": "4s"}, WHOLE, "seconds"),
    "seconds with a sign": Bad({"seconds": "+4"}, WHOLE, "seconds"),
    "seconds in other digits": Bad({"seconds": "٤"}, WHOLE, "seconds"),
    # The size.
    "another size": Bad({"size": "1920x1080"}, SIZES.format("1920x1080"), "size"),
    "an orientation as size": Bad({"size": "portrait"}, SIZES.format("portrait"), "size"),
    "an empty size": Bad({"size": ""}, SIZES.format(""), "size"),
    "a very long size": Bad({"size": "9" * 100_000}, SIZES.format("9" * 20 + "…"), "size"),
    "a size of null": Bad({"size": None}, TEXT.format("size"), "size"),
    "a size of 720": Bad({"size": 720}, TEXT.format("size"), "size"),
    # Fields.
    "an unknown field": Bad({"credits": 0}, "There is no field 'credits' here.", "credits"),
    "a field in another spelling": Bad({"Prompt": "a"}, "There is no field 'Prompt' here.", "Prompt"),
    "a field with a very long name": Bad(
        {"x" * 100_000: 1}, f"There is no field '{'x' * 100}…' here.", "x" * 100 + "…"
    ),
    "a field twice": Bad(
        '{"prompt": "a", "prompt": "b"}', "The field 'prompt' is given twice.", "prompt"
    ),
    "half a character as a name, twice": Bad('{"\\ud800": 1, "\\ud800": 2}', UNICODE),
    # The body.
    "a list": Bad('["a boat"]', "The body must be a JSON object."),
    "a text": Bad('"a boat"', "The body must be a JSON object."),
    "null": Bad("null", "The body must be a JSON object."),
    "nothing at all": Bad("", NOT_JSON),
    "not JSON": Bad("prompt=a boat", NOT_JSON),
    "JSON and more": Bad('{"prompt": "a boat"} {}', NOT_JSON),
    "JSON with a byte order mark": Bad(b'\xef\xbb\xbf{"prompt": "a boat"}', NOT_JSON),
    "not UTF-8": Bad(b'{"prompt": "b\xe9b\xe9"}', NOT_JSON),
    "UTF-16": Bad('{"prompt": "a boat"}'.encode("utf-16"), NOT_JSON),
    "half a character": Bad('{"prompt": "\\ud83d"}', UNICODE),
    "NaN": Bad('{"prompt": "a boat", "seconds": NaN}', "NaN is not a JSON value."),
    "infinity": Bad('{"prompt": "a boat", "seconds": Infinity}', "Infinity is not a JSON value."),
    "an endless number": Bad('{"prompt": "a boat", "seconds": 1e999}', "The body has a number that is too large."),
    "5,000 digits": Bad('{"prompt": "a boat", "seconds": ' + "9" * 5000 + "}", NOT_JSON),
    "deep nesting": Bad(
        '{"prompt": ' + "[" * 40 + "]" * 40 + "}", "The body is nested deeper than 32 levels."
    ),
    "very deep nesting": Bad("[" * 60_000, NOT_JSON),
    "more punctuation than anybody means": Bad(
        "[" * 200_000, "Apart from its texts the body is larger than 65536 bytes.", None, "too_large", 413
    ),
    "plain text": Bad("{}", SEND_JSON, None, "unsupported_media_type", 415, "text/plain"),
    "no content type": Bad("{}", SEND_JSON, None, "unsupported_media_type", 415, ""),
    "a body that is too large": Bad(
        lambda: {"prompt": "x" * (25 << 20)}, "The request body is larger than 26214400 bytes.", None, "too_large", 413
    ),
}  # fmt: skip


def images(field: str, address: str, saved: str) -> dict[str, Bad]:
    """What is wrong with a reference image before anybody looks at it; the two APIs differ in names alone."""

    def shape(got: str) -> str:
        return f"Invalid type for {field!r}: expected an object, but got {got}."

    one_of = f"The field {field!r} is not valid: give {address} or {saved}, one of them."
    either = {address: "https://images.example/a.png", saved: "ref_1"}
    return {
        "an image as text": Bad(
            {field: "https://images.example/a.png"}, shape("a string"), field, "invalid_type"
        ),
        "an image as a list": Bad({field: []}, shape("an array"), field, "invalid_type"),
        "an image as a number": Bad({field: 1}, shape("a number"), field, "invalid_type"),
        "an image of false": Bad({field: False}, shape("a boolean"), field, "invalid_type"),
        "no image in an object": Bad({field: {}}, one_of, field),
        "an address of null": Bad({field: {address: None}}, one_of, field),
        "an image in two ways": Bad({field: either}, one_of, field),
        "an image in a third way": Bad(
            {field: {"path": "/etc/passwd"}}, f"There is no field '{field}.path' here.", f"{field}.path"
        ),
        "an address that is a number": Bad(
            {field: {address: 1}}, TEXT.format(f"{field}.{address}"), f"{field}.{address}"
        ),
        "an empty address": Bad(
            {field: {address: ""}},
            f"The field '{field}.{address}' must have at least 1 characters.",
            f"{field}.{address}",
        ),
        "an address that is too long": Bad(
            lambda: {field: {address: "data:" + "A" * 20_971_516}},
            f"The field '{field}.{address}' must have at most 20971520 characters.",
            f"{field}.{address}",
        ),
        "an image as text in a form": Bad(
            f"prompt=a&{field}=b",
            f"Invalid type for {field!r}: expected a file or an object, but got a string.",
            field,
            "invalid_type",
            content_type=FORM,
        ),
        "an image in a form in two ways": Bad(
            f"prompt=a&{field}[{address}]=b&{field}[{saved}]=c", one_of, field, content_type=FORM
        ),
        "an image in a form as text and as an object": Bad(
            f"prompt=a&{field}=b&{field}[{saved}]=c",
            f"The field {field!r} is given both as a value and with brackets.",
            field,
            content_type=FORM,
        ),
        "a list of images in a form": Bad(
            f"prompt=a&{field}[][{saved}]=c",
            f"Invalid type for {field!r}: expected a file or an object, but got an array.",
            field,
            "invalid_type",
            content_type=FORM,
        ),
        "an image that is nested too deep": Bad(
            f"prompt=a&{field}[a][b][c][d][e]=f",
            f"The field '{field}[a][b][c][d][e]' has more than 4 pairs of brackets.",
            f"{field}[a][b][c][d][e]",
            content_type=FORM,
        ),
        "a form in which seconds have a unit": Bad(
            "prompt=a&seconds=4s", WHOLE, "seconds", content_type=FORM
        ),
        "a form with 4.5 seconds": Bad("prompt=a&seconds=4.5", WHOLE, "seconds", content_type=FORM),
    }


def ways_to_fit(field: str) -> dict[str, Bad]:
    message = f"The field {field!r} must be 'crop', 'pad' or 'stretch'."
    return {
        "an unknown way to fit": Bad({field: "zoom"}, message, field),
        "no way to fit": Bad({field: None}, message, field),
    }


ONLY_OWN: dict[str, Bad] = {
    "seconds as text": Bad({"seconds": "4"}, WHOLE, "seconds"),
    "the other API's name for an image": Bad(
        {"input_reference": {"image_id": "ref_1"}},
        "There is no field 'input_reference' here.",
        "input_reference",
    ),
    **images("inputReference", "imageUrl", "imageId"),
    **ways_to_fit("fit"),
}


def multipart(content: bytes, charset: str = "", disposition: str = 'form-data; name="prompt"') -> Bad:
    body = b"--b\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"
    return Bad(body, "", content_type=f"multipart/form-data; boundary=b{charset}")


def refused(form: Bad, message: str, param: str | None = None) -> Bad:
    return Bad(form.body, message, param, content_type=form.content_type)


NOT_UTF8 = "The form has text that is not UTF-8."
ONLY_OPENAI: dict[str, Bad] = {
    "a form without a prompt": Bad(
        "model=sora-2", "The field 'prompt' is missing.", "prompt", content_type=FORM
    ),
    "a form with a field twice": Bad(
        "prompt=a&prompt=b", "The field 'prompt' is given twice.", "prompt", content_type=FORM
    ),
    "a form that is not UTF-8": Bad("prompt=b%E9b%E9", NOT_UTF8, content_type=FORM),
    "a form of raw bytes that are not UTF-8": Bad(b"prompt=b\xe9b\xe9", NOT_UTF8, content_type=FORM),
    "NUL in a form": Bad(
        "prompt=a%00b", "The prompt has a NUL character, which cannot be sent.", "prompt", content_type=FORM
    ),
    "a form of 100 fields": Bad(
        "&".join(f"f{n}=x" for n in range(100)), "The form has more than 64 fields.", content_type=FORM
    ),
    "multipart without a boundary": Bad(
        "--b", "The Content-Type of the form has no boundary.", content_type="multipart/form-data"
    ),
    "multipart that is none": Bad(
        "hello", "The body is no form in multipart/form-data.", content_type="multipart/form-data; boundary=b"
    ),
    "multipart that is cut short": Bad(
        b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na bo', "The form ends too early.",
        content_type="multipart/form-data; boundary=b",
    ),
    "multipart that is not UTF-8": refused(multipart(b"b\xe9b\xe9"), NOT_UTF8),
    "multipart in an encoding that decodes nothing": refused(multipart(b"b\xe9", "; charset=undefined"), NOT_UTF8),
    "multipart in an encoding of host names": refused(multipart(b"b\xe9", "; charset=idna"), NOT_UTF8),
    "a file as prompt": refused(
        multipart(b"a boat", disposition='form-data; name="prompt"; filename="p.txt"'),
        "The field 'prompt' must not be a file here.", "prompt",
    ),
    "characters as text": Bad(
        {"characters": "char_1"}, "Invalid type for 'characters': expected an array, but got a string.",
        "characters", "invalid_type",
    ),
    "a character as text": Bad(
        {"characters": ["char_1"]}, "Invalid type for 'characters[0]': expected an object, but got a string.",
        "characters[0]", "invalid_type",
    ),
    "a character without an id": Bad(
        {"characters": [{}]}, "The field 'characters[0].id' is missing.", "characters[0].id"
    ),
    "three characters": Bad(
        {"characters": [{"id": f"char_{n}"} for n in range(3)]},
        "The field 'characters' must have at most 2 items.", "characters",
    ),
    "a character with an absurd number": Bad(
        "prompt=a&characters[99999999][id]=char_1", "The items of 'characters' must be numbered from 0, without a gap.",
        "characters", content_type=FORM,
    ),
    **images("input_reference", "image_url", "file_id"),
    **ways_to_fit("input_reference_fit"),
}  # fmt: skip


async def books(ann: Person) -> tuple[set[str], int, int]:
    """What would have changed if anything had been taken."""
    user = await ann.gateway.store.people.by_email("ann@example.org")
    return await ann.gateway.store.kept_jobs(), user.available, user.held


@pytest.mark.parametrize(
    ("path", "cases"),
    [(OWN, EVERYWHERE | ONLY_OWN), (OPENAI, EVERYWHERE | ONLY_OPENAI)],
    ids=["the own API", "OpenAI's API"],
)
async def test_what_cannot_be_meant_is_refused_by_name_and_costs_nothing(
    path: str, cases: dict[str, Bad], tmp_path: Path
) -> None:
    lab, wrong = Lab(), {}
    async with at_the_lab(tmp_path, lab, upstream=LIMITS) as ann:
        for case, bad in cases.items():
            response = await ann.http.post(
                path, content=bad.content, headers={"content-type": bad.content_type}
            )
            expected = {"code": bad.code, "param": bad.param, "message": bad.message}
            error = response.json()["error"] or {}
            seen = {name: error.get(name) for name in expected}
            if (response.status_code, seen) != (bad.status, expected):
                wrong[case] = (response.status_code, seen)
            assert await books(ann) == (set(), 100, 0), case
            assert response.headers["x-request-id"] == error.get("requestId"), case
            assert response.headers.get("x-should-retry") == "false", case
    assert wrong == {}
    assert lab.orders == []


@pytest.mark.parametrize(("path", "status"), [(OWN, 202), (OPENAI, 200)])
@pytest.mark.parametrize("number", ["4", "4.0", "4e0", "0.4e1", "40E-1"])
async def test_a_number_without_a_fraction_is_a_whole_number(
    path: str, status: int, number: str, tmp_path: Path
) -> None:
    async with at_the_lab(tmp_path, Lab(), upstream=LIMITS) as ann:
        body = f'{{"prompt": "a boat", "seconds": {number}, "size": "1280x720"}}'
        response = await ann.http.post(path, content=body, headers={"content-type": JSON})
        assert (response.status_code, str(response.json()["seconds"])) == (status, "4")


@pytest.mark.parametrize(("path", "status"), [(OWN, 202), (OPENAI, 200)])
async def test_both_apis_take_a_form(path: str, status: int, tmp_path: Path) -> None:
    fields = {"prompt": "a boat", "seconds": "8", "size": "1280x720"}
    async with at_the_lab(tmp_path, Lab(), upstream=LIMITS) as ann:
        for response in (
            await ann.http.post(path, data=fields),
            await ann.http.post(path, files={name: (None, value) for name, value in fields.items()}),
        ):
            assert (response.status_code, str(response.json()["seconds"])) == (status, "8")


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 16):
        yield data[start : start + (1 << 16)]


@pytest.mark.parametrize("path", [OWN, OPENAI])
async def test_a_body_that_does_not_say_how_long_it_is_is_bounded_too(path: str, tmp_path: Path) -> None:
    lab = Lab()
    async with at_the_lab(tmp_path, lab, server={"max_upload": 1 << 20}) as ann:
        for size in (1 << 20, 8 << 20):
            body = in_pieces(json.dumps({"prompt": "x" * size}).encode())
            response = await ann.http.post(path, content=body, headers={"content-type": JSON})
            assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
        assert await books(ann) == (set(), 100, 0)
        assert (await ann.http.post(path, json={"prompt": "a boat"})).status_code < 300


QUERIES: dict[str, tuple[str, str]] = {
    f"{OWN}?limit=0": ("limit", "The field 'limit' must be at least 1."),
    f"{OWN}?limit=101": ("limit", "The field 'limit' must be at most 100."),
    f"{OWN}?limit=ten": ("limit", "The field 'limit' must be a whole number."),
    f"{OWN}?limit=": ("limit", "The field 'limit' must be a whole number."),
    f"{OWN}?limit=1.5": ("limit", "The field 'limit' must be a whole number."),
    f"{OWN}?limit={'9' * 5000}": ("limit", "The field 'limit' must be a whole number."),
    f"{OWN}?limit=1&limit=2": ("limit", "The parameter 'limit' is given twice."),
    f"{OWN}?status=done": (
        "status",
        "The field 'status' must be 'queued', 'processing', 'completed', 'failed' or 'cancelled'.",
    ),
    f"{OWN}?page=2": ("page", "There is no field 'page' here."),
    f"{OWN}?after={'x' * 513}": ("after", "The field 'after' must have at most 512 characters."),
    f"{OPENAI}?limit=-1": ("limit", "The field 'limit' must be at least 0."),
    f"{OPENAI}?order=random": ("order", "The field 'order' must be 'asc' or 'desc'."),
    f"{OWN}/x/content?variant=gif": (
        "variant", "The field 'variant' must be 'video', 'thumbnail', 'spritesheet' or 'reference'.",
    ),
    f"{OPENAI}/x/content?variant=reference": (
        "variant", "The field 'variant' must be 'video', 'thumbnail' or 'spritesheet'.",
    ),
    f"{OWN}/x?wait=soon": ("wait", "The field 'wait' must be a number."),
    f"{OPENAI}/x?wait=61": ("wait", "The field 'wait' must be at most 60.0."),
    f"{OWN}/x/content?expires=soon": ("expires", "The field 'expires' must be a whole number."),
}  # fmt: skip


async def test_a_bad_query_is_refused_by_name(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        for address, (param, message) in QUERIES.items():
            response = await ann.get(address)
            error = response.json()["error"]
            assert (response.status_code, error["param"], error["message"]) == (400, param, message), address


# --- anything at all -----------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["sora-2", "4", 4, 8, "1280x720", "a boat", "\ud800", "\0", 10**30, -0.0])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
FIELDS = st.sampled_from(["prompt", "model", "seconds", "size", "input_reference"])
BODIES = st.dictionaries(FIELDS, SCALARS | VALUES, max_size=5) | VALUES
TYPES = st.sampled_from(
    [JSON, FORM, "multipart/form-data; boundary=b", "text/plain", "", "application/json; x=\xff"]
)


def asked(client: httpx.Client, path: str, content: bytes, content_type: str) -> httpx.Response | None:
    """The answer to a create, which is an error that says so or a job that is what was asked for."""
    response = client.post(path, content=content, headers={b"content-type": content_type.encode("latin-1")})
    assert response.status_code in (200, 202, 400, 413, 415), (response.status_code, response.text)
    if response.status_code >= 400:
        message = response.json()["error"]["message"]
        assert message.endswith(".")
        assert len(message) < 400
        return None
    return response


async def on_a_thread_of_its_own(ann: Person, check: Any) -> None:
    """Runs *check*, which hypothesis calls many times, with a client that blocks."""
    client = httpx.Client(base_url=ann.gateway.address, headers=ann.http.headers, trust_env=False)
    with client:
        await asyncio.to_thread(check, client)


@pytest.mark.draws
@pytest.mark.parametrize("path", [OWN, OPENAI])
async def test_any_json_is_refused_or_makes_what_it_says(path: str, tmp_path: Path) -> None:
    lab = Lab()

    def check(client: httpx.Client) -> None:
        taken = []

        @settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
        @given(BODIES)
        @example({"prompt": "a boat", "seconds": 4})
        def any_json(body: Any) -> None:
            response = asked(client, path, json.dumps(body).encode(), JSON)
            if response is not None:
                made = response.json()
                assert made["prompt"] == body["prompt"]
                assert made["model"] == body.get("model", "sora-2")
                assert str(made["seconds"]) == str(body.get("seconds", 4)).lstrip("0")
                assert made["size"] == body.get("size", "720x1280")
                taken.append(made.get("videoId") or made["id"])

        any_json()
        jobs.update(taken)

    jobs: set[str] = set()
    async with at_the_lab(tmp_path, lab, credits={"enabled": False}) as ann:
        await on_a_thread_of_its_own(ann, check)
        assert await ann.gateway.store.kept_jobs() == jobs
        assert jobs


@pytest.mark.draws
async def test_any_bytes_of_any_kind_are_refused_or_understood(tmp_path: Path) -> None:
    def check(client: httpx.Client) -> None:
        pieces = st.sampled_from(
            [b"--b\r\n", b"\r\n--b--", b'Content-Disposition: form-data; name="prompt"\r\n\r\n', b"prompt=", b"&", b"%ff"]
        )  # fmt: skip
        bodies = st.binary(max_size=60) | st.lists(pieces | st.binary(max_size=8), max_size=8).map(b"".join)

        @settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
        @given(bodies, TYPES)
        def any_bytes(body: bytes, content_type: str) -> None:
            asked(client, OPENAI, body, content_type)

        any_bytes()

    async with at_the_lab(tmp_path, Lab(), credits={"enabled": False}) as ann:
        await on_a_thread_of_its_own(ann, check)


@pytest.mark.draws
async def test_any_address_and_query_get_an_answer_without_a_server_error(tmp_path: Path) -> None:
    def check(client: httpx.Client) -> None:
        ids = st.text(max_size=12).map(lambda text: quote(text, safe=""))
        queries = st.dictionaries(
            st.sampled_from(["limit", "after", "order", "status", "variant", "expires", "signature", "since", "x"]),
            st.text(max_size=12) | st.sampled_from(["1", "video", "9" * 30, "-1"]),
            max_size=4,
        )  # fmt: skip
        routes = st.sampled_from(
            [OWN, f"{OWN}/ID", f"{OWN}/ID/content", f"{OWN}/ID/events", OPENAI, f"{OPENAI}/ID", f"{OPENAI}/ID/content"]
        )  # fmt: skip

        @settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
        @given(routes, ids, queries)
        def any_address(route: str, video_id: str, query: dict[str, str]) -> None:
            response = client.get(route.replace("ID", video_id or "x"), params=query)
            assert response.status_code in (200, 400, 404), response.text
            asyncio.run(as_described(response))

        any_address()

    async with at_the_lab(tmp_path, Lab()) as ann:
        await on_a_thread_of_its_own(ann, check)
