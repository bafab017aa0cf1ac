"""``make test-clients``: OpenAI's own SDKs, each in an environment of its own, against a real gateway.

Each client prints a line per check. ``python -m tests.clients --only 2.54 "at once"`` tries the clients with
2.54 in their names, and the checks with "at once" in their sentences.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.gateway import CLIP, Home, own
from tests.clients.lossy_proxy import lossy_proxy
from tests.clients.surroundings import Surroundings
from tests.processes import ROOT

ENVIRONMENTS = ROOT / ".venv-clients"
NODE = ROOT / "tests" / "clients" / "node"
NODE_PACKAGES = {"openai": 22, "openai-6": 20}
"""Names in ``node/package.json`` -> the least version of Node that they say they run on."""
WITHIN = 420.0
"""Seconds for one client."""


@dataclass
class Client:
    """A program to be run; *name* is also its people's."""

    name: str
    command: list[str]
    variables: dict[str, str] = field(default_factory=dict)


def clients() -> Iterator[Client]:
    """Those that can be tried here; says which cannot."""
    for name in ("openai-3", "openai-2.54"):
        yield Client(name, [str(ENVIRONMENTS / name / "bin" / "python"), "-m", "tests.clients.python"])
    node = shutil.which("node")
    if node is None:
        print("node is not here: the Node client was not tried")
        return
    if not (NODE / "node_modules").is_dir():
        print("npm is not here, so neither is OpenAI's package: the Node client was not tried")
        return
    for package, least in NODE_PACKAGES.items():
        if node_major(node) < least:
            print(f"node is older than {least}: the Node client {package} was not tried")
        else:
            yield Client(
                f"node-{package}", [node, str(NODE / "client.mjs")], {"SORA_CLIENT_PACKAGE": package}
            )


def node_major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.removeprefix("v").split(".")[0])


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients")
    parser.add_argument("--only", default="", help="clients with this in their names")
    parser.add_argument("words", nargs="*", help="checks with one of these in their sentences")
    arguments = parser.parse_args()
    chosen = [client for client in clients() if arguments.only in client.name]
    with tempfile.TemporaryDirectory(prefix="sora-clients-") as folder:
        home = Home(Path(folder))
        people = [await furnished(home, client) for client in chosen]
        async with home.serving() as address, lossy_proxy(address) as lossy:
            home.journal.parent.mkdir(exist_ok=True)
            home.journal.touch()
            where = {
                "url": f"{address}/v1", "lossy_url": f"{lossy}/v1", "journal": str(home.journal), "clip": str(CLIP),
            }  # fmt: skip
            # They mostly wait. Each has people of its own, so none sees what the others make.
            codes = await asyncio.gather(
                *(
                    tried(client, Surroundings(**where, **keys), arguments.words)
                    for client, keys in zip(chosen, people, strict=True)
                )
            )
    failed = [client.name for client, code in zip(chosen, codes, strict=True) if code != 0]
    print(f"failed: {', '.join(failed)}" if failed else f"all is well with {len(chosen)} clients")
    return 1 if failed else 0


async def furnished(home: Home, client: Client) -> dict[str, str]:
    """The keys of the people that *client* acts as."""
    name = client.name
    return {
        "key": await home.person(name),
        "pages_key": await home.person(f"{name}-pages"),
        "viewer_key": await home.person(f"{name}-viewer", role="viewer"),
        "poor_key": await home.person(f"{name}-poor", balance=0),
    }


async def tried(client: Client, place: Surroundings, words: list[str]) -> int:
    """Its exit code; what it prints comes out with its name."""
    process = await asyncio.create_subprocess_exec(
        *client.command, *words, cwd=ROOT, env=own(client.variables | place.variables()),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WITHIN):
            async for line in process.stdout:
                print(f"{client.name:14}{line.decode().rstrip()}", flush=True)
            return await process.wait()
    except TimeoutError:
        print(f"{client.name:14}FAIL it did not end within {WITHIN:g} s", flush=True)
        return 1
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
