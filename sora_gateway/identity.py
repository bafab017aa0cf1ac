"""From ``[oidc.NAME]`` to identity providers; imported when somebody asks how to sign in."""

from __future__ import annotations

from sora_gateway.accounts.oidc_provider import ProviderConfig
from sora_gateway.oidc_settings import GOOGLE
from sora_gateway.settings import Settings


def identity_providers(settings: Settings) -> list[ProviderConfig]:
    """Those of ``[oidc.NAME]``, in the order of the configuration."""
    return [
        ProviderConfig(
            name=name,
            label=entry.label or ("Google" if entry.preset == "google" else name),
            issuer=GOOGLE if entry.preset == "google" else entry.issuer,
            client_id=entry.client_id,
            client_secret=entry.client_secret.get_secret_value(),
            allowed_domains=frozenset(entry.allowed_domains),
            role=entry.role,
            google=entry.preset == "google",
        )
        for name, entry in settings.oidc.items()
    ]
