"""Which addresses Parley may send requests to on a caller's behalf: the guard against server-side request forgery."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from parley_core.errors import UnsafeTarget

MAX_URL = 2000  # characters
PORTS = {"http": 80, "https": 443}
VISIBLE = re.compile(r"[!-~]+")
HOST = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}")
THIS_MACHINE = re.compile(r"(.+\.)?localhost\.?", re.IGNORECASE)
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed `http` or `https` URL. `path` begins with a slash and holds the query."""

    scheme: str
    host: str
    port: int
    path: str


class AddressGuard:
    """Refuses addresses that are not public: private, loopback, link-local (metadata services), and others.

    Args:
        networks: allowed all the same, in CIDR notation and separated by commas.

    Raises:
        ValueError: a network is not in CIDR notation.
    """

    def __init__(self, networks: str = "") -> None:
        self._allowed: tuple[Network, ...] = tuple(
            ipaddress.ip_network(one.strip()) for one in networks.split(",") if one.strip()
        )

    def allows(self, address: str) -> bool:
        """Say whether an IP address may be connected to."""
        try:
            found = _innermost(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if any(found in network for network in self._allowed if network.version == found.version):
            return True
        return found.is_global and not found.is_multicast and not found.is_reserved

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, looked up once: connect to these, since another look-up may give others.

        Raises:
            OSError: the name does not resolve.
            UnsafeTarget: one of the addresses is not allowed.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:  # a label of more than 63 characters
            raise OSError("no name of a host") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not all(map(self.allows, addresses)):
            raise UnsafeTarget("The host has an address that is not public.")
        return addresses

    def require(self, url: str, longest: int = MAX_URL) -> Target:
        """Return the parsed URL. Names are not resolved here: that happens when the connection is made.

        Args:
            url: as the caller sent it.
            longest: largest number of characters.

        Raises:
            UnsafeTarget: it is not a plain `http` or `https` URL, or its host is an address that is not allowed.
        """
        target = _parse(url, longest)
        if THIS_MACHINE.fullmatch(target.host) and not self.allows("127.0.0.1"):
            raise UnsafeTarget("The URL leads to the server itself.")
        if _is_address(target.host) and not self.allows(target.host):
            raise UnsafeTarget("The URL leads to an address that is not public.")
        return target


def _parse(url: str, longest: int) -> Target:
    if len(url) > longest or not VISIBLE.fullmatch(url):
        raise UnsafeTarget(f"The URL must have at most {longest} characters, all of them visible ASCII characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnsafeTarget("The URL is malformed.") from None
    host = parts.hostname or ""
    if parts.scheme not in PORTS or not (_is_address(host) or HOST.fullmatch(host)):
        raise UnsafeTarget("The URL must begin with https:// or http:// and a host.")
    if parts.username is not None or parts.password is not None or parts.fragment or "\\" in url:
        raise UnsafeTarget("The URL must have no user name, no password and no fragment.")
    if port == 0:
        raise UnsafeTarget("The URL has no valid port.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _innermost(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address that stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
