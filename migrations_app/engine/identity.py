"""Collection identity: tells if a source and a target mean the same collection, even if they write its name
or address differently."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_THIS_MACHINE = "this machine"
_ANY_PORT = 9


@dataclass(frozen=True, slots=True)
class CollectionIdentity:
    """What a server answers about one of its collections.

    ``name`` is its own name, not an alias, with its database. ``unique`` is something that no collection of
    another server has, such as its id and the time of its creation; empty if the server does not tell.
    ``places`` are the addresses and ports at which the server is reached (``places_of``).
    """

    name: str
    unique: str = ""
    places: frozenset[str] = frozenset()

    def is_same(self, other: CollectionIdentity) -> bool:
        """True if both are the same collection.

        Names and addresses are compared only if one of the servers has nothing unique: behind a proxy, one
        server can have two addresses, and two servers the same one.
        """
        if self.unique and other.unique:
            return self.unique == other.unique
        return self.name == other.name and not self.places.isdisjoint(other.places)


def places_of(addresses: Iterable[str], port: int) -> frozenset[str]:
    """Return the places for IP addresses and a port. All addresses of this machine are one place."""
    return frozenset(f"{_place(address)}, port {port}" for address in addresses)


def _place(address: str) -> str:
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback or ip.is_unspecified:
        return _THIS_MACHINE
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # This sends nothing. The system chooses the address to send from: ``ip``, if that is its own.
            probe.connect((str(ip), _ANY_PORT))
            is_own = bool(ip_address(probe.getsockname()[0]) == ip)
    except OSError:  # there is no route
        is_own = False
    return _THIS_MACHINE if is_own else str(ip)
