"""What expires unless somebody acts: API keys that callers use, and certificates of the addresses of the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parley_api.runtime.keys import ApiKey
from parley_core.logs import get_logger

log = get_logger(__name__)

USED_SECONDS = 86400.0  # a key that was not used for so long is in use no more
SHORT_LIVED = timedelta(days=30)  # programs that make keys for a shorter time renew them by themselves
MOST_KEYS = 100  # bounds the number of series; the first to expire are shown
CERTIFICATE = "tls.crt"  # entry of a TLS Secret


@dataclass(frozen=True, slots=True)
class _Use:
    tenant: str
    expires_at: datetime
    used_at: float


class Expiries(Collector):
    """Notes the keys that callers of this process use, and reads certificates at each scrape.

    Args:
        certificates: folder with a folder for each certificate, which holds `tls.crt`; None without certificates.
    """

    def __init__(self, certificates: Path | None) -> None:
        self._certificates = certificates
        self._uses: dict[str, _Use] = {}
        self._unreadable: set[str] = set()

    def note(self, key: ApiKey) -> None:
        """Note that a caller has sent this key, which may have expired. Signed tokens have no hash and do not count."""
        if key.expires_at is None or not key.sha256:
            return
        if key.created_at is not None and key.expires_at - key.created_at < SHORT_LIVED:
            return
        self._uses[key.id or key.sha256[:12]] = _Use(key.tenant, key.expires_at, time.monotonic())
        if len(self._uses) > 2 * MOST_KEYS:
            self._uses = dict(self._next_to_expire())

    def _next_to_expire(self) -> list[tuple[str, _Use]]:
        since = time.monotonic() - USED_SECONDS
        used = [(name, use) for name, use in self._uses.items() if use.used_at > since]
        return sorted(used, key=lambda one: one[1].expires_at)[:MOST_KEYS]

    def collect(self) -> Iterator[Metric]:
        """Yield the end of each key and certificate in seconds since 1970."""
        keys = GaugeMetricFamily(
            "parley_api_key_expiry_timestamp_seconds",
            "When a key used within a day expires. The first 100; without keys made for less than 30 days.",
            labels=["tenant", "key"],
        )
        for name, use in self._next_to_expire():
            keys.add_metric([use.tenant, name], use.expires_at.timestamp())
        yield keys
        certificates = GaugeMetricFamily(
            "parley_certificate_expiry_timestamp_seconds",
            "When a certificate of an address of the API expires: the first of its chain.",
            labels=["certificate"],
        )
        for file in sorted(self._certificates.glob(f"*/{CERTIFICATE}")) if self._certificates else ():
            ends = self._end_of(file)
            if ends is not None:
                certificates.add_metric([file.parent.name], ends.timestamp())
        yield certificates

    def _end_of(self, file: Path) -> datetime | None:
        """Return when the first certificate of a file expires; None for a file that cannot be read."""
        from cryptography import x509  # a twentieth of the processor time of a start, for those who watch certificates

        name = file.parent.name
        try:
            ends = min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(file.read_bytes()))
        except (OSError, ValueError) as error:
            if name not in self._unreadable:
                log.error("a certificate cannot be read", certificate=name, error=type(error).__name__)
            self._unreadable.add(name)
            return None
        self._unreadable.discard(name)
        return ends
