"""``make test-peers``: LiteLLM's proxy as our upstream and in front of us, and what it cannot do.

``python -m tests.peers "an image"`` tries the checks with these words in their sentences.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.clients.gateway import Home
from tests.peers import behind, front
from tests.peers.person import person
from tests.peers.proxy import KEY, Model, Proxy, litellm
from tests.processes import LoggingUpstream, logging_upstream

WITHIN = 240.0
"""Seconds for everything."""

BEHIND = """
[server]
port = 0
[polling]
policy = "fixed"
min_interval = 0.1
[media]
min_free_disk = 0
[jobs]
create_timeout = 10
[upstreams.litellm]
profile = "litellm"
base_url = "{address}/v1"
api_key = "{key}"
models = {{ "sora-2" = "clips" }}
sizes = ["720x1280"]
seconds = [4]
max_concurrent = 0
"""


async def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="sora-peers-") as folder:
        root = Path(folder)
        for name in ("front", "behind"):
            (root / name).mkdir()
        async with asyncio.timeout(WITHIN), logging_upstream(root) as simulator:
            ours = Home(root / "front")
            key, poor = await ours.person("ann"), await ours.person("bob", balance=0)
            async with ours.serving() as address:
                models = [
                    Model("clips", f"{simulator.address}/v1", "any", "sora-2-pro"),
                    Model("sora-2", f"{address}/v1", key),
                    Model("stranger", f"{address}/v1", "wrong"),
                    Model("poor", f"{address}/v1", poor),
                ]
                async with litellm(root, models) as proxy:
                    codes = [await tried_behind(root / "behind", proxy, simulator, words)]
                    place = front.Front(
                        person(proxy.address, KEY), person(address, key), proxy, proxy.elsewhere()
                    )
                    for title, checks in (
                        ("LiteLLM in front of us", front.checks),
                        ("What LiteLLM cannot do", front.limits),
                    ):
                        print(f"-- {title}", flush=True)
                        # The checks wait in a thread: here the processes are watched.
                        codes.append(await asyncio.to_thread(checks.run, place, words))
    print("failed" if any(codes) else "all is well with LiteLLM")
    return 1 if any(codes) else 0


async def tried_behind(root: Path, proxy: Proxy, simulator: LoggingUpstream, words: list[str]) -> int:
    home = Home(root, BEHIND.format(address=proxy.address, key=KEY))
    key = await home.person("cid")
    async with home.serving() as address:
        at_start, doctor = proxy.elsewhere(), await home.command("doctor")
        place = behind.Behind(
            person(address, key),
            person(proxy.address, KEY),
            proxy,
            simulator,
            doctor,
            at_start,
            proxy.elsewhere(),
        )
        print("-- LiteLLM as our upstream", flush=True)
        return await asyncio.to_thread(behind.checks.run, place, words)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
