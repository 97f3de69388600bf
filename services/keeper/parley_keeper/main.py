"""One keeper process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

from parley_core.celery_queue import CeleryJobQueue
from parley_core.deliveries import read_secrets
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobStoreUnusable, UnsafeSettings
from parley_core.listening import listening_socket
from parley_core.logs import configure_logs, get_logger
from parley_core.process import keep_memory_private
from parley_core.redis import require_usable_store
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.redis.voiceprints import RedisVoiceprintStore
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_core.targets import AddressGuard
from parley_keeper import health
from parley_keeper.abandoned_uploads import UploadCollector
from parley_keeper.delivery.batches import BatchSender
from parley_keeper.delivery.sender import Sender
from parley_keeper.ended_batches import BatchCollector
from parley_keeper.ended_voiceprints import VoiceprintCollector
from parley_keeper.inventory import Inventory
from parley_keeper.loop import Keeper, MaintenanceTask
from parley_keeper.maintenance import (
    SERVICE_SECONDS,
    measure_service,
    publish_due,
    reap,
    record_accepted,
    republish_lost,
)
from parley_keeper.orphans import OrphanCollector
from parley_keeper.pod_deletion_cost import PodDeletionCosts, worker_pods
from parley_keeper.reconciliation import Reconciler
from parley_keeper.retention import purge_expired, remove_recordings
from parley_keeper.tracing.sender import TraceSender
from parley_keeper.words_requests import RequestedWords, publish_requests

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
TRACES_SECONDS = 5.0  # a request costs as much as the spans of several jobs, and nobody waits for a trace

log = get_logger(__name__)


def maintenance_tasks(settings: Settings) -> tuple[list[MaintenanceTask], health.Gauges]:
    """Return every task with its pause in seconds, short where a caller waits, and the gauges of what they find."""
    objects, queue = object_store(settings), CeleryJobQueue.from_settings(settings)
    store = DurableJobStore.from_settings(settings, objects)
    traces = TraceSender.from_environment(settings)
    voiceprints, words = RedisVoiceprintStore.from_settings(settings), RedisWordsRequests.from_settings(settings)
    reconciler = Reconciler(store, traces.announce if traces else None, RequestedWords(words, store, objects))
    orphans = OrphanCollector(store, objects, settings.retain_seconds)
    inventory, uploads = Inventory(objects), UploadCollector(objects, settings.upload_seconds)
    ended = VoiceprintCollector(store, objects, voiceprints, settings.speaker_identification_threshold)
    guard = AddressGuard(settings.webhook_networks)
    deliveries, secrets = RedisDeliveries.from_settings(settings), settings.webhook_secrets_file
    sender = Sender(store, deliveries, secrets, guard)
    batches = BatchSender(store, objects, deliveries, secrets, guard)
    pods = worker_pods()
    tasks = [
        MaintenanceTask("reconcile", 1.0, reconciler.run_once),
        MaintenanceTask("publish", 0.5, partial(publish_due, store, queue)),
        MaintenanceTask("reap", 1.0, partial(reap, store)),
        MaintenanceTask("publish_words_requests", 1.0, partial(publish_requests, words, queue)),
        MaintenanceTask("republish_lost", 2.0, partial(republish_lost, store, queue)),
        MaintenanceTask("record_accepted", 2.0, partial(record_accepted, store, queue)),
        MaintenanceTask("purge", 5.0, partial(purge_expired, store)),
        MaintenanceTask("remove_recordings", 5.0, partial(remove_recordings, store)),
        MaintenanceTask("end_voiceprints", 5.0, ended.run_once),
        MaintenanceTask("deliver", 1.0, sender.run_once),
        MaintenanceTask("deliver_batches", 5.0, batches.run_once),
        MaintenanceTask("collect_orphans", 1800.0, orphans.collect),
        MaintenanceTask("remove_uploads", 600.0, uploads.collect),
        MaintenanceTask("remove_batches", 1800.0, BatchCollector(store, objects).collect),
        MaintenanceTask("measure_service", SERVICE_SECONDS, partial(measure_service, store)),
        MaintenanceTask("count_backlog", 15.0, inventory.count_backlog),
        MaintenanceTask("find_oldest_recording", 600.0, inventory.find_oldest),
    ]
    if pods:
        tasks.append(MaintenanceTask("pod_deletion_costs", 2.0, PodDeletionCosts(store, pods).run_once))
    if traces:
        tasks.append(MaintenanceTask("send_traces", TRACES_SECONDS, traces.run_once))
    watched = [one for one in (reconciler, orphans, inventory, traces) if one]
    return tasks, lambda: [metric for one in watched for metric in one.metrics()]


def stop_signal() -> Callable[[], object]:
    """Catch SIGTERM and SIGINT; return a call that returns once one of them has come.

    A handler that sets an Event may interrupt its own thread inside the lock of the Event. And no handler runs while
    the main thread waits, where another thread got the signal or it came just before the wait. So the interpreter
    writes into a pipe, at once and in whichever thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        while os.read(reading, 1)[0] not in STOP_SIGNALS:
            pass

    return wait


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit status, 2 for settings or a Redis that cannot be used."""
    keep_memory_private()
    configure_logs("keeper")
    try:
        settings = Settings.from_environment()
        configure_logs("keeper", settings.log_format)
        require_usable_store(settings)
        if settings.webhook_secrets_file:
            read_secrets(settings.webhook_secrets_file)
        tasks, gauges = maintenance_tasks(settings)
        keeper = Keeper(tasks)
        if settings.keeper_port:
            health.serve(keeper.tasks, listening_socket(settings.host, settings.keeper_port), settings, gauges)
    except (UnsafeSettings, JobStoreUnusable) as error:
        log.error("refused to start", reason=error.detail)
        return 2
    wait_for_stop = stop_signal()
    if settings.liveness_file:
        health.touch_while_well(keeper.tasks, settings.liveness_file)
    keeper.start()
    log.info("keeper ready")
    wait_for_stop()
    keeper.stop()
    keeper.wait()
    log.info("keeper stopped")
    return 0
