"""The sockets that processes of Parley listen on."""

from __future__ import annotations

import os
import socket

from parley_core.errors import UnsafeSettings
from parley_core.settings import Settings

ALL_ADDRESSES = "::"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def require_safe_address(settings: Settings) -> None:
    """Raise UnsafeSettings when the API would serve other machines without keys."""
    if settings.host not in LOOPBACK and settings.api_keys_file is None:
        raise UnsafeSettings(
            f"Refusing to listen on {settings.host} without authentication: set PARLEY_API_KEYS_FILE, "
            "or PARLEY_HOST=127.0.0.1 for this machine alone."
        )


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and listens; port 0 takes a free one.

    `::` means every address, of IPv4 and of IPv6, and every address of IPv4 where the kernel has no IPv6: one setting
    for clusters of either family.

    Raises:
        UnsafeSettings: when the address is in use, or not of this machine.
    """
    every = host == ALL_ADDRESSES
    dual = every and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual or (":" in host and not every) else socket.AF_INET
    try:
        return socket.create_server(("" if every else host, port), family=family, dualstack_ipv6=dual)
    except OSError as error:
        raise UnsafeSettings(f"Cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}).") from error
