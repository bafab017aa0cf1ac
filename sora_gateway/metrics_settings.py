"""``[metrics]``: what an operator's own tools are told."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from sora_gateway.section import Section

SHORTEST = 16
"""Characters of a token that nobody guesses."""


class Metrics(Section):
    enabled: bool = Field(
        default=True,
        description="Whether /metrics is there: for programs on this machine, and with the token.",
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="Lets other machines read /metrics, as Authorization: Bearer; empty: only this machine.",
    )

    @field_validator("token")
    @classmethod
    def _long(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < SHORTEST:
            raise ValueError(
                f"must have {SHORTEST} characters or more; make one with: openssl rand -base64 32"
            )
        return token
