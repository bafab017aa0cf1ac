"""The life of the process around the gateway: the event loop, signals, the greeting."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys

from sora_gateway.app import Gateway, opened
from sora_gateway.descriptors import raise_limit
from sora_gateway.logs.lines import configure as configure_logs
from sora_gateway.logs.redaction import Redactor
from sora_gateway.observing.opening import reporting
from sora_gateway.settings import Settings
from sora_gateway.wiring import Upstreams

log = logging.getLogger("sora_gateway")


def run(settings: Settings) -> int:
    """Serves until a signal comes; returns the exit code.

    Raises:
        StartupError: it cannot start.
    """
    raise_limit()
    redactor = Redactor()
    configure_logs(settings.log.level, settings.log.format, redactor)
    with reporting(settings.sentry, redactor):
        try:
            import uvloop
        except ImportError:
            return asyncio.run(_serve(settings, redactor))
        return uvloop.run(_serve(settings, redactor))


async def _serve(settings: Settings, redactor: Redactor) -> int:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    async with opened(settings, hurry=hurry, redactor=redactor) as gateway:
        await _greet(gateway)
        probes = asyncio.create_task(_probe(gateway.upstreams), name="probe upstreams")
        settle_collector()
        await stop.wait()
        log.info("stopping; a second signal cuts it short")
        probes.cancel()
    return 0


def settle_collector() -> None:
    """To be called once the process has started. What was made until then lives as long as the process: the collector
    need not look at it, now or later. And it looks at what has grown old less often: with the default thresholds ten
    thousand connections that come are walked through again and again, a fifth of what it takes to let them in. What is
    young it looks at as ever: a refused request may leave a circle that holds all that was sent with it."""
    gc.freeze()
    gc.set_threshold(700, 50, 100)
    gc.enable()


async def _greet(gateway: Gateway) -> None:
    """Says where it is, to the terminal; the one-time link goes nowhere else."""
    lines = [f"sora-gateway is ready at {gateway.public_url}"]
    if gateway.upstreams.simulated:
        lines.append("No upstream is configured: videos are simulated and cost nothing.")
    if not await gateway.store.people.has_admin():
        token = await gateway.accounts.new_login_link(None)
        lines.append(f"Become the administrator (once, within an hour): {gateway.public_url}/#login={token}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def _probe(upstreams: Upstreams) -> None:
    """Says at the start which upstreams cannot be used; their jobs wait."""
    if upstreams.simulated:
        return  # It is in this process.
    for name, upstream in upstreams.by_name.items():
        answer = await upstream.adapter.probe()
        if not answer.startswith("ok"):
            log.warning("the upstream %s cannot be used yet, its jobs wait: %s", name, answer)
