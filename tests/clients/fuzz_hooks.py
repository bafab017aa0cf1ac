"""What schemathesis cannot know of itself: which ids exist, what takes long, which call would lock it out."""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

import schemathesis

KNOWN: dict[str, Any] = json.loads(os.environ["FUZZ_KNOWN"])
LONGEST_WAIT = 60.0
"""Seconds that ``?wait=`` may ask for."""


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Two of three ids are those of videos: what is drawn at random finds nothing."""
    if path_parameters and isinstance(drawn := path_parameters.get("id"), str):
        number = zlib.crc32(drawn.encode(errors="replace"))
        if number % 3:
            path_parameters["id"] = KNOWN["videos"][number // 3 % len(KNOWN["videos"])]
    return path_parameters


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Waiting as long as is allowed would leave no time for anything else; what is not allowed stays as it is."""
    if query and isinstance(wait := query.get("wait"), int | float) and 0 <= wait <= LONGEST_WAIT:
        query["wait"] = wait / 200
    return query


@schemathesis.hook  # type: ignore[untyped-decorator] # it lives in another environment
def filter_case(context: Any, case: Any) -> bool:
    """All but the revocation of the very key that the calls are made with."""
    return not (case.method == "DELETE" and case.path_parameters.get("id") == KNOWN["own_key"])
