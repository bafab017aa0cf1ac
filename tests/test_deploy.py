"""What is shipped for the machine around the gateway fits the gateway: recipes of proxies, and the unit for systemd.

The recipes are also run, by ``make test-proxies``.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sora_gateway import cli
from sora_gateway.app import SOCKETS_MAY_FINISH
from sora_gateway.http.server import PING_INTERVAL
from sora_gateway.settings import Jobs, Realtime, Server, load_settings
from sora_gateway.supervisor.supervisor import CREATES_MAY_FINISH
from tests.generated import ROOT
from tests.proxies.recipes import DIRECTORY, INSTEAD, below_a_path

RECIPES = ("nginx.conf", "Caddyfile", "haproxy.cfg")
UNIT = ROOT / "deploy" / "systemd" / "sora-gateway.service"


def server_option(name: str) -> int:
    """What the server is made with."""
    (value,) = re.findall(
        rf"\b{name}=(\d+),", (ROOT / "sora_gateway/http/server.py").read_text(encoding="utf-8")
    )
    return int(value)


# --- proxies -----------------------------------------------------------------------------------------


def test_a_proxy_waits_longer_than_anything_of_the_gateway_takes() -> None:
    slowest = max(Jobs().create_timeout, Realtime().heartbeat, PING_INTERVAL)
    for name, timeouts in (
        ("nginx.conf", r"proxy_(?:read|send)_timeout (\d+)s"),
        ("haproxy.cfg", r"timeout (?:client|server|tunnel) (\d+)s"),
    ):
        found = re.findall(timeouts, (DIRECTORY / name).read_text(encoding="utf-8"))
        assert len(found) in (2, 3)
        assert all(int(seconds) >= 2 * slowest for seconds in found), name


def test_what_is_too_large_is_the_gateways_to_say() -> None:
    (limit,) = re.findall(
        r"client_max_body_size (\d+)m;", (DIRECTORY / "nginx.conf").read_text(encoding="utf-8")
    )
    assert Server().max_upload < int(limit) << 20 <= Server().max_upload + (1 << 20)


def test_no_idle_connection_is_used_in_the_moment_in_which_the_gateway_closes_it() -> None:
    (kept,) = re.findall(r"keepalive (\d+)s", (DIRECTORY / "Caddyfile").read_text(encoding="utf-8"))
    assert int(kept) < server_option("timeout_keep_alive")


@pytest.mark.parametrize("name", RECIPES)
def test_below_a_path_one_line_is_another(name: str) -> None:
    shipped = (DIRECTORY / name).read_text(encoding="utf-8")
    assert shipped.count(INSTEAD) == 1
    below = below_a_path(shipped)
    assert INSTEAD not in below
    assert "/videos/" in below
    assert len(set(shipped.splitlines()) - set(below.splitlines())) in (3, 4)


# --- systemd -----------------------------------------------------------------------------------------


def options() -> dict[str, list[str]]:
    """Every option of the unit with its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_runs_a_command_that_exists_on_its_own_directory() -> None:
    unit = options()
    (command,) = unit["ExecStart"]
    program, *words = shlex.split(command)
    assert program.endswith("/bin/sora-gateway")
    asked = cli._parser().parse_args(words)
    (state,), (where,) = unit["StateDirectory"], unit["WorkingDirectory"]
    # Nothing else can be written, so the data has to be there.
    assert (str(asked.data_dir), unit["ProtectSystem"]) == (f"/var/lib/{state}", ["strict"])
    assert where == f"/var/lib/{state}"


def test_systemd_waits_until_the_gateway_has_stopped() -> None:
    unit = options()
    assert int(unit["TimeoutStopSec"][0]) >= CREATES_MAY_FINISH + SOCKETS_MAY_FINISH + 10
    assert unit["KillSignal"] == ["SIGTERM"]


def test_the_units_example_of_a_secret_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = re.findall(r"^# LoadCredential=(\w+):/etc/", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    (tmp_path / name).write_text("sk-from-a-file\n")
    (tmp_path / "config.toml").write_text('[upstreams.lab]\nbase_url = "http://127.0.0.1:9000/v1"\n')
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_settings().upstreams["lab"].api_key.get_secret_value() == "sk-from-a-file"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_understands_all_of_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    """It looks for the program, which is not where readers have it."""
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/sora-gateway/bin/sora-gateway", "/bin/true"), encoding="utf-8")
    looked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True, timeout=30
    )  # fmt: skip
    assert (looked.returncode, looked.stdout + looked.stderr) == (0, "")
    scored = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert scored.returncode == 0, scored.stdout
