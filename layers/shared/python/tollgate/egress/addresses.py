"""Which IP addresses an outside party may make us connect to: those that are plainly somewhere on the public internet.

The tables are written from the IANA special-purpose address registries (RFC 6890 and its updates) instead of being left
to `ipaddress.is_global`, whose verdict changes with the interpreter: 3.11 calls 192.0.0.192, a cloud's metadata
address, global. When in doubt an address is refused: a block that the registry calls globally reachable but where no
web service lives is refused too. This module does no look-ups and knows nothing of names.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_REFUSED_V4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private use (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "168.63.129.16/32",  # a cloud's host agent behind a public number
        "169.254.0.0/16",  # link local, instance metadata (RFC 3927)
        "172.16.0.0/12",  # private use (RFC 1918)
        "192.0.0.0/24",  # protocol assignments, another metadata address (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # multicast tunnelling (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private use (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and the limited broadcast (RFC 1112, RFC 919)
    )
)

# Only this block is handed out for use on the internet (RFC 4291, section 2.4). Everything outside is refused at once:
# loopback, mapped and compatible IPv4, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, unique and link local, multicast.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID, AMT, AS112 (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4: carries an IPv4 address (RFC 3056)
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3ffe::/16",  # returned test network (RFC 3701)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_ISATAP: Final = 0x0000_5EFE  # upper half of an interface id that carries an IPv4 address (RFC 5214)
_UNIVERSAL_BIT: Final = 0x0200_0000


def is_public(text: str) -> bool:
    """True when `text` is an address that can only be a host on the public internet. Anything unreadable is not."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _REFUSED_V4)
    if address.scope_id is not None or address not in _GLOBAL_UNICAST:
        return False
    return not _carries_v4(address) and not any(address in block for block in _REFUSED_V6)


def is_loopback(text: str) -> bool:
    """True for 127.0.0.0/8 and ::1 (and for no other spelling of them, such as a mapped one)."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def _carries_v4(address: IPv6Address) -> bool:
    return (int(address) >> 32) & 0xFFFF_FFFF & ~_UNIVERSAL_BIT == _ISATAP
