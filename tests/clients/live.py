"""Live updates through clients that were not written here, Python's and Node's, against a gateway that is restarted.

``make test-clients`` runs it after OpenAI's SDKs. ``python -m tests.clients.live`` alone, with words: only the
checks with one of them in their sentence.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sora_gateway.core.principal import Scope
from tests.clients.__main__ import ENVIRONMENTS, NODE, Client
from tests.clients.gateway import CONFIG, Home, own
from tests.processes import ROOT

WITHIN = 60.0
"""Seconds for one client."""
WAITING = "WAITING"
"""The line by which a client says that the restart may come."""


def clients() -> Iterator[Client]:
    """Those that can be tried here; says which cannot."""
    python = ENVIRONMENTS / "live" / "bin" / "python"
    yield Client("live-python", [str(python), "-m", "tests.clients.live_python"])
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules").is_dir():
        print("node or npm is not here: ws and eventsource were not tried")
    else:
        # What `checking.mjs` loads as the package that is tried.
        yield Client("live-node", [node, str(NODE / "live.mjs")], {"SORA_CLIENT_PACKAGE": "ws"})


class Trial:
    """One run of one client."""

    def __init__(self, client: Client, address: str, key: str, words: list[str]) -> None:
        self.client = client
        self.waits = asyncio.Event()
        """Set once the restart may come, and when it is over."""
        self._command = [*client.command, *words]
        self._variables = client.variables | {"SORA_CLIENT_URL": address, "SORA_CLIENT_KEY": key}

    async def run(self) -> int:
        """Its exit code; what it prints comes out with its name."""
        process = await asyncio.create_subprocess_exec(
            *self._command, cwd=ROOT, env=own(self._variables),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(WITHIN):
                async for line in process.stdout:
                    if (said := line.decode().rstrip()) == WAITING:
                        self.waits.set()
                    else:
                        self._tell(said)
                return await process.wait()
        except TimeoutError:
            self._tell(f"FAIL it did not end within {WITHIN:g} s")
            return 1
        finally:
            self.waits.set()
            if process.returncode is None:
                process.kill()
            await process.communicate()

    def _tell(self, said: str) -> None:
        print(f"{self.client.name:14}{said}", flush=True)


async def main(words: list[str]) -> int:
    chosen = list(clients())
    with tempfile.TemporaryDirectory(prefix="sora-live-") as folder:
        # Long enough to be cut in the middle.
        home = Home(Path(folder), CONFIG.replace("duration = 0.4", "duration = 0.8"))
        keys = [await home.person(client.name, scopes=list(Scope)) for client in chosen]
        async with home.serving() as address:
            trials = [Trial(client, address, key, words) for client, key in zip(chosen, keys, strict=True)]
            running = [asyncio.create_task(trial.run()) for trial in trials]
            for trial in trials:
                await trial.waits.wait()
            # The end of this block stops the gateway, while they listen.
        codes = await asyncio.gather(*running)
    failed = [client.name for client, code in zip(chosen, codes, strict=True) if code != 0]
    print(f"failed: {', '.join(failed)}" if failed else f"all is well with {len(chosen)} live clients")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
