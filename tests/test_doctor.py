"""What ``doctor`` finds out about upstreams for nothing, and the one clip that it pays for when it is told to."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.cli import main
from sora_gateway.clock import SystemClock
from sora_gateway.upstream.simulator import SimulatorOptions, SimulatorState, build_simulator
from tests.fakes import CountingEntropy
from tests.profile_fakes import serving_fake
from tests.raw_server import Received, Wire, answer, serving_raw
from tests.servers import serving

KEY = "canary"


@pytest.fixture(autouse=True)
def _an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def outcome(capsys: pytest.CaptureFixture[str]) -> Any:
    return capsys.readouterr


def configure(url: str, profile: str, more: str = "") -> None:
    Path("config.toml").write_text(
        f'polling = {{ min_interval = 0.1 }}\n[upstreams.lab]\nbase_url = "{url}"\napi_key = "{KEY}"\n'
        f'profile = "{profile}"\n{more}'
    )


def clips() -> dict[str, bytes]:
    """What lies in the working directory, by name; how each begins."""
    return {path.name: path.read_bytes()[:16] for path in Path().glob("doctor*")}


def program(*options: str) -> subprocess.Popen[str]:
    """The command as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "sora_gateway", "doctor", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def doctor(*options: str) -> int:
    """Beside a server in this process the command needs a thread of its own."""
    return await asyncio.to_thread(main, ["doctor", *options])


# --- which server it is ------------------------------------------------------------------------------


async def test_a_profile_that_fits_better_is_a_hint_and_no_failure(outcome: Any) -> None:
    async with serving_fake("new-api", KEY) as (fake, url):
        configure(url, "generic")
        assert await doctor() == 0
        assert fake.paid == 0
    told = outcome().out
    assert (
        '\nhint  upstream lab: profile = "new-api" fits better than generic, because its answers carry'
        in told
    )
    assert KEY not in told


async def test_a_profile_that_would_cost_money_where_it_is_wrong_is_told_of(outcome: Any) -> None:
    """As vllm-omni, a job that is lost would be sent again, to a proxy that charges for it."""
    async with serving_fake("litellm", KEY) as (_, url):
        configure(url, "vllm-omni")
        await doctor()
    assert 'hint  upstream lab: profile = "litellm" fits better than vllm-omni' in outcome().out


@pytest.mark.parametrize(
    ("server", "profile", "says"),
    [
        ("sglang", "sglang", "it is what its profile says, sglang: its models are owned by sglang"),
        ("tokens-pool-raw", "tokens-pool-raw", "it is what its profile says, tokens-pool-raw"),
        ("inworld", "generic", "which server it is cannot be told; generic works"),
        ("inworld", "inworld", "which server it is cannot be told; nothing speaks against inworld"),
    ],
)
async def test_a_profile_that_fits_is_said_to(server: str, profile: str, says: str, outcome: Any) -> None:
    async with serving_fake(server, KEY) as (_, url):
        configure(url, profile)
        assert await doctor() == 0
    assert f"\nok    upstream lab: {says}" in outcome().out


async def test_of_a_relay_that_chats_no_profile_is_guessed(outcome: Any) -> None:
    async with serving_fake("new-api", KEY) as (_, url):
        configure(url, "generic", 'dialect = "chat-stream"\n')
        assert await doctor() == 0
    assert "hint" not in outcome().out


async def test_one_upstream_can_be_looked_at_alone(outcome: Any) -> None:
    async with serving_fake("sglang", KEY) as (_, url):
        configure(url, "sglang", '[upstreams.away]\nbase_url = "http://127.0.0.1:1/v1"\n')
        assert await doctor() == 1
        assert "FAIL  upstream away: " in outcome().out
        assert await doctor("--upstream", "lab") == 0
    assert "away" not in outcome().out
    assert await doctor("--upstream", "nobody") == 1
    assert outcome().err == "sora-gateway: There is no upstream nobody in the configuration.\n"


# --- spending ----------------------------------------------------------------------------------------


@asynccontextmanager
async def simulated(directory: Path, **options: Any) -> AsyncIterator[SimulatorState]:
    """A simulator on a port, configured as the upstream ``lab``; its videos take a moment."""
    wanted: Any = {"duration": 0.3, "sigma": 0.0, "render": "clip", "directives": True} | options
    state = SimulatorState(
        directory / "simulator", SystemClock(), CountingEntropy(), SimulatorOptions(**wanted)
    )
    async with serving(build_simulator(state)) as url:
        models = 'models = { "film" = "sora-2-pro", "sora-2" = "sora-2" }\n'
        ranges = 'sizes = ["1280x720", "720x720", "1792x1024"]\nseconds = [12, 4, 8]\n'
        configure(f"{url}/v1", "simulator", f"{models}{ranges}cost_per_second = 0.25\n")
        try:
            yield state
        finally:
            await state.aclose()


@pytest.fixture
def _an_earlier_clip(tmp_path: Path) -> None:
    (tmp_path / "doctor-lab.mp4").write_text("an earlier one")


