"""A request body as plain values: JSON that can be read in one way only, or the text fields of a form."""

from __future__ import annotations

import json
import math
from contextlib import aclosing
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sora_gateway.errors import InvalidRequest, UnsupportedMediaType
from sora_gateway.http.validation import shortened

MAX_DEPTH = 32
MAX_FIELDS = 64
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")

_NOT_UNICODE = "The body has text that is not valid Unicode."
_NOT_UTF8 = "The form has text that is not UTF-8."


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request) -> Any:
    """The body as JSON.

    Raises:
        UnsupportedMediaType: it is declared as something else, or compressed.
        InvalidRequest: it is not JSON, nests deeper than 32, or has what JSON readers disagree about: a name
            twice in one object, NaN or infinity, half a surrogate pair.
    """
    _plain(request)
    if media_type(request) != "application/json":
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
    body = await request.body()
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except InvalidRequest:
        raise
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.") from None
    _check(value, 1)
    return value


async def read_form(request: Request) -> dict[str, str]:
    """The text fields of a form; each name once.

    Raises:
        UnsupportedMediaType: it is compressed.
        InvalidRequest: it is not a form or not UTF-8, a name comes twice, or a field is a file.
    """
    _plain(request)
    if media_type(request) == "multipart/form-data":
        pairs = await _multipart(request)
    else:
        pairs = _urlencoded(await request.body())
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidRequest(f"The field {shortened(name)!r} is given twice.", param=shortened(name))
        fields[name] = value
    return fields


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    # Starlette's parser takes raw UTF-8, as curl sends it, for Latin-1, and puts question marks elsewhere.
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeError:
        raise InvalidRequest(_NOT_UTF8) from None
    except ValueError:
        raise InvalidRequest(f"The form has more than {MAX_FIELDS} fields.") from None


async def _multipart(request: Request) -> list[tuple[str, str]]:
    boundary = (
        parse_options_header(request.headers["content-type"])[1].get(b"boundary", b"").decode("latin-1")
    )
    if not boundary:
        raise InvalidRequest("The Content-Type of the form has no boundary.")
    # Latin-1 keeps every byte, so what is not UTF-8 is noticed here instead of being read as something else. An
    # encoding of the sender's choice would be any that Python has, and some of those raise whatever they like.
    content_type = Headers({"content-type": f'multipart/form-data; charset=latin-1; boundary="{boundary}"'})
    async with aclosing(request.stream()) as stream:
        parser = _WholeForm(content_type, stream, max_files=1, max_fields=MAX_FIELDS)
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise InvalidRequest(f"The form cannot be read: {error.message}") from None
    await form.close()
    if not parser.whole:
        raise InvalidRequest("The form ends too early.")
    return [(_utf8(name), _text(_utf8(name), value)) for name, value in form.multi_items()]


class _WholeForm(MultiPartParser):
    """Starlette's, which takes a form that is cut short for one without its last field."""

    whole = False

    def on_end(self) -> None:
        self.whole = True


def _text(name: str, value: str | UploadFile) -> str:
    if isinstance(value, UploadFile):
        raise InvalidRequest(f"The field {shortened(name)!r} must not be a file here.", param=shortened(name))
    return _utf8(value)


def _utf8(kept: str) -> str:
    try:
        return kept.encode("latin-1").decode()
    except UnicodeError:
        raise InvalidRequest(_NOT_UTF8) from None


def _plain(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _check(twice, 1)
        raise InvalidRequest(f"The field {shortened(twice)!r} is given twice.", param=shortened(twice))
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidRequest(f"{name} is not a JSON value.")


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidRequest(_NOT_UNICODE) from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest("The body has a number that is too large.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
