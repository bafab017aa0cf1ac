"""``[retention]``: what is kept for how long."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from sora_gateway.section import Bytes, Seconds, Section


class Retention(Section):
    keep_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days for which the files of an ended video are kept, unless its owner's plan says otherwise; "
        "0: for ever.",
    )
    keep_tag: str = Field(
        default="keep",
        max_length=50,
        description="Videos with this tag keep their files, whatever their age and however full the disk is; empty: none.",
    )
    free_below: Bytes = Field(
        default=0,
        description='With less free on the disk than this, such as "5 GB", the files of the oldest videos are removed; '
        "0: never.",
    )
    free_above: Bytes = Field(
        default=0, description="Until so much is free; 0, or less than free_below: until free_below is."
    )
    free_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Of all stored bytes so much is removed within 24 hours for the sake of the disk, and no more, in case "
        "that something else is filling it; 1: all.",
    )
    spare_hours: float = Field(
        default=1.0,
        ge=0,
        description="Hours after its end in which a video keeps its files however full the disk is.",
    )
    events_days: int = Field(
        default=90,
        ge=0,
        description="Days for which every step of ended videos is kept; clients that were away longer get a fresh "
        "snapshot; 0: for ever.",
    )
    audit_days: int = Field(
        default=0, ge=0, description="Days for which is kept what people did (the audit log); 0: for ever."
    )
    interval: Seconds = Field(default=300.0, description="Seconds between looks at what can go.")

    @model_validator(mode="after")
    def _the_floor_has_a_foot(self) -> Self:
        if self.free_above and not self.free_below:
            raise ValueError("free_above says where to stop; free_below has to say where to begin")
        return self
