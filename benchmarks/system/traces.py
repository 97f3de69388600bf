"""What a trace costs, in processor time: of the keeper that sends it, and of Redis, whose transitions note it.

The keeper's task runs in this process, the collector in another. The same jobs run with and without traces, in turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.measure import Measure, standard_error
from benchmarks.system.redis import Bench
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_keeper.tracing.sender import TraceSender
from tests.support.valkey import Valkey

BLOCKS = 30  # with traces, and as many without; the first of each warms up
JOBS = 50  # of a block: what the keeper sends at once at 10 jobs a second
COLLECTOR = """
import sys
from tests.support.collector import Collector
with Collector() as collector:
    print(collector.endpoint, flush=True)
    sys.stdin.read()
"""


def trace_rows(console: Console) -> list[Measure]:
    """Measure the processor time of a trace, in milliseconds."""
    console.print(f"bench: {BLOCKS} blocks of {JOBS} jobs, traced and not")
    keeper, redis = milliseconds()
    sent, noted = statistics.median(keeper), statistics.mean(redis)
    note = f"± {standard_error(redis):.2f} (standard error)"
    return [
        Measure("processor time of the keeper per trace", sent, "ms", 0.4, note="median of the blocks"),
        Measure("processor time of Redis per trace", noted, "ms", note=note),
    ]


def milliseconds() -> tuple[list[float], list[float]]:
    """Return the processor time per trace of each block: of the keeper, and of Redis beyond that of a block without."""
    with collector(), tempfile.TemporaryDirectory() as folder:
        valkey = Valkey(Path(folder), "--appendfsync", "everysec")
        valkey.start()
        try:
            return _measured(valkey)
        finally:
            valkey.stop()


@contextmanager
def collector() -> Iterator[None]:
    """Run a collector in a process of its own; name it in this one's environment."""
    process = subprocess.Popen(
        [sys.executable, "-c", COLLECTOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = process.stdout.readline().strip()
    try:
        yield
    finally:
        process.communicate()


def _measured(valkey: Valkey) -> tuple[list[float], list[float]]:
    settings = Settings(redis_url=valkey.url)
    bench = Bench(RedisJobStore.from_settings(settings), valkey.client(), {"name": "scripted"})
    sender = TraceSender.from_environment(settings)
    assert sender is not None
    keeper, redis = list[float](), list[float]()

    def plain() -> float:
        bench.client.delete("parley:tracing")
        return _redis_seconds(bench)

    def traced() -> float:
        bench.client.set("parley:tracing", "1")
        return _redis_seconds(bench, sender, keeper)

    for _ in range(BLOCKS // 2):  # in both orders: Redis grows, and the machine changes its pace
        first, last = plain(), traced()
        redis.append((last - first) * 1000 / JOBS)
        first, last = traced(), plain()
        redis.append((first - last) * 1000 / JOBS)
    return keeper[1:], redis[1:]


def _redis_seconds(bench: Bench, sender: TraceSender | None = None, keeper: list[float] | None = None) -> float:
    """Run a block of jobs and send its traces; return the processor seconds of Redis, and add those of the keeper."""
    before = bench.client.info("cpu")
    for _ in range(JOBS):
        bench.succeed(bench.accept())
    if sender is not None and keeper is not None:
        began = time.process_time()
        sent = sender.run_once(lambda: None)
        keeper.append((time.process_time() - began) * 1000 / sent)
    after = bench.client.info("cpu")
    used = ("used_cpu_user_main_thread", "used_cpu_sys_main_thread")  # other threads flush the log to the disk
    return float(sum(after[name] - before[name] for name in used))
