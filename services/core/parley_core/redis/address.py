"""The address of Redis: one server, or a service that Sentinels know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from parley_core.errors import UnsafeSettings

SENTINEL_PORT = 26379
MALFORMED = (
    "PARLEY_REDIS_URL of a Sentinel service must read "
    "redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DB], or rediss+sentinel:// with TLS"
)
SCHEMES = ("redis", "rediss")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """A service by the Sentinels that watch it.

    Attributes:
        sentinels: host and port of each.
        service: the name that the Sentinels know it by.
        user: of the servers, as is `password`; None for the default user.
        sentinel_password: of the Sentinels, which have users and passwords of their own.
        tls: whether servers and Sentinels speak TLS.
        authority: file with the certificate of the authority that signed theirs; None for the public ones.
    """

    sentinels: tuple[tuple[str, int], ...]
    service: str
    database: int = 0
    user: str | None = None
    password: str | None = None
    sentinel_user: str | None = None
    sentinel_password: str | None = None
    tls: bool = False
    authority: str | None = None

    @property
    def login(self) -> dict[str, str]:
        """Options of a client of the servers."""
        return _login(self.user, self.password)

    @property
    def verification(self) -> dict[str, Any]:
        """Options of a TLS client of servers or Sentinels."""
        if not self.tls:
            return {}
        return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": self.authority}

    @property
    def sentinel_login(self) -> dict[str, str]:
        """Options of a client of the Sentinels."""
        return _login(self.sentinel_user, self.sentinel_password)


def sentinel_address(url: str) -> SentinelAddress | None:
    """Return the service of a `redis+sentinel://` or `rediss+sentinel://` address, None for the address of a server.

    The query may hold `sentinel_user`, `sentinel_password` and `ssl_ca_certs`. User and passwords are percent-encoded.

    Raises:
        UnsafeSettings: for an address of Sentinels that lacks a part.
    """
    parts = urlsplit(url)
    if not parts.scheme.endswith("+sentinel"):
        return None
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    query = parse_qs(parts.query)
    if not (hosts and service and (database or "0").isdigit()) or parts.scheme.partition("+")[0] not in SCHEMES:
        raise UnsafeSettings(MALFORMED)
    return SentinelAddress(
        sentinels=tuple(_host_and_port(host) for host in hosts.split(",")),
        service=unquote(service),
        database=int(database or 0),
        user=unquote(user) or None,
        password=unquote(password) or None,
        sentinel_user=query.get("sentinel_user", [None])[0],
        sentinel_password=query.get("sentinel_password", [None])[0],
        tls=parts.scheme.startswith("rediss"),
        authority=query.get("ssl_ca_certs", [None])[0],
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host or not (port or "0").isdigit():
        raise UnsafeSettings(MALFORMED)
    return host, int(port or SENTINEL_PORT)


def _login(user: str | None, password: str | None) -> dict[str, str]:
    return {name: value for name, value in (("username", user), ("password", password)) if value}
