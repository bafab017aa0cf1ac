"""An upstream's list of jobs, as tolerantly as one job is read."""

from __future__ import annotations

from collections.abc import Iterable

from sora_gateway.core.observation import Listed, Listing
from sora_gateway.core.outcome import valid_external_id
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.parsing import (
    Object,
    date_of,
    error_of,
    first,
    ids_of,
    load_object,
    look_of_object,
    moment,
)

_ROWS = ("data", "items", "videos", "data.items")


def parse_listing(
    reply: Reply, *, id_paths: Iterable[str], progress_scale: float, secrets: Iterable[str] = ()
) -> Listing | None:
    """One page of ``GET /videos``; None when the answer is no list. Rows without a usable id are left out."""
    body = load_object(reply) if 200 <= reply.status < 300 else None
    rows = first(body, _ROWS) if body is not None else None
    if body is None or not isinstance(rows, list):
        return None
    id_paths, secrets = tuple(id_paths), tuple(secrets)
    found = [_row(row, id_paths, progress_scale, secrets) for row in rows if isinstance(row, dict)]
    return Listing(
        tuple(row for row in found if row is not None), body.get("has_more") is True, date_of(reply.headers)
    )


def _row(
    row: Object, id_paths: tuple[str, ...], progress_scale: float, secrets: tuple[str, ...]
) -> Listed | None:
    ids = ids_of(row, id_paths)
    external_id = valid_external_id(ids[0]) if ids else None
    if external_id is None:
        return None
    code, message = error_of(row, secrets)
    return Listed(
        external_id,
        look_of_object(row, code, message, progress_scale, None),
        created_at=moment(row.get("created_at")),
        prompt=_text(row.get("prompt")),
        model=_text(row.get("model")),
        seconds=_text(row.get("seconds")),
        size=_text(row.get("size")),
    )


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
