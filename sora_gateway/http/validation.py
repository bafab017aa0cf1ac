"""What is wrong with a request, as one sentence and the name of the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, TypeVar, get_origin

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.datastructures import QueryParams

from sora_gateway.errors import InvalidRequest, InvalidType
from sora_gateway.http.uploads import Upload

Model = TypeVar("Model", bound=BaseModel)

MAX_NAME = 100
"""Characters of a field's name that are said back."""

_RULES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
}
"""What pydantic's kinds of errors mean to people who do not know it."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")

_SHAPES = {
    "model_type": "an object",
    "list_type": "an array",
    "is_instance_of": "a file",
    "file_or_object_type": "a file or an object",
}
"""Kinds of errors that say that a value is not even of the right shape, and which shape that is."""


def parse(model: type[Model], values: Any) -> Model:
    """Raises InvalidRequest, with ``param`` naming the first wrong field (``items[0].size``)."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise _invalid(problem, _written(problem["loc"])) from None


def parse_query(model: type[Model], query: QueryParams) -> Model:
    """Like :func:`parse`, for a query string in which each name comes once, except those of lists."""
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    names = [name for name, _ in query.multi_items()]
    twice = [name for name in names if name not in lists and names.count(name) > 1]
    if twice:
        raise InvalidRequest(
            f"The parameter {shortened(twice[0])!r} is given twice.", param=shortened(twice[0])
        )
    values = {name: query.getlist(name) if name in lists else query[name] for name in names}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        # The items of a list have no numbers here.
        raise _invalid(problem, str(problem["loc"][0]) if problem["loc"] else "") from None


def _invalid(problem: ErrorDetails, field: str) -> InvalidRequest:
    param = shortened(field)
    kind = problem["type"]
    if not param:
        # A rule of ours about several fields together, or no object at all.
        ours = kind == "value_error"
        return InvalidRequest(str(problem["ctx"]["error"]) if ours else "The body must be a JSON object.")
    if kind == "missing":
        return InvalidRequest(f"The field {param!r} is missing.", param=param)
    if kind == "extra_forbidden":
        return InvalidRequest(f"There is no field {param!r} here.", param=param)
    if kind in _SHAPES:
        shape = _shape_of(problem["input"])
        return InvalidType(
            f"Invalid type for {param!r}: expected {_SHAPES[kind]}, but got {shape}.", param=param
        )
    if isinstance(problem["input"], Upload):
        return InvalidRequest(f"The field {param!r} must not be a file here.", param=param)
    if kind in _RULES:
        rule = _RULES[kind].format_map(problem.get("ctx", {}))
        return InvalidRequest(f"The field {param!r} {rule}.", param=param)
    # A validator of ours raises ValueError with a sentence; pydantic puts words before it.
    reason = str(problem["ctx"]["error"]) if kind == "value_error" else problem["msg"]
    return InvalidRequest(f"The field {param!r} is not valid: {_clause(reason)}.", param=param)


def _written(path: Sequence[str | int]) -> str:
    """A field's path as people write it: ``items[0].size``."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(steps).removeprefix(".")


def _shape_of(value: object) -> str:
    if value is None:
        return "null"
    shapes = (
        (Upload, "a file"),
        (str, "a string"),
        (bool, "a boolean"),
        (list, "an array"),
        (dict, "an object"),
    )
    return next((name for kind, name in shapes if isinstance(value, kind)), "a number")


def whole_number(value: object) -> int:
    """For a field that is a whole number in JSON, and its digits in a form or as OpenAI has it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 4:
        return int(value)
    # Pydantic's own kind, so that it is told in the words of every whole number.
    raise PydanticCustomError("int_type", "not a whole number")


WholeNumber: TypeAlias = Annotated[
    int,
    BeforeValidator(whole_number),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]{1,4}$"}]}, "validation"
    ),
]
"""A whole number, or its digits as text."""


def _written_out(value: object) -> object:
    # Pydantic also takes seconds since 1970, which the description does not say.
    if not isinstance(value, str) or _DATE.match(value) is None:
        raise ValueError("Write a moment as ISO 8601 with a time zone, such as 2026-11-22T16:00:00Z.")
    return value


Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A moment in ISO 8601 with a time zone."""


def shortened(name: str) -> str:
    """A name that somebody sent, short enough to be said back."""
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"


def _clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
