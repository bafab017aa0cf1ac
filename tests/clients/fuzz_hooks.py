"""What schemathesis cannot know of itself: what exists, what takes long, and which call would lock it out.

Values are only ever replaced by ones that the description likes as much, so a request that it calls wrong stays so.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from base64 import b64decode
from typing import Any

import schemathesis

KNOWN: dict[str, Any] = json.loads(os.environ["FUZZ_KNOWN"])
"""What ``fuzz.py`` has made: lists of ids by kind, an image and a video, and the key that the calls are made with."""
NOBODY = "http://127.0.0.1:9/v1"
"""Where an upstream that is added lives: nothing of this goes out into the world."""
LONGEST_WAIT = 60.0
"""Seconds that ``?wait=`` may ask for."""

IMAGE, VIDEO = b64decode(KNOWN["image"]), b64decode(KNOWN["video"])
TEXTS = {
    "size": ["720x1280", "1280x720"],
    "model": ["sora-2", "sora-2-pro"],
    "imageurl": [f"data:image/png;base64,{KNOWN['image']}"],
    "imageid": KNOWN["references"],
    "fileid": KNOWN["references"],
    "characters.id": KNOWN["characters"],
    "video.id": KNOWN["videos"],
    "template.id": KNOWN["templates"],
    "batch": KNOWN["batches"],
    # Those that may be deleted.
    "ids": KNOWN["videos"][len(KNOWN["videos"]) // 2 :],
}
"""Ends of a field's path, in small letters -> texts that lead somewhere."""


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most ids are of things that are there: what is drawn at random finds nothing."""
    if path_parameters and isinstance(drawn := path_parameters.get("id"), str):
        ids = KNOWN[_kind(context.operation.path)]
        # What is deleted is gone for the rest of the run, so that is done to the second half only.
        half = len(ids) // 2 or 1
        path_parameters["id"] = _mostly(
            ids[half:] if context.operation.method.upper() == "DELETE" else ids[:half], drawn
        )
    return path_parameters


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Waiting as long as is allowed would leave no time for anything else; what is not allowed stays as it is."""
    if query and isinstance(wait := query.get("wait"), int | float) and 0 <= wait <= LONGEST_WAIT:
        query["wait"] = wait / 200
    return query


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def map_body(context: Any, body: Any) -> Any:
    """Most images and videos are some, most names of things are of things that are there."""
    body = _likely("", body)
    if isinstance(body, dict) and isinstance(which := body.get("filter"), dict) and "q" not in which:
        # An act on everything would leave nothing for the rest of the run.
        body["filter"] = which | {"q": "[[fault:"}
    return body


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def filter_case(context: Any, case: Any) -> bool:
    """All but the revocation of the very key that the calls are made with, and what forms make good of itself.

    A form has only text: what schemathesis believes to be a wrong null, number or list arrives as a good word.
    """
    if case.method == "DELETE" and case.path_parameters.get("id") == KNOWN["own_key"]:
        return False
    form = case.media_type in ("multipart/form-data", "application/x-www-form-urlencoded")
    fields = case.body if form and isinstance(case.body, dict) else {}
    return all(isinstance(value, str) or "[]" in name or name == "seconds" for name, value in fields.items())


def _kind(path: str) -> str:
    kinds = ("references", "characters", "keys", "models", "templates", "batches")
    return next((kind for kind in kinds if kind in path), "videos")


def _likely(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _likely(f"{name}.{_plain(key)}", inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_likely(name, inner) for inner in value]
    if isinstance(drawn := getattr(value, "data", None), bytes):
        # A file, in a class of schemathesis' own.
        return type(value)(_mostly([VIDEO if name.endswith("video") else IMAGE], drawn))
    if isinstance(value, str) and name.endswith(".baseurl") and value.startswith("http"):
        return NOBODY
    if isinstance(value, str) and 0 < len(value) <= 512:
        for end, texts in TEXTS.items():
            if name.endswith(f".{end}"):
                return _mostly(texts, value)
    return value


def _plain(key: object) -> str:
    """``characters[][id]`` and ``imageUrl`` as ``characters.id`` and ``imageurl``."""
    return re.sub(r"\[(\w+)\]", r".\1", str(key).replace("[]", "")).replace("_", "").lower()


def _mostly(known: list[Any], drawn: Any) -> Any:
    """One of *known* three times out of four; the same for the same *drawn*."""
    number = zlib.crc32(repr(drawn).encode(errors="replace"))
    return known[number // 4 % len(known)] if known and number % 4 else drawn
