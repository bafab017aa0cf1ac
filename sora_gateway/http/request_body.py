"""A request body as plain values: JSON that can be read in one way only, or the text fields of a form."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from starlette.datastructures import UploadFile
from starlette.requests import Request

from sora_gateway.errors import InvalidRequest, UnsupportedMediaType

MAX_DEPTH = 32
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


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


async def read_form(request: Request) -> dict[str, Any]:
    """The text fields of a form; each name once.

    Raises:
        InvalidRequest: a name comes twice, or a field is a file.
    """
    _plain(request)
    fields: dict[str, Any] = {}
    async with request.form(max_files=1, max_fields=64) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                raise InvalidRequest(f"The field {name!r} must not be a file here.", param=name)
            if name in fields:
                raise InvalidRequest(f"The field {name!r} is given twice.", param=name)
            fields[name] = value
    return fields


def _plain(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"The field {twice!r} is given twice.", param=twice)
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
            raise InvalidRequest("The body has text that is not valid Unicode.") from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest("The body has a number that is too large.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
