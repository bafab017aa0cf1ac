"""Where settings come from: flags > environment > .env > secrets directory > config.toml > defaults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sora_gateway.cli.jobs import API_KEY, URL
from sora_gateway.errors import StartupError
from sora_gateway.oidc_settings import Oidc
from sora_gateway.settings import CLIENT_VARIABLES, Settings, load_settings


@pytest.fixture(autouse=True)
def _an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine that runs the tests leaks in."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)


def secret(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    directory = Path("credentials")
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))


def test_without_any_source_the_defaults_hold() -> None:
    assert load_settings().server.port == 8000


def test_each_source_wins_over_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.toml").write_text("[server]\nport = 1005\n")
    assert load_settings().server.port == 1005
    secret(monkeypatch, "SORA_GATEWAY_SERVER__PORT", "1004\n")
    assert load_settings().server.port == 1004
    Path(".env").write_text("SORA_GATEWAY_SERVER__PORT=1003\n")
    assert load_settings().server.port == 1003
    monkeypatch.setenv("SORA_GATEWAY_SERVER__PORT", "1002")
    assert load_settings().server.port == 1002
    assert load_settings(server={"port": 1001}).server.port == 1001


def test_a_flag_for_one_key_leaves_the_rest_of_its_table_to_the_other_sources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("config.toml").write_text("[server]\nmax_connections = 7\n")
    monkeypatch.setenv("SORA_GATEWAY_SERVER__PORT", "1002")
    server = load_settings(server={"host": "0.0.0.0"}).server
    assert (server.host, server.port, server.max_connections) == ("0.0.0.0", 1002, 7)


def test_the_environment_can_set_one_key_of_one_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.toml").write_text('[upstreams.lab]\nbase_url = "http://127.0.0.1:9000/v1"\n')
    monkeypatch.setenv("SORA_GATEWAY_UPSTREAMS__LAB__API_KEY", "from the environment")
    lab = load_settings().upstreams["lab"]
    assert lab.base_url == "http://127.0.0.1:9000/v1"
    assert lab.api_key.get_secret_value() == "from the environment"


def test_a_whole_upstream_can_live_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORA_GATEWAY_UPSTREAMS__LAB__BASE_URL", "http://127.0.0.1:9000/v1")
    monkeypatch.setenv("SORA_GATEWAY_UPSTREAMS__LAB__MODELS", '{"sora-2": "wan-2.2"}')
    assert load_settings().upstreams["lab"].models == {"sora-2": "wan-2.2"}


def test_a_secret_file_holds_one_key_and_its_last_line_break_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("config.toml").write_text('[upstreams.lab]\nbase_url = "http://127.0.0.1:9000/v1"\n')
    secret(monkeypatch, "SORA_GATEWAY_UPSTREAMS__LAB__API_KEY", "from a file\n")
    assert load_settings().upstreams["lab"].api_key.get_secret_value() == "from a file"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[server]\nprot = 1\n", "server.prot: unknown key"),
        ("[srver]\nport = 1\n", "srver: unknown key"),
        ('[upstreams.lab]\nbase_url = "http://a/v1"\nmodel = {}\n', "upstreams.lab.model: unknown key"),
        ("[server]\nport = 70000\n", "server.port: "),
        ("[upstreams.lab]\n", "upstreams.lab.base_url: "),
        ("[upstreams.Lab]\nbase_url = 'http://a/v1'\n", "upstreams.Lab"),
        ("[oidc.house]\npreset = 'google'\n", "oidc.house.client_id: "),
        (
            "[oidc.house]\npreset = 'google'\nclient_id = 'a'\nsecret = 'b'\n",
            "oidc.house.secret: unknown key",
        ),
        ("[oidc.house]\npreset = 'google'\nclient_id = 'a'\nrole = 'admin'\n", "oidc.house.role: "),
    ],
)
def test_a_wrong_key_or_value_is_named(text: str, named: str) -> None:
    Path("config.toml").write_text(text)
    with pytest.raises(StartupError, match=named.replace(".", r"\.")):
        load_settings()


def provider(text: str) -> Oidc:
    Path("config.toml").write_text(f"[oidc.house]\nclient_id = 'a'\n{text}\n")
    return load_settings().oidc["house"]


def test_a_provider_has_an_issuer_that_nobody_in_between_can_play() -> None:
    for issuer in (
        "https://id.example.org",
        "https://id.example.org:8443/realms/a/",
        "http://localhost:8080",
        "http://[::1]/a",
    ):
        assert provider(f"issuer = '{issuer}'").issuer == issuer
    assert provider("preset = 'google'").issuer == ""
    for wrong in (
        "", "issuer = ''", "issuer = 'http://id.example.org'", "issuer = 'https://'", "issuer = 'id.example.org'",
        "issuer = 'https://id.example.org?tenant=a'", "issuer = 'https://id.example.org#a'", "issuer = 'https://a@b.example'",
        "issuer = 'http://localhost.evil.example'", "issuer = 'http://127.0.0.1@evil.example'",
        "preset = 'google'\nissuer = 'https://id.example.org'",
    ):  # fmt: skip
        with pytest.raises(StartupError, match=r"oidc\.house: .*issuer"):
            provider(wrong)


def test_the_domains_of_a_provider_are_names_in_any_case() -> None:
    found = provider("preset = 'google'\nallowed_domains = ['Example.ORG', 'sub.example.net']")
    assert found.allowed_domains == ("example.org", "sub.example.net")
    for wrong in (
        "*",
        "*.example.org",
        "@example.org",
        "example",
        "example.org.",
        "a@example.org",
        "exämple.org",
        "",
    ):
        with pytest.raises(StartupError, match=r"oidc\.house\.allowed_domains\.0"):
            provider(f"preset = 'google'\nallowed_domains = ['{wrong}']")


def test_an_unknown_key_in_the_environment_of_a_table_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORA_GATEWAY_SERVER__PROT", "1")
    with pytest.raises(StartupError, match=r"server\.prot: unknown key"):
        load_settings()


def test_an_env_file_may_hold_what_the_command_line_is_told() -> None:
    Path(".env").write_text(
        f"{URL}=http://127.0.0.1:8000\n{API_KEY}=sgw_of_a_person\nSORA_GATEWAY_SERVER__PORT=1003\n"
    )
    assert load_settings().server.port == 1003
    assert {URL.lower(), API_KEY.lower()} == CLIENT_VARIABLES


def test_an_env_file_may_be_shared_with_other_programs_but_our_own_keys_are_checked() -> None:
    Path(".env").write_text("OPENAI_API_KEY=of-another-program\n")
    load_settings()
    Path(".env").write_text("SORA_GATEWAY_SRVER__PORT=1\n")
    with pytest.raises(StartupError, match="srver__port: unknown key"):
        load_settings()


def test_a_wrong_value_is_not_repeated_because_it_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORA_GATEWAY_SERVER__PORT", "hunter2")
    with pytest.raises(StartupError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_configuration_file_that_was_asked_for_must_exist() -> None:
    with pytest.raises(StartupError, match=r"no configuration file at missing\.toml"):
        load_settings(Path("missing.toml"))


@pytest.mark.parametrize(
    ("content", "says"), [(b"port 1", "not valid TOML"), (b"\xff\xfe", "not text in UTF-8")]
)
def test_a_file_that_is_not_toml_is_refused_in_one_sentence(content: bytes, says: str) -> None:
    Path("config.toml").write_bytes(content)
    with pytest.raises(StartupError, match=says):
        load_settings()


def test_settings_do_not_show_a_key_when_printed() -> None:
    settings = Settings.model_validate(
        {"upstreams": {"lab": {"base_url": "http://a/v1", "api_key": "canary-8213"}}}
    )
    assert "canary-8213" not in repr(settings)


@pytest.mark.parametrize(
    ("section", "name"), [("[credits]", "starting_balance"), ("[plans.gold]", "monthly_credits")]
)
def test_nobody_gets_more_at_once_than_can_be_counted(section: str, name: str) -> None:
    path = Path("config.toml")
    path.write_text(f"{section}\n{name} = {1 << 63}\n")
    with pytest.raises(StartupError, match=name):
        load_settings()
    path.write_text(f"{section}\n{name} = 1_000_000_000_000\n")
    load_settings()
