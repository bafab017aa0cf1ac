"""docs/quickstart.md: its upstreams are what the gateway takes, and ``doctor`` is content with each."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sora_gateway.cli import main
from sora_gateway.settings import load_settings
from sora_gateway.upstream.profiles import PROFILES
from sora_gateway.upstream.simulator.orders import MODELS
from tests.generated import ROOT
from tests.profile_fakes import serving_fake
from tests.snippets import CONFIG, block, needs_curl, program, run

PAGE = ROOT / "docs/quickstart.md"
KEY = "canary"


@needs_curl
def test_the_practice_ends_with_a_video(tmp_path: Path) -> None:
    command = shlex.split(block(PAGE, "simulate"))
    assert command[:2] == ["sora-gateway", "simulate"]
    with program(tmp_path, *command[1:-1], "0", "--clip", "--duration", "0.3", "--sigma", "0") as upstream:
        address = urlsplit(upstream).netloc
        (lab,) = tomllib.loads(block(PAGE, "practice"))["upstreams"].values()
        assert set(lab["models"].values()) <= set(MODELS)
        (tmp_path / "config.toml").write_text(
            CONFIG + block(PAGE, "practice").replace("127.0.0.1:9000", address)
        )
        with program(tmp_path, "serve") as gateway:
            said = run(PAGE, tmp_path, gateway, without={"simulate"})
    (promised,) = re.findall(
        r"^```\n(ok .*?)```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert promised in said["doctor"]
    assert (tmp_path / "boat.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize("profile", ["vllm-omni", "sglang", "litellm", "new-api"])
async def test_doctor_is_content_with_what_the_page_says_of(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is where the page says that it belongs: in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_"):
            monkeypatch.delenv(name)
    (variable,) = re.findall(r"^export (\w+)=", block(PAGE, "secret"))
    monkeypatch.setenv(variable, KEY)
    async with serving_fake(profile, KEY) as (fake, url):
        text = block(PAGE, profile.replace("-", "_"))
        (tmp_path / "config.toml").write_text(re.sub(r'base_url = ".*"', f'base_url = "{url}"', text))
        upstream = load_settings().upstreams["lab"]
        assert (upstream.profile, upstream.api_key.get_secret_value()) == (profile, KEY)
        assert [*upstream.models] == ["sora-2"]
        assert profile == "sglang" or set(upstream.models.values()) == {fake.order["model"]}
        assert await asyncio.to_thread(main, ["doctor"]) == 0
        assert fake.paid == 0
    told = capsys.readouterr().out
    assert "ok    upstream lab: it answers and takes our key" in told
    assert f"ok    upstream lab: it is what its profile says, {profile}" in told


def test_what_the_page_says_of_profiles_is_what_they_do() -> None:
    text = PAGE.read_text(encoding="utf-8")

    def of(heading: str) -> str:
        return " ".join(text.partition(f"### {heading}\n")[2].partition("\n##")[0].split())

    omni, sglang, litellm, relay = (PROFILES[name] for name in ("vllm-omni", "sglang", "litellm", "new-api"))
    assert ("lists all its jobs" in of("vLLM-Omni")) == (omni.listing == "live")
    assert omni.on_ambiguous in of("vLLM-Omni")
    assert ("really stopped" in of("vLLM-Omni")) == omni.delete_cancels
    assert ("cannot stop" in of("SGLang")) == (not sglang.delete_cancels)
    assert ("forbids that" in of("LiteLLM")) == bool(litellm.create_headers)
    for profile, heading in ((litellm, "LiteLLM"), (relay, "new-api")):
        assert "neither a list nor a cancel" in of(heading)
        assert (profile.listing, profile.delete_cancels) == ("none", False)
    assert f"about every {relay.min_poll_interval:g} seconds" in of("new-api")
