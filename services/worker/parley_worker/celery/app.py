"""The Celery application of a worker: the shared one, with the task, and what only workers set."""

from __future__ import annotations

from celery import Celery

from parley_core.celery_queue import create_app
from parley_core.settings import Settings
from parley_worker.celery import broker, tasks
from parley_worker.celery.liveness_file import EventLoopLiveness, LivenessFile

WORKER_LOST_SECONDS = 1.0  # for so long the slot of a killed child stays empty; Celery's default is 10
# The main process closes a half-open connection to its queues after twice this time and a second. Those for events and
# acknowledgements are found one by one, each by a call without a reply, and the process does nothing else meanwhile.
HEALTH_CHECK_SECONDS = 3
REPLY_SECONDS = 3


def worker_app(settings: Settings) -> Celery:
    """Return the application that a worker process runs."""
    app = create_app(settings)
    broker.install()
    app.conf.update(
        broker_transport_options={
            **app.conf.broker_transport_options,
            "health_check_interval": HEALTH_CHECK_SECONDS,
            "socket_timeout": REPLY_SECONDS,
            "queue_order_strategy": "priority",  # the first queue in the setting comes first: its callers wait
        },
        worker_max_memory_per_child=settings.child_memory_bytes // 1024,  # Celery counts in KiB
        worker_lost_wait=WORKER_LOST_SECONDS,
        worker_consumer="parley_worker.celery.broker:PromptConsumer",
        worker_redirect_stdouts=False,
        broker_channel_error_retry=True,  # after an error reply of Redis, connect again instead of ending the worker
    )
    tasks.register(app)
    if settings.liveness_file:
        app.parley_liveness = LivenessFile(settings.liveness_file)
        app.steps["consumer"].add(EventLoopLiveness)
    return app
