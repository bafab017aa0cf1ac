"""Errors as responses: one envelope on every surface."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import Response

from sora_gateway.errors import (
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)

_RETRYABLE = frozenset({408, 425, 429})
_FINAL_5XX = frozenset({502, 507})
"""A lost answer of an upstream must not be asked for again; a full disk is as full in two seconds."""
_BY_STATUS: dict[int, type[GatewayError]] = {
    400: InvalidRequest,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
}
_SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


def problem(error: GatewayError, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response that tells *error*, with the headers that clients act on."""
    extra = {**error.headers, **(headers or {})}
    if error.retry_after is not None:
        extra["retry-after"] = str(max(0, math.ceil(error.retry_after)))
    if error.http_status == 401:
        extra["www-authenticate"] = "Bearer"
    if _definitive(error):
        # OpenAI's clients repeat a POST after 409 and 5xx unless they are told that nothing would change.
        extra["x-should-retry"] = "false"
    body = json.dumps(error.envelope(request_id), ensure_ascii=False, separators=(",", ":"))
    return Response(
        body.encode(), status_code=error.http_status, media_type="application/json", headers=extra
    )


def from_starlette(error: HTTPException) -> GatewayError:
    """What Starlette itself says (no route, wrong method, a bad form) in our words."""
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        return GatewayError("The request failed.")
    return kind(_SENTENCES.get(error.status_code, error.detail))


def _definitive(error: GatewayError) -> bool:
    """Whether the same request would be told the same again."""
    if error.retry_after is not None:
        return False
    status = error.http_status
    return status in _FINAL_5XX or (400 <= status < 500 and status not in _RETRYABLE)
