"""Faults of Redis: killed, cut off, full, lost data, and changed lists."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chaos.parts import until
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed, no_worker_was_reaped
from parley_core.celery_queue import CeleryJobQueue
from parley_core.job import JobState, dispatch_of
from tests.support.s3 import missing_for_s3

RECOVERY_BOUND = 10.0  # bound of the recovery, seconds after Redis is back
LISTS = ("interactive", "batch")
IDLE_SECONDS = 3.0
STALLED_RUN = 2.0
LOSSES = 5
FROZEN_LEASES = 1.5


def kill_redis(times: int, seconds: float) -> Callable[[Testbed], None]:
    def inject(testbed: Testbed) -> None:
        for _ in range(times):
            with testbed.outage():
                testbed.system.valkey.kill()
                time.sleep(seconds)
                testbed.system.valkey.start()
            testbed.pause(3, 5)

    return inject


def kill_idle_redis(testbed: Testbed) -> None:
    """Kill Redis while there is no job. The first submit after the restart must succeed."""
    until(lambda: not testbed.running(), 60)
    with testbed.outage():
        testbed.system.valkey.kill()
        time.sleep(8)
        testbed.system.valkey.start()
    time.sleep(IDLE_SECONDS)


def wipe_redis(testbed: Testbed) -> None:
    """Empty the volume of Redis five times under load."""
    for _ in range(LOSSES):
        with testbed.outage():
            testbed.system.valkey.wipe()
            time.sleep(1)
            testbed.system.valkey.start()
        testbed.pause(6, 8)


def roll_back_redis(testbed: Testbed) -> None:
    """Restore Redis as it was seconds before, five times under load: it has lost what happened since."""
    for number in range(LOSSES):
        snapshot = testbed.system.folder / f"snapshot-{number}"
        testbed.system.valkey.snapshot(snapshot)
        testbed.pause(2, 6)
        with testbed.outage():
            testbed.system.valkey.roll_back(snapshot)
            testbed.system.valkey.start()
        testbed.pause(5, 7)


def freeze_redis(testbed: Testbed) -> None:
    """Freeze Redis for longer than a lease, as the snapshot of a virtual machine or a stalled disk does."""
    for _ in range(4):
        with testbed.outage():
            testbed.system.valkey.pause()
            time.sleep(FROZEN_LEASES * testbed.system.layout.lease_seconds)
            testbed.system.valkey.resume()
        testbed.pause(4, 6)


def cut_connections(testbed: Testbed) -> None:
    client: Any = testbed.system.valkey.client()
    for _ in range(10):
        affected = testbed.running()
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
        testbed.note(affected)
        testbed.pause(0.5, 1.5)


def fill_memory(testbed: Testbed) -> None:
    """Set the memory limit below the used memory for ten seconds under load."""
    client: Any = testbed.system.valkey.client()
    for _ in range(2):
        with testbed.outage():
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - 4096)
            time.sleep(10)
            client.config_set("maxmemory", 0)
        testbed.pause(3, 4)


def delete_messages(testbed: Testbed) -> None:
    for _ in range(6):
        empty_lists(testbed)
        testbed.pause(0.5, 1.0)


def empty_lists(testbed: Testbed) -> None:
    """Delete the lists of waiting messages."""
    testbed.system.valkey.client().delete(*LISTS)
    testbed.note()


def double_messages(testbed: Testbed) -> None:
    for _ in range(8):
        publish_again(testbed)
        testbed.pause(0.5, 1.0)


def publish_again(testbed: Testbed) -> None:
    """Publish every unfinished job three more times, so that both workers get copies at once."""
    queue = CeleryJobQueue.from_settings(testbed.system.settings)
    for job in testbed.system.unfinished():
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            for _ in range(3):
                queue.publish(dispatch_of(job))
    testbed.note()


def on_s3(fault: Fault) -> Fault:
    """Return the same fault with an S3 server as object store."""
    return replace(
        fault,
        name=f"{fault.name} (S3)",
        description=f"{fault.description}, with an S3 server as object store",
        layout=replace(fault.layout, objects="s3"),
        short=False,
        needs=missing_for_s3,
    )


VOLUME_LOST = Fault(
    "Redis volume lost",
    "kill -9 and an empty volume, five times",
    wipe_redis,
    Layout(keepers=2),
    bound=RECOVERY_BOUND,
)
ROLLED_BACK = Fault(
    "Redis rolled back",
    "kill -9 and the volume as it was 2 to 6 s before, five times",
    roll_back_redis,
    Layout(keepers=2),
    bound=RECOVERY_BOUND,
    short=True,
)

FAULTS = (
    Fault(
        "Redis killed, back after 0.5 s",
        "kill -9 under load, four times",
        kill_redis(4, 0.5),
        bound=RECOVERY_BOUND,
        short=True,
    ),
    Fault("Redis killed, back after 8 s", "kill -9 under load, twice", kill_redis(2, 8), bound=RECOVERY_BOUND),
    Fault(
        "Redis killed, back after 120 s",
        "kill -9 under load; submits are accepted without a record",
        kill_redis(1, 120),
        Layout(run_seconds=STALLED_RUN),
        rate=1.0,
        bound=RECOVERY_BOUND,
    ),
    Fault(
        "idle Redis killed, back after 8 s",
        "kill -9 without load, with a few submits during the outage",
        kill_idle_redis,
        rate=0.4,
        jobs=10,
        bound=RECOVERY_BOUND,
    ),
    Fault(
        "Redis frozen for longer than a lease",
        "SIGSTOP for one and a half leases under load, four times: no living worker loses its job",
        freeze_redis,
        Layout(run_seconds=STALLED_RUN, lease_seconds=6.0),
        rate=1.5,
        most_executions=1,
        bound=RECOVERY_BOUND,
        check=no_worker_was_reaped,
    ),
    VOLUME_LOST,
    on_s3(VOLUME_LOST),
    ROLLED_BACK,
    on_s3(ROLLED_BACK),
    Fault("connections cut (TCP)", "CLIENT KILL of every connection, ten times", cut_connections, Layout(link="tcp")),
    Fault("connections cut (Unix socket)", "CLIENT KILL of every connection, ten times", cut_connections, short=True),
    Fault(
        "Redis at its memory limit",
        "maxmemory below the used memory for 10 s, twice",
        fill_memory,
        rate=4,
        bound=RECOVERY_BOUND,
    ),
    Fault("messages deleted", "the lists of Celery are deleted, six times", delete_messages, Layout(workers=1)),
    Fault(
        "messages delivered again",
        "every message three more times, to both workers at once, eight times",
        double_messages,
        most_executions=1,
        short=True,
    ),
)
