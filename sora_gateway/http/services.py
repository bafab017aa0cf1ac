"""What the routes are handed: the parts of the gateway, put together by ``app.py``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from starlette.requests import HTTPConnection

from sora_gateway.clock import Clock
from sora_gateway.core.principal import Principal
from sora_gateway.entropy import Entropy
from sora_gateway.errors import Unavailable
from sora_gateway.http.metering import Requests
from sora_gateway.http.unanswered import Unanswered

if TYPE_CHECKING:
    from sora_gateway.accounts.authenticator import Authenticator
    from sora_gateway.accounts.codes import Codes
    from sora_gateway.accounts.oidc import ProviderSignIn
    from sora_gateway.accounts.password_accounts import PasswordAccounts
    from sora_gateway.accounts.plans import Plans
    from sora_gateway.accounts.tickets import StreamTickets
    from sora_gateway.alerts.alerter import Alerter
    from sora_gateway.core.catalogue import Catalogue, Offer
    from sora_gateway.http.finding import Looks
    from sora_gateway.http.limits import RequestLimits
    from sora_gateway.http.signed_urls import UrlSigner
    from sora_gateway.http.tries import Tries
    from sora_gateway.media.files import MediaFiles
    from sora_gateway.media.image_source import ImageFetcher
    from sora_gateway.media.images import Images
    from sora_gateway.media.library import ReferenceLibrary
    from sora_gateway.provisioning import Provisioning
    from sora_gateway.realtime.hub import Hub
    from sora_gateway.realtime.live import Live
    from sora_gateway.retention.housekeeping import Housekeeping
    from sora_gateway.runtime_settings import RuntimeSettings
    from sora_gateway.settings import Settings
    from sora_gateway.signing_keys import Signer
    from sora_gateway.store import Store
    from sora_gateway.supervisor import Supervisor
    from sora_gateway.supervisor.characters import Characters
    from sora_gateway.supervisor.charges import Charges
    from sora_gateway.supervisor.watcher import Upstream
    from sora_gateway.webhooks.endpoints import Webhooks


class WhoAsks(Protocol):
    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        """Who asks; None without a credential.

        An Authorization header is the only credential looked at when there is one: a cookie beside it is
        ignored (see :mod:`sora_gateway.http.origin`).

        Raises:
            NotAuthenticated: the credential is not good (any more).
        """
        ...


class Phase(Enum):
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"


@dataclass(slots=True)
class Readiness:
    """Where the process is in its life; ``app.py`` moves it on."""

    phase: Phase = Phase.STARTING

    def check(self) -> None:
        """Raises Unavailable unless new work is taken."""
        if self.phase is not Phase.SERVING:
            raise Unavailable(f"The gateway is {self.phase.value}; try again in a moment.", retry_after=10)


@dataclass(frozen=True, slots=True)
class Services:
    store: Store
    supervisor: Supervisor
    hub: Hub
    live: Live
    accounts: Authenticator
    plans: Plans
    codes: Codes
    charges: Charges
    sign_in: Callable[[], ProviderSignIn]
    """With identity providers; put together when it is first needed."""
    password_accounts: PasswordAccounts
    files: MediaFiles
    images: Images
    image_fetcher: ImageFetcher
    library: ReferenceLibrary
    characters: Characters
    tries: Tries
    tickets: StreamTickets
    looks: Looks
    sharing: Signer
    """Signs the tokens of share links."""
    runtime: RuntimeSettings
    clock: Clock
    entropy: Entropy
    urls: UrlSigner
    authenticate: WhoAsks
    catalogue: Catalogue
    provisioning: Provisioning
    upstreams: Mapping[str, Upstream]
    """Those in use now, by name."""
    webhooks: Webhooks
    alerts: Callable[[], Alerter]
    metrics: Callable[[], Awaitable[bytes]]
    """The text of ``/metrics``."""
    housekeeping: Housekeeping
    limits: RequestLimits
    readiness: Readiness = field(default_factory=Readiness)
    unanswered: Unanswered = field(default_factory=Unanswered)
    requests: Requests = field(default_factory=Requests)

    @property
    def settings(self) -> Settings:
        """Those in force now: what reads them anew for every request follows what an administrator changes."""
        return self.runtime.current

    @property
    def offers(self) -> Sequence[Offer]:
        """What can be asked for, in the order of the configuration."""
        return self.catalogue.offers
