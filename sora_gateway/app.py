"""Puts the parts together: opened in order, closed in reverse. The only module that sees everything.

    data lock > schema > store > hub > upstreams > supervisor > control socket > HTTP

Nothing in the shutdown is needed for correctness: a process that is killed at any of its steps loses
nothing that was promised (tests/test_kills.py).
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway import descriptors, signing_keys
from sora_gateway.accounts.attempts import Attempts
from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.accounts.codes import Codes
from sora_gateway.accounts.password_accounts import PasswordAccounts
from sora_gateway.accounts.passwords import Passwords
from sora_gateway.accounts.plans import Plans
from sora_gateway.accounts.tickets import StreamTickets
from sora_gateway.alerts.opening import alerter
from sora_gateway.backup.schedule import automatic_backups
from sora_gateway.clock import Clock, SystemClock
from sora_gateway.control import Command, ControlServer
from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.job import Job
from sora_gateway.core.money import OnCancel
from sora_gateway.core.plans import plan_of
from sora_gateway.core.spend import DAY
from sora_gateway.entropy import Entropy, SystemEntropy
from sora_gateway.http.application import gateway_application
from sora_gateway.http.arrival import Spool
from sora_gateway.http.credentials import Credentials
from sora_gateway.http.finding import Looks
from sora_gateway.http.guarded_h11 import GuardedH11
from sora_gateway.http.limits import RequestLimits
from sora_gateway.http.metering import Requests
from sora_gateway.http.server import GatewayServer
from sora_gateway.http.services import Phase, Readiness, Services
from sora_gateway.http.signed_urls import UrlSigner
from sora_gateway.http.system import System, whole_table
from sora_gateway.http.tries import Tries
from sora_gateway.keybox import KeyBox
from sora_gateway.logs.redaction import Redactor
from sora_gateway.media import video
from sora_gateway.media.child import run_in_child
from sora_gateway.media.download import Downloader, DownloadLimits
from sora_gateway.media.files import MediaFiles
from sora_gateway.media.image_source import ImageFetcher
from sora_gateway.media.images import Images
from sora_gateway.media.library import ReferenceLibrary
from sora_gateway.observing.fan_out import FanOut
from sora_gateway.observing.opening import tracing
from sora_gateway.observing.sources import Metrics, Sources
from sora_gateway.places import DataDirectory, shipped
from sora_gateway.provisioning import Provisioning
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.live import Live, RealtimeLimits
from sora_gateway.retention.housekeeping import Housekeeping, housekeeping, reconciler
from sora_gateway.runtime_settings import RuntimeSettings
from sora_gateway.settings import Settings
from sora_gateway.signing_keys import KeyRing
from sora_gateway.store import Store, schema, snapshot
from sora_gateway.store.lock import DataLock
from sora_gateway.supervisor import Supervisor
from sora_gateway.supervisor.characters import Characters
from sora_gateway.supervisor.charges import Charges
from sora_gateway.supervisor.seats import Seats
from sora_gateway.supervisor.supervisor import CREATES_MAY_FINISH
from sora_gateway.supervisor.watcher import Limits
from sora_gateway.upstream.addresses import Lookups, public_or
from sora_gateway.upstream.client import HttpClient
from sora_gateway.webhooks.endpoints import Webhooks
from sora_gateway.wiring import Upstreams, open_upstreams

if TYPE_CHECKING:
    from sora_gateway.accounts.oidc import ProviderSignIn

log = logging.getLogger("sora_gateway")

SOCKETS_MAY_FINISH = 5.0
"""Seconds that open answers get at the end; live streams are told to come back and do not need them."""


@dataclass(slots=True)
class Gateway:
    """A running gateway. *address* is its base URL on this machine without a slash at the end, *public_url* the
    one that people are given."""

    address: str
    public_url: str
    store: Store
    supervisor: Supervisor
    characters: Characters
    upstreams: Upstreams
    accounts: Authenticator
    readiness: Readiness
    hub: Hub
    server: GatewayServer
    housekeeping: Housekeeping

    async def close(self, hurry: asyncio.Event) -> None:
        """Steps 1 to 4 of the shutdown; the store drains and checkpoints when it is left. *hurry* cuts every wait."""
        # 1. No new job is taken and no new create is sent.
        self.readiness.phase = Phase.STOPPING
        self.supervisor.begin_stopping()
        self.characters.begin_stopping()
        # 2. Creates that are on the wire may hear their answers; 3. everything else that watches ends.
        await _unless(hurry, lambda: self._end_creates(CREATES_MAY_FINISH), lambda: self._end_creates(0))
        # 4. Subscribers are told to come back, then connections end.
        await self.hub.close()
        await _unless(hurry, lambda: self.server.stop(SOCKETS_MAY_FINISH), lambda: self.server.stop(0))

    async def _end_creates(self, grace: float) -> None:
        await asyncio.gather(self.supervisor.stop(grace), self.characters.stop(grace))


async def _unless(
    hurry: asyncio.Event, patient: Callable[[], Awaitable[None]], at_once: Callable[[], Awaitable[None]]
) -> None:
    """Awaits *patient*, or *at_once* as soon as *hurry* is set."""
    task = asyncio.ensure_future(patient())
    hurried = asyncio.create_task(hurry.wait(), name="shutdown: hurry")
    await asyncio.wait({task, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if task.done():
        await task
    else:
        task.cancel("shutdown: in a hurry")
        await asyncio.gather(task, return_exceptions=True)
        await at_once()


@asynccontextmanager
async def opened(
    settings: Settings,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    hurry: asyncio.Event | None = None,
    redactor: Redactor | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway that takes requests from the moment this is entered; leaving it shuts it down. *redactor* is told of
    every secret that the gateway learns.

    Raises:
        StartupError: it cannot start; the sentence says why and what to do.
    """
    clock, entropy, hurry = clock or SystemClock(), entropy or SystemEntropy(), hurry or asyncio.Event()
    redactor = redactor or Redactor()
    redactor.add(settings.secrets())
    started_at = clock.monotonic()
    places = DataDirectory(settings.data_dir)
    places.make()
    for path in places.open_to_others():
        log.warning(
            "other people on this machine can look into %s; make it private with: chmod go= %s", path, path
        )
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(places.root))
        backup = schema.prepare(
            places.database, shipped("migrations"), clock.now(), entropy.new_id("epoch")[-16:]
        )
        if backup is not None:
            log.warning("the database was migrated; a copy from before is at %s", backup)
        snapshot.quick_check(places.database, clock)
        traces = await stack.enter_async_context(tracing(settings.tracing))
        ring = KeyRing(places.signing_keys, clock, entropy, redactor.add)
        urls = UrlSigner(
            ring.signer(signing_keys.MEDIA),
            clock,
            settings.media.url_lifetime,
            root_path=settings.server.root_path,
        )
        hub: Hub
        keeping: Housekeeping
        webhooks: Webhooks

        fan_out = FanOut(clock)

        def publish(events: list[StoredEvent]) -> None:
            fan_out.committed(events, store.measured.at)
            hub.publish(events)  # both are made next, of the store; nothing is committed before
            webhooks.sender.committed(events)

        store = await stack.enter_async_context(Store(places.database, publish, clock))
        runtime = RuntimeSettings(settings, store, clock)
        await runtime.load()
        hub = Hub(store.epoch, lambda job_id, variants: {name: urls.sign(job_id, name) for name in variants})
        hub.told = fan_out.told
        webhooks = Webhooks(
            settings.webhooks, store, KeyBox(places.secrets / "webhooks.key"), clock, entropy, urls.sign
        )  # fmt: skip

        def starting_balance() -> int:
            return runtime.current.credits.starting_balance

        accounts = Authenticator(store, clock, entropy, starting_balance)
        accounts.revoked = hub.recheck

        def kept_until(job: Job, tags: Collection[str]) -> float | None:
            return keeping.rules.kept_until(job, tags)

        live = Live(
            store, hub, accounts, clock, lambda: RealtimeLimits(**runtime.current.realtime.for_connections()),
            kept_until,
        )  # fmt: skip
        stack.push_async_callback(accounts.close)
        passwords = Passwords()
        stack.callback(passwords.close)
        password_accounts = PasswordAccounts(
            store, accounts, passwords, Attempts(clock, settings.accounts.attempts_per_minute), clock, entropy,
            lambda: runtime.current.accounts.registration, starting_balance,
        )  # fmt: skip
        stack.push_async_callback(password_accounts.close)
        if settings.accounts.admin_email:
            await password_accounts.first_administrator(
                settings.accounts.admin_email, settings.accounts.admin_password.get_secret_value()
            )
        configured = {name: plan_of(name, entry.model_dump()) for name, entry in settings.plans.items()}
        plans = Plans(store, clock, configured)
        await plans.load()
        codes = Codes(store, plans, clock, entropy, settings.accounts.attempts_per_minute)
        seats = Seats(plans.seats)
        plans.changed = seats.look_again
        upstreams = await stack.enter_async_context(
            open_upstreams(
                settings,
                places.simulator,
                clock,
                entropy,
                await store.paid_since(clock.now() - DAY),
                seats,
                traces,
            )
        )
        provisioning = Provisioning(
            upstreams, store, KeyBox(places.secrets / "upstreams.key"), clock, redactor.add
        )
        await provisioning.load()
        files = MediaFiles(places.media)
        await files.sweep(await store.kept_jobs())
        keeping = housekeeping(
            settings.retention, settings.webhooks.keep_days, store, plans, files, places.media, clock,
            await store.upkeep.last_written(),
        )  # fmt: skip
        webhooks.messages.kept_until = keeping.rules.kept_until
        library = ReferenceLibrary(places.references)
        await library.sweep(await store.reference_paths())
        web = HttpClient()
        stack.push_async_callback(web.aclose)
        supervisor = Supervisor(
            store,
            upstreams.by_name,
            files,
            Downloader(
                files,
                run_in_child if video.available() else None,
                clock,
                DownloadLimits(at_once=settings.media.downloads, max_file=settings.media.max_file),
            ),
            clock,
            entropy,
            Limits(
                settings.jobs.create_attempts,
                settings.jobs.create_timeout,
                settings.jobs.overdue_after,
                settings.jobs.final_limit,
                settings.media.min_free_disk,
            ),
            on_cancel=OnCancel(settings.credits.on_cancel),
            routes=upstreams.catalogue.routes,
            watched=hub.watched,
        )
        hub.watching = supervisor.watching
        await stack.enter_async_context(supervisor)
        provisioning.serve(supervisor)

        def in_force(current: Settings) -> None:
            urls.lifetime = current.media.url_lifetime

        runtime.follow(in_force)
        characters = Characters(store, upstreams.by_name, clock, entropy, settings.jobs.create_timeout)

        @functools.cache
        def sign_in() -> ProviderSignIn:
            from sora_gateway.accounts.oidc import ProviderSignIn
            from sora_gateway.identity import identity_providers

            return ProviderSignIn(
                identity_providers(settings), web, store, accounts, ring.signer(signing_keys.SIGN_IN),
                clock, entropy, starting_balance,
            )  # fmt: skip

        alerts = alerter(
            settings, upstreams.by_name, store, files.free_bytes, clock, entropy, redactor.add,
            lambda: keeping.old_files.held_back,
        )  # fmt: skip
        readiness, requests = Readiness(), Requests(traces)
        sources = Sources(
            clock, store, supervisor, upstreams, hub, webhooks, files, requests, readiness, fan_out,
            lambda: runtime.current.media.min_free_disk,
        )  # fmt: skip
        services = Services(
            store=store,
            supervisor=supervisor,
            hub=hub,
            live=live,
            accounts=accounts,
            plans=plans,
            codes=codes,
            charges=Charges(store, clock),
            sign_in=sign_in,
            password_accounts=password_accounts,
            files=files,
            images=Images(places.scratch, entropy),
            image_fetcher=ImageFetcher(
                public_or(settings.media.image_hosts, Lookups()), web, max_bytes=settings.server.max_upload
            ),
            library=library,
            characters=characters,
            tries=Tries(),
            tickets=StreamTickets(clock, entropy, accounts.renewed),
            looks=Looks(store, clock),
            sharing=ring.signer(signing_keys.SHARING),
            runtime=runtime,
            clock=clock,
            entropy=entropy,
            urls=urls,
            authenticate=Credentials(accounts),
            catalogue=upstreams.catalogue,
            provisioning=provisioning,
            upstreams=upstreams.by_name,
            webhooks=webhooks,
            alerts=alerts,
            metrics=Metrics(sources).text,
            housekeeping=keeping,
            limits=RequestLimits(clock),
            readiness=readiness,
            requests=requests,
        )
        system = System(started_at, lambda: whole_table(system))
        server = GatewayServer(
            http=GuardedH11.with_limits(
                max_connections=descriptors.connections(settings.server.max_connections)
            ),
            refuse=services.unanswered.refuse,
            trusted_proxies=settings.server.trusted_proxies,
            max_message=settings.realtime.max_message,
        )
        application = gateway_application(
            system, services, Spool(places.scratch, settings.media.min_free_disk), shipped("static")
        )
        port = await server.start(application, settings.server.host, settings.server.port)
        address = _address(settings.server.host, port) + settings.server.root_path
        gateway = Gateway(
            address,
            settings.server.public_url or address,
            store,
            supervisor,
            characters,
            upstreams,
            accounts,
            readiness,
            hub,
            server,
            keeping,
        )

        def operator_commands() -> Mapping[str, Command]:
            from sora_gateway import operations  # most gateways are never asked over the socket

            operator = operations.Services(
                store, accounts, passwords, clock, entropy, supervisor.decide, ring, plans, codes, services.charges, reconciler(store, files, places.media, clock), starting_balance,
                gateway.public_url, supervisor.finding,
            )  # fmt: skip
            return operations.commands(operator)

        stack.push_async_callback(gateway.close, hurry)
        webhooks.origin = gateway.public_url.removesuffix(settings.server.root_path)
        await stack.enter_async_context(webhooks)
        if settings.alerts:
            await stack.enter_async_context(alerts())
        await stack.enter_async_context(keeping.janitor)
        await stack.enter_async_context(ControlServer(places.control, operator_commands))
        await stack.enter_async_context(automatic_backups(settings.backup, places, clock))
        readiness.phase = Phase.SERVING
        yield gateway


def _address(host: str, port: int) -> str:
    """What a person on this machine types into a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
