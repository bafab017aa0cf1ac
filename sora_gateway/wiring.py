"""From settings to upstreams: adapters, gates and offers, and the embedded simulator when there is nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sora_gateway import settings as configuration
from sora_gateway.clock import Clock
from sora_gateway.core.budget import Budget
from sora_gateway.core.catalogue import Catalogue, Offer
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.core.spend import Spend, Tariff
from sora_gateway.entropy import Entropy
from sora_gateway.errors import StartupError
from sora_gateway.settings import Settings
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream
from sora_gateway.upstream.client import ASGIApp, HttpClient
from sora_gateway.upstream.embedded import Embedded
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import PROFILES

if TYPE_CHECKING:
    from sora_gateway.upstream.simulator import SimulatorState

SIMULATOR = "simulator"
SIMULATED_SIZES = ("1280x720", "720x1280", "1792x1024", "1024x1792", "720x720")
SIMULATED_SECONDS = (4, 8, 12)
SIMULATED_POLL = 0.5
"""Seconds between looks at the embedded simulator, which cost nothing."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Every configured upstream by name, and what people can ask for in the order of the configuration."""

    by_name: dict[str, Upstream]
    catalogue: Catalogue
    simulated: bool
    """Whether the embedded simulator stands in because none is configured."""


@asynccontextmanager
async def open_upstreams(
    settings: Settings,
    simulator_directory: Path,
    clock: Clock,
    entropy: Entropy,
    spent: Mapping[str, Sequence[tuple[str, float, int]]],
) -> AsyncIterator[Upstreams]:
    """Connects to nobody yet: an upstream that cannot be reached keeps nothing from starting.

    *spent* has for each upstream the creates of the last day (:class:`Spend`).

    Raises:
        StartupError: an upstream's configuration cannot work; the text names it.
    """
    async with AsyncExitStack() as stack:
        if not settings.upstreams:
            yield _simulated(stack, settings, simulator_directory, clock, entropy)
            return
        by_name, offers = {}, []
        for name, entry in settings.upstreams.items():
            adapter = _adapter(name, entry, settings.media.max_file, clock)
            stack.push_async_callback(adapter.aclose)
            policy = PollPolicy(
                PolicyName(settings.polling.policy),
                max(settings.polling.min_interval, adapter.min_poll_interval),
                settings.polling.max_interval,
            )
            by_name[name] = Upstream(adapter, _gate(entry, clock, spent.get(name, ())), policy)
            offers.append(
                Offer(name, entry.models, entry.sizes, entry.seconds, adapter.operations, adapter.characters)
            )
        yield Upstreams(by_name, Catalogue(offers, settings.routing), simulated=False)


def _gate(entry: configuration.Upstream, clock: Clock, spent: Sequence[tuple[str, float, int]]) -> Gate:
    return Gate(
        clock,
        entry.max_concurrent,
        entry.max_creating,
        Budget(entry.requests_per_minute),
        Spend(Tariff(entry.spend_cap, entry.cost_per_video, entry.cost_per_second), spent),
    )


def _adapter(name: str, entry: configuration.Upstream, max_file: int, clock: Clock) -> OpenAIAdapter:
    profile = PROFILES.get(entry.profile)
    if profile is None:
        known = ", ".join(sorted(PROFILES))
        raise StartupError(f"upstreams.{name}.profile is {entry.profile!r}; it must be one of: {known}.")
    try:
        return OpenAIAdapter(
            name,
            entry.base_url,
            entry.api_key.get_secret_value(),
            profile,
            HttpClient(),
            max_file=max_file,
            clock=clock,
        )
    except ValueError as error:
        raise StartupError(f"The configuration of the upstream {name} cannot work: {error}.") from None


def _simulated(
    stack: AsyncExitStack, settings: Settings, directory: Path, clock: Clock, entropy: Entropy
) -> Upstreams:
    """The simulator in this process, behind the same adapter as everything else."""

    def make() -> tuple[ASGIApp, SimulatorState]:
        from sora_gateway.upstream.simulator import SimulatorOptions, SimulatorState, build_simulator

        wanted = settings.simulator
        options = SimulatorOptions(
            wanted.duration, wanted.sigma, wanted.failure_rate, wanted.render, wanted.directives
        )
        state = SimulatorState(directory, clock, entropy, options)
        return build_simulator(state), state

    # A start without simulated jobs needs none of it; with some, a damaged journal had better be told of now.
    simulator = Embedded(make, now=directory.exists())
    stack.push_async_callback(simulator.aclose)
    adapter = OpenAIAdapter(
        SIMULATOR, "http://simulator.invalid/v1", "", PROFILES[SIMULATOR], HttpClient(simulator),
        max_file=settings.media.max_file, clock=clock,
    )  # fmt: skip
    stack.push_async_callback(adapter.aclose)
    policy = PollPolicy(PolicyName.FIXED, SIMULATED_POLL)
    upstream = Upstream(adapter, Gate(clock, max_concurrent=0, max_creating=2), policy)
    models = {"sora-2": "sora-2", "sora-2-pro": "sora-2-pro"}
    offer = Offer(
        SIMULATOR, models, SIMULATED_SIZES, SIMULATED_SECONDS, adapter.operations, adapter.characters
    )
    return Upstreams({SIMULATOR: upstream}, Catalogue((offer,)), simulated=True)
