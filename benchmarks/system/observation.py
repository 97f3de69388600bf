"""What it costs to be observed: two systems as `make run` starts them, loaded in turns, one of them watched.

The watched one is scraped like by Prometheus, and its keeper sends every trace to a collector. Both write their logs.
A window loads one system and takes the processor time of its parts, so that both meet the same noise of the machine.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psutil
from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from benchmarks.system.one_machine import System, free_port, one_machine
from tests.support.collector import Collector

RATE = 10  # jobs a second
WINDOW_SECONDS = 20.0
PAIRS = 7  # windows of each system; the first warms up
SCRAPE_SECONDS = 15.0
SENDERS = 8
PARTS = ("parley_api", "parley_keeper", "parley_worker", "valkey")  # Flower and the supervisor have no share in it
ENGINE = {
    "PARLEY_ENGINE": "parley_worker.engines.scripted:scripted_engine",
    "PARLEY_SCRIPTED_SECONDS": "0.05",
    "PARLEY_RETAIN_SECONDS": "60",
}


def observation_rows(console: Console) -> list[Measure]:
    """Measure the processor time of a job with and without scrapes and traces."""
    console.print(f"bench: {RATE} jobs a second, watched and not, {PAIRS} windows of {WINDOW_SECONDS:.0f} s each")
    port = free_port()
    with (
        Collector() as collector,
        one_machine(**ENGINE, **collector.environment, PARLEY_KEEPER_PORT=str(port)) as watched,
        one_machine(**ENGINE) as plain,
        _scrapes(f"{watched.http.base_url}/metrics", f"http://127.0.0.1:{port}/metrics") as scrapes,
    ):
        pairs = [(_cpu_per_job(watched), _cpu_per_job(plain)) for _ in range(PAIRS)][1:]
        sent = len(collector.named("job"))
        scraped = len(scrapes)
    shares = [100 * (with_it / without - 1) for with_it, without in pairs]
    error = statistics.stdev(shares) / len(shares) ** 0.5
    least, most = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    note = f"± {error:.1f} (standard error); {least:.1f} and {most:.1f} ms per job; {sent} traces, {scraped} scrapes"
    return [Measure("processor time of observation, of that of a job", statistics.mean(shares), "%", 1, note=note)]


@contextmanager
def _scrapes(*urls: str) -> Iterator[list[int]]:
    """Scrape these addresses until the end of the block; yield the sizes of the answers."""
    stopped, sizes = threading.Event(), list[int]()

    def run() -> None:
        while not stopped.wait(SCRAPE_SECONDS):
            sizes.extend(len(httpx.get(url).raise_for_status().content) for url in urls)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sizes
    finally:
        stopped.set()
        thread.join()


def _cpu_per_job(system: System) -> float:
    """Load the system for a window, wait for the last end, and return processor seconds per job."""
    recording, number = flac(1), round(RATE * WINDOW_SECONDS)
    before, began = _cpu_seconds(system), time.monotonic()

    def submit(index: int) -> str:
        time.sleep(max(0.0, began + index / RATE - time.monotonic()))
        return system.submit(recording)

    with ThreadPoolExecutor(SENDERS) as threads:
        ids = list(threads.map(submit, range(number)))
    for job_id in ids[-SENDERS:]:
        system.finished(job_id)
    time.sleep(max(0.0, began + WINDOW_SECONDS + 2 - time.monotonic()))  # the keeper sends traces each second
    return (_cpu_seconds(system) - before) / number


def _cpu_seconds(system: System) -> float:
    """Return the processor seconds of the parts, with those of children that have ended."""
    total = 0.0
    for process in system.root.children(recursive=True):
        with suppress(psutil.Error):
            if any(part in " ".join(process.cmdline()) for part in PARTS):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
