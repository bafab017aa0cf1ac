"""Which addresses an upstream may send us to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sora_gateway.upstream.addresses import AddressRefused, is_public, public_only, resolve

PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%1",
    "fc00::1",
    "fd12::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_leads_inward_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111"])
def test_what_is_on_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


async def test_one_private_address_refuses_the_host() -> None:
    async def both(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(AddressRefused, match="private"):
        await public_only(both)("cdn.example.org", 443)


async def test_a_public_host_is_resolved_once_and_by_all_its_addresses() -> None:
    asked = []

    async def public(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["8.8.8.8", "8.8.4.4"]

    assert await public_only(public)("cdn.example.org", 443) == ["8.8.8.8", "8.8.4.4"]
    assert asked == [("cdn.example.org", 443)]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "127.0.0.1", "::1"])
async def test_no_spelling_of_this_machine_passes(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_only()(host, 80)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 70 + ".org", ""])
async def test_a_host_without_an_address_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        await public_only()(host, 443)


async def test_a_port_of_another_service_is_refused() -> None:
    with pytest.raises(AddressRefused, match="port"):
        await public_only()("example.org", 6379)


async def test_an_address_resolves_to_itself() -> None:
    assert list(await resolve("127.0.0.1", 80)) == ["127.0.0.1"]
