"""Two requests have one fingerprint exactly when they ask for the same at the same address."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from sora_gateway.http.fingerprint import fingerprint
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.uploads import Upload
from tests.http_calls import application, client_of

JSON = "application/json"


class Anything(BaseModel):
    """Every field is welcome, none is looked at."""


async def tell(call: Call) -> Response:
    return PlainTextResponse(await fingerprint(call.request.url.path, call.fields))


TABLE = [
    Endpoint(
        method="POST", path=path, handler=tell, summary="", access=Access.PUBLIC, tag="t",
        request=Anything, form=Anything,
    )
    for path in ("/videos", "/tasks", "/videos/{id}/remix")
]  # fmt: skip


async def of(body: str | bytes, content_type: str = JSON, path: str = "/videos") -> str:
    """The fingerprint of a request that crosses the whole application."""
    async with client_of(application(TABLE), content_type=content_type) as client:
        return (await client.post(path, content=body)).text


def form(boundary: str, *parts: tuple[str, str]) -> tuple[bytes, str]:
    """A form of ``(what follows "form-data; ", content)``."""
    body = "".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n"
        for head, content in parts
    )
    return f"{body}--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


PROMPT, FILE = ('name="prompt"', "a boat"), ('name="image"; filename="a.png"', "bytes")
SAME: dict[str, list[tuple[str | bytes, str]]] = {
    "white space and the order of fields in JSON": [
        ('{"prompt":"a","seconds":8,"image":{"id":"x","size":1}}', JSON),
        ('{ "seconds": 8,\n "image": {"size": 1, "id": "x"}, "prompt": "a" }', "application/json; charset=utf-8"),
    ],
    "ways to write a number or a letter": [
        ('{"prompt":"ab","seconds":8}', JSON),
        ('{"prompt":"\\u0061b","seconds":8.0}', JSON),
        ('{"prompt":"ab","seconds":80e-1}', JSON),
    ],
    "boundaries and the order of fields in a form": [form("b", PROMPT, FILE), form("other", FILE, PROMPT)],
    "a file's name and type": [
        form("b", PROMPT, FILE),
        form("b", PROMPT, ('name="image"; filename="b.jpg"\r\nContent-Type: image/jpeg', "bytes")),
    ],
    "a form that is multipart and one that is not": [
        form("b", PROMPT), ("prompt=a+boat", "application/x-www-form-urlencoded"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
async def test_how_a_request_is_written_does_not_matter(case: str) -> None:
    assert len({await of(body, content_type) for body, content_type in SAME[case]}) == 1


async def test_what_a_request_says_matters() -> None:
    distinct = [
        await of(*form("b", PROMPT, FILE)),
        await of(*form("b", PROMPT, ('name="image"; filename="a.png"', "others"))),
        await of(*form("b", PROMPT, ('name="clip"; filename="a.png"', "bytes"))),
        await of(*form("b", PROMPT, ('name="image"', "bytes"))),
        await of(*form("b", PROMPT)),
        await of(*form("b", PROMPT), path="/tasks"),
        await of(*form("b", PROMPT), path="/videos/1/remix"),
        await of(*form("b", PROMPT), path="/videos/2/remix"),
        await of("{}"),
        await of('{"seconds": 8}'),
        await of('{"seconds": "8"}'),
        await of('{"seconds": true}'),
        await of('{"seconds": null}'),
        await of('{"seconds": [8]}'),
        await of('{"seconds": [[8]]}'),
        await of('{"seconds": {"8": 8}}'),
    ]
    assert len(set(distinct)) == len(distinct)
    assert all(len(each) == 64 for each in distinct)


async def test_a_request_without_a_body_has_one_too() -> None:
    assert await fingerprint("/videos/1/retry", None) != await fingerprint("/videos/2/retry", None)


@pytest.mark.parametrize("kind", [str, lambda text: Upload("", "", text.encode())], ids=["text", "file"])
async def test_what_is_large_is_read_to_its_end(kind: Any) -> None:
    assert await fingerprint("/", {"a": kind("x" * 3_000_000 + "a")}) != await fingerprint(
        "/", {"a": kind("x" * 3_000_000 + "b")}
    )


FILES = st.binary(max_size=3).map(lambda data: Upload("", "", data))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | FILES
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
FIELDS = st.dictionaries(st.text(max_size=2), VALUES, max_size=3)


def written(value: Any) -> str:
    """A spelling of its own for each value: ``1``, ``1.0`` and ``true`` are different."""
    return json.dumps(value, sort_keys=True, default=lambda file: {"\0file": file.data.hex()})


@given(FIELDS, FIELDS)
@example({"a": ["b", "c"]}, {"a": ["b"], "c": ""})
@example({"a": "", "b": ""}, {"a": "text 1 b"})
def test_different_requests_have_different_fingerprints(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(written(one) != written(other))
    assert asyncio.run(fingerprint("/", one)) != asyncio.run(fingerprint("/", other))
