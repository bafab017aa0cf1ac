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
    server, url = call.services.settings.server, call.request.url
    # With the path of ours: the page above it is somebody else's, and could read the fragment.
    base = server.public_url or f"{url.scheme}://{url.netloc}{server.root_path}"
    return f"{base}/#{kind}={token}"
