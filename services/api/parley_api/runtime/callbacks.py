"""Whether the end of a job can be delivered to an address, asked before the recording arrives."""

from __future__ import annotations

from parley_api.http.errors import InvalidOption
from parley_core.deliveries import read_secrets
from parley_core.errors import UnsafeSettings, UnsafeTarget
from parley_core.logs import get_logger
from parley_core.settings import Settings
from parley_core.targets import AddressGuard

log = get_logger(__name__)


class Callbacks:
    """Checks addresses of deliveries.

    Raises:
        UnsafeSettings: at the start, for a file of secrets that cannot be read or parsed.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = settings.webhook_secrets_file
        self._guard = AddressGuard(settings.webhook_networks)
        if self._file is not None:
            read_secrets(self._file)

    def require(self, url: str, tenant: str) -> None:
        """Raise InvalidOption unless ends of this tenant's jobs can be delivered to the URL."""
        if not self._has_secret(tenant):
            raise InvalidOption(
                "`callback_url`: the server delivers nothing for your tenant, which has no webhook secret."
            )
        try:
            self._guard.require(url)
        except UnsafeTarget as error:
            raise InvalidOption(f"`callback_url`: {error.detail}") from None

    def _has_secret(self, tenant: str) -> bool:
        if self._file is None:
            return False
        try:
            return tenant in read_secrets(self._file)
        except UnsafeSettings as error:
            log.error("webhook secrets cannot be read", error=error.detail)
            return False
