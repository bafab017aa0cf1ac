"""``[backup]``: backups that the running gateway makes by itself."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from sora_gateway.section import Section

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([smhd]?)", re.ASCII)


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    if (match := _DURATION.fullmatch(value.strip())) is None:
        raise ValueError('a duration is a number of seconds, or one with a unit, such as "24h" or "90m"')
    return float(match[1]) * _UNITS[match[2]]


class Backup(Section):
    directory: str = Field(
        default="",
        description="Where `serve` makes backups by itself, best on another disk; empty makes none. "
        "Also where `sora-gateway backup` makes them.",
    )
    every: Annotated[float, BeforeValidator(_seconds)] = Field(
        default=86400.0,
        ge=60,
        description='Seconds from one backup to the next, or a text with a unit, such as "24h".',
    )
    keep: int = Field(default=7, ge=1, description="Backups that stay; older ones are removed.")
    secrets: bool = Field(
        default=True,
        description="Whether they hold the gateway's keys; without them a restore needs secrets/ from elsewhere.",
    )
