"""``config.example.toml`` and ``config show``: both are written from :mod:`.settings`, which holds every fact once."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sora_gateway.alerts_settings import Alert
from sora_gateway.credit_settings import Plan
from sora_gateway.oidc_settings import Oidc
from sora_gateway.settings import Settings, Upstream

WIDTH = 100
_HEAD = """\
# sora-gateway: every setting with its default.
#
# Copy what you change into config.toml; nothing needs to be set. An unknown key is an error that names it.
# Order of sources: command line > environment > .env > secrets directory ($CREDENTIALS_DIRECTORY) > config.toml
# > the defaults here. As variables: SORA_GATEWAY_SERVER__PORT=9000, SORA_GATEWAY_UPSTREAMS__LAB__API_KEY=...
"""
_UPSTREAMS = """\
# One table per upstream; the name (here: lab) is yours. Without any, the embedded simulator makes the videos.
"""
_OIDC = """\
# One table per identity provider that people may sign in with (docs/accounts.md); the name (here: google) is yours.
"""
_PLANS = """\
# One table per plan; "default" is that of everybody who has no other. Administrators can add more while it runs.
"""
_ALERTS = """\
# One table per place where the operator is told what is wrong (docs/operating.md); the name (here: ops) is yours.
"""
_EXAMPLES: dict[str, Any] = {
    "preset": "google",
    "client_id": "1234.apps.googleusercontent.com",
    "allowed_domains": ("example.org",),
    "base_url": "http://127.0.0.1:9000/v1",
    "models": {"sora-2": "wan-2.2"},
    "sizes": ("1280x720", "720x1280"),
    "seconds": (4, 8, 12),
    "kind": "ntfy",
    "url": "https://ntfy.sh/my-gateway-9Xw2",
}
"""Values for the commented tables, where the default would not show the shape."""

_BY_NAME = frozenset({"upstreams", "oidc", "plans", "alerts"})
"""Tables that hold tables, whose names are the operator's."""

_USERINFO = re.compile(r"^(https?://)[^/@]*@")


def render(**changed: Any) -> str:
    """The text of ``config.example.toml``: every key, its description above it, its default as the value.

    *changed* replaces the defaults of top-level keys, for a configuration that is begun with them.
    """
    defaults = Settings.model_construct(**changed)
    blocks = [_HEAD]
    top = [
        line
        for name, field in _plain_fields(Settings)
        for line in _entry(name, field, getattr(defaults, name))
    ]
    blocks.append("\n".join(top) + "\n")
    for name, section in Settings.model_fields.items():
        if name == "upstreams":
            blocks.append(_UPSTREAMS + _commented(_example("upstreams.lab", Upstream)))
        elif name == "oidc":
            blocks.append(_OIDC + _commented(_example("oidc.google", Oidc)))
        elif name == "plans":
            blocks.append(_PLANS + _commented(_example("plans.default", Plan)))
        elif name == "alerts":
            blocks.append(_ALERTS + _commented(_example("alerts.ops", Alert)))
        elif _is_table(section):
            blocks.append(_table(name, type(section.default), getattr(defaults, name)))
    return "\n".join(blocks)


def show(settings: Settings) -> str:
    """The settings that are in force, as TOML; secrets are masked."""
    blocks = ["\n".join(f"{name} = {_value(getattr(settings, name))}" for name, _ in _plain_fields(Settings))]
    for name, value in settings:
        if isinstance(value, BaseModel):
            blocks.append(_shown(name, value))
        elif name in _BY_NAME:
            blocks += [_shown(f"{name}.{key}", table) for key, table in value.items()]
    return "\n\n".join(blocks) + "\n"


def _shown(name: str, section: BaseModel) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {_value(value)}" for key, value in section)])


def _is_table(field: FieldInfo) -> bool:
    return isinstance(field.default, BaseModel)


def _plain_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if name not in _BY_NAME and not _is_table(field):
            yield name, field


def _table(name: str, model: type[BaseModel], values: BaseModel) -> str:
    lines = [f"[{name}]"]
    for key, field in model.model_fields.items():
        lines += _entry(key, field, getattr(values, key))
    return "\n".join(lines) + "\n"


def _example(name: str, model: type[BaseModel]) -> str:
    lines = [f"[{name}]"]
    for key, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        value = _EXAMPLES.get(key, default)
        lines += _entry(key, field, value)
    return "\n".join(lines) + "\n"


def _entry(key: str, field: FieldInfo, value: Any) -> list[str]:
    assert field.description, f"the setting {key} has no description"
    comment = textwrap.wrap(field.description, WIDTH, initial_indent="# ", subsequent_indent="# ")
    return [*comment, f"{key} = {_value(value, masked=False)}"]


def _commented(text: str) -> str:
    """Keys get one hash and comments a second one, so that taking one hash away leaves a valid table."""
    return "".join(f"#{line}\n" if line.startswith("#") else f"# {line}\n" for line in text.splitlines())


def _value(value: Any, masked: bool = True) -> str:
    """*value* as TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case SecretStr():
            secret = value.get_secret_value()
            return _value("********" if masked and secret else secret)
        case str() | Path():
            # JSON's escapes are TOML's, except for the one control character that JSON lets through.
            text = _USERINFO.sub(r"\1********@", str(value)) if masked else str(value)
            return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            pairs = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case BaseModel():
            return _value(dict(value), masked)
        case tuple() | list():
            return f"[{', '.join(_value(item) for item in value)}]"
    raise AssertionError(f"no TOML is known for a {type(value).__name__}")


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _value(text)
