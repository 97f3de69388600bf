"""Where processes listen: IPv4, IPv6 or both."""

from __future__ import annotations

import socket

import pytest

from parley_core.errors import UnsafeSettings
from parley_core.listening import listening_socket

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="the kernel has no IPv6")


def reaches(address: str, listening: socket.socket) -> bool:
    try:
        socket.create_connection((address, listening.getsockname()[1])).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        pytest.param("::", ["127.0.0.1", "::1"], marks=needs_ipv6),
        pytest.param("::1", ["::1"], marks=needs_ipv6),
        ("0.0.0.0", ["127.0.0.1"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("localhost", ["127.0.0.1"]),
    ],
)
def test_a_host_takes_the_addresses_that_it_names(host: str, reached: list[str]) -> None:
    with listening_socket(host, 0) as listening:
        assert [one for one in ("127.0.0.1", "::1") if reaches(one, listening)] == reached


def test_all_addresses_are_those_of_ipv4_where_the_kernel_has_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listening_socket("::", 0) as listening:
        assert listening.family is socket.AF_INET
        assert reaches("127.0.0.1", listening)


def test_an_address_that_cannot_be_had_is_refused_with_its_name() -> None:
    with listening_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(UnsafeSettings, match=rf"127\.0\.0\.1:{port} \(Address already in use\)"):
            listening_socket("127.0.0.1", port)
    with pytest.raises(UnsafeSettings, match=r"192\.0\.2\.1"):
        listening_socket("192.0.2.1", 0)
