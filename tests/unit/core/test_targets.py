"""Which addresses requests may be sent to on a caller's behalf."""

from __future__ import annotations

import pytest

from parley_core.errors import UnsafeSettings, UnsafeTarget
from parley_core.settings import Settings
from parley_core.targets import AddressGuard, Target

REFUSED_ADDRESSES = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    "fd00:ec2::254", "2001:db8::1", "not an address", "",
]  # fmt: skip
PUBLIC_ADDRESSES = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
REFUSED_URLS = [
    "", "ftp://example.org/", "file:///etc/passwd", "//example.org", "https://", "https:///path", "example.org",
    "https://user@example.org/", "https://user:password@example.org/", "https://example.org/#part",
    "https://example.org:0/", "https://example.org:99999/", "https://example.org:port/", "https://exa mple.org/",
    "https://example.org/\n", "https://example.org\\@127.0.0.1/", "https://[::1/", "https://\u0435xample.org/",
    "http://localhost/", "http://LOCALHOST./", "http://api.localhost:7001/", "http://127.0.0.1/", "http://[::1]/",
    "http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/", "https://example.org/" + "x" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not AddressGuard().allows(address)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_address_is_allowed(address: str) -> None:
    assert AddressGuard().allows(address)


def test_a_setting_allows_networks_and_nothing_beside_them() -> None:
    guard = AddressGuard("10.20.0.0/16, fd12::/32")
    assert guard.allows("10.20.3.4")
    assert guard.allows("::ffff:10.20.3.4")
    assert guard.allows("fd12::1")
    assert not guard.allows("10.21.0.1")
    assert not guard.allows("127.0.0.1")


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_leads_nowhere_safe_is_refused(url: str) -> None:
    with pytest.raises(UnsafeTarget):
        AddressGuard().require(url)


def test_a_url_is_taken_apart() -> None:
    guard = AddressGuard()
    assert guard.require("https://records.example/a?b=c") == Target("https", "records.example", 443, "/a?b=c")
    assert guard.require("http://8.8.8.8:8080") == Target("http", "8.8.8.8", 8080, "/")


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "nowhere.invalid"], ids=["a long label", "no such name"])
def test_a_name_that_does_not_resolve_is_an_error_of_the_network(host: str) -> None:
    with pytest.raises(OSError):
        AddressGuard().resolve(host, 80)


@pytest.mark.parametrize("name", ["PARLEY_WEBHOOK_NETWORKS", "PARLEY_LINK_NETWORKS"])
def test_networks_that_are_none_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "10.0.0.0/33")
    with pytest.raises(UnsafeSettings, match=name):
        Settings.from_environment()
