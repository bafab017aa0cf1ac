"""config.example.toml is the defaults, every key with its description."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.config_example import render, show
from sora_gateway.settings import Settings

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


@pytest.fixture(autouse=True)
def _an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def defaults() -> dict[str, Any]:
    return Settings.model_construct().model_dump(mode="json")


def test_the_file_is_what_the_settings_say() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == render(), "run `make config`"


def test_the_file_is_the_defaults() -> None:
    written = tomllib.loads(render())
    assert {"upstreams": {}, "oidc": {}, "plans": {}, "alerts": {}, **written} == defaults()


def test_every_key_has_a_comment_above_it() -> None:
    lines = [line.lstrip("# ") if re.match(r"# \w+ = ", line) else line for line in render().splitlines()]
    keys = [number for number, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    assert len(keys) > 40
    assert all(lines[number - 1].startswith("#") for number in keys)


def test_the_commented_tables_work_once_one_hash_is_taken_away() -> None:
    text = re.sub(
        r"^# (?=[a-z\[])(\[upstreams|\[oidc|\[plans|\[alerts|\w+ = )", r"\1", render(), flags=re.MULTILINE
    )
    settings = Settings.model_validate(tomllib.loads(text))
    assert settings.oidc["google"].allowed_domains == ("example.org",)
    lab = settings.upstreams["lab"]
    assert lab.models == {"sora-2": "wan-2.2"}
    assert lab.max_creating == 2


def test_the_settings_in_force_can_be_shown_and_read_again() -> None:
    settings = Settings.model_validate(
        {
            "data_dir": 'a "quoted" \\ path\x7f',
            "upstreams": {"lab": {"base_url": "http://a/v1", "models": {"sora 2": "ü"}}},
            "pricing": {"rules": [{"model": "sora-2-pro", "size": "64x64", "per_second": 9}]},
            "plans": {"default": {"per_day": 3, "priority": "vip"}},
            "oidc": {"google": {"preset": "google", "client_id": "a", "allowed_domains": ["Example.org"]}},
        }
    )
    assert {"alerts": {}, **tomllib.loads(show(settings))} == settings.model_dump(mode="json")


def test_what_is_shown_holds_no_secret() -> None:
    settings = Settings.model_validate(
        {
            "upstreams": {"lab": {"base_url": "http://me:canary-1@a/v1", "api_key": "canary-2"}},
            "pricing": {"rules": [{"model": "sora-2-pro", "size": "64x64", "per_second": 9}]},
            "plans": {"default": {"per_day": 3, "priority": "vip"}},
            "oidc": {"google": {"preset": "google", "client_id": "a", "client_secret": "canary-3"}},
            "alerts": {"ops": {"kind": "feishu", "url": "https://a/canary-4", "secret": "canary-5"}},
        }
    )
    assert "canary" not in show(settings)
    assert 'api_key = "********"' in show(settings)
