"""A form as names and values: strictly UTF-8, whole, and of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sora_gateway.errors import InvalidRequest
from sora_gateway.http.form_fields import Value
from sora_gateway.http.long_text import decoded
from sora_gateway.http.uploads import Upload, display_name

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 64
MAX_FILES = 2

_MAX_HEADER = 8 << 10
"""Bytes of one header of a part; a part has eight of them at most."""
_PIECE = 1 << 18
"""Bytes that the parser is given at once: other threads get their turn between."""
_NOT_UTF8 = "The form has text that is not UTF-8."
_TOO_MANY = f"The form has more than {MAX_FIELDS} fields."


def read_urlencoded(body: bytes) -> list[tuple[str, Value]]:
    """Raises InvalidRequest: it is not UTF-8 or has more than 64 fields."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeError:
        raise InvalidRequest(_NOT_UTF8) from None
    except ValueError:
        raise InvalidRequest(_TOO_MANY) from None
    return [(name, value) for name, value in pairs]


def read_multipart(content_type: str, body: bytes) -> list[tuple[str, Value]]:
    """The fields of a ``multipart/form-data`` body; a file input that was left empty is none of them.

    Raises:
        InvalidRequest: it is not such a form or ends too early, a name or a text is not UTF-8, or it has more
            than 64 fields or 2 files.
    """
    # An encoding that the sender names is not asked: Python has some that raise whatever they like.
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise InvalidRequest("The Content-Type of the form has no boundary.")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks(), max_header_size=_MAX_HEADER)
        for start in range(0, len(body), _PIECE):
            parser.write(body[start : start + _PIECE])
    except FormParserError:
        raise InvalidRequest("The body is no form in multipart/form-data.") from None
    if not form.whole:
        raise InvalidRequest("The form ends too early.")
    return form.fields


class _Form:
    """Collects what the parser calls out."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, Value]] = []
        self.whole = False
        self._parts = self._files = 0
        self._header = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_part_data": self._part_data,
            "on_part_end": self._part_ends,
            "on_end": self._ends,
        }

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise InvalidRequest(_TOO_MANY)
        self._headers, self._data = {}, []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = (name + data[start:end], value)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = (name, value + data[start:end])

    def _header_ends(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = (b"", b"")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _part_ends(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if disposition != b"form-data" or name is None:
            raise InvalidRequest("A part of the form does not say its name.")
        data = b"".join(self._data)
        self._data = []
        filename = options.get(b"filename")
        if filename == b"" and not data:
            return
        self.fields.append((_text(name), _text(data) if filename is None else self._file(filename, data)))

    def _file(self, filename: bytes, data: bytes) -> Upload:
        self._files += 1
        if self._files > MAX_FILES:
            raise InvalidRequest(f"The form has more than {MAX_FILES} files.")
        declared = self._headers.get(b"content-type", b"").decode("latin-1")
        return Upload(display_name(_text(filename)), declared, data)

    def _ends(self) -> None:
        self.whole = True


def _text(data: bytes) -> str:
    try:
        return decoded(data)
    except UnicodeError:
        raise InvalidRequest(_NOT_UTF8) from None
