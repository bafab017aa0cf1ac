"""JSON that can be read in one way only, of any size that is let in, without holding up everything else.

Python's parser holds the interpreter for the whole of a call. So it is given 64 KiB of punctuation, numbers and
space at most, and 1 MiB of ordinary texts; longer texts are read beside it, slice by slice.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from sora_gateway.errors import InvalidRequest, TooLarge
from sora_gateway.http.long_text import LONG_TEXT, no_address
from sora_gateway.http.validation import shortened

MAX_DEPTH = 32
MAX_STRUCTURE = 1 << 16
"""Bytes of everything that is no text."""
MAX_TEXTS = 1 << 20
"""Bytes of all texts that are not long, and of the structure."""

_SLICE = 1 << 17
_ESCAPE = 6
"""Bytes of the longest escape sequence, ``\\u002B``."""
_QUOTE, _BACKSLASH = b'"', b"\\"
_NOT_JSON = "The body is not valid JSON."
_NOT_UNICODE = "The body has text that is not valid Unicode."


def read_json(body: bytes) -> Any:
    """The value; numbers without a fraction (``4.0``, ``6e0``) are integers.

    Raises:
        InvalidRequest: it is not JSON, nests deeper than 32, or has what JSON readers disagree about: a name
            twice in one object, NaN or infinity, half a surrogate pair.
        TooLarge: it has too much beside its long texts.
    """
    try:
        if len(body) <= MAX_STRUCTURE:
            return _parsed(body, _constant)
        rest, long_texts = _divided(body)
        return _parsed(rest, lambda name: next(long_texts) if name == "NaN" else _constant(name))
    except InvalidRequest:
        raise
    except (ValueError, RecursionError):
        raise InvalidRequest(_NOT_JSON) from None


def _parsed(body: bytes, constant: Callable[[str], Any]) -> Any:
    value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=constant, parse_float=_number)
    _check(value, 1)
    return value


def _divided(body: bytes) -> tuple[bytes, Iterator[str]]:
    """*body* with NaN in the place of every long text, and these texts in their order.

    Only where nobody else's NaN is left can one stand for something.
    """
    pieces: list[bytes] = []
    long_texts: list[str] = []
    structure = texts = position = 0
    while position < len(body):
        opening = body.find(_QUOTE, position)
        end = opening if opening >= 0 else len(body)
        structure += end - position
        if structure > MAX_STRUCTURE:
            raise TooLarge(f"Apart from its texts the body is larger than {MAX_STRUCTURE} bytes.")
        pieces.append(between := body[position:end])
        if b"NaN" in between:
            _constant("NaN")
        if opening < 0:
            break
        position = _closing(body, opening + 1) + 1
        if position - opening > LONG_TEXT:
            pieces.append(b" NaN ")
            long_texts.append(_long_text(body[opening + 1 : position - 1]))
            continue
        texts += position - opening
        if structure + texts > MAX_TEXTS:
            raise TooLarge(f"Apart from its data: addresses the body is larger than {MAX_TEXTS} bytes.")
        pieces.append(body[opening:position])
    return b"".join(pieces), iter(long_texts)


def _closing(body: bytes, start: int) -> int:
    """Where the text that begins at *start* has its closing quote."""
    quote = body.find(_QUOTE, start)
    while quote >= 0:
        if quote - start > LONG_TEXT and body[quote - 1] == _BACKSLASH[0]:
            raise no_address()
        before = quote
        while before > start and body[before - 1] == _BACKSLASH[0]:
            before -= 1
        if (quote - before) % 2 == 0:
            return quote
        quote = body.find(_QUOTE, quote + 1)
    raise InvalidRequest(_NOT_JSON)


def _long_text(written: bytes) -> str:
    """What a long text between its quotes stands for; some clients escape a slash or a plus."""
    pieces: list[str] = []
    start = 0
    while start < len(written):
        end = start + _SLICE
        if end < len(written):
            # No escape is cut apart; where no two backslashes are in a row each of them begins one.
            escape = written.rfind(_BACKSLASH, end - _ESCAPE, end)
            end = escape if escape >= 0 else end
        part = written[start:end]
        if not part.isascii() or _BACKSLASH * 2 in written[start : end + 1]:
            raise no_address()
        piece = json.loads(f'"{part.decode()}"')
        if not piece.isascii():
            raise no_address()
        pieces.append(piece)
        start = end
    return "".join(pieces)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        _check(twice, 1)
        raise InvalidRequest(f"The field {shortened(twice)!r} is given twice.", param=shortened(twice))
    return found


def _constant(name: str) -> Any:
    raise InvalidRequest(f"{name} is not a JSON value.")


def _number(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidRequest("The body has a number that is too large.")
    return int(number) if number.is_integer() else number


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        # The bytes were UTF-8; only an escape can have brought half a pair in.
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InvalidRequest(_NOT_UNICODE) from None
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
