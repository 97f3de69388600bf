"""`python -m parley_api.keeper`: one keeper. SIGTERM and SIGINT end it within seconds."""

from __future__ import annotations

import signal
import sys
from functools import partial

from parley_api.keeper import health
from parley_api.keeper.duties import find_forgotten, import_journal, publish_due, reap
from parley_api.keeper.retention import Sweeper, purge_expired
from parley_api.keeper.rounds import Duty, Keeper
from parley_api.keeper.scale_in import ScaleIn, worker_pods
from parley_core.journal import ObjectJournal
from parley_core.logs import configure_logs, get_logger
from parley_core.objects import ObjectStore
from parley_core.queue import CeleryJobQueue
from parley_core.redis_jobs import RedisJobStore
from parley_core.settings import Settings

log = get_logger(__name__)


def duties_of(settings: Settings) -> list[Duty]:
    """Return every duty with its pause in seconds: short where a caller waits."""
    store, queue = RedisJobStore.from_settings(settings), CeleryJobQueue.from_settings(settings)
    objects = ObjectStore.from_settings(settings)
    journal = ObjectJournal(objects)
    pods = worker_pods()
    return [
        Duty("publish", 0.5, partial(publish_due, store, queue)),
        Duty("reap", 1.0, partial(reap, store)),
        Duty("find_forgotten", 2.0, partial(find_forgotten, store, queue)),
        Duty("import_journal", 2.0, partial(import_journal, journal, store, queue)),
        Duty("purge", 30.0, partial(purge_expired, store, objects)),
        Duty("sweep", 1800.0, Sweeper(store, objects, journal).sweep),
        *([Duty("mark_busy_pods", 2.0, ScaleIn(store, pods).step)] if pods else []),
    ]


def main() -> int:
    """Keep until told to stop."""
    configure_logs()
    settings = Settings()
    keeper = Keeper(duties_of(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    if settings.heartbeat_file:
        health.beat(keeper.duties, settings.heartbeat_file)
    if settings.keeper_port:
        health.serve(keeper.duties, settings.host, settings.keeper_port)
    keeper.start()
    log.info("keeper ready")
    keeper.wait()
    log.info("keeper stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
