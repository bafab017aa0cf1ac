"""Puts housekeeping together: every chore of the janitor stands here, in the order in which they are done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sora_gateway.accounts.plans import Plans
from sora_gateway.clock import Clock
from sora_gateway.media.files import MediaFiles
from sora_gateway.media.inventory import Inventory
from sora_gateway.retention.janitor import Janitor
from sora_gateway.retention.leaps import Leaps
from sora_gateway.retention.old_files import OldFiles
from sora_gateway.retention.old_rows import OldRows
from sora_gateway.retention.reconciler import Reconciler, SlowWalk
from sora_gateway.retention.rules import Rules
from sora_gateway.retention_settings import Retention
from sora_gateway.store import Store
from sora_gateway.supervisor.removing import Remover


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """One for the process; the janitor is entered by whoever runs it."""

    settings: Retention
    rules: Rules
    old_files: OldFiles
    janitor: Janitor
    walk: SlowWalk


def reconciler(store: Store, files: MediaFiles, media: Path, clock: Clock) -> Reconciler:
    """For one walk over *media*, where *files* lie; no janitor is needed for it."""
    return Reconciler(store, Inventory(media), Remover(store, files, clock), clock)


def housekeeping(
    settings: Retention, deliveries_days: int, store: Store, plans: Plans, files: MediaFiles, media: Path, clock: Clock,
    last_written: float | None,
) -> Housekeeping:  # fmt: skip
    """*deliveries_days*: for which is kept what webhooks were told; *last_written*: when something was, before this
    start."""
    rules, remover = Rules(settings, plans), Remover(store, files, clock)
    inventory = Inventory(media)
    old_files = OldFiles(
        settings, rules, store, remover, inventory, files.free_bytes, clock, Leaps(clock, last_written)
    )
    rows = OldRows(settings, deliveries_days, store, clock)
    walk = SlowWalk(Reconciler(store, inventory, remover, clock), clock)
    chores = {
        "left_over": remover.retry,
        # What is old enough goes first, and may be room enough.
        "age": old_files.by_age,
        "disk": old_files.by_room,
        "events": rows.events,
        "audit": rows.audit,
        "deliveries": rows.deliveries,
        "expired": rows.expired,
        "claims": rows.claims,
        "pages": rows.pages,
        "walk": walk.stroll,
    }
    return Housekeeping(settings, rules, old_files, Janitor(chores, clock, settings.interval), walk)
