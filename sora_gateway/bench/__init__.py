"""``sora-gateway bench``: what the gateway comes to beside references, all in the same run.

Speed is only told as a ratio: rounds take turns, each ratio is made inside one round, and the median is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

NAMES = ("startup", "store", "polling", "inflight", "fanout", "api", "page")


def main(name: str, args: Sequence[str]) -> int:
    """Runs the benchmark *name*, one of :data:`NAMES`, with its own options; 0 when every goal is met, else 1."""
    if name == "startup":
        from sora_gateway.bench.startup import main as run
    elif name == "polling":
        from sora_gateway.bench.polling import main as run
    elif name == "store":
        from sora_gateway.bench.store import main as run
    elif name == "fanout":
        from sora_gateway.bench.fanout import main as run
    elif name == "api":
        from sora_gateway.bench.api import main as run
    elif name == "page":
        from sora_gateway.bench.page import main as run
    else:
        from sora_gateway.bench.inflight import main as run
    return run(args)
