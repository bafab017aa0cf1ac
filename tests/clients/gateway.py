"""A gateway for programs of others: a process of its own on its own directory, with its embedded simulator."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT, program

CLIP = ROOT / "sora_gateway" / "upstream" / "simulator" / "clip.mp4"
"""A video of a few seconds."""
BALANCE = 100_000
PRICE = 1

CONFIG = f"""
[server]
port = 0
[simulator]
duration = 0.4
sigma = 0.0
render = "clip"
directives = true
[polling]
policy = "fixed"
min_interval = 0.1
[media]
min_free_disk = 0
[credits]
enabled = true
starting_balance = {BALANCE}
[pricing]
per_video = {PRICE}
[limits]
# A program that tries everything asks more often than people do.
per_person = 0
per_key = 0
per_address = 0
creates_per_person = 0
"""


@dataclass
class Home:
    """The directory of one gateway. *config* is the text of its configuration."""

    root: Path
    config: str = CONFIG

    def __post_init__(self) -> None:
        self._file.write_text(self.config, encoding="utf-8")

    @property
    def _file(self) -> Path:
        return self.root / "config.toml"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def journal(self) -> Path:
        """What the embedded simulator was paid for."""
        return self.data / "simulator" / "creates.jsonl"

    @property
    def where(self) -> list[str]:
        return ["--config", str(self._file), "--data-dir", str(self.data)]

    async def command(self, *arguments: str, **variables: str) -> str:
        """What ``sora-gateway ARGUMENTS`` prints. Raises RuntimeError when it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sora_gateway", *arguments, *self.where, cwd=ROOT, env=own(variables),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, complaints = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {(output + complaints).decode()}")
        return output.decode().strip()

    async def person(
        self, name: str, role: str = "member", balance: int = BALANCE, scopes: Sequence[str] = ()
    ) -> str:
        """Adds somebody; returns an API key of theirs, for *scopes* or for what keys are for."""
        email = f"{name}@example.org"
        funds = {"SORA_GATEWAY_CREDITS__STARTING_BALANCE": str(balance)}
        await self.command("user", "create", email, "--role", role, **funds)
        chosen = [word for scope in scopes for word in ("--scope", scope)]
        return await self.command("key", "create", "--user", email, *chosen)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The gateway's address, for the length of the block.

        Raises:
            RuntimeError: it did not stop in order, logged an error of its own, or its books do not balance.
        """
        log = self.root / "gateway.log"
        async with program(log, "sora_gateway", "serve", *self.where) as running:
            yield running.address
            code = await running.told(signal.SIGTERM)
        said = log.read_text(encoding="utf-8")
        if code != 0 or "Traceback" in said or " ERROR " in said:
            raise RuntimeError(f"the gateway ended with {code} and said:\n{said}")
        await self.command("credits", "check")


def own(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without the gateway's settings and without proxies, and *variables*."""
    foreign = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SORA_") and not name.lower().endswith("_proxy")
    }
    return foreign | dict(variables)
