"""The fields of a form as nested values: ``video[id]``, ``characters[][id]``, ``characters[0][id]``.

What could be read in more than one way is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sora_gateway.errors import InvalidRequest
from sora_gateway.http.uploads import Upload
from sora_gateway.http.validation import shortened

MAX_BRACKETS = 4

Value: TypeAlias = str | Upload
_Path: TypeAlias = tuple[str, ...]
_Field: TypeAlias = tuple[_Path, Value]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_KEY = re.compile(r"\[([^\[\]]*)\]")
# More items than this are more fields than a form may have.
_INDEX = re.compile(r"0|[1-9][0-9]?")


def nested(pairs: Iterable[tuple[str, Value]]) -> dict[str, Any]:
    """The object that the named values describe. A name whose brackets do not pair is one without any.

    Raises:
        InvalidRequest: a field comes twice or in two ways, nests deeper than 4 brackets, or a list has gaps.
    """
    return _object([(_path(name, value), value) for name, value in pairs], "")


def _path(name: str, value: Value) -> _Path:
    if isinstance(value, Upload):
        # Some clients name a file as if it were the first of several.
        name = name.removesuffix("[]")
    match = _NAME.fullmatch(name)
    if match is None:
        return (name,)
    keys = _KEY.findall(match[2])
    if len(keys) > MAX_BRACKETS:
        raise _refused(name, f"The field {{!r}} has more than {MAX_BRACKETS} pairs of brackets.")
    return (match[1], *keys)


def _object(fields: Sequence[_Field], name: str) -> dict[str, Any]:
    parts: dict[str, list[_Field]] = {}
    for path, value in fields:
        parts.setdefault(path[0], []).append((path[1:], value))
    return {key: _value(part, f"{name}[{key}]" if name else key) for key, part in parts.items()}


def _value(fields: Sequence[_Field], name: str) -> Any:
    """What *name* stands for; the paths lead on from there."""
    bare = [value for path, value in fields if not path]
    if len(bare) > 1:
        raise _refused(name, "The field {!r} is given twice.")
    if bare and len(fields) > 1:
        raise _refused(name, "The field {!r} is given both as a value and with brackets.")
    if bare:
        return bare[0]
    keys = {path[0] for path, _ in fields}
    if keys == {""}:
        return _appended([(path[1:], value) for path, value in fields], name)
    indices = {key for key in keys if key.isdecimal()}
    if "" in keys or (indices and indices != keys):
        raise _refused(name, "The field {!r} is given both as a list and as an object.")
    return _numbered(fields, name) if indices else _object(fields, name)


def _numbered(fields: Sequence[_Field], name: str) -> list[Any]:
    items: dict[str, list[_Field]] = {}
    for path, value in fields:
        items.setdefault(path[0], []).append((path[1:], value))
    if not all(map(_INDEX.fullmatch, items)) or len(items) <= max(map(int, items)):
        raise _refused(name, "The items of {!r} must be numbered from 0, without a gap.")
    return [_value(items[str(index)], f"{name}[{index}]") for index in range(len(items))]


def _appended(fields: Sequence[_Field], name: str) -> list[Any]:
    """A list whose items are not numbered: ``[]=`` values, or the nth ``[][key]=`` of each key is the nth object's.

    So it is whether a client sends object by object or, as the official SDKs do, key by key.
    """
    columns: dict[_Path, list[Value]] = {}
    for path, value in fields:
        columns.setdefault(path, []).append(value)
    if () in columns:
        if len(columns) > 1:
            raise _refused(name, "The field {!r} is given both as values and as objects.")
        return columns[()]
    count = len(next(iter(columns.values())))
    if any("" in path or len(values) != count for path, values in columns.items()):
        raise _refused(name, "It is not clear which values of {!r} belong together; number its items.")
    return [
        _object([(path, values[index]) for path, values in columns.items()], f"{name}[{index}]")
        for index in range(count)
    ]


def _refused(name: str, sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence.format(shortened(name)), param=shortened(name))
