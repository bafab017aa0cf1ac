"""What an operator reads of what people have done; operations like those of :mod:`.operations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sora_gateway.core.wire import iso
from sora_gateway.store.audit import AuditFilter, Recorded

if TYPE_CHECKING:
    from sora_gateway.operations import Services


async def audit_list(
    services: Services, limit: int, actor: str | None, action: str | None
) -> list[Mapping[str, Any]]:
    """What people did, newest first; *actor* is an id or an address, *action* a beginning."""
    found, _ = await services.store.audit_page(AuditFilter(limit, actor, action))
    return [_recorded(line) for line in found]


def _recorded(line: Recorded) -> Mapping[str, Any]:
    entry = line.entry
    return {
        "at": iso(entry.at),
        "actor": line.email or entry.actor,
        "action": entry.action,
        "target": entry.target,
        "address": entry.address,
        "request_id": entry.request_id,
        "detail": entry.detail,
    }


async def settings_changed(services: Services) -> list[Mapping[str, Any]]:
    """What administrators have changed while the gateway ran, and is in force instead of the configuration."""
    owners = {user.id: user.email for user in await services.store.people.users()}
    return [
        {
            "key": row.key,
            "value": row.value,
            "changed_at": iso(row.changed_at),
            "changed_by": owners.get(row.changed_by, row.changed_by),
        }
        for row in await services.store.changed_settings()
    ]
