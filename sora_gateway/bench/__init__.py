"""``sora-gateway bench``: this machine's numbers beside references that are measured in the same run.

Speed is only told as a ratio: rounds take turns, each ratio is made inside one round, and the median is shown.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(name: str, args: Sequence[str]) -> int:
    """Runs the benchmark *name* (``startup`` or ``store``) with its own options; 0 when every goal is met, else 1."""
    if name == "startup":
        from sora_gateway.bench.startup import main as run
    else:
        from sora_gateway.bench.store import main as run
    return run(args)
