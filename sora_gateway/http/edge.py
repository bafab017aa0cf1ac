"""Between the listening socket and the routes: the path below which people reach the gateway, and what may never
stand in an address."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sora_gateway.accounts.tokens import is_api_key
from sora_gateway.errors import CredentialInUrl, StartupError

EXPOSED = ("Content-Range", "OpenAI-Poll-After-Ms", "Retry-After", "X-Request-Id", "X-Should-Retry")
"""Headers of an answer that pages of ``server.cors_origins`` may read beside those that every page may."""

_CREDENTIALS = frozenset({"access_token", "api-key", "api_key", "apikey", "key", "token"})
# A ticket works once and for seconds, a signature for one file: made to stand in an address.
_MADE_FOR_ADDRESSES = frozenset({"ticket", "signature"})


class BelowRootPath:
    """Takes *root_path* off the path where the proxy in front has not done so: what is behind knows only the
    gateway's own addresses, and they are the same whichever way the proxy works."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == self.root_path and scope["type"] == "http":
            # The page's addresses are relative, so its own has to end in a slash.
            await RedirectResponse(f"{self.root_path}/", 308)(scope, receive, send)
            return
        if path.startswith(f"{self.root_path}/"):
            scope = {**scope, "path": path.removeprefix(self.root_path)}
        await self.app(scope, receive, send)


def check_root_path(root_path: str, paths: Iterable[str]) -> None:
    """Raises StartupError if *root_path* is the beginning of one of the gateway's own *paths*: with a proxy that
    takes it off, nobody could tell the two apart."""
    if root_path and any(f"{path}/".startswith(f"{root_path}/") for path in paths):
        raise StartupError(
            f"server.root_path cannot be {root_path}: the gateway's own addresses begin so; choose another."
        )


class NoCredentialInUrl:
    """Refuses a key or token in the query, used or not: addresses end up in logs, histories and Referers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query: bytes = scope["query_string"]
        if query and any(
            name.lower() in _CREDENTIALS or (is_api_key(value) and name not in _MADE_FOR_ADDRESSES)
            for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        ):
            raise CredentialInUrl(
                "A key or token does not belong into an address, where logs keep it: send it as "
                "Authorization: Bearer KEY, and replace this one."
            )
        await self.app(scope, receive, send)
