"""The container's files, as far as they can be checked where there is no container engine: nobody has built them here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has none

from sora_gateway.http.system import System
from sora_gateway.settings import load_settings

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "deploy" / "docker"
STAGES = (DOCKER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").split("\nFROM ")
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
GATEWAY: dict[str, Any] = COMPOSE["services"]["gateway"]


def lines(stage: str, instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} +(.*)$", stage, re.MULTILINE)


def environment() -> dict[str, str]:
    found = re.findall(r"(SORA_GATEWAY_\w+)=(\S+)", " ".join(lines(STAGES[-1], "ENV")))
    named: dict[str, str] = GATEWAY["environment"]
    return dict(found) | named


def test_what_the_wheel_is_made_of_is_copied_into_the_image_and_not_kept_out_of_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {
        "pyproject.toml", "requirements.lock", project["project"]["readme"],
        *project["project"]["license-files"], *wheel["packages"], *wheel["force-include"],
    }  # fmt: skip
    copied = {source for line in lines(STAGES[1], "COPY") for source in line.split()[:-1]}
    let_in = re.findall(
        r"^!(.*)$", (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert copied == wanted == set(let_in)
    assert all((ROOT / name).exists() for name in copied)


def test_the_container_does_not_run_as_root_and_can_write_to_nothing_but_its_data() -> None:
    assert lines(STAGES[-1], "USER") == ["sora-gateway"]
    assert GATEWAY["read_only"] is True
    assert GATEWAY["cap_drop"] == ["ALL"]
    assert (
        [volume.partition(":")[2] for volume in GATEWAY["volumes"]]
        == lines(STAGES[-1], "VOLUME")
        == ["/data"]
    )


def test_its_environment_is_a_valid_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert str(settings.data_dir) == "/data"
    assert settings.server.host == "0.0.0.0"
    assert settings.server.allow_insecure


def test_it_is_published_on_this_machine_only_at_the_address_that_it_calls_its_own() -> None:
    (published,) = GATEWAY["ports"]
    address, _, inside = published.rpartition(":")
    assert environment()["SORA_GATEWAY_SERVER__PUBLIC_URL"] == f"http://{address}"
    assert address.startswith("127.0.0.1:")
    assert [inside] == lines(STAGES[-1], "EXPOSE") == [environment()["SORA_GATEWAY_SERVER__PORT"]]


def test_its_health_is_asked_for_where_it_is_told() -> None:
    (asked,) = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", STAGES[-1])
    assert asked in {endpoint.path for endpoint in System(0.0, list).endpoints()}


def test_it_is_given_the_time_that_stopping_in_order_takes() -> None:
    assert lines(STAGES[-1], "STOPSIGNAL") == ["SIGTERM"]
    assert int(GATEWAY["stop_grace_period"].removesuffix("s")) > 30
