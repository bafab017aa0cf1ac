"""One soak from an empty directory to the evidence that is left in the end."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.canaries import UPSTREAM_KEY
from tests.clients.gateway import Home
from tests.lab import unused_port
from tests.processes import logging_upstream
from tests.soak.backups import Backups
from tests.soak.crowd import MEMBERS, Crowd
from tests.soak.hooks import listening_for_hooks
from tests.soak.lives import Lives
from tests.soak.meter import sample
from tests.soak.people import fetched, until_ready
from tests.soak.place import (
    BALANCE,
    CONFIG,
    PRICE,
    REPLAY,
    ask,
    comes_to_rest,
    furnished,
    last_events,
    webhook,
)  # fmt: skip
from tests.soak.plan import Plan
from tests.soak.verdict import Evidence


async def soak(directory: Path, plan: Plan) -> Evidence:
    """In an empty *directory*. Whatever is broken is in the evidence, not raised."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(logging_upstream(directory, plan.duration))
        hooks = await stack.enter_async_context(listening_for_hooks(random.Random(plan.seed + 1)))
        port = unused_port()
        config = CONFIG.format(
            port=port, upstream=upstream.address, key=UPSTREAM_KEY, price=PRICE, replay=REPLAY, hooks=hooks.port
        )  # fmt: skip
        home = Home(directory, config + plan.config)
        keys = await furnished(home.data, (*MEMBERS, "root"))
        lives = Lives(home, random.Random(plan.seed), plan.shortest, plan.longest, plan.module)
        crowd = Crowd(f"http://127.0.0.1:{port}", keys, plan, random.Random(plan.seed + 2))
        backups = Backups(home, crowd.books, random.Random(plan.seed + 3), plan.backup_every)
        evidence = Evidence(
            home.data, upstream.journal, directory / "gateway.log", crowd.books, crowd.listeners, lives.lives,
            REPLAY, PRICE, {f"user_{name}": BALANCE for name in keys}, heard=hooks.heard, complaints=lives.complaints,
        )  # fmt: skip
        async with crowd:
            dying = asyncio.create_task(lives.run(plan.seconds))
            async with crowd.client("ann") as ann:
                await until_ready(ann)
                evidence.webhook = ("user_ann", time.time())
                hooks.secret = await webhook(ann, hooks.url)
            await crowd.comes()
            await asyncio.gather(dying, backups.run(dying))
            async with lives.gateway("the last") as process:
                await asyncio.sleep(plan.calm)
                await crowd.has_done()
                await comes_to_rest(home.data, upstream.journal, plan.patience)
                evidence.rested = time.time()
                async with crowd.client("root") as root:
                    for (job_id,) in ask(
                        home.data, "SELECT id FROM jobs WHERE state = 'completed' AND deleted_at IS NULL"
                    ):
                        evidence.fetched[job_id] = await fetched(root, job_id)
                events = last_events(home.data)
                evidence.heard_until = events[None]
                await crowd.leaves(events)
                await asyncio.sleep(plan.rest)
                evidence.left = sample(process.pid, 0.0)
        async with lives.gateway("fresh") as process:
            await asyncio.sleep(plan.rest)
            evidence.fresh = sample(process.pid, 0.0)
            try:
                await home.command("credits", "check")
            except RuntimeError as error:
                evidence.complaints.append(f"credits check: {error}")
        evidence.complaints += hooks.complaints
        evidence.backups, evidence.backups_taken = backups.broken, backups.taken
    return evidence
