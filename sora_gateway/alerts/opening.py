"""From settings to the alerter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sora_gateway.backup_settings import Backup
from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy
from sora_gateway.settings import Settings
from sora_gateway.store import Store
from sora_gateway.supervisor.watcher import Upstream

if TYPE_CHECKING:
    from sora_gateway.alerts.alerter import Alerter
    from sora_gateway.alerts.post import Poster
    from sora_gateway.alerts.troubles import Backups

WORTH_HIDING = 12
"""Characters; shorter parts of an address ("services", "hook", "robot") are words, and hiding them would tear others
apart."""


def alerter(
    settings: Settings,
    upstreams: Mapping[str, Upstream],
    store: Store,
    free: Callable[[], int],
    clock: Clock,
    entropy: Entropy,
    hide: Callable[[Iterable[str]], None],
    held_back: Callable[[], bool],
) -> Callable[[], Alerter]:
    """The alerter, made when it is first asked for: most gateways have nobody to tell. *upstreams* are those in use at
    any time, *free* measures the disk in bytes; *hide* is told of every secret, now. *held_back* is whether no more
    files may go to make room."""
    if settings.alerts:
        from sora_gateway.alerts.services import tokens_in

        for destination in settings.alerts.values():
            hide(token for token in tokens_in(destination) if len(token) >= WORTH_HIDING)

    @cache
    def made() -> Alerter:
        from sora_gateway.alerts.alerter import Alerter
        from sora_gateway.alerts.troubles import Troubles

        troubles = Troubles(
            upstreams,
            store,
            clock,
            free,
            settings.media.min_free_disk,
            held_back=held_back,
            sends_webhooks=settings.webhooks.enabled,
            backups=_backups(settings.backup, clock),
        )
        return Alerter(settings.alerts, troubles, poster(settings, clock, entropy), store, clock, entropy)

    return made


def _backups(backup: Backup, clock: Clock) -> Backups | None:
    if not backup.directory:
        return None
    from sora_gateway.alerts.troubles import Backups
    from sora_gateway.backup import keeping

    directory = Path(backup.directory)
    return Backups(lambda: keeping.latest(directory, clock.now()), backup.every)


def poster(settings: Settings, clock: Clock, entropy: Entropy) -> Poster:
    """It calls this gateway as people do, by the host of its public address."""
    from sora_gateway.alerts.post import Poster

    return Poster(clock, entropy, urlsplit(settings.server.public_url).hostname or "")
