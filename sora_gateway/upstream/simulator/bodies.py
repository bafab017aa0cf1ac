"""The body of a paid request, JSON or multipart, taken apart into fields and files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from sora_gateway.upstream.simulator.refusals import Refused, invalid

MAX_BODY = 32 << 20

_FILES = ("input_reference", "video")
"""What is a file in a form, and an object in JSON."""
_CHARACTERS = "characters[][id]"
"""How a form says ``characters: [{"id": ...}]``."""


@dataclass(frozen=True, slots=True)
class Body:
    """*fields* as they are in JSON, *files* by the names of their parts."""

    fields: dict[str, Any]
    files: dict[str, bytes]


async def read_body(request: Request) -> Body:
    """The whole body.

    Raises:
        Refused: it is too large, or neither a form nor a JSON object.
    """
    if int(request.headers.get("content-length") or 0) > MAX_BODY:
        raise Refused(413, "too_large", "The request is larger than 32 MiB.")
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _form(request)
    try:
        fields = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise invalid("We could not parse the JSON body of your request.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise invalid("The body must be a JSON object.", code="invalid_type")
    return Body(fields, {})


def wrong_type(wanted: str, param: str) -> Refused:
    return invalid(f"Invalid type for '{param}': expected {wanted}.", param, "invalid_type")


async def _form(request: Request) -> Body:
    fields: dict[str, Any] = {}
    files = {}
    async with request.form(max_files=4, max_part_size=1 << 20) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            elif name in _FILES:
                raise wrong_type("a file", name)
            elif name == _CHARACTERS:
                fields.setdefault("characters", []).append({"id": value})
            else:
                fields[name] = value
    return Body(fields, files)
