"""One step to a host that somebody else named, and where the answer sends on: each step is checked like the first.

For result files and reference images alike. Nothing goes along but what the caller puts into the request.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

from sora_gateway.upstream.addresses import AddressGuard, origin_of
from sora_gateway.upstream.client import HttpClient, NotSent, Request, Stream

MAX_HOPS = 3
"""Redirects that are followed."""
MAX_TRIED = 4
"""Addresses of one host that are tried: whoever names a host names its addresses too."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def open_checked(client: HttpClient, guard: AddressGuard, request: Request, deadline: float) -> Stream:
    """The answer of the first checked address of the host that takes the connection; a read can be repeated freely.

    Each address has *deadline* seconds for the head of its answer. The caller closes the stream.

    Raises:
        ValueError: the request has no usable address.
        AddressRefused: *guard* does not let the host through.
        NotSent, Lost: there is no answer.
    """
    _, host, port = origin_of(request.url)
    *others, last = (await guard(host, port))[:MAX_TRIED]
    for address in others:
        try:
            return await client.open(replace(request, address=address), deadline=deadline)
        except NotSent:
            continue
    return await client.open(replace(request, address=last), deadline=deadline)


def next_hop(stream: Stream, url: str) -> str | None:
    """Where the answer from *url* sends on, as an absolute address if it is any; None when it sends nowhere."""
    location = stream.headers.get("location")
    if stream.status not in _REDIRECTS or not location:
        return None
    try:
        return urljoin(url, location)
    except ValueError:
        # Not an address at all; what refuses it is the next look at it.
        return location
