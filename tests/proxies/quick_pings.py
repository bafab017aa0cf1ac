"""``python -m tests.proxies.quick_pings serve ...``: the gateway, whose WebSockets are asked for a sign of life twice a second,
and not every 20 seconds: how long a proxy waits for one is lowered by as much."""

from __future__ import annotations

import sys

from sora_gateway.cli import main
from sora_gateway.http import server

INTERVAL = 0.5

if __name__ == "__main__":
    server.PING_INTERVAL = INTERVAL
    sys.exit(main(sys.argv[1:]))
