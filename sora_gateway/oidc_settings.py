"""``[oidc.NAME]``: an identity provider that people may sign in with; part of :mod:`.settings`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

Domain = Annotated[
    str,
    StringConstraints(to_lower=True, pattern=r"^(?i:[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+)$", max_length=253),
]

GOOGLE = "https://accounts.google.com"
_ISSUER = re.compile(
    r"https://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[^\s?#]*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
)


class Oidc(BaseModel):
    """One provider; an unknown key is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    preset: Literal["", "google"] = Field(
        default="", description="A provider that is known here: google; empty for any other."
    )
    issuer: str = Field(
        default="",
        description="Its issuer, exactly as it calls itself: https, or http on this machine; a preset has its own.",
    )
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        ..., description="The id that it gave to this gateway."
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="The secret that goes with it; better set in the environment."
    )
    allowed_domains: tuple[Domain, ...] = Field(
        default=(),
        description="Domains whose verified addresses may come without an invitation; empty: nobody's.",
    )
    label: str = Field(
        default="", max_length=64, description="What people read on the button; empty: the name, or Google."
    )
    role: Literal["member", "viewer"] = Field(
        default="member", description="What a new person of an allowed domain becomes: member or viewer."
    )

    @model_validator(mode="after")
    def _has_one_issuer(self) -> Self:
        if self.preset:
            if self.issuer not in ("", GOOGLE):
                raise ValueError("with a preset, issuer stays empty")
        elif not _ISSUER.fullmatch(self.issuer):
            raise ValueError("issuer has to be an https address, or http on localhost, without a query")
        return self
