"""A file that came in a form, and how a model asks for one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_FILENAME = 100
"""Characters of a file's name that are kept."""

_BINARY = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form; as a model's field it is taken from forms only.

    *filename* is for showing to people: cleaned, perhaps empty, never a path. *content_type* is what the sender
    declares, which says nothing about *data*.
    """

    filename: str
    content_type: str
    data: bytes = field(repr=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(_BINARY)


class _FileOr:
    """Reads a file as it is, and anything else as what the union beside it says: its errors are told alone."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        others = tuple(choice for choice in get_args(source) if choice is not Upload)
        return core_schema.no_info_wrap_validator_function(
            _file_or,
            handler.generate_schema(Union[others]),  # noqa: UP007  # made of a tuple
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [dict(_BINARY), handler(schema)]}


def _file_or(value: object, other: Callable[[object], object]) -> object:
    if isinstance(value, Upload):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("file_or_object_type", "neither a file nor an object")
    return other(value)


Other = TypeVar("Other")
FileOr: TypeAlias = Annotated[Other | Upload, _FileOr()]
"""``FileOr[Model]``: a file, or the object that *Model* describes."""


def display_name(declared: str) -> str:
    """What a sender calls a file, fit for being shown: no folders, nothing invisible, at most 100 characters."""
    last = re.split(r"[/\\]", declared)[-1]
    return "".join(character for character in last if character.isprintable()).strip()[:MAX_FILENAME]
