"""``python -m tests.proxies.quick_pings serve ...``: the gateway, whose WebSockets are asked for a sign of life twice a second,
and not every 20 seconds: how long a proxy waits for one is lowered by as much."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from sora_gateway.cli import main

INTERVAL = 0.5


class QuickPings(uvicorn.Config):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **(options | {"ws_ping_interval": INTERVAL}))


if __name__ == "__main__":
    uvicorn.Config = QuickPings  # type: ignore[misc]  # what http/server.py makes its configuration with
    sys.exit(main(sys.argv[1:]))
