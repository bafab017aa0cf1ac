"""A create request, JSON or multipart, checked as OpenAI checks it and turned into an :class:`Order`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json
import re
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from sora_gateway.upstream.simulator.refusals import Refused, invalid
from sora_gateway.upstream.simulator.state import Order
from sora_gateway.upstream.simulator.timeline import MESSAGES, MODERATION

MODELS = ("sora-2", "sora-2-pro")
MAX_PROMPT = 32000
MAX_SECONDS = 60
MIN_SIDE, MAX_SIDE = 64, 2048
MAX_BODY = 32 << 20

_SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")
_REFUSED_WORD = re.compile(r"\bforbidden\b", re.IGNORECASE)
"""The word that the simulator's moderation objects to."""
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,", re.IGNORECASE)


async def read_order(request: Request) -> Order:
    """Reads the body of a create.

    Seconds may be 1 to 60 and sizes any even WIDTHxHEIGHT from 64 to 2048, because servers that speak this
    language today make other videos than OpenAI did.

    Raises:
        Refused: the body is not a valid create, or moderation objects to the prompt.
    """
    if int(request.headers.get("content-length") or 0) > MAX_BODY:
        raise Refused(413, "too_large", "The request is larger than 32 MiB.")
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        fields, image = await _form(request)
    else:
        fields = await _json(request)
        image = _referenced(fields.get("input_reference"))
    order = _checked(fields)
    if image is not None and await asyncio.to_thread(_dimensions, image) != order.size:
        raise invalid("Inpaint image must match the requested width and height", code=None)
    if _REFUSED_WORD.search(order.prompt):
        raise moderated()
    return order


def moderated() -> Refused:
    return Refused(400, MODERATION, MESSAGES[MODERATION], "prompt")


async def _form(request: Request) -> tuple[dict[str, Any], bytes | None]:
    image: bytes | None = None
    async with request.form(max_files=4, max_part_size=1 << 20) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        upload = form.get("input_reference")
        if isinstance(upload, UploadFile):
            image = await upload.read()
    if "input_reference" in fields:
        raise _wrong_type("a file", "input_reference")
    return fields, image


async def _json(request: Request) -> dict[str, Any]:
    try:
        fields = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise invalid("We could not parse the JSON body of your request.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise invalid("The body must be a JSON object.", code="invalid_type")
    return fields


def _checked(fields: dict[str, Any]) -> Order:
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    if len(prompt) > MAX_PROMPT:
        raise invalid(
            f"The prompt is longer than {MAX_PROMPT} characters.", "prompt", "string_above_max_length"
        )
    model = fields.get("model") or MODELS[0]
    if model not in MODELS:
        raise invalid(f"The model '{str(model)[:80]}' does not exist.", "model", "model_not_found")
    return Order(prompt, model, _seconds(fields.get("seconds")), _size(fields.get("size")))


def _seconds(value: Any) -> int:
    text = "4" if value is None else str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_SECONDS:
        raise invalid(f"Seconds must be 1 to {MAX_SECONDS}.", "seconds", "invalid_value")
    return int(text)


def _size(value: Any) -> str:
    size = "720x1280" if value is None else value
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    sides = [int(side) for side in match.groups()] if match else []
    if not sides or any(side % 2 or not MIN_SIDE <= side <= MAX_SIDE for side in sides):
        raise invalid(
            f"Size must be WIDTHxHEIGHT, both even and {MIN_SIDE} to {MAX_SIDE}.", "size", "invalid_value"
        )
    return f"{sides[0]}x{sides[1]}"


def _referenced(value: Any) -> bytes | None:
    """The image inside a JSON ``input_reference``. An address is taken on trust: the simulator calls nobody."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _wrong_type("an object", "input_reference")
    url = value.get("image_url")
    if not isinstance(url, str):
        raise invalid(
            "Exactly one of image_url and file_id is needed; no file is stored here.", "input_reference"
        )
    head = _DATA_URL.match(url)
    if head is None:
        if re.match(r"https?://", url):
            return None
        raise invalid("The image_url is neither a web address nor a data URL of an image.", "input_reference")
    try:
        return base64.b64decode(url[head.end() :], validate=True)
    except binascii.Error:
        raise invalid("The data URL is not valid base64.", "input_reference") from None


def _wrong_type(wanted: str, param: str) -> Refused:
    return invalid(f"Invalid type for '{param}': expected {wanted}.", param, "invalid_type")


def _dimensions(image: bytes) -> str:
    """``WIDTHxHEIGHT`` from the image's head.

    Raises:
        Refused: it is no image of a kind that OpenAI takes.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=("PNG", "JPEG", "WEBP")) as opened:
            return f"{opened.width}x{opened.height}"
    except Exception:
        # Pillow raises what it likes over a broken file.
        raise invalid("The reference is not a PNG, JPEG or WebP image.", "input_reference") from None
