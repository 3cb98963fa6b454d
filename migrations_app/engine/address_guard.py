"""Address guard: the only place that decides which IP addresses a connector may connect to.

A connector never gives a host name to its client. The client would resolve it again, perhaps to another
address, or interpret it differently (gRPC decodes ``%31`` and takes ``unix:`` for a socket). The guard
resolves the name once per connection attempt and checks every address. The client connects to these
addresses; the name is used only for TLS, for the ``authority`` of a request and in messages.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from migrations_app.engine.errors import ConnectionFailed, HostUnknown

IpAddress = IPv4Address | IPv6Address
# Returns the addresses of a host that may be connected to, at least one. Raises ``ConnectionFailed``.
Resolve = Callable[[str], tuple[str, ...]]

_NAME = re.compile(r"[A-Za-z0-9.-]+")
# Names in a private network, for example of containers, may contain an underscore.
_PRIVATE_NAME = re.compile(r"[A-Za-z0-9._-]+")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")

# Not public: IANA's registry of special-purpose IPv4 addresses, and multicast.
# https://www.iana.org/assignments/iana-ipv4-special-registry
_NOT_PUBLIC_IPV4 = tuple(
    IPv4Network(text)
    for text in (
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
    )
)
# The only IPv6 range with public addresses, and the parts of it that are not public: IETF protocols with
# Teredo, documentation, 6to4. https://www.iana.org/assignments/iana-ipv6-special-registry
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_IPV6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# Addresses that stand for an IPv4 address: mapped (RFC 4291) and NAT64 (RFC 6052). The IPv4 address counts.
_TRANSLATED = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
# Addresses that may lead to an IPv4 address, with the position of its lowest bit: compatible, translated
# (RFC 2765), local NAT64 (RFC 8215), 6to4 (RFC 3056).
_EMBEDDING = (
    *((network, 0) for network in _TRANSLATED),
    (IPv6Network("::/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b:1::/48"), 0),
    (IPv6Network("2002::/16"), 80),
)
# Here cloud providers give a machine its credentials. Nobody runs a database there.
_METADATA: frozenset[IpAddress] = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, Oracle, OpenStack, DigitalOcean, Hetzner, IBM, Linode
        "169.254.170.2",  # AWS: containers
        "169.254.170.23",  # AWS: pods
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "100.96.0.96",  # Volcano Engine
        "168.63.129.16",  # Azure: host agent
        "192.0.0.192",  # Oracle, formerly
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS: pods
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::1",  # Linode
        "fe80::a9fe:a9fe",  # OpenStack
    )
)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The rule of an installation: the addresses that its connectors may connect to.

    Without ``allow_private`` only public addresses are allowed, and no Unix sockets. The metadata services of
    cloud providers are never allowed.
    """

    allow_private: bool = True

    def resolve(self, host: str, field: str = "") -> tuple[str, ...]:
        """Return the IP addresses of ``host``, a name or an IP address, in the order in which to try them.

        Raises ``HostUnknown`` if it has none, and ``ConnectionFailed`` if one of them is not allowed.
        ``field`` is the settings field that shows the error.
        """
        name = _PRIVATE_NAME if self.allow_private else _NAME
        if not (name.fullmatch(host) or _IPV6.fullmatch(host)):
            # Nothing of the host: in a wrong connection string it may contain part of the password.
            problem = "A host name cannot contain an underscore."
            if not _PRIVATE_NAME.fullmatch(host):
                problem = "The host name has a character that no host name has."
            raise HostUnknown(
                problem if host else "The host name is empty.",
                "A host name has only the letters a to z, digits, dots and hyphens. Write an international "
                "name in its ASCII form (xn--…).",
                field=field,
            )
        addresses = _addresses(host, field)
        for address in addresses:
            self._check(host, ip_address(address), field)
        return addresses

    def check_socket(self, path: str, field: str = "") -> None:
        """Raise ``ConnectionFailed`` if Unix sockets are not allowed. Empty is the default socket."""
        if not self.allow_private:
            raise _private(f"“{path}”" if path else "A connection without a host", field)

    def _check(self, host: str, address: IpAddress, field: str) -> None:
        if _is_metadata(address):
            raise ConnectionFailed(
                f"“{host}” leads to {address}, the metadata service of a cloud provider.",
                "Vectorferry never connects to it. Enter the address of another server.",
                code="address_metadata",
                field=field,
            )
        if not self.allow_private and not _is_public(address):
            raise _private(f"“{host}”", field)


def _private(subject: str, field: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"{subject} leads to a private address, and this Vectorferry connects only to public addresses.",
        "The operator can allow it: VECTORFERRY_ALLOW_PRIVATE_ADDRESSES=on.",
        code="address_private",
        field=field,
    )


def _addresses(host: str, field: str) -> tuple[str, ...]:
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: not a valid name (“a..b”)
        raise HostUnknown(
            f"There is no host “{host}”.",
            "Check the spelling. The machine that runs Vectorferry must be able to resolve this name.",
            field=field,
            retryable=isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN,
        ) from None
    return tuple(dict.fromkeys(_text(entry[4]) for entry in entries))


def _text(sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> str:
    """The address as text, with the number of the network interface if it is link-local."""
    address = str(sockaddr[0]).split("%")[0]
    scope = sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{address}%{scope}" if scope else address


def _is_metadata(address: IpAddress) -> bool:
    address = _without_scope(address)
    return address in _METADATA or _embedded(address) in _METADATA


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_IPV4)
    if any(address in network for network in _TRANSLATED):
        return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST and not any(address in network for network in _NOT_PUBLIC_IPV6)


def _embedded(address: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv6 address; any other address unchanged."""
    for network, lowest_bit in _EMBEDDING:
        if address in network:
            return IPv4Address(int(address) >> lowest_bit & 0xFFFF_FFFF)
    return address


def _without_scope(address: IpAddress) -> IpAddress:
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address
