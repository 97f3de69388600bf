"""Faults of Redis: killed, cut off, full, and hands in its lists."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chaos.parts import until
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed
from parley_core.celery_queue import CeleryJobQueue
from parley_core.job import JobState, dispatch_of

BACK = 10.0  # bound of the recovery, seconds after Redis is back
LISTS = ("interactive", "batch")
IDLE_SECONDS = 3.0
STALLED_RUN = 2.0


def kill_redis(times: int, seconds: float) -> Callable[[Testbed], None]:
    def strike(testbed: Testbed) -> None:
        for _ in range(times):
            with testbed.outage():
                testbed.system.valkey.kill()
                time.sleep(seconds)
                testbed.system.valkey.start()
            testbed.pause(3, 5)

    return strike


def kill_idle_redis(testbed: Testbed) -> None:
    """No job is anywhere; the first submit after the restart must go through as ever."""
    until(lambda: not testbed.running(), 60)
    with testbed.outage():
        testbed.system.valkey.kill()
        time.sleep(8)
        testbed.system.valkey.start()
    time.sleep(IDLE_SECONDS)


def wipe_redis(testbed: Testbed) -> None:
    """Its volume is lost, twice, under load."""
    for _ in range(2):
        with testbed.outage():
            testbed.system.valkey.wipe()
            time.sleep(1)
            testbed.system.valkey.start()
        testbed.pause(6, 8)


def roll_back_redis(testbed: Testbed) -> None:
    """It comes back as it was seconds ago, three times, under load: what was accepted and ended since is forgotten."""
    for number in range(3):
        snapshot = testbed.system.folder / f"snapshot-{number}"
        testbed.system.valkey.snapshot(snapshot)
        testbed.pause(2, 6)
        with testbed.outage():
            testbed.system.valkey.roll_back(snapshot)
            testbed.system.valkey.start()
        testbed.pause(5, 7)


def cut_connections(testbed: Testbed) -> None:
    client: Any = testbed.system.valkey.client()
    for _ in range(10):
        hit = testbed.running()
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
        testbed.struck(hit)
        testbed.pause(0.5, 1.5)


def fill_memory(testbed: Testbed) -> None:
    """At the limit for ten seconds, in the middle of the work; then the limit is raised."""
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
    """Whatever waits in Celery's lists is gone."""
    testbed.system.valkey.client().delete(*LISTS)
    testbed.struck()


def double_messages(testbed: Testbed) -> None:
    for _ in range(8):
        publish_again(testbed)
        testbed.pause(0.5, 1.0)


def publish_again(testbed: Testbed) -> None:
    """Every unfinished job is published three times more: copies go to both workers at once."""
    queue = CeleryJobQueue.from_settings(testbed.system.settings)
    for job in testbed.system.unfinished():
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            for _ in range(3):
                queue.publish(dispatch_of(job))
    testbed.struck()


FAULTS = (
    Fault(
        "Redis killed, back after 0.5 s",
        "kill -9 under load, four times",
        kill_redis(4, 0.5),
        bound=BACK,
        short=True,
    ),
    Fault("Redis killed, back after 8 s", "kill -9 under load, twice", kill_redis(2, 8), bound=BACK),
    Fault(
        "Redis killed, back after 120 s",
        "kill -9 under load; submits go on and are accepted without a record",
        kill_redis(1, 120),
        Layout(run_seconds=STALLED_RUN),
        rate=1.0,
        bound=BACK,
    ),
    Fault(
        "idle Redis killed, back after 8 s",
        "kill -9 while no job is anywhere but a few that come in meanwhile",
        kill_idle_redis,
        rate=0.4,
        jobs=10,
        bound=BACK,
    ),
    Fault(
        "Redis volume lost",
        "kill -9 and an empty volume, twice",
        wipe_redis,
        Layout(keepers=2),
        bound=BACK,
    ),
    Fault(
        "Redis rolled back",
        "kill -9 and the volume as it was 2 to 6 s before, three times",
        roll_back_redis,
        Layout(keepers=2),
        bound=BACK,
        short=True,
    ),
    Fault("connections cut (TCP)", "CLIENT KILL of every connection, ten times", cut_connections, Layout(link="tcp")),
    Fault("connections cut (Unix socket)", "CLIENT KILL of every connection, ten times", cut_connections, short=True),
    Fault(
        "Redis at its memory limit",
        "maxmemory below what is in use for 10 s, twice",
        fill_memory,
        rate=4,
        bound=BACK,
    ),
    Fault("messages deleted", "Celery's lists are emptied by hand, six times", delete_messages, Layout(workers=1)),
    Fault(
        "messages delivered again",
        "every message three times more, at once and to both workers, eight times",
        double_messages,
        most_executions=1,
        short=True,
    ),
)
