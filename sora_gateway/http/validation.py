"""What is wrong with a request, as one sentence and the name of the field."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

from sora_gateway.errors import InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], values: Any) -> Model:
    """Raises InvalidRequest, with ``param`` naming the first wrong field (``items.0.size``)."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(error) from None


def parse_query(model: type[Model], query: QueryParams) -> Model:
    """Like :func:`parse`, for a query string in which each name comes once."""
    items = query.multi_items()
    values = dict(items)
    if len(values) != len(items):
        names = [name for name, _ in items]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"The parameter {twice!r} is given twice.", param=twice)
    return parse(model, values)


def _invalid(error: ValidationError) -> InvalidRequest:
    problem = error.errors(include_url=False, include_input=False)[0]
    param = ".".join(str(part) for part in problem["loc"])
    kind = problem["type"]
    if not param:
        return InvalidRequest("The body must be a JSON object.")
    if kind == "missing":
        return InvalidRequest(f"The field {param!r} is missing.", param=param)
    if kind == "extra_forbidden":
        return InvalidRequest(f"There is no field {param!r} here.", param=param)
    # A validator of ours raises ValueError with a sentence; pydantic puts words before it.
    reason = str(problem["ctx"]["error"]) if kind == "value_error" else problem["msg"]
    return InvalidRequest(f"The field {param!r} is not valid: {_clause(reason)}.", param=param)


def _clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
