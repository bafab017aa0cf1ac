"""``[metrics]``, ``[tracing]`` and ``[sentry]``: what an operator's own tools are told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, field_validator

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


class Tracing(Section):
    endpoint: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s?#]+)?$")] = Field(
        default="",
        description="Where OpenTelemetry traces go (OTLP over HTTP), such as http://127.0.0.1:4318/v1/traces; "
        "empty: nowhere. Needs the extra otel.",
    )
    service_name: str = Field(
        default="sora-gateway", min_length=1, description="What they call this gateway."
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of the traces that are kept, 0 to 1."
    )


class Sentry(Section):
    dsn: SecretStr = Field(
        default=SecretStr(""),
        description="Where unexpected errors are reported to; empty: nowhere. Needs the extra sentry.",
    )
    environment: str = Field(
        default="production", min_length=1, description="What Sentry calls this gateway."
    )
