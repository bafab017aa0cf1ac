"""``make fuzz``: schemathesis over ``/openapi.json`` of a real gateway, bounded in time and seeded.

It sends what the description allows and what it does not, one request at a time and in chains, and holds every
answer against the description: no 5xx, no status, media type or body that is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx

from sora_gateway.core.principal import Scope
from tests.clients.gateway import Home, own
from tests.clients.python.checking import png
from tests.processes import ROOT
from tests.sample_videos import sample_mp4

ENVIRONMENT = ROOT / ".venv-fuzz"

CONFIG = """
[server]
port = 0
[simulator]
duration = 0.05
sigma = 0.0
render = "clip"
directives = true
[polling]
policy = "fixed"
min_interval = 0.05
[media]
min_free_disk = 0
[realtime]
# An event stream is an answer like the others: it ends, and soon.
sse_max_age = 0.5
[limits]
# A program that tries everything asks more often than people do.
per_person = 0
per_key = 0
per_address = 0
creates_per_person = 0
"""

LEFT_OUT = {
    "positive_data_acceptance": "which sizes, durations and models there are is the upstream's, not the description's",
}
"""Checks of schemathesis that do not hold here, and why."""


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.fuzz")
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sora-fuzz-") as folder:
        home = Home(Path(folder), CONFIG)
        key = await home.person("fuzz", role="admin", scopes=list(Scope))
        async with home.serving() as address:
            async with httpx.AsyncClient(
                base_url=address, headers={"Authorization": f"Bearer {key}"}, trust_env=False
            ) as http:
                known = await furnished(http)
            code = await fuzzed(home.root, address, key, known, arguments.seconds, arguments.seed)
            async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
                assert (await http.get("/ready")).status_code == 200, "the gateway takes no work any more"
    return code


async def furnished(http: httpx.AsyncClient) -> dict[str, Any]:
    """What ``fuzz_hooks.py`` knows: ids of things in several states, and what must be left alone."""
    image, video = png(96, 64), sample_mp4(frames=4)

    async def made(path: str, **request: Any) -> str:
        answer = await http.post(path, **request)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    states = ["done", "done, too", "failed [[fault:fail]]", "runs [[fault:duration=60]]"]
    (own_key,) = (await http.get("/api/keys")).json()["keys"]
    return {
        "videos": [await made("/v1/videos", json={"prompt": prompt}) for prompt in states * 8],
        "references": [await made("/api/references", files={"file": ("a.png", image)}) for _ in range(20)],
        "characters": [
            await made("/v1/videos/characters", data={"name": "Ada"}, files={"video": ("a.mp4", video)})
        ],
        "templates": [
            await made("/api/templates", json={"name": "Pets", "prompt": "a {animal}"}) for _ in range(20)
        ],
        "batches": [
            (await http.post("/api/video/tasks/batch", json={"prompts": "a\nb"})).json()["batchId"]
            for _ in range(4)
        ],
        "keys": [own_key["id"], *[await made("/api/keys", json={"name": "spare"}) for _ in range(20)]],
        "models": ["sora-2"],
        "own_key": own_key["id"],
        "image": b64encode(image).decode(),
        "video": b64encode(video).decode(),
    }


async def fuzzed(place: Path, address: str, key: str, known: dict[str, Any], seconds: int, seed: int) -> int:
    """Schemathesis' exit code; it prints for itself, and leaves what it writes in *place*."""
    for check, reason in LEFT_OUT.items():
        print(f"left out: {check}, for {reason}", flush=True)
    process = await asyncio.create_subprocess_exec(
        str(ENVIRONMENT / "bin" / "schemathesis"), "run", f"{address}/openapi.json",
        "--header", f"Authorization: Bearer {key}",
        "--checks", "all", "--exclude-checks", ",".join(LEFT_OUT),
        "--max-time", str(seconds), "--seed", str(seed), "--generation-database", "none",
        "--continue-on-failure", "--request-timeout", "10", "--no-color", "--warnings", "off",
        cwd=place, stdin=asyncio.subprocess.DEVNULL,
        env=own(
            {
                "SCHEMATHESIS_HOOKS": "tests.clients.fuzz_hooks",
                "PYTHONPATH": str(ROOT),
                "FUZZ_KNOWN": json.dumps(known),
            }
        ),
    )  # fmt: skip
    try:
        # It keeps its time by itself, but for what it is in the middle of.
        async with asyncio.timeout(seconds + 60):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
