"""`python -m parley_worker`: one worker process and its children.

SIGTERM drains: running attempts finish, nothing new starts. Signals go to this process alone; its children die with it.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import warnings

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import setup_logging, worker_ready

from parley_core.logs import configure_logs
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_worker.celery.app import worker_app
from parley_worker.celery.cancellation_watchdog import CancellationWatchdog
from parley_worker.celery.registration import WorkerRegistration
from parley_worker.dependencies import name_instance


def main() -> int:
    """Work until told to stop; return the exit code."""
    configure_logs()
    settings = Settings()
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
    def begin_watching(**_: object) -> None:
        store = RedisJobStore.from_settings(settings)
        CancellationWatchdog(store, settings.cancel_grace_seconds).start()
        WorkerRegistration(store, settings).start()
        if settings.liveness_file:
            app.parley_liveness.start()

    worker_ready.connect(begin_watching, weak=False)
    setup_logging.connect(_keep_our_logs, weak=False)


def _keep_our_logs(**_: object) -> None:
    """Celery sets up logs of its own unless somebody answers this signal."""
    warnings.simplefilter("ignore", CPendingDeprecationWarning)  # said anew at every reconnect
    for told_by_the_attempt_too in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(told_by_the_attempt_too).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
