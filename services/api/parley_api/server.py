"""One API process."""

from __future__ import annotations

import asyncio
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from parley_api.http.connections import ConnectionGuard, GuardedHandshake, GuardedProtocol
from parley_api.http.metrics_port import ByPort
from parley_api.main import create_app, create_metrics_app
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.job_notifications import JobNotifications
from parley_audio import require_confinement
from parley_core.errors import JobStoreUnusable, UnsafeSettings
from parley_core.listening import listening_socket, require_safe_address
from parley_core.logs import configure_logs, get_logger
from parley_core.process import keep_memory_private
from parley_core.redis import require_usable_store
from parley_core.settings import Settings
from parley_core.tls import ServerCertificate

DRAIN_SECONDS = 25  # for uploads in progress; below Kubernetes' default grace period of 30
log = get_logger(__name__)


class Server(uvicorn.Server):
    """Answers the requests that wait for a job at the first signal, so that only uploads delay a stop."""

    def __init__(self, config: uvicorn.Config, notifications: JobNotifications) -> None:
        super().__init__(config)
        self._notifications = notifications

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._notifications.close()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """Serve until a signal stops the process. Raises UnsafeSettings or JobStoreUnusable."""
    require_safe_address(settings)
    require_confinement(settings.sandbox_required)
    require_usable_store(settings)
    app = create_app(settings)
    deps: Dependencies = app.state.deps
    refused = deps.http_metrics.refuse
    guard = ConnectionGuard(settings.max_connections, settings.request_head_seconds, refused)
    protocol: partial[GuardedProtocol] | partial[GuardedHandshake] = partial(GuardedProtocol, guard=guard)
    if settings.tls_certificate_file and settings.tls_key_file:
        certificate = ServerCertificate(settings.tls_certificate_file, settings.tls_key_file)
        protocol = partial(GuardedHandshake, certificate.context, guard)
    config = uvicorn.Config(
        ByPort(app, create_metrics_app(deps), settings.metrics_port) if settings.metrics_port else app,
        host=settings.host,
        port=settings.port,
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,  # http/middleware.py writes it, without addresses
        proxy_headers=False,  # nothing depends on the forwarding host
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    ports = [settings.port, settings.metrics_port] if settings.metrics_port else [settings.port]
    Server(config, deps.notifications).run(sockets=[listening_socket(settings.host, port) for port in ports])


def main() -> int:
    """Return the exit status: 2 for settings that are invalid or unsafe, or a Redis that cannot be used."""
    keep_memory_private()
    configure_logs("api")
    try:
        settings = Settings.from_environment()
        configure_logs("api", settings.log_format)
        serve(settings)
    except (UnsafeSettings, JobStoreUnusable) as error:
        log.error("refused to start", reason=error.detail)
        return 2
    return 0
