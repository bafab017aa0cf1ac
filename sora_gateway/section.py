"""What the tables of the configuration are made of (:mod:`.settings`)."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Seconds = Annotated[float, Field(gt=0)]
UpstreamName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
HostAndPort = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$")
]
HostName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$")]


def _network(text: str) -> str:
    ipaddress.ip_network(text)  # its ValueError says what is wrong
    return text


Network = Annotated[str, AfterValidator(_network)]


_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}  # fmt: skip
_BYTES = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?([KMGT]I?B)?", re.IGNORECASE | re.ASCII)


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    if (match := _BYTES.fullmatch(value.strip())) is None:
        raise ValueError('a size is a number of bytes, or one with a unit, such as "5 GB" or "512 MiB"')
    return int(float(match[1]) * _UNITS[(match[2] or "").upper()])


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
"""A number of bytes, or a text such as ``"5 GB"``."""
Size = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,3}x[1-9][0-9]{1,3}$")]


class Section(BaseModel):
    """One table of the configuration; an unknown key is an error that names it."""

    # Validators of their own have only those that are made apart from the whole configuration.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
