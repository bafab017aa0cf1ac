"""LiteLLM's proxy as a process that cannot leave this machine."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.gateway import own
from tests.processes import ROOT

PROGRAM = ROOT / ".venv-peers" / "litellm" / "bin" / "litellm"
KEY = "sk-peers"
STARTS_WITHIN = 60.0
ENDS_WITHIN = 15.0

# What it would fetch at its start, and what it would tell.
_SILENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
}


@dataclass(frozen=True)
class Model:
    """A name of the proxy's, and who makes its videos: *base* with ``/v1``, as *model*, with *key*."""

    name: str
    base: str
    key: str
    model: str = "sora-2"


@dataclass(frozen=True)
class Proxy:
    address: str
    log: Path
    left: Path

    @property
    def said(self) -> str:
        """What it has logged, with a line for each request."""
        return _said(self.log)

    def elsewhere(self) -> list[str]:
        """Hosts off this machine that it wanted to speak to."""
        return self.left.read_text(encoding="utf-8").split()

    def looked_at(self) -> set[str]:
        """Ids of the videos whose state it was asked for."""
        return set(re.findall(r'"GET /v1/videos/([^/ ?]+) HTTP', self.said))


@asynccontextmanager
async def litellm(directory: Path, models: list[Model]) -> AsyncIterator[Proxy]:
    """The proxy with *models*, for the length of the block.

    Raises:
        RuntimeError: it did not start.
    """
    config, log, left = directory / "litellm.yaml", directory / "litellm.log", directory / "left.txt"
    # JSON is YAML.
    config.write_text(json.dumps(_config(models)), encoding="utf-8")
    left.touch()
    guarded = {"PYTHONPATH": str(ROOT / "tests" / "peers" / "loopback"), "SORA_PEERS_LEFT": str(left)}
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", "0", "--telemetry", "False"]
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM), *options, cwd=directory, env=_environment(guarded),
            stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink,
        )  # fmt: skip
    try:
        yield Proxy(await _address(process, log), log, left)
    finally:
        await _ended(process)


def _config(models: list[Model]) -> dict[str, Any]:
    return {
        "model_list": [
            {
                "model_name": model.name,
                "litellm_params": {
                    "model": f"openai/{model.model}", "api_base": model.base, "api_key": model.key,
                },
            }
            for model in models
        ],
        "litellm_settings": {"telemetry": False},
        "general_settings": {"master_key": KEY},
    }  # fmt: skip


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Without keys, databases and settings that this machine has for LiteLLM or for those whom it calls."""
    foreign = ("LITELLM_", "OPENAI_", "AZURE_", "DATABASE_", "REDIS_", "PYTHON")
    kept = {name: value for name, value in own({}).items() if not name.startswith(foreign)}
    return kept | _SILENT | dict(variables)


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    async with asyncio.timeout(STARTS_WITHIN):
        while process.returncode is None:
            found = re.search(r"running on (http://127\.0\.0\.1:[1-9][0-9]*)", _said(log))
            if found is not None:
                return found[1]
            await asyncio.sleep(0.1)
    raise RuntimeError(f"LiteLLM ended with {process.returncode}:\n{_said(log)}")


def _said(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
