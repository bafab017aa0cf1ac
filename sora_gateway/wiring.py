"""From settings to identity providers and upstreams: adapters, gates and offers, and the embedded simulator when there is nothing else."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sora_gateway import settings as configuration
from sora_gateway.clock import Clock
from sora_gateway.core.budget import Budget
from sora_gateway.core.catalogue import Catalogue, Offer
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.core.reconcile import OnAmbiguous
from sora_gateway.core.spend import Spend, Tariff
from sora_gateway.entropy import Entropy
from sora_gateway.errors import StartupError
from sora_gateway.observing.calls import Calls, Measured, Spans
from sora_gateway.settings import Settings
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.seats import Seats
from sora_gateway.supervisor.watcher import Upstream
from sora_gateway.upstream.account import account_of
from sora_gateway.upstream.adapter import Adapter
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
STREAMED_POLL = 1.0
"""The same for streams, which are read by this process anyway."""

log = logging.getLogger(__name__)
T = TypeVar("T")


Spent = Mapping[str, Sequence[tuple[str, float, int]]]
"""For each upstream the creates of the last day, as :class:`Spend` takes them."""


class Upstreams:
    """Every upstream by name, those of the configuration and those added since; it changes while the gateway runs.

    The embedded simulator stands in for as long as there is no other.
    """

    def __init__(
        self, settings: Settings, clock: Clock, spent: Spent, seats: Seats, spans: Spans | None = None
    ) -> None:
        self.calls = Calls(clock, spans)
        """Every request to any of them."""
        self._settings = settings
        self._clock = clock
        self._spent = spent
        self._seats = seats
        self._offers: dict[str, Offer] = {}
        self._stand_in: Offer | None = None
        self.by_name: dict[str, Upstream] = {}
        """Watchers look here: what is added can be used at once, what is taken away is missed at once."""
        self.entries: dict[str, configuration.Upstream] = {}
        self.catalogue = Catalogue((), settings.routing)

    @property
    def simulated(self) -> bool:
        """Whether the embedded simulator stands in because there is no upstream."""
        return self.catalogue.simulated

    @property
    def max_file(self) -> int:
        """Bytes of a result at most."""
        return self._settings.media.max_file

    def add(self, name: str, entry: configuration.Upstream) -> Upstream:
        """Takes an upstream into use; connects to nobody yet.

        Raises:
            StartupError: its configuration cannot work; the text names it.
        """
        settings = self._settings
        adapter = Measured(adapter_for(name, entry, self.max_file, self._clock), self.calls)
        policy = PollPolicy(
            PolicyName(settings.polling.policy),
            max(settings.polling.min_interval, adapter.min_poll_interval),
            settings.polling.max_interval,
            watched_interval=settings.polling.watched_interval,
        )
        if entry.dialect == "chat-stream":
            policy = PollPolicy(PolicyName.FIXED, STREAMED_POLL)
        on_ambiguous, free = _in_doubt(name, entry, adapter)
        upstream = Upstream(
            adapter,
            _gate(entry, self._clock, self._spent.get(name, ()), self._seats),
            policy,
            on_ambiguous,
            free,
            _account(entry),
        )
        self.by_name[name] = upstream
        self.entries[name] = entry
        self._offers[name] = Offer(
            name, entry.models, entry.sizes, entry.seconds, adapter.operations, adapter.characters
        )
        self._publish()
        return upstream

    async def check(self, name: str, entry: configuration.Upstream) -> None:
        """Whether :meth:`add` would take it. Raises StartupError."""
        await adapter_for(name, entry, self.max_file, self._clock).aclose()

    def spent(self, spent: Spent) -> None:
        """What has been paid for meanwhile, for those that are added next."""
        self._spent = spent

    async def remove(self, name: str) -> None:
        """Takes an upstream out of use; its jobs wait until one of that name is there again."""
        upstream = self.by_name.pop(name)
        del self.entries[name], self._offers[name]
        self._publish()
        upstream.gate.hold("it was taken away")
        # An answer that is on its way has been paid for.
        await upstream.gate.drained()
        await upstream.gate.aclose()
        await upstream.adapter.aclose()

    def stand_in(self, upstream: Upstream, offer: Offer) -> None:
        """Has the embedded simulator make videos while nobody else does."""
        self.by_name[offer.upstream] = upstream
        self._stand_in = offer
        self._publish()

    async def aclose(self) -> None:
        for upstream in self.by_name.values():
            await upstream.adapter.aclose()

    def _publish(self) -> None:
        self.catalogue.simulated = self._stand_in is not None and not self._offers
        offers = tuple(self._offers.values())
        self.catalogue.offers = (self._stand_in,) if self._stand_in and not offers else offers


@asynccontextmanager
async def open_upstreams(
    settings: Settings,
    simulator_directory: Path,
    clock: Clock,
    entropy: Entropy,
    spent: Spent,
    seats: Seats | None = None,
    spans: Spans | None = None,
) -> AsyncIterator[Upstreams]:
    """Those of the configuration. Connects to nobody yet: one that cannot be reached keeps nothing from starting.

    Raises:
        StartupError: an upstream's configuration cannot work; the text names it.
    """
    async with AsyncExitStack() as stack:
        upstreams = Upstreams(settings, clock, spent, seats := seats or Seats(), spans)
        stack.push_async_callback(upstreams.aclose)
        for name, entry in settings.upstreams.items():
            upstreams.add(name, entry)
        if not settings.upstreams:
            stand_in = _simulator(
                stack, settings, simulator_directory, clock, entropy, seats, upstreams.calls
            )
            upstreams.stand_in(*stand_in)
        yield upstreams


def _in_doubt(name: str, entry: configuration.Upstream, adapter: Adapter) -> tuple[OnAmbiguous, bool]:
    """What becomes of a create that nobody can find, and whether creates cost nothing there."""
    profile = PROFILES.get(entry.profile) if entry.dialect == "openai" else None
    usual = OnAmbiguous(profile.on_ambiguous) if profile is not None else OnAmbiguous.HOLD
    wanted = OnAmbiguous(entry.on_ambiguous or usual)
    if wanted is not usual and wanted is OnAmbiguous.RESUBMIT_IF_ABSENT and adapter.listing == "none":
        log.warning(
            "upstreams.%s.on_ambiguous changes nothing: without a list of its jobs, none is known to be absent",
            name,
        )
    return wanted, usual is OnAmbiguous.RESUBMIT_IF_ABSENT


def _account(entry: configuration.Upstream) -> str:
    """The same for two upstreams that are one account, and nothing that a log must not show."""
    key = entry.api_key.get_secret_value().strip()
    account = f"{account_of(entry.base_url, key, 'bearer').base} {key}"
    return hashlib.sha256(account.encode()).hexdigest()[:16]


def _gate(
    entry: configuration.Upstream, clock: Clock, spent: Sequence[tuple[str, float, int]], seats: Seats
) -> Gate:
    return Gate(
        clock,
        entry.max_concurrent,
        entry.max_creating,
        Budget(entry.requests_per_minute),
        Spend(Tariff(entry.spend_cap, entry.cost_per_video, entry.cost_per_second), spent),
        seats,
    )


def adapter_for(name: str, entry: configuration.Upstream, max_file: int, clock: Clock) -> Adapter:
    """What speaks the upstream's dialect as its profile says; *max_file* in bytes.

    Raises:
        StartupError: its configuration cannot work; the text names it.
    """
    key = entry.api_key.get_secret_value()
    try:
        if entry.dialect == "chat-stream":
            from sora_gateway.upstream.chat_profiles import CHAT_PROFILES  # few gateways have one
            from sora_gateway.upstream.chat_stream import ChatStreamAdapter

            chat = _profile(name, entry, CHAT_PROFILES)
            return ChatStreamAdapter(
                name, entry.base_url, key, chat, HttpClient(), max_file=max_file, clock=clock
            )
        profile = _profile(name, entry, PROFILES)
        return OpenAIAdapter(name, entry.base_url, key, profile, HttpClient(), max_file=max_file, clock=clock)
    except ValueError as error:
        raise StartupError(f"The configuration of the upstream {name} cannot work: {error}.") from None


def known_profiles() -> list[tuple[str, str, str]]:
    """Dialect, name and servers of every profile that an upstream may have."""
    from sora_gateway.upstream.chat_profiles import CHAT_PROFILES

    return [
        *(("openai", name, profile.servers) for name, profile in PROFILES.items()),
        *(("chat-stream", name, profile.servers) for name, profile in CHAT_PROFILES.items()),
    ]


def _profile(name: str, entry: configuration.Upstream, known: Mapping[str, T]) -> T:
    if entry.profile not in known:
        names = ", ".join(sorted(known))
        raise StartupError(f"upstreams.{name}.profile is {entry.profile!r}; it must be one of: {names}.")
    return known[entry.profile]


def _simulator(
    stack: AsyncExitStack,
    settings: Settings,
    directory: Path,
    clock: Clock,
    entropy: Entropy,
    seats: Seats,
    calls: Calls,
) -> tuple[Upstream, Offer]:
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
    speaking = OpenAIAdapter(
        SIMULATOR, "http://simulator.invalid/v1", "", PROFILES[SIMULATOR], HttpClient(simulator),
        max_file=settings.media.max_file, clock=clock,
    )  # fmt: skip
    adapter = Measured(speaking, calls)
    policy = PollPolicy(PolicyName.FIXED, SIMULATED_POLL)
    upstream = Upstream(adapter, Gate(clock, max_concurrent=0, max_creating=2, seats=seats), policy)
    models = {"sora-2": "sora-2", "sora-2-pro": "sora-2-pro"}
    offer = Offer(
        SIMULATOR, models, SIMULATED_SIZES, SIMULATED_SECONDS, adapter.operations, adapter.characters
    )
    return upstream, offer
