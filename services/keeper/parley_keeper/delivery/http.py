"""One POST to an address that somebody else chose: resolved once, checked, bounded in time and in bytes."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpcore

from parley_core.errors import UnsafeTarget
from parley_core.targets import AddressGuard

TOTAL_SECONDS = 20.0  # for a whole attempt; the specification proposes 15 to 30
CONNECT_SECONDS = 5.0

SocketOptions = Iterable[Any]


class Refused(Exception):  # noqa: N818 - named like the errors of core
    """The address may not be connected to, or does not resolve. `outcome` says which."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to the address that it has checked, so that no second look-up can lead elsewhere.

    The name stays in `Host`, in the TLS handshake and in the check of the certificate.
    """

    def __init__(self, guard: AddressGuard, deadline: float) -> None:
        """Take the guard, and the monotonic time at which every operation ends."""
        self._guard, self._deadline = guard, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a name that answers. Raises Refused if one of them is not allowed."""
        try:
            addresses = self._guard.resolve(host, port)
        except OSError:
            raise Refused("name_not_resolved") from None
        except UnsafeTarget:
            raise Refused("address_not_allowed") from None
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connect(address, port, socket_options)
        return self._connect(addresses[-1], port, socket_options)

    def _connect(self, address: str, port: int, options: SocketOptions | None) -> httpcore.NetworkStream:
        seconds = _left(self._deadline, CONNECT_SECONDS)
        return _BoundedStream(self._sockets.connect_tcp(address, port, seconds, socket_options=options), self._deadline)


class _BoundedStream(httpcore.NetworkStream):
    """A stream whose operations end at a deadline, however slowly the other side sends."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secure = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _BoundedStream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, at_most: float = TOTAL_SECONDS) -> float:
    left = min(deadline - time.monotonic(), at_most)
    if left <= 0:
        raise httpcore.TimeoutException("the attempt has taken its whole time")
    return left


def post(url: str, body: bytes, headers: Mapping[str, str], guard: AddressGuard, seconds: float = TOTAL_SECONDS) -> str:
    """Send a POST; return the status of its response, or a code for what went wrong.

    No redirect is followed, no proxy is used, and nothing of the response but its status is read.
    """
    network = GuardedNetwork(guard, time.monotonic() + seconds)
    trusted = httpcore.default_ssl_context()
    trusted.load_default_certs()  # also the authorities that SSL_CERT_FILE names: a hospital has its own
    try:
        with (
            httpcore.ConnectionPool(ssl_context=trusted, network_backend=network) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
        ):
            return str(response.status)
    except Refused as error:
        return error.outcome
    except httpcore.TimeoutException:
        return "timeout"
    except (httpcore.NetworkError, OSError) as error:
        return "tls_error" if isinstance(error.__context__, ssl.SSLError) else "connection_error"
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
        return "protocol_error"