@pytest.mark.usefixtures("_an_earlier_clip")
async def test_the_cheapest_clip_is_made_once_and_is_a_video(tmp_path: Path, outcome: Any) -> None:
    async with simulated(tmp_path) as simulator:
        assert await doctor("--spend", "--yes") == 0
        (paid,) = simulator.records()
        assert (paid.model, paid.seconds, paid.size) == ("sora-2-pro", "4", "720x720")
    told = outcome().out
    assert (
        "This makes and pays for one video at lab: sora-2-pro, 4 seconds, 720x720, which costs 1.\n" in told
    )
    assert re.search(rf"^ok    upstream lab: accepted after [\d.]+ s as {paid.id}$", told, re.MULTILINE)
    assert re.search(
        r"^ok    upstream lab: a valid video after [\d.]+ s in all: \d+ bytes of video/mp4",
        told,
        re.MULTILINE,
    )
    assert told.endswith("saved as doctor-lab-2.mp4\n")
    assert clips()["doctor-lab-2.mp4"][4:8] == b"ftyp"
    assert clips()["doctor-lab.mp4"] == b"an earlier one"


async def test_a_video_that_fails_is_told_and_not_made_again(tmp_path: Path, outcome: Any) -> None:
    async with simulated(tmp_path, failure_rate=1.0) as simulator:
        assert await doctor("--spend", "--yes") == 1
        assert simulator.paid_creates() == 1
    assert re.search(r"^FAIL  upstream lab: failed after [\d.]+ s: .+\.$", outcome().out, re.MULTILINE)
    assert not clips()


async def test_without_a_terminal_and_a_yes_nothing_is_spent(tmp_path: Path, outcome: Any) -> None:
    async with simulated(tmp_path) as simulator:
        assert await doctor("--spend") == 1
        assert simulator.paid_creates() == 0
    assert outcome().err.startswith("sora-gateway: This costs money: give --yes")


@pytest.mark.parametrize(("reply", "paid"), [(b"n\n", 0), (b"\n", 0), (b"\x04", 0), (b"y\n", 1)])
async def test_on_a_terminal_a_person_is_asked(reply: bytes, paid: int, tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    async with simulated(tmp_path) as simulator:
        os.write(ours, reply)
        command = [sys.executable, "-m", "sora_gateway", "doctor", "--spend"]
        done = await asyncio.to_thread(
            subprocess.run, command, stdin=theirs, capture_output=True, text=True, timeout=50
        )
        assert simulator.paid_creates() == paid
    os.close(ours)
    os.close(theirs)
    assert done.returncode == (0 if paid else 1)
    assert "Go on? [y/N] " in done.stdout
    assert ("Nothing was sent." in done.stdout) is not bool(paid)


async def test_of_several_upstreams_the_one_to_pay_has_to_be_named(outcome: Any) -> None:
    configure("http://127.0.0.1:1/v1", "generic", '[upstreams.away]\nbase_url = "http://127.0.0.1:1/v1"\n')
    assert await doctor("--spend", "--yes") == 1
    assert outcome().err == "sora-gateway: Say with --upstream at which one to spend: lab, away.\n"


def test_without_an_upstream_there_is_nowhere_to_spend(outcome: Any) -> None:
    assert main(["doctor", "--spend", "--yes"]) == 1
    assert outcome().err == "sora-gateway: There is no upstream to spend at: none is configured.\n"


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (b"", "it is not known whether it was accepted and charged"),
        (
            answer(500, {"error": {"message": "Oops"}}),
            "it is not known whether it was accepted and charged (HTTP 500)",
        ),
        (answer(200, "<html>"), "it is not known whether it was accepted and charged"),
        (
            answer(429, {"error": {"message": "Busy."}}, {"Retry-After": "0"}),
            "refused, so nothing was made: Busy.",
        ),
        (answer(402, {}), "refused, so nothing was made: the upstream reports no balance"),
    ],
)
async def test_a_create_is_sent_once_whatever_is_answered(reply: bytes, says: str, outcome: Any) -> None:
    async def answered(request: Received, wire: Wire) -> None:
        await wire.send(
            reply if request.method == "POST" else answer(200, {"data": []}, {"Connection": "close"})
        )

    async with serving_raw(answered) as server:
        configure(f"{server.url}/v1", "inworld")
        assert await doctor("--spend", "--yes") == 1
        assert [request.method for request in server.requests].count("POST") == 1
    assert f"FAIL  upstream lab: {says}" in outcome().out


async def test_where_nobody_listens_nothing_is_sent(outcome: Any) -> None:
    configure("http://127.0.0.1:1/v1", "generic")
    assert await doctor("--spend", "--yes") == 1
    assert "FAIL  upstream lab: nothing was sent: no connection could be made" in outcome().out


async def test_ctrl_c_says_which_video_goes_on_there(tmp_path: Path) -> None:
    async with simulated(tmp_path, duration=100.0) as simulator:
        process = program("--spend", "--yes")
        assert process.stdout is not None
        while "accepted after" not in (line := await asyncio.to_thread(process.stdout.readline)):
            assert line
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate)
        (paid,) = simulator.records()
    assert (process.returncode, err) == (130, "")
    assert out.endswith(f"FAIL  upstream lab: nobody waits any more; the video goes on there as {paid.id}\n")


async def test_a_file_that_is_late_is_waited_for(tmp_path: Path, outcome: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sora_gateway.cli.trial.PROMPT", "A boat [[fault:content_404=1]]")
    async with simulated(tmp_path) as simulator:
        assert await doctor("--spend", "--yes") == 0
        assert simulator.paid_creates() == 1
    assert "\nhint  upstream lab: The upstream does not have the file ready yet.\n" in outcome().out
