"""An upstream's list of jobs, as tolerantly as one job is read, and parsed only where it has changed.

Most rows of a page say what they said a moment ago. A JSON object ends where its text ends, so a row whose text is
found again, letter by letter, need not be parsed to know what it says and where the next one begins: it costs one
comparison of memory, a fortieth of parsing it and reading it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from sora_gateway.core.observation import Listed, Listing, Look, LookKind
from sora_gateway.core.outcome import valid_external_id
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.moments import date_of, moment
from sora_gateway.upstream.parsing import (
    MAX_DEPTH,
    STATUSES,
    Object,
    error_of,
    first,
    ids_of,
    load_object,
    load_text,
    look_of_object,
    refuse_constant,
    status_of,
    within_depth,
    without_duplicates,
)

REMEMBERED = 1 << 22
"""Characters of rows that are kept to be recognised: ten thousand jobs of the usual length."""

_ROWS = ("data", "items", "videos", "data.items")
_ARRAY = re.compile(r'"(?:data|items|videos)"[ \t\n\r]*:[ \t\n\r]*\[[ \t\n\r]*')
_NEXT = ",{"
_AFTER_ROW = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_constant=refuse_constant, object_pairs_hook=without_duplicates)


class _Unfamiliar(Exception):
    """The text is not laid out like a list; it may still be one."""


@dataclass(slots=True)
class _Known:
    """A row as it was read last."""

    text: str
    listed: Listed
    next: _Known | None = None
    """The row that followed it."""


class ListReader:
    """Reads the pages of one upstream's list.

    A row that is as it was gives the very same :class:`Listed` again, so whoever kept it need not compare more.
    """

    def __init__(
        self, *, id_paths: Iterable[str], progress_scale: float, secrets: Iterable[str] = ()
    ) -> None:
        self._id_paths = tuple(id_paths)
        self._scale = progress_scale
        self._secrets = tuple(secrets)
        self._known: dict[str, _Known] = {}
        self._kept = 0
        self._newest: _Known | None = None
        """The first row of the first page when that was read last."""

    def read(self, reply: Reply, after: str | None = None) -> Listing | None:
        """One page of ``GET /videos``, that which follows *after*; None when the answer is no list.

        Rows without a usable id are left out.
        """
        if not 200 <= reply.status < 300 or reply.truncated:
            return None
        try:
            rows, body = self._recognised(reply.body.decode(), after)
        except (_Unfamiliar, ValueError, RecursionError):
            found = load_object(reply)
            values = _rows_of(found) if found is not None else None
            if found is None or values is None:
                return None
            rows, body = [self._parsed(value) for value in values], found
        return Listing(
            tuple(row for row in rows if row is not None),
            body.get("has_more") is True,
            date_of(reply.headers),
        )

    def _recognised(self, text: str, after: str | None) -> tuple[list[Listed | None], Object]:
        """The rows of *text*, and the object that they are in without them.

        Raises:
            _Unfamiliar, ValueError, RecursionError: the text has to be read as a whole.
        """
        for opening in islice(_ARRAY.finditer(text), 4):
            rows, end = self._scanned(text, opening.end(), after)
            # Without its rows the text must be an object whose list is empty: then they were all of the list.
            around = load_text(text[: opening.end()] + text[end:])
            if around is not None and _rows_of(around) == []:
                return rows, around
        raise _Unfamiliar

    def _scanned(self, text: str, position: int, after: str | None) -> tuple[list[Listed | None], int]:
        """The rows from *position* on, and where the bracket is that closes them."""
        rows: list[Listed | None] = []
        if text.startswith("]", position):
            return rows, position
        previous = self._known.get(after) if after is not None else None
        expected = self._newest if after is None else previous.next if previous is not None else None
        while True:
            if expected is not None and text.startswith(expected.text, position):
                known: _Known | None = expected
                position += len(expected.text)
            else:
                value, end = _DECODER.raw_decode(text, position)
                known, position = self._learned(value, text[position:end]), end
            if known is None:
                rows.append(None)
            else:
                rows.append(known.listed)
                if previous is not None:
                    previous.next = known
                elif after is None:
                    self._newest = known
                previous = known
                # After a new row comes what was expected in its place.
                expected = known.next or expected
            if text.startswith(_NEXT, position):
                position += 1
                continue
            separator = _AFTER_ROW.match(text, position)
            if separator is None:
                raise _Unfamiliar
            if separator[1] == "]":
                return rows, separator.start(1)
            position = separator.end()

    def _learned(self, value: object, text: str) -> _Known | None:
        """A row that is new, has changed, or stands where another stood."""
        if text.count("{") + text.count("[") > MAX_DEPTH and not within_depth(value):
            raise _Unfamiliar
        ids = ids_of(value, self._id_paths) if isinstance(value, dict) else []
        before = self._known.pop(ids[0], None) if ids else None
        if before is not None and before.text == text:
            self._known[ids[0]] = before
            return before
        listed = self._parsed(value)
        if before is not None:
            self._kept -= len(before.text)
        if listed is None:
            return None
        self._kept += len(text)
        known = self._known[listed.external_id] = _Known(text, listed, before.next if before else None)
        if self._kept > REMEMBERED:
            self._forget()
        return known

    def _forget(self) -> None:
        """Drops half of the rows, those first that have not changed for longest: they are read once more."""
        for external_id in list(islice(self._known, (len(self._known) + 1) // 2)):
            known = self._known.pop(external_id)
            known.next = None
            self._kept -= len(known.text)

    def _parsed(self, row: object) -> Listed | None:
        if not isinstance(row, dict):
            return None
        ids = ids_of(row, self._id_paths)
        external_id = valid_external_id(ids[0]) if ids else None
        if external_id is None:
            return None
        word = status_of(row)
        if not word:
            # An object that leaves its state out says nothing about it; only a look at the job does.
            look = Look(LookKind.TROUBLE, message="a row without a status")
        elif STATUSES.get(word) is LookKind.ALIVE:
            # Most rows by far, and an error in them would mean nothing.
            look = look_of_object(row, "", "", self._scale, None)
        else:
            look = look_of_object(row, *error_of(row, self._secrets), self._scale, None)
        return Listed(
            external_id,
            look,
            created_at=moment(row.get("created_at")),
            prompt=_text(row.get("prompt")),
            model=_text(row.get("model")),
            seconds=_text(row.get("seconds")),
            size=_text(row.get("size")),
        )


def _rows_of(body: Object) -> list[object] | None:
    found = (first(body, (path,)) for path in _ROWS)
    return next((rows for rows in found if isinstance(rows, list)), None)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
