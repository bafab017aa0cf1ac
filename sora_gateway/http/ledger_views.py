"""The ledger and the usage as people read them: as pages, and as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated

from pydantic import ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from sora_gateway.core.views import View, iso
from sora_gateway.errors import InvalidRequest
from sora_gateway.http.services import Services
from sora_gateway.http.validation import Moment
from sora_gateway.store.ledger import Kind
from sora_gateway.store.statements import LedgerFilter, Line, Usage

CSV = "text/csv"
CSV_PAGE = 500
"""Entries that are read at once for a file, however long it is."""
MONTH = 30 * 86400.0
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take a text for a formula by, or hide one behind."""


class LedgerQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[int, Field(ge=1, lt=1 << 63)] | None = Field(
        None, description="The id of the last entry of the page before."
    )
    kind: Kind | None = None
    since: Moment | None = Field(None, description="From this moment on (ISO 8601 with a time zone).")
    until: Moment | None = Field(None, description="Before this moment.")

    def wanted(self, owner: str | None) -> LedgerFilter:
        """The same for the books of *owner*, or of everybody."""
        return LedgerFilter(
            self.limit,
            owner,
            self.after,
            self.kind,
            None if self.since is None else self.since.timestamp(),
            None if self.until is None else self.until.timestamp(),
        )


class UsageQuery(View):
    model_config = ConfigDict(**{**View.model_config, "extra": "forbid"})

    since: Moment | None = Field(
        None,
        description="From this moment on (ISO 8601 with a time zone); without, thirty days before the end.",
    )
    until: Moment | None = Field(None, description="Before this moment; without, until now.")

    def bounds(self, now: float) -> tuple[float, float]:
        """Both moments. Raises InvalidRequest when they are the wrong way round."""
        until = now if self.until is None else self.until.timestamp()
        since = until - MONTH if self.since is None else self.since.timestamp()
        if since > until:
            raise InvalidRequest("since comes after until; turn them round.", param="since")
        return since, until


class EntryView(View):
    """One movement. *available* and *held* are what it changed of the two balances."""

    id: int
    at: str
    kind: Kind
    available: int
    held: int
    video_id: str | None
    model: str | None
    note: str
    price_version: str = Field(description="The price list of a hold; empty otherwise.")


class UsageView(View):
    """What was asked of one model on one day. *settled* and *held* are credits."""

    day: str = Field(description="In UTC, as 2026-11-22; when the videos were asked for.")
    model: str
    videos: int
    completed: int
    failed: int
    seconds: int = Field(description="Of what was completed.")
    settled: int
    held: int = Field(description="Of what is not decided yet.")


def entry_fields(line: Line) -> dict[str, object]:
    """The fields of an :class:`EntryView`."""
    return {
        "id": line.id,
        "at": iso(line.at) or "",
        "kind": line.kind,
        "available": line.available,
        "held": line.held,
        "video_id": line.job_id,
        "model": line.model,
        "note": line.note,
        "price_version": line.price_version,
    }


def usage_fields(usage: Usage) -> dict[str, object]:
    """The fields of a :class:`UsageView`."""
    return {name: getattr(usage, name) for name in UsageView.model_fields}


def ledger_file(services: Services, user_id: str | None, *, whose: bool) -> Response:
    """The entries of one person, or of everybody, oldest first; *whose* adds whose they are and who decided.

    It is read in pieces while it is sent, so a long one takes no memory.
    """
    headers = {"content-disposition": 'attachment; filename="ledger.csv"', "cache-control": "no-store"}
    return StreamingResponse(_rows(services, user_id, whose), media_type=CSV, headers=headers)


_COLUMNS = ("id", "at", "kind", "available", "held", "videoId", "model", "note", "priceVersion")
_WHOSE = ("userId", "email", "actor")


async def _rows(services: Services, user_id: str | None, whose: bool) -> AsyncIterator[bytes]:
    # Without the mark, a common spreadsheet reads UTF-8 as something else.
    yield b"\xef\xbb\xbf" + _written([_COLUMNS + (_WHOSE if whose else ())])
    after = 0
    while lines := await services.store.credits.lines(user_id, after, CSV_PAGE):
        yield _written([_cells(line, whose) for line in lines])
        if len(lines) < CSV_PAGE:
            return
        after = lines[-1].id


def _cells(line: Line, whose: bool) -> Sequence[str | int]:
    cells: Mapping[str, object] = entry_fields(line)
    found: list[object] = [*cells.values()]
    if whose:
        found += [line.user_id, line.email, line.actor]
    return [cell if isinstance(cell, int) else plain(str(cell or "")) for cell in found]


def plain(text: str) -> str:
    """*text* as a spreadsheet shows it and does not run it: somebody chose their notes and addresses themselves."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _written(rows: Sequence[Sequence[str | int]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
