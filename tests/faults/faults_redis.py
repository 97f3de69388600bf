"""Faults of Redis: killed, cut off, full, and hands in its lists."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from parley_core.job import JobState
from parley_core.ports import dispatch_of
from parley_core.queue import CeleryJobQueue
from tests.faults.arena import Arena
from tests.faults.parts import until
from tests.faults.schedule import Fault
from tests.faults.system import Layout

BACK = 10.0  # bound of the recovery, seconds after Redis is back
LISTS = ("interactive", "batch")
IDLE_SECONDS = 3.0
STALLED_RUN = 2.0


def kill_redis(times: int, seconds: float) -> Callable[[Arena], None]:
    def strike(arena: Arena) -> None:
        for _ in range(times):
            with arena.outage():
                arena.system.valkey.kill()
                time.sleep(seconds)
                arena.system.valkey.start()
            arena.pause(3, 5)

    return strike


def kill_idle_redis(arena: Arena) -> None:
    """No job is anywhere; the first submit after the restart must go through as ever."""
    until(lambda: not arena.running(), 60)
    with arena.outage():
        arena.system.valkey.kill()
        time.sleep(8)
        arena.system.valkey.start()
    time.sleep(IDLE_SECONDS)


def cut_connections(arena: Arena) -> None:
    client: Any = arena.system.valkey.client()
    for _ in range(10):
        hit = arena.running()
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
        arena.struck(hit)
        arena.pause(0.5, 1.5)


def fill_memory(arena: Arena) -> None:
    """At the limit for ten seconds, in the middle of the work; then the limit is raised."""
    client: Any = arena.system.valkey.client()
    for _ in range(2):
        with arena.outage():
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - 4096)
            time.sleep(10)
            client.config_set("maxmemory", 0)
        arena.pause(3, 4)


def delete_messages(arena: Arena) -> None:
    for _ in range(6):
        empty_lists(arena)
        arena.pause(0.5, 1.0)


def empty_lists(arena: Arena) -> None:
    """Whatever waits in Celery's lists is gone."""
    arena.system.valkey.client().delete(*LISTS)
    arena.struck()


def double_messages(arena: Arena) -> None:
    for _ in range(8):
        publish_again(arena)
        arena.pause(0.5, 1.0)


def publish_again(arena: Arena) -> None:
    """Every unfinished job is published three times more: copies go to both workers at once."""
    queue = CeleryJobQueue.from_settings(arena.system.settings)
    for job in arena.system.store.stuck(0):
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            for _ in range(3):
                queue.publish(dispatch_of(job))
    arena.struck()


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
        "kill -9 under load; submits go on and are journalled",
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
