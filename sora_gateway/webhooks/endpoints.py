"""What people do to their webhooks: checked, stored, written down, and tried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.core.webhooks import TEST_EVENT, DeliveryStatus
from sora_gateway.entropy import Entropy
from sora_gateway.errors import Conflict, Unavailable
from sora_gateway.keybox import KeyBox
from sora_gateway.store import Store, audit
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.webhook_deliveries import DeliveryRecord, TryRecord
from sora_gateway.store.webhooks import WebhookRecord
from sora_gateway.upstream.addresses import Lookups, public_or
from sora_gateway.upstream.client import HttpClient
from sora_gateway.webhook_settings import Webhooks as WebhookSettings
from sora_gateway.webhooks.messages import Messages
from sora_gateway.webhooks.receiver import Receivers
from sora_gateway.webhooks.sender import Sender, SenderLimits
from sora_gateway.webhooks.signing import Secrets

TESTS_AT_ONCE = 8
"""Requests that wait for a test's receiver; of one person one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an endpoint is to be."""

    url: str
    description: str
    events: tuple[str, ...]
    everybody: bool
    enabled: bool = True


class Webhooks:
    """Endpoints and the sender that tells them."""

    def __init__(
        self,
        settings: WebhookSettings,
        store: Store,
        box: KeyBox,
        clock: Clock,
        entropy: Entropy,
        sign: Callable[[str, str], str],
    ) -> None:
        """*sign* makes a signed path of a job's file from its id and variant."""
        self.origin = ""
        """What those paths are put behind: scheme, host and port by which receivers reach this gateway."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._client = HttpClient()
        self._secrets = Secrets(box, entropy)
        # Places for look-ups of their own: silent name servers here are not to keep images from being fetched.
        guard = public_or(settings.hosts, Lookups(at_once=settings.at_once))
        self._receivers = Receivers(
            guard,
            self._client,
            clock,
            timeout=settings.timeout,
            allow_http=settings.allow_http,
            hosts=settings.hosts,
        )
        self.messages = Messages(store, lambda job_id, variant: self.origin + sign(job_id, variant))
        self.sender = Sender(
            store,
            self.messages,
            self._secrets,
            self._receivers.post,
            clock,
            entropy,
            SenderLimits(settings.at_once, settings.disable_after),
        )
        self._testing: set[str] = set()

    async def __aenter__(self) -> Webhooks:
        """Begins sending, unless it is switched off."""
        if self._settings.enabled:
            await self.sender.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sender.__aexit__()
        await self._client.aclose()

    async def create(self, by: Actor, owner: str, wish: Wish) -> tuple[WebhookRecord, str]:
        """The new endpoint and its secret, which is told this once.

        Raises:
            InvalidRequest: its address is none that may be sent to.
            Conflict: its owner has as many as are allowed.
            Unavailable: its host cannot be looked up now.
        """
        await self._receivers.check(wish.url)
        secret, locked = await self._secrets.new()
        now = self._clock.now()
        webhook = WebhookRecord(
            id=self._entropy.new_id("hook"),
            owner=owner,
            url=wish.url,
            description=wish.description,
            events=wish.events,
            everybody=wish.everybody,
            enabled=wish.enabled,
            disabled_reason="",
            secret=locked,
            old_secret=None,
            old_until=None,
            failing_since=None,
            created_at=now,
            changed_at=now,
        )
        entry = self._entry(by, "webhook.create", webhook.id, _detail(wish))
        await self._store.webhooks.create(webhook, self._settings.per_person, entry)
        return webhook, secret

    async def change(self, by: Actor, webhook: WebhookRecord, wish: Wish) -> WebhookRecord:
        """Raises InvalidRequest, NotFound, Unavailable."""
        if wish.url != webhook.url:
            await self._receivers.check(wish.url)
        renewed = wish.url != webhook.url or (wish.enabled and not webhook.enabled)
        changed = replace(
            webhook,
            url=wish.url,
            description=wish.description,
            events=wish.events,
            everybody=wish.everybody,
            enabled=wish.enabled,
            disabled_reason="" if wish.enabled else webhook.disabled_reason,
            failing_since=None if renewed else webhook.failing_since,
            changed_at=self._clock.now(),
        )
        await self._store.webhooks.change(
            changed, self._entry(by, "webhook.change", webhook.id, _detail(wish))
        )
        return changed

    async def remove(self, by: Actor, webhook: WebhookRecord) -> None:
        """Raises NotFound."""
        await self._store.webhooks.remove(webhook.id, self._entry(by, "webhook.delete", webhook.id))

    async def rotate(self, by: Actor, webhook: WebhookRecord) -> tuple[WebhookRecord, str]:
        """The endpoint and its new secret; the one before signs beside it for a while. Raises NotFound."""
        secret, locked = await self._secrets.new()
        until = self._clock.now() + self._settings.secret_overlap
        await self._store.webhooks.rotate(
            webhook.id, locked, until, self._entry(by, "webhook.rotate", webhook.id)
        )
        return replace(webhook, secret=locked, old_secret=webhook.secret, old_until=until), secret

    async def test(self, webhook: WebhookRecord) -> tuple[DeliveryRecord, TryRecord]:
        """Sends a test now, and says what came of it.

        Raises:
            Conflict: webhooks are switched off.
            Unavailable: too many are being tested.
            NotTold: its owner is told nothing.
        """
        self._check_on()
        recipient = await self._store.webhooks.recipient(webhook.id)
        if webhook.owner in self._testing or len(self._testing) >= TESTS_AT_ONCE or recipient is None:
            raise Unavailable("A webhook is being tested; try again in a moment.", retry_after=15)
        now = self._clock.now()
        tested = DeliveryRecord(
            0, self._entropy.new_id("msg"), webhook.id, None, TEST_EVENT, now, DeliveryStatus.PENDING, "", 0, 1, None
        )  # fmt: skip
        self._testing.add(webhook.owner)
        try:
            made, delivered = await self.sender.send_test(tested, recipient)
        finally:
            self._testing.discard(webhook.owner)
        status = DeliveryStatus.DELIVERED if delivered else DeliveryStatus.GIVEN_UP
        return replace(tested, status=status, tries=1), made

    async def replay(self, delivery_id: str, owner: str) -> DeliveryRecord:
        """Raises NotFound; Conflict when its endpoint is disabled or webhooks are switched off."""
        delivery = await self._store.webhooks.delivery(delivery_id, owner)
        self._check_on()
        delivery = await self._store.webhooks.replay(delivery.id, owner, self._clock.now())
        self.sender.look()
        return delivery

    def _check_on(self) -> None:
        if not self._settings.enabled:
            raise Conflict("Webhooks are switched off here: webhooks.enabled in the configuration.")

    def _entry(self, by: Actor, action: str, webhook_id: str, detail: str = "") -> AuditEntry:
        return audit.entry(by, self._clock.now(), action, webhook_id, detail)


def _detail(wish: Wish) -> str:
    """For the audit log. Of the address only what is no secret: a token may be in its path."""
    host = wish.url.partition("//")[2].partition("/")[0].partition("?")[0]
    whose = "everybody's videos" if wish.everybody else "own videos"
    return f"{host}, {' '.join(wish.events)}, {whose}, {'enabled' if wish.enabled else 'disabled'}"
