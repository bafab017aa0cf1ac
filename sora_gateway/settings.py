"""Every setting: name, default, bounds and help line, once.

``config.example.toml`` is generated from this module and compared with it by a test. Order of sources:
command line > environment > ``.env`` > secrets directory > ``config.toml`` > defaults here.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from sora_gateway.account_settings import Accounts
from sora_gateway.alerts_settings import Alert
from sora_gateway.backup_settings import Backup
from sora_gateway.core.webhook_signature import MIN_KEY, is_strong
from sora_gateway.credit_settings import Credits, Limits, Plan, Pricing
from sora_gateway.errors import StartupError
from sora_gateway.metrics_settings import Metrics, Sentry, Tracing
from sora_gateway.oidc_settings import Oidc
from sora_gateway.retention_settings import Retention
from sora_gateway.section import HostAndPort, HostName, Network, Origin, Seconds, Section, Size, UpstreamName
from sora_gateway.webhook_settings import Webhooks

CLIENT_VARIABLES = frozenset({"sora_gateway_url", "sora_gateway_api_key"})
"""What ``generate`` and ``watch`` read from the environment, as an ``.env`` shows it."""


class Server(Section):
    host: str = Field(
        default="127.0.0.1", description="Address to listen on; other people reach it on 0.0.0.0."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_body: int = Field(default=1 << 20, ge=1024, description="Largest accepted request body, in bytes.")
    max_upload: int = Field(
        default=25 << 20, ge=1024, description="The same where images and videos are taken, in bytes."
    )
    max_connections: int = Field(
        default=25_000,
        ge=0,
        description="Open connections at once, as far as the system lets a process have open files; 0 is only that.",
    )
    root_path: Annotated[str, StringConstraints(pattern=r"^((/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+)?$")] = Field(
        default="", description="Path below which people reach it, such as /videos; empty for the whole host."
    )
    public_url: Annotated[
        str,
        StringConstraints(pattern=r"^(https?://[A-Za-z0-9.\[\]:_-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?)?$"),
    ] = Field(
        default="",
        description="What printed links begin with, such as https://videos.example.org; empty: this machine.",
    )
    allowed_hosts: tuple[HostName, ...] = Field(
        default=(),
        description="Host names that it answers to, beside public_url's and localhost; empty, without one: all.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    allow_insecure: bool = Field(
        default=False, description="Let people sign in over plain HTTP from other machines."
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(),
        description="Origins whose pages may call the API with a key, such as https://app.example.org; never cookies.",
    )

    @model_validator(mode="after")
    def _public_url_has_the_root_path(self) -> Self:
        if self.public_url and urlsplit(self.public_url).path != self.root_path:
            raise ValueError("public_url has to end in root_path, and in nothing else")
        return self


class Upstream(Section):
    dialect: Literal["openai", "chat-stream"] = Field(
        default="openai",
        description="The wire language that it speaks: openai (/v1/videos) or chat-stream (/v1/chat/completions).",
    )
    profile: str = Field(
        default="generic",
        description="Which server it is: generic, or one that docs/configuration.md lists (vllm-omni, sglang...).",
    )
    base_url: str = Field(
        ..., pattern=r"^https?://", description="Where its API lives, usually ending in /v1."
    )
    api_key: SecretStr = Field(
        default=SecretStr(""), description="The key that it gave you; better set in the environment."
    )
    models: dict[str, str] = Field(
        default_factory=dict,
        description="What people ask for = what this upstream calls it; empty lets every name through.",
    )
    sizes: tuple[Size, ...] = Field(
        default=(), description="Sizes that it can make; empty allows every well-formed one."
    )
    seconds: tuple[int, ...] = Field(
        default=(), description="Durations that it can make; empty allows 1 to 60."
    )
    max_concurrent: int = Field(default=4, ge=0, description="Its jobs in flight at once; 0 is unlimited.")
    max_creating: int = Field(
        default=2, ge=1, description="Paid creates in flight at once: what a crash can leave in doubt."
    )
    on_ambiguous: Literal["", "hold", "resubmit_if_absent"] = Field(
        default="",
        description="A create that nobody can find: hold it for a person, or resubmit_if_absent; empty: the profile's.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of its webhooks to /hooks/upstream/NAME (Standard Webhooks); empty takes none.",
    )
    requests_per_minute: int = Field(
        default=120, ge=0, description="Requests of every kind that it gets in a minute; 0 is unlimited."
    )
    cost_per_video: float = Field(
        default=0.0, ge=0, description="What a video costs you there, in whatever money spend_cap is in."
    )
    cost_per_second: float = Field(default=0.0, ge=0, description="The same for each second of it.")
    spend_cap: float = Field(
        default=0.0,
        ge=0,
        description="Most that it may cost in any 24 hours; then jobs wait; 0 is unlimited.",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _strong(cls, secret: SecretStr) -> SecretStr:
        if secret.get_secret_value() and not is_strong(secret.get_secret_value()):
            raise ValueError(
                f"must be {MIN_KEY} random bytes or more; make one with: openssl rand -base64 32"
            )
        return secret


class Polling(Section):
    policy: Literal["adaptive", "stepped", "fixed"] = Field(
        default="adaptive",
        description="How upstreams are polled: adaptive learns when jobs end; or stepped, or fixed.",
    )
    min_interval: Seconds = Field(
        default=2.0, description="Never look more often than this, in seconds; also the interval of fixed."
    )
    max_interval: Seconds = Field(
        default=60.0, description="Never look less often, in seconds, unless a job is overdue."
    )
    watched_interval: Seconds = Field(
        default=5.0,
        description="The same for adaptive, while somebody watches a job that may well be done.",
    )


class Simulator(Section):
    duration: Seconds = Field(default=8.0, description="Median seconds that a simulated video takes.")
    sigma: float = Field(default=0.25, ge=0, le=3, description="Spread of the durations (log-normal).")
    failure_rate: float = Field(default=0.0, ge=0, le=1, description="Share of jobs that fail, 0 to 1.")
    render: Literal["full", "clip"] = Field(
        default="full",
        description="full draws the prompt into a real video (needs the media extra); clip serves one shipped file.",
    )
    directives: bool = Field(default=False, description="Obey [[fault:...]] in prompts; for tests.")


class Jobs(Section):
    max_prompt: int = Field(default=32000, ge=0, description="Longest prompt, in characters; 0 is unlimited.")
    create_attempts: int = Field(default=5, ge=1, description="Refusals in a row after which a job fails.")
    create_timeout: Seconds = Field(
        default=60.0, description="Seconds that one paid create may take, in total."
    )
    overdue_after: Seconds = Field(
        default=1800.0, description="Seconds after which an accepted job is called overdue."
    )
    final_limit: Seconds = Field(
        default=172800.0, description="Seconds after which an unfinished job is ended."
    )


class Media(Section):
    downloads: int = Field(default=4, ge=1, description="Files fetched from upstreams at once.")
    max_file: int = Field(default=2 << 30, ge=1024, description="Largest result file, in bytes.")
    min_free_disk: int = Field(
        default=256 << 20,
        ge=0,
        description="Below this many free bytes nothing new is taken or sent; 0 turns it off.",
    )
    url_lifetime: Seconds = Field(
        default=3600.0, le=31_536_000, description="Seconds for which a signed file address works."
    )
    max_references: int = Field(
        default=200, ge=0, description="Saved reference images of one person; 0 is unlimited."
    )
    image_hosts: tuple[HostAndPort, ...] = Field(
        default=(),
        description="Hosts (or host:port) from which images may be fetched although their addresses are private.",
    )


class Realtime(Section):
    heartbeat: Seconds = Field(default=15.0, description="Seconds between SSE heartbeats.")
    sse_max_age: Seconds = Field(
        default=1800.0,
        description="Seconds after which an SSE stream is ended so that the client reconnects.",
    )
    auth_timeout: Seconds = Field(
        default=10.0, description="Seconds that a WebSocket may take to authenticate."
    )
    topics: int = Field(default=100, ge=0, description="Subscriptions on one WebSocket; 0 is unlimited.")
    replay: int = Field(
        default=1000, ge=1, description="Events replayed to a returning client at most; beyond it, a reset."
    )
    connections: int = Field(
        default=20_000,
        ge=0,
        description="Live connections at once, WebSockets and event streams; 0 is unlimited.",
    )
    per_person: int = Field(default=100, ge=0, description="The same of one person; 0 is unlimited.")
    per_address: int = Field(
        default=1000,
        ge=0,
        description="The same from one address; 0 is unlimited. Behind a proxy set server.trusted_proxies, "
        "or everybody has the proxy's address.",
    )
    messages_per_second: int = Field(
        default=30, ge=1, description="Messages that a client may send on one WebSocket in a second."
    )
    max_message: int = Field(
        default=65536,
        ge=1024,
        description="Bytes of one message that a client sends at most; read at the start.",
    )

    def for_connections(self) -> dict[str, Any]:
        """What a connection has to know."""
        return self.model_dump(exclude={"max_message"})


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is written to stderr: debug, info, warning or error."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="A line for people (text), or an object on each line for programs (json)."
    )


class Settings(BaseSettings):
    """The whole configuration, immutable."""

    model_config = SettingsConfigDict(
        env_prefix="SORA_GATEWAY_",
        env_nested_delimiter="__",
        env_file=".env",
        # An .env is often shared with other programs; only keys with our prefix are ours to complain about.
        dotenv_filtering="match_prefix",
        extra="forbid",
        frozen=True,
        # load_settings builds a subclass; this one's own validator is rarely needed.
        defer_build=True,
    )

    data_dir: Path = Field(
        default=Path("data"), description="Database, files, secrets and lock: everything lives here."
    )
    server: Server = Server()
    upstreams: dict[UpstreamName, Upstream] = Field(default_factory=dict)
    routing: dict[str, tuple[UpstreamName, ...]] = Field(
        default_factory=dict,
        description="For a model, the upstreams that may make it, best first; without it, all that offer it.",
    )
    accounts: Accounts = Accounts()
    oidc: dict[UpstreamName, Oidc] = Field(default_factory=dict)
    polling: Polling = Polling()
    simulator: Simulator = Simulator()
    jobs: Jobs = Jobs()
    media: Media = Media()
    realtime: Realtime = Realtime()
    credits: Credits = Credits()
    pricing: Pricing = Pricing()
    limits: Limits = Limits()
    webhooks: Webhooks = Webhooks()
    retention: Retention = Retention()
    plans: dict[UpstreamName, Plan] = Field(default_factory=dict)
    alerts: dict[UpstreamName, Alert] = Field(default_factory=dict)
    backup: Backup = Backup()
    log: Log = Log()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
    sentry: Sentry = Sentry()

    def secrets(self) -> Iterator[str]:
        """Every value that must not be shown, whichever table it is in."""
        return _secrets(self)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if isinstance(dotenv_settings, DotEnvSettingsSource):
            # The command line's own: where a gateway is and with which key, no part of its configuration.
            dotenv_settings.env_vars = {
                name: value
                for name, value in dotenv_settings.env_vars.items()
                if name not in CLIENT_VARIABLES
            }
        toml = TomlConfigSettingsSource(settings_cls, toml_file=settings_cls.model_config.get("toml_file"))
        # Files named like the variables (SORA_GATEWAY_UPSTREAMS__LAB__API_KEY); the plain source reads only whole tables.
        secrets = NestedSecretsSettingsSource(file_secret_settings, secrets_dir_missing="ok")
        return init_settings, env_settings, dotenv_settings, secrets, toml


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, dict | tuple | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _secrets(item)


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Reads every source once.

    *config* must exist when given; without it ``config.toml`` in the working directory is read if there is
    one. *overrides* are command-line flags, nested as dicts.

    Raises:
        StartupError: a file is missing or not TOML, a key is unknown or a value out of bounds; the text names it.
    """
    if config is not None and not config.is_file():
        raise StartupError(f"There is no configuration file at {config}.")
    path = config or Path("config.toml")
    secrets = os.environ.get("CREDENTIALS_DIRECTORY")

    class Sourced(Settings):
        model_config = SettingsConfigDict(
            toml_file=path if path.is_file() else None,
            secrets_dir=secrets if secrets and os.path.isdir(secrets) else None,
        )

    try:
        return Sourced(**overrides)
    except ValidationError as error:
        raise StartupError("The configuration is not valid:\n" + "\n".join(_complaints(error))) from None
    except SettingsError as error:
        raise StartupError(f"The configuration cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise StartupError(f"{path} is not valid TOML: {error}.") from None
    except UnicodeDecodeError as error:
        raise StartupError(f"{path} or .env is not text in UTF-8: {error}.") from None
    except OSError as error:
        raise StartupError(f"{error.filename or path} cannot be read: {error.strerror}.") from None


def _complaints(error: ValidationError) -> list[str]:
    """One line per wrong key; values are left out because they may be secrets."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in problem["loc"])
        reason = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"  {key}: {reason}")
    return lines
