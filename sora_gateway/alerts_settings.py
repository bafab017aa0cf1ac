"""``[alerts.NAME]``: where the operator is told what is wrong."""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from sora_gateway.core.alert_kinds import AlertKind
from sora_gateway.core.webhook_signature import MIN_KEY, is_strong
from sora_gateway.section import Section

Service = Literal["slack", "feishu", "dingtalk", "ntfy", "json"]

_TOPIC = re.compile(r"/[A-Za-z0-9_-]{1,64}")


class Alert(Section):
    kind: Service = Field(
        ...,
        description="Whose form the messages have: slack, feishu (Lark), dingtalk, ntfy, or json for any other.",
    )
    url: SecretStr = Field(
        ...,
        description="Where they are sent: the webhook that the service gave you, ntfy's topic. Best set in the environment.",
    )
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="The signing secret of feishu and dingtalk, an access token of ntfy, a Standard Webhooks secret of json.",
    )
    language: Literal["en", "zh"] = Field(default="en", description="What they are written in: en or zh.")
    about: tuple[AlertKind, ...] = Field(
        default=(),
        description="Of upstream, spend_cap, unknown, dispute, storage, webhooks and backup, what it is told of; empty: all.",
    )
    repeat_after: float = Field(
        default=14_400.0,
        ge=0,
        description="Seconds after which it is told again of what is still wrong; 0: never.",
    )

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        try:
            parts = urlsplit(text)
            fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            fine = False
        if (
            not fine
            or not text.isascii()
            or not text.isprintable()
            or " " in text
            or "#" in text
            or "@" in parts.netloc
        ):
            raise ValueError("must be an http:// or https:// address without a user name or a #fragment")
        return url

    @model_validator(mode="after")
    def _fits_the_service(self) -> Self:
        secret = self.secret.get_secret_value()
        if self.kind == "ntfy" and not _TOPIC.fullmatch(urlsplit(self.url.get_secret_value()).path):
            raise ValueError("url must be that of a topic, such as https://ntfy.sh/my-topic")
        if self.kind == "slack" and secret:
            raise ValueError("slack has no secret but the url")
        if self.kind == "json" and secret and not is_strong(secret):
            raise ValueError(
                f"secret must be {MIN_KEY} random bytes or more; make one with: openssl rand -base64 32"
            )
        if not secret.isascii() or not secret.isprintable():
            raise ValueError("secret must be printable ASCII")
        return self
