"""Which addresses are public: the edges of every refused block, and a comparison with two other tables."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ssrfguard import DEFAULT_DENIED

from tollgate.egress.addresses import is_loopback, is_public

REFUSED_BLOCKS = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "4000::/2",
    "8000::/1",
]
PUBLIC = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2000::1",
    "2001:200::1",
    "2001:db7:ffff::1",
    "2001:db9::",
    "2003::1",
    "2606:4700:4700::1111",
    "3ffd::1",
]


@pytest.mark.parametrize("block", REFUSED_BLOCKS)
def test_a_refused_block_is_refused_from_its_first_address_to_its_last(block: str) -> None:
    network = ip_network(block)
    middle = network[network.num_addresses // 2]
    assert not any(is_public(str(address)) for address in (network[0], network[1], middle, network[-1]))


@pytest.mark.parametrize("address", PUBLIC)
def test_the_neighbours_of_refused_blocks_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "text", ["", "x", "127.1", "0x7f000001", "1.1.1.1 ", "[2606:4700::1]", "2606:4700::1%eth0", "1"]
)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(
    st.one_of(
        st.ip_addresses(v=4),
        st.ip_addresses(v=6),
        st.builds(lambda low: IPv6Address(0x20 << 120 | low), st.integers(0, 2**123 - 1)),
    )
)
def test_nothing_is_public_that_another_table_refuses(address: IPv4Address | IPv6Address) -> None:
    if is_public(str(address)):
        assert not DEFAULT_DENIED.classify(address).blocked
        assert not any((address.is_private, address.is_multicast, address.is_reserved, address.is_link_local))


@pytest.mark.parametrize("block", DEFAULT_DENIED.blocks, ids=lambda block: str(block.network))
def test_every_block_of_the_other_table_is_known_here(block: object) -> None:
    network = block.network  # type: ignore[attr-defined]
    for position in (0, network.num_addresses // 2, network.num_addresses - 1):
        address = (
            ip_address(int(network[0]) + position) if network.version == 4 else IPv6Address(int(network[0]) + position)
        )
        assert not (is_public(str(address)) and DEFAULT_DENIED.classify(address).blocked)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", False),
        ("10.0.0.1", False),
        ("1.1.1.1", False),
        ("::", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback_is_exactly_loopback(text: str, expected: bool) -> None:
    assert is_loopback(text) is expected
