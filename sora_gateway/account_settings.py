"""``[accounts]``: who may register, and the first administrator; part of :mod:`.settings`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Accounts(BaseModel):
    """An unknown key is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registration: Literal["closed", "invite", "open"] = Field(
        default="invite",
        description="Who may make an account: closed (nobody), invite (who has an invitation) or open (everybody).",
    )
    attempts_per_minute: int = Field(
        default=10,
        ge=0,
        description="Sign-ins, registrations and links that one client address may try in a minute; 0 is unlimited.",
    )
    admin_email: str = Field(
        default="", description="The first administrator, made at a start without any; needs admin_password."
    )
    admin_password: SecretStr = Field(
        default=SecretStr(""), description="Their password; better set in the environment."
    )

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if bool(self.admin_email) != bool(self.admin_password.get_secret_value()):
            raise ValueError("admin_email and admin_password are set together, or not at all")
        return self
