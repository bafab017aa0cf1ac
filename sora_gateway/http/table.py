"""Every endpoint of the gateway, in the order in which paths are matched."""

from __future__ import annotations

from sora_gateway.http import (
    admin_audit,
    admin_credits,
    admin_plans,
    admin_settings,
    admin_stats,
    admin_upstreams,
    admin_users,
    api_keys,
    archive,
    batches,
    bulk,
    characters,
    credits,
    derived_videos,
    doubts,
    invitations,
    live,
    models,
    oidc,
    openai_videos,
    people,
    quotes,
    references,
    shares,
    sign_in,
    task_lists,
    task_tags,
    tasks,
    templates,
    webhooks,
)
from sora_gateway.http.hooks import Hooks
from sora_gateway.http.routing import Endpoint
from sora_gateway.http.system import System


def table(system: System) -> list[Endpoint]:
    """The route table; *system* knows about the process."""
    return [
        # Before ``/api/video/tasks/{id}``, which would take "batch" for an id.
        *batches.ENDPOINTS,
        *bulk.ENDPOINTS,
        *archive.ENDPOINTS,
        *task_lists.ENDPOINTS,
        *tasks.ENDPOINTS,
        *task_tags.ENDPOINTS,
        *templates.ENDPOINTS,
        *shares.ENDPOINTS,
        *references.ENDPOINTS,
        *live.ENDPOINTS,
        *characters.ENDPOINTS,
        *derived_videos.ENDPOINTS,
        *openai_videos.ENDPOINTS,
        *models.ENDPOINTS,
        *people.ENDPOINTS,
        *sign_in.ENDPOINTS,
        *api_keys.ENDPOINTS,
        *webhooks.ENDPOINTS,
        *oidc.ENDPOINTS,
        *quotes.ENDPOINTS,
        *credits.ENDPOINTS,
        *admin_upstreams.ENDPOINTS,
        *admin_users.ENDPOINTS,
        *invitations.ENDPOINTS,
        *admin_credits.ENDPOINTS,
        *admin_plans.ENDPOINTS,
        *admin_stats.ENDPOINTS,
        *admin_settings.ENDPOINTS,
        *admin_audit.ENDPOINTS,
        *Hooks().endpoints(),
        *doubts.ENDPOINTS,
        *system.endpoints(),
    ]
