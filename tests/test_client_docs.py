"""docs/clients.md is run as a reader would."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.generated import ROOT
from tests.snippets import CONFIG, block, environment, needs_curl, program, run
from tests.test_client_js import NODE, needs_node

PAGE = ROOT / "docs/clients.md"


@needs_curl
def test_the_python_example_makes_a_video(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    with program(tmp_path, "serve") as address:
        told = run(PAGE, tmp_path, address)["python"].split("\n")
    assert re.fullmatch(r"websocket (queued|processing) \S.*", told[0])
    assert "websocket completed The video is ready." in told
    assert (tmp_path / "boat.mp4").read_bytes()[4:8] == b"ftyp"


@needs_node
@needs_curl
def test_the_javascript_example_follows_a_video(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.replace("duration = 0.3", "duration = 1.5"))
    shutil.copy(ROOT / "static/js/sora-live.js", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    with program(tmp_path, "serve") as address:
        (tmp_path / "follow.js").write_text(
            block(PAGE, "javascript").replace("http://127.0.0.1:8000", address)
        )
        script = (
            "sora-gateway user create bob@example.org; export KEY=$(sora-gateway key create --user bob@example.org)\n"
            f'export ID=$(sora-gateway generate boat --url {address} --api-key "$KEY")\n'
            'exec "$0" --no-warnings follow.js'
        )
        done = subprocess.run(
            ["bash", "-c", script, NODE], cwd=tmp_path, env=environment(), check=True, timeout=30,
            capture_output=True, text=True,
        )  # fmt: skip
    assert re.search(r"^(websocket|sse) video_\w+ completed 100$", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("closed\n")
