"""What is to be said of an upstream before anything is paid for: whether it answers, and which server it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from sora_gateway.clock import Clock
from sora_gateway.errors import StartupError
from sora_gateway.settings import Upstream as Entry
from sora_gateway.upstream.client import HttpClient
from sora_gateway.upstream.detection import Finding, fitting_profiles
from sora_gateway.wiring import adapter_for

_SHOW_NOTHING = frozenset({"inworld", "simulator"})
"""Profiles of servers that answer as others do: what is peculiar to them shows only when something is made or stopped."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was found out. *well* is None for a hint; *profile* is one that would fit better."""

    well: bool | None
    text: str
    profile: str | None = None


async def diagnose(name: str, entry: Entry, max_file: int, clock: Clock) -> list[Line]:
    """Asks the upstream that *entry* describes; only GETs, so it costs nothing. Never raises."""
    try:
        adapter = adapter_for(name, entry, max_file, clock)
    except StartupError as error:
        return [Line(False, str(error))]
    client = HttpClient()
    try:
        if entry.dialect != "openai":
            return [answer_of(await adapter.probe())]
        said, fit = await asyncio.gather(
            adapter.probe(), fitting_profiles(client, entry.base_url, entry.api_key.get_secret_value())
        )
        return [answer_of(said), *_profile(entry.profile, fit)]
    finally:
        await client.aclose()
        await adapter.aclose()


def answer_of(said: str) -> Line:
    """What an adapter's probe came to."""
    return Line(said.startswith("ok"), said.removeprefix("ok: "))


def _profile(configured: str, fit: Finding) -> Iterator[Line]:
    """What is to be said of the upstream's profile; nothing when no videos were found there."""
    if not fit.profiles:
        return
    best, reasons = fit.profiles[0], " and ".join(fit.reasons)
    if configured in fit.profiles and configured != "generic":
        yield Line(True, f"it is what its profile says, {configured}: {reasons}")
    elif best == "generic" or (configured in _SHOW_NOTHING and best == "openai"):
        rest = "generic works" if configured == "generic" else f"nothing speaks against {configured}"
        yield Line(True, f"which server it is cannot be told; {rest}")
    else:
        yield Line(None, f'profile = "{best}" fits better than {configured}, because {reasons}', best)
