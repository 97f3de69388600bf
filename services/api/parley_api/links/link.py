"""A recording that the caller does not send but names, and which of them its tenant may name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from parley_api.http.errors import InvalidOption, LinkNotAllowed
from parley_api.schemas.links import MAX_LINK, LinkBody
from parley_core.errors import UnsafeSettings, UnsafeTarget
from parley_core.settings import Settings
from parley_core.storage.remote import RemoteStore
from parley_core.targets import PORTS, AddressGuard, Target

EVERYWHERE = "0.0.0.0/0,::/0"
SIGNED_SECONDS = 60.0  # in which the request has to begin
BUCKET_SCHEMES = frozenset({"s3", "gs", "az"})


@dataclass(frozen=True, slots=True)
class Link:
    """Where a recording is fetched.

    Attributes:
        target: scheme, host, port and path.
        guard: decides which addresses may be connected to.
        name: file name in the address; empty without one.
        sha256: that the recording must have, hex; None without that condition.
        etag: that the host must give the recording; None without that condition.
    """

    target: Target
    guard: AddressGuard
    name: str
    sha256: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class _HostRule:
    """One origin of PARLEY_TENANT_LINK_HOSTS. `host` begins with a dot where its subdomains are meant."""

    scheme: str
    host: str
    port: int

    def admits(self, target: Target) -> bool:
        name = target.host.removesuffix(".")
        found = name.endswith(self.host) if self.host.startswith(".") else name == self.host
        return found and (self.scheme, self.port) == (target.scheme, target.port)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """One bucket of PARLEY_TENANT_LINK_BUCKETS: its address with a slash at the end, and the store."""

    address: str
    store: RemoteStore


class LinkPolicy:
    """Which links each tenant may give.

    Raises:
        UnsafeSettings: at the start, for a wrong host or bucket.
    """

    def __init__(self, settings: Settings) -> None:
        self._guard = AddressGuard(settings.link_networks)
        self._settings = settings
        self._default = _rules(settings.tenant_link_hosts), self._buckets(settings.tenant_link_buckets)
        self._own = {
            tenant: (
                self._default[0] if quota.link_hosts is None else _rules(quota.link_hosts),
                self._default[1] if quota.link_buckets is None else self._buckets(quota.link_buckets),
            )
            for tenant, quota in settings.tenants.items()
        }

    @property
    def on(self) -> bool:
        """Whether some tenant may give links."""
        return any(map(any, (self._default, *self._own.values())))

    def of(self, tenant: str, body: LinkBody) -> Link:
        """Return the link in a body. Raises what `of_url` and `of_object` raise."""
        link = self.of_object(tenant, body.object) if body.object is not None else self.of_url(tenant, body.url or "")
        return replace(link, sha256=body.sha256.lower() if body.sha256 else None, etag=body.etag)

    def of_url(self, tenant: str, url: str) -> Link:
        """Return the link to a URL.

        Raises:
            InvalidOption: it is not a plain `http` or `https` URL, or leads to an address that is not public.
            LinkNotAllowed: its host is not in the tenant's list.
        """
        hosts, _ = self._own.get(tenant, self._default)
        if not hosts:
            raise LinkNotAllowed("The server fetches no URLs for your tenant (PARLEY_TENANT_LINK_HOSTS).")
        try:
            target = self._guard.require(url, MAX_LINK)
        except UnsafeTarget as error:
            raise InvalidOption(f"`url`: {error.detail}") from None
        if not any(rule.admits(target) for rule in hosts):
            raise LinkNotAllowed("The host of `url`, with its scheme and port, is not in the list of your tenant.")
        return Link(target, self._guard, unquote(target.path.partition("?")[0].rpartition("/")[2]))

    def of_object(self, tenant: str, address: str) -> Link:
        """Return the link to an object of a bucket: a signed address, so that the fetching process needs no secret.

        Raises:
            InvalidOption: it is not the address of an object.
            LinkNotAllowed: its bucket is not in the tenant's list.
            ObjectStoreUnavailable: the rights of this process could not be found out.
        """
        _, buckets = self._own.get(tenant, self._default)
        if not buckets:
            raise LinkNotAllowed("The server fetches no objects for your tenant (PARLEY_TENANT_LINK_BUCKETS).")
        scheme, _, path = address.partition("://")
        parts = path.split("/")
        is_key = len(parts) > 1 and path.isprintable() and not any(part in ("", ".", "..") for part in parts)
        if scheme not in BUCKET_SCHEMES or not is_key or len(address) > MAX_LINK:
            raise InvalidOption("`object` must be the address of an object, such as `s3://bucket/folder/visit.wav`.")
        bucket = next((one for one in buckets if address.startswith(one.address)), None)
        if bucket is None:
            raise LinkNotAllowed("The bucket of `object` is not in the list of your tenant.")
        signed = urlsplit(bucket.store.sign(address.removeprefix(bucket.address), SIGNED_SECONDS))
        target = Target(
            signed.scheme, signed.hostname or "", signed.port or PORTS[signed.scheme], f"{signed.path}?{signed.query}"
        )
        return Link(target, AddressGuard(EVERYWHERE), address.rpartition("/")[2])

    def _buckets(self, addresses: str) -> tuple[_Bucket, ...]:
        own = urlsplit(self._settings.objects_url)
        found = []
        for address in filter(None, (one.strip().rstrip("/") for one in addresses.split(","))):
            parts = urlsplit(address)
            if parts.scheme not in BUCKET_SCHEMES or not parts.netloc or parts.query or parts.fragment:
                raise UnsafeSettings(f"PARLEY_TENANT_LINK_BUCKETS has buckets like `s3://calls`, not `{address}`.")
            if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
                raise UnsafeSettings(
                    "PARLEY_TENANT_LINK_BUCKETS must not have the bucket of PARLEY_OBJECTS_URL: a tenant could have "
                    "the recordings of other tenants fetched."
                )
            found.append(_Bucket(f"{address}/", RemoteStore(address, self._settings.link_secrets)))
        return tuple(found)


def _rules(origins: str) -> tuple[_HostRule, ...]:
    rules = []
    for origin in filter(None, (one.strip() for one in origins.split(","))):
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        host = (parts.hostname or "").removeprefix("*")
        if parts.scheme not in PORTS or not host or "*" in host or parts.path or parts.query or "@" in parts.netloc:
            raise UnsafeSettings(
                f"PARLEY_TENANT_LINK_HOSTS has origins like `https://pacs.clinic.example`, not `{origin}`."
            )
        rules.append(_HostRule(parts.scheme, host, port or PORTS[parts.scheme]))
    return tuple(rules)
