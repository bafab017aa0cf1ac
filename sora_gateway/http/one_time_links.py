"""Links that an administrator hands to somebody; the token is in the fragment, which browsers send to nobody."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.core.views import View
from sora_gateway.http.routing import Call


class LinkView(View):
    """A link that works once, for whoever has it: give it to the one it is for, and to nobody else."""

    url: str
    token: str = Field(description="What the address has behind `=`; shown this once.")
    expires_at: str


def address_of(call: Call, kind: str, token: str) -> str:
    """Where people reach this gateway: by its configuration, else as the administrator does."""
    base = call.services.settings.server.public_url or str(call.request.base_url).rstrip("/")
    return f"{base}/#{kind}={token}"
