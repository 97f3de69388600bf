"""`python -m parley_keeper`: one keeper. SIGTERM and SIGINT end it within seconds."""

from __future__ import annotations

import signal
import sys
from functools import partial

from parley_core.celery_queue import CeleryJobQueue
from parley_core.logs import configure_logs, get_logger
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.storage.journal import ObjectJournal
from parley_core.storage.objects import ObjectStore
from parley_keeper import health
from parley_keeper.loop import Keeper, MaintenanceTask
from parley_keeper.maintenance import import_journal, publish_due, reap, republish_lost
from parley_keeper.pod_deletion_cost import PodDeletionCosts, worker_pods
from parley_keeper.retention import OrphanCollector, purge_expired

log = get_logger(__name__)


def maintenance_tasks(settings: Settings) -> list[MaintenanceTask]:
    """Return every task with its pause in seconds: short where a caller waits."""
    store, queue = RedisJobStore.from_settings(settings), CeleryJobQueue.from_settings(settings)
    objects = ObjectStore.from_settings(settings)
    journal = ObjectJournal(objects)
    pods = worker_pods()
    return [
        MaintenanceTask("publish", 0.5, partial(publish_due, store, queue)),
        MaintenanceTask("reap", 1.0, partial(reap, store)),
        MaintenanceTask("republish_lost", 2.0, partial(republish_lost, store, queue)),
        MaintenanceTask("import_journal", 2.0, partial(import_journal, journal, store, queue)),
        MaintenanceTask("purge", 30.0, partial(purge_expired, store, objects)),
        MaintenanceTask("collect_orphans", 1800.0, OrphanCollector(store, objects, journal).collect),
        *([MaintenanceTask("pod_deletion_costs", 2.0, PodDeletionCosts(store, pods).step)] if pods else []),
    ]


def main() -> int:
    """Keep until told to stop."""
    configure_logs()
    settings = Settings()
    keeper = Keeper(maintenance_tasks(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    if settings.liveness_file:
        health.beat(keeper.tasks, settings.liveness_file)
    if settings.keeper_port:
        health.serve(keeper.tasks, settings.host, settings.keeper_port)
    keeper.start()
    log.info("keeper ready")
    keeper.wait()
    log.info("keeper stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
