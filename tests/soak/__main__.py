"""``python -m tests.soak --seconds 300 --seed 1``: a page with the verdict; exit code 1 if a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.plan import Plan
from tests.soak.soak import soak
from tests.soak.verdict import Evidence, Promise, judge

SHOWN = 12
"""Sentences about each broken promise."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the gateway is killed (300)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is left to chance (1)")
    parser.add_argument(
        "--mutant", default="", help="a gateway that is broken on purpose (tests/killable.py)"
    )
    parser.add_argument("--keep", type=Path, help="leave everything in this directory")
    options = parser.parse_args()
    module = ("tests.killable", "--mutant", options.mutant, "none") if options.mutant else ("sora_gateway",)
    plan = Plan(options.seconds, options.seed, calm=min(60.0, options.seconds / 3), module=module)
    directory = options.keep or Path(tempfile.mkdtemp(prefix="soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    evidence = asyncio.run(soak(directory, plan))
    promises = judge(evidence)
    print(page(evidence, promises, options.seconds, options.seed, time.monotonic() - began))
    broken = any(each.broken for each in promises)
    if broken or options.keep:
        print(f"what is left of it: {directory}")
    else:
        shutil.rmtree(directory)
    return 1 if broken else 0


def page(evidence: Evidence, promises: list[Promise], seconds: float, seed: int, took: float) -> str:
    """The verdict."""
    lives, counts = evidence.lives, evidence.books.counts
    ways = {
        how: sum(life.ended == how for life in lives)
        for how in ("killed", "told to stop", "killed at its start")
    }
    ups = [life.up for life in lives if life.up is not None]
    lasted = [life.lasted - (life.up or 0.0) for life in lives if life.ended in ways]
    again = sum(each.again for each in evidence.books.accepted.values())
    lines = [
        f"soak: {seconds:g} s of kills, seed {seed}, {took:.0f} s in all; Python {platform.python_version()}, {os.cpu_count()} cores",
        f"  the gateway   {', '.join(f'{number} x {how}' for how, number in ways.items())}; lives of {min(lasted):.1f} to "
        f"{max(lasted):.1f} s; ready again after {statistics.median(ups):.2f} s (at most {max(ups):.2f})",
        f"  people        {len(evidence.books.accepted)} videos accepted, {again} of them at a later sending; {len(evidence.books.cancelled)} cancelled, "
        f"{len(evidence.books.deleted)} deleted, {counts['downloads']} downloads, {counts['lists']} lists, {counts['long polls']} long polls",
        "promises:",
        *map(str, promises),
    ]
    for each in promises:
        lines += [f"  ! {each.name}: {sentence}" for sentence in each.broken[:SHOWN]]
        if len(each.broken) > SHOWN:
            lines.append(f"  ! {each.name}: and {len(each.broken) - SHOWN} more")
    held = not any(each.broken for each in promises)
    return "\n".join([*lines, "every promise was kept" if held else "a promise was broken"])


if __name__ == "__main__":
    sys.exit(main())
