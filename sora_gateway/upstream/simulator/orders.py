"""Paid requests, checked as OpenAI checks them and turned into an :class:`Order`.

Seconds may be 1 to 60 and sizes any even WIDTHxHEIGHT from 64 to 2048, because servers that speak this
language today make other videos than OpenAI did.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from sora_gateway.media.mp4_facts import UnusableVideo, VideoFacts, facts
from sora_gateway.upstream.simulator.bodies import Body, read_body, wrong_type
from sora_gateway.upstream.simulator.refusals import Refused, invalid
from sora_gateway.upstream.simulator.state import Order, SimulatorState
from sora_gateway.upstream.simulator.timeline import Record, moment

MODELS = ("sora-2", "sora-2-pro")
MAX_PROMPT = 32000
MAX_NAME = 80
MAX_SECONDS = 60
MAX_TOTAL = 120
"""Seconds of a video with all its extensions."""
MAX_CHARACTERS = 2
MIN_SIDE, MAX_SIDE = 64, 2048

_SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Source:
    """The video that an edit or extension starts from."""

    model: str
    seconds: int
    size: str


async def read_create(state: SimulatorState, request: Request) -> Order:
    """Reads the body of a create.

    Raises:
        Refused: it is not a valid one.
    """
    body = await read_body(request)
    fields = body.fields
    image = body.files.get("input_reference")
    if image is None:
        image = _referenced(fields.get("input_reference"))
    prompt = _prompt(fields)
    model = fields.get("model") or MODELS[0]
    if model not in MODELS:
        raise invalid(f"The model '{str(model)[:80]}' does not exist.", "model", "model_not_found")
    seconds = 4 if fields.get("seconds") is None else _seconds(fields["seconds"])
    size = _size(fields.get("size"))
    characters = _characters(state, fields.get("characters"))
    if image is not None and await asyncio.to_thread(_dimensions, image) != size:
        raise invalid("Inpaint image must match the requested width and height", code=None)
    return Order(prompt, model, seconds, size, image=image, characters=characters)


async def read_remix(state: SimulatorState, request: Request) -> Order:
    """Reads a remix; everything but the prompt is the source's.

    Raises:
        Refused: it is not a valid one, or its source is not a finished video.
    """
    body = await read_body(request)
    prompt = _prompt(body.fields)
    source = _finished(state, request.path_params["id"])
    return Order(prompt, source.model, int(source.seconds), source.size, remixed_from=source.id)


async def read_edit(state: SimulatorState, request: Request) -> Order:
    """Reads an edit of a finished or uploaded video, whose length and size it keeps.

    Raises:
        Refused: it is not a valid one, or its source is no finished video.
    """
    body = await read_body(request)
    prompt = _prompt(body.fields)
    source = await _source(state, body)
    return Order(prompt, source.model, source.seconds, source.size)


async def read_extension(state: SimulatorState, request: Request) -> Order:
    """Reads an extension of a finished or uploaded video; the order's length is the whole.

    Raises:
        Refused: it is not a valid one, or its source is no finished video.
    """
    body = await read_body(request)
    prompt = _prompt(body.fields)
    if body.fields.get("seconds") is None:
        raise invalid("Missing required parameter: 'seconds'.", "seconds", "missing_required_parameter")
    added = _seconds(body.fields["seconds"])
    source = await _source(state, body)
    if source.seconds + added > MAX_TOTAL:
        raise invalid(f"The extended video would be longer than {MAX_TOTAL} seconds.", "seconds")
    return Order(prompt, source.model, source.seconds + added, source.size)


async def read_character(request: Request) -> str:
    """Reads the making of a character; returns its name.

    Raises:
        Refused: it is not a valid one.
    """
    body = await read_body(request)
    name = body.fields.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise invalid(f"A name has 1 to {MAX_NAME} characters.", "name", "invalid_value")
    if "video" not in body.files:
        raise wrong_type("a file", "video")
    await _facts(body.files["video"])
    return name


def _prompt(fields: dict[str, Any]) -> str:
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    if len(prompt) > MAX_PROMPT:
        raise invalid(
            f"The prompt is longer than {MAX_PROMPT} characters.", "prompt", "string_above_max_length"
        )
    return prompt


def _seconds(value: Any) -> int:
    text = str(value)
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


def _characters(state: SimulatorState, value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise wrong_type("an array of objects", "characters")
    if len(value) > MAX_CHARACTERS:
        raise invalid(f"There can be {MAX_CHARACTERS} characters at most.", "characters", "invalid_value")
    ids = [str(one.get("id")) for one in value]
    if any(state.character(one) is None for one in ids):
        raise invalid("There is no such character.", "characters", "invalid_value")
    return ids


async def _source(state: SimulatorState, body: Body) -> _Source:
    """What ``video`` is: a file, or an object with the id of a finished video."""
    if (upload := body.files.get("video")) is not None:
        seen = await _facts(upload)
        seconds = max(1, round(seen.seconds))
        if seconds > MAX_TOTAL:
            raise invalid(f"The video is longer than {MAX_TOTAL} seconds.", "video")
        return _Source(MODELS[0], seconds, f"{seen.width}x{seen.height}")
    video = body.fields.get("video")
    if not isinstance(video, dict) or not isinstance(video.get("id"), str):
        raise wrong_type("a file, or an object with an id", "video")
    record = _finished(state, video["id"])
    return _Source(record.model, int(record.seconds), record.size)


def _finished(state: SimulatorState, video_id: str) -> Record:
    record = state.visible(video_id)
    if record is None:
        raise Refused(404, "not_found", "There is no video with this id.", "video")
    if moment(record, state.clock.now()).status != "completed":
        raise invalid("The video to start from is not completed.", "video")
    return record


async def _facts(video: bytes) -> VideoFacts:
    try:
        return await asyncio.to_thread(facts, video)
    except UnusableVideo as error:
        raise invalid(str(error), "video") from None


def _referenced(value: Any) -> bytes | None:
    """The image inside a JSON ``input_reference``. An address is taken on trust: the simulator calls nobody."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type("an object", "input_reference")
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
