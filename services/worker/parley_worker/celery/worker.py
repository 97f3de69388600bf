"""The main process of a worker.

SIGTERM stops the worker within half a minute: running attempts give their jobs back, and no new attempt starts. Send
signals to the main process alone; its children end with it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import warnings
from datetime import UTC, datetime

import celery.apps.worker
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import setup_logging, worker_ready

from parley_audio import require_confinement
from parley_core.errors import JobStoreUnusable, UnsafeSettings
from parley_core.logs import configure_logs, get_logger
from parley_core.process import keep_memory_private
from parley_core.redis import RedisJobStore, require_usable_store
from parley_core.settings import Settings
from parley_worker.celery import metrics
from parley_worker.celery.app import worker_app
from parley_worker.celery.cancellation_watchdog import CancellationWatchdog
from parley_worker.celery.planned_stop import PlannedStop, listen_in_children
from parley_worker.celery.registration import WorkerRegistration
from parley_worker.dependencies import name_instance

# Every attempt logs its start and its end, so Celery's lines about the same task are noise.
NOISY_LOGGERS = ("celery.worker.strategy", "celery.app.trace")

log = get_logger(__name__)


def main() -> int:
    """Work until a signal stops the process; return the exit code, 2 for settings or a Redis that cannot be used."""
    keep_memory_private()
    configure_logs("worker")
    try:
        settings = Settings.from_environment()
        configure_logs("worker", settings.log_format)
        require_confinement(settings.sandbox_required)
        require_usable_store(settings)
        if settings.worker_metrics_port:
            metrics.serve(settings)
    except (UnsafeSettings, JobStoreUnusable) as error:
        log.error("refused to start", reason=error.detail)
        return 2
    name_instance()
    app = worker_app(settings)
    _connect_signals(app, settings)
    worker = app.Worker(
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        concurrency=settings.concurrency,
        queues=settings.queues,
        pool="prefork",
        task_events=True,
        without_gossip=True,  # workers need not know each other, and asking around delays the first job
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _connect_signals(app: Celery, settings: Settings) -> None:
    def start_threads(**_: object) -> None:
        store = RedisJobStore.from_settings(settings)
        CancellationWatchdog(store, settings.cancel_grace_seconds).start()
        WorkerRegistration(store, settings).start()
        PlannedStop(store).start()
        if settings.liveness_file:
            app.parley_liveness.start()

    if settings.log_format == "json":
        celery.apps.worker.safe_say = _say_as_json
    listen_in_children()
    worker_ready.connect(start_threads, weak=False)
    setup_logging.connect(_keep_log_configuration, weak=False)


def _say_as_json(message: str, _file: object = None) -> None:
    """Write what Celery says in a signal handler. Logging could wait for a lock that the interrupted line holds."""
    now = datetime.now(UTC).isoformat()
    line = {"event": message, "service": "worker", "level": "info", "logger": "celery", "timestamp": now}
    os.write(sys.stderr.fileno(), f"{json.dumps(line)}\n".encode())


def _keep_log_configuration(**_: object) -> None:
    """Celery configures logging itself unless a receiver is connected to `setup_logging`."""
    warnings.simplefilter("ignore", CPendingDeprecationWarning)  # Celery repeats it at every reconnect
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
