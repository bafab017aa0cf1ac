"""One account at an upstream: where its API lives, and the header that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sora_gateway.upstream.addresses import origin_of


@dataclass(frozen=True, slots=True)
class Account:
    base: str
    """Without a slash at its end."""
    auth: dict[str, str]
    """The headers with the key; empty without one."""
    secrets: tuple[str, ...]
    """What is kept out of every text."""


def account_of(base_url: str, api_key: str, scheme: Literal["bearer", "raw"]) -> Account:
    """*base_url* usually ends in ``/v1``, which is filled in when it has no path.

    Raises:
        ValueError: *base_url* is not an http address, or *api_key* cannot be a header.
    """
    api_key = api_key.strip()
    if not api_key.isascii() or not api_key.isprintable():
        raise ValueError("the key has characters that cannot be sent")
    origin_of(base_url)
    base = base_url.rstrip("/") if urlsplit(base_url).path.strip("/") else f"{base_url.rstrip('/')}/v1"
    if not api_key:
        return Account(base, {}, ())
    prefix = "Bearer " if scheme == "bearer" else ""
    return Account(base, {"Authorization": f"{prefix}{api_key}"}, (api_key,))
