"""``alerts``: whether the operator is told when something is wrong."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sora_gateway.cli.options import Commands, add_command, add_group, add_settings, settings_of
from sora_gateway.cli.terminal import printable
from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.alerts.post import Posted
    from sora_gateway.settings import Settings


def register(commands: Commands) -> None:
    alerts = add_group(commands, "alerts", "where the operator is told what is wrong")
    test = add_command(alerts, "test", "send a test message and print what was answered", _test)
    test.add_argument("name", metavar="NAME", nargs="?", help="only there; without it, to all")
    add_settings(test)


def _test(arguments: argparse.Namespace) -> int:
    import asyncio

    from sora_gateway.logs.lines import warn_on_stderr

    settings = settings_of(arguments)
    warn_on_stderr(settings.secrets())
    name = arguments.name
    if not settings.alerts:
        raise StartupError("No alerts are configured; docs/operating.md says how.")
    if name is not None and name not in settings.alerts:
        raise StartupError(f"There is no table [alerts.{name}] in the configuration.")
    code = 0
    for each, posted in asyncio.run(_tested(settings, name)).items():
        word = "ok" if posted.delivered else "FAIL"
        print(f"{word:<4}  {each} ({settings.alerts[each].kind}): {printable(posted.said)}")
        code = code if posted.delivered else 1
    return code


async def _tested(settings: Settings, only: str | None) -> dict[str, Posted]:
    """What came of it at each."""
    import asyncio

    from sora_gateway.alerts.opening import poster
    from sora_gateway.clock import SystemClock
    from sora_gateway.entropy import SystemEntropy

    sender = poster(settings, SystemClock(), SystemEntropy())
    chosen = {name: each for name, each in settings.alerts.items() if only in (None, name)}
    try:
        answers = await asyncio.gather(*map(sender.test, chosen.values()))
    finally:
        await sender.aclose()
    return dict(zip(chosen, answers, strict=True))
