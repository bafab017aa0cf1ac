"""Who counts as one client, by where they come from."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that whoever has one IPv6 address has all of."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
