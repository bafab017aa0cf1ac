"""The code in docs/webhooks.md verifies what the gateway signs, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.core.webhook_signature import signature
from sora_gateway.core.webhooks import WAITS, EventType
from sora_gateway.settings import load_settings
from sora_gateway.webhooks.receiver import MAX_ANSWER
from tests.generated import ROOT
from tests.receivers import receiving
from tests.snippets import CONFIG, block, environment, needs_curl, program, run

PAGE = ROOT / "docs/webhooks.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECRET, OTHER = "whsec_" + "c2VjcmV0" * 6, "whsec_" + "b3RoZXIh" * 6
BODY = '{"type":"video.completed","data":{"prompt":"ein Boot, ruhig über Wasser"}}'


def cases() -> Iterator[tuple[dict[str, str], str, bool]]:
    """Headers, body and whether it is genuine."""
    now = int(time.time())

    def headers(secret: str = SECRET, at: int = now) -> dict[str, str]:
        signed = signature(secret, "msg_1", str(at), BODY.encode())
        return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signed}

    yield headers(), BODY, True
    yield headers(), BODY + " ", False
    yield headers(OTHER), BODY, False
    both = f"{headers(OTHER)['webhook-signature']} {headers()['webhook-signature']}"
    yield headers() | {"webhook-signature": both}, BODY, True
    yield headers() | {"webhook-id": "msg_2"}, BODY, False
    yield headers() | {"webhook-timestamp": str(now + 1)}, BODY, False
    yield headers() | {"webhook-timestamp": "soon"}, BODY, False
    yield headers() | {"webhook-signature": "v1,é"}, BODY, False
    yield headers(at=now - 400), BODY, False
    yield headers(at=now + 400), BODY, False


def test_the_python_on_the_page_verifies() -> None:
    names: dict[str, Any] = {}
    exec(compile(block(PAGE, "verify"), PAGE.name, "exec"), names)
    for headers, body, genuine in cases():
        assert names["verified"](SECRET, headers, body.encode()) is genuine, headers


@pytest.mark.skipif(not shutil.which("node"), reason="what is for Node is run by node")
def test_the_javascript_on_the_page_verifies(tmp_path: Path) -> None:
    (script,) = re.findall(r"^```js\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    (tmp_path / "verify.mjs").write_text(
        script + "\nlet read = '';\nfor await (const piece of process.stdin) read += piece;\n"
        "const { secret, cases } = JSON.parse(read);\n"
        "console.log(JSON.stringify(cases.map(([headers, body]) => verified(secret, headers, Buffer.from(body)))));\n"
    )
    wanted = list(cases())
    done = subprocess.run(
        ["node", "verify.mjs"],
        cwd=tmp_path,
        input=json.dumps({"secret": SECRET, "cases": [case[:2] for case in wanted]}),
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert json.loads(done.stdout) == [genuine for *_, genuine in wanted]


@needs_curl
async def test_a_webhook_that_is_made_as_on_the_page_is_told_and_its_message_verifies(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hosts = f'[webhooks]\nhosts = ["{receiver.host}"]\n'
        (tmp_path / "config.toml").write_text(CONFIG + hosts)
        with program(tmp_path, "serve") as address:
            page = tmp_path / "webhooks.md"
            page.write_text(TEXT.replace("https://hooks.example.org/videos", receiver.url))
            said = await asyncio.to_thread(run, page, tmp_path, address, without={"verify"})
            made = json.loads(said["make"].strip().splitlines()[-1])
            await asyncio.to_thread(make_a_video, tmp_path, address)
            (message,) = await receiver.gets(1)
    names: dict[str, Any] = {}
    exec(compile(block(PAGE, "verify"), PAGE.name, "exec"), names)
    assert names["verified"](made["secret"], message.headers, message.body)
    assert json.loads(message.body)["type"] == "video.completed"


def make_a_video(directory: Path, address: str) -> None:
    """As the person of the page."""
    script = "key=$(sora-gateway key create --user webhooks@example.org)\nsora-gateway generate boat --wait "
    subprocess.run(
        ["bash", "-c", f'{script}--url {address} --api-key "$key" >/dev/null 2>&1'],
        cwd=directory, env=environment(), check=True, timeout=30,
    )  # fmt: skip


def test_the_page_says_what_the_code_does() -> None:
    assert "after 5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and 24 hours" in " ".join(TEXT.split())
    assert (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))) == WAITS
    assert f"up to {MAX_ANSWER // 1024} KiB" in " ".join(TEXT.split())
    assert all(f"`{event}`" in TEXT for event in EventType)


def test_the_example_for_operators_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text(block(PAGE, "hosts"))
    assert load_settings().webhooks.hosts == ("hooks.internal:8080",)
