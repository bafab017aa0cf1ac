"""``python -m tests.losing_upstream JOURNAL``: an upstream in a process of its own that takes creates for good and loses
its answers, as ``[[loss:NAME]]`` in the prompt asks (:data:`tests.lossy_lab.LOSSES`).

What it takes is on its disk before anything is answered. A create with an idempotency key that it knows is answered
with its first video; the first two sendings of each are lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from sora_gateway.clock import SystemClock
from tests.lossy_lab import LOSSES, Json, Loss, LossyLab, fields_of, receipt
from tests.raw_server import Received, serving_raw

TAKES = 0.5
"""Seconds that a video takes."""
LOST_SENDINGS = 2


class LosingUpstream(LossyLab):
    def __init__(self, journal: Path) -> None:
        super().__init__(SystemClock(), keeps_keys=True)
        self.address = ""
        self._journal = journal
        self._sendings: Counter[str] = Counter()

    def take(self, order: Json) -> Json:
        request = self.orders[-1]
        video = super().take(order) | {"id": f"taken-{os.urandom(8).hex()}", "made_at": self.clock.now()}
        self.rows[0] = video
        line = {
            "id": video["id"],
            "prompt": video["prompt"],
            "client_request_id": request.headers["x-client-request-id"],
        }
        with open(self._journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return video

    def loss(self, order: Received) -> Loss:
        key = order.headers.get("idempotency-key", "")
        self._sendings[key] += 1
        wanted = re.search(r"\[\[loss:([^\]]+)\]\]", str(fields_of(order)["prompt"]))
        if wanted is None or (key and self._sendings[key] > LOST_SENDINGS):
            return receipt
        return LOSSES[wanted[1]]

    def shown(self, video: Json) -> Json:
        if self.clock.now() < video["made_at"] + TAKES:
            return video
        content = f"{self.address}/v1/videos/{video['id']}/content"
        done: dict[str, Any] = {"status": "completed", "progress": 100, "video_url": content}
        return video | done


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("journal", type=Path)
    upstream = LosingUpstream(parser.parse_args().journal)
    async with serving_raw(upstream.handle) as server:
        upstream.address = server.url
        print(f"It listens on {server.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
