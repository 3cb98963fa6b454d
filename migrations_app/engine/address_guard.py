"""Address guard: refuses connections to private addresses if the operator forbids them."""

from __future__ import annotations

import ipaddress
import socket

from migrations_app.engine.errors import ConnectionFailed

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def refuse_private(hosts: tuple[str, ...]) -> None:
    """Raise ``ConnectionFailed`` if any of ``hosts`` is a Unix socket or resolves to an address that is not
    public (loopback, link-local or private)."""
    for host in hosts:
        if not all(_embedded(address).is_global for address in _addresses(host)):
            raise ConnectionFailed(
                f"“{host}” is a private address, and this Vectorferry connects only to public addresses.",
                "The operator can allow it: VECTORFERRY_ALLOW_PRIVATE_ADDRESSES=on.",
                code="address_private",
                field="host",
            )


def _addresses(host: str) -> list[IpAddress]:
    if host.startswith("/"):  # a Unix socket is always on this machine
        return [ipaddress.ip_address("127.0.0.1")]
    try:
        entries = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):  # the host does not resolve: the endpoint reports it when it connects
        return []
    return [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in entries]


def _embedded(address: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv6 address (mapped, 6to4, NAT64); any other address unchanged."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
