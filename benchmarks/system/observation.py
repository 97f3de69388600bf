"""What it costs to be observed, beside what jobs cost: one system as `make run` starts it.

Jobs come at ten a second while their traces are noted and sent. The keeper's task that sends them runs in this process,
which knows the processor time of a thread, and the collector in another. Afterwards the same system is idle, and rounds
with scrapes alternate with rounds without. So every part is measured by itself: the difference of two systems under
load is ten times smaller than what two equal rounds differ by.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure, standard_error
from benchmarks.system.one_machine import System, free_port, one_machine
from benchmarks.system.traces import collector, milliseconds
from parley_core.settings import Settings
from parley_keeper.main import TRACES_SECONDS
from parley_keeper.tracing.sender import TraceSender

RATE = 10  # jobs a second
LOADED_SECONDS = 60.0
SENDERS = 8
ROUNDS = 12  # with scrapes, and as many without
SCRAPES = 10  # of each round
PAUSE_SECONDS = 0.2  # between two scrapes, so that caches are as cold as for Prometheus
SCRAPED_EVERY = 15.0  # seconds, by Prometheus
PROMETHEUS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
PARTS = ("parley_api", "parley_keeper", "parley_worker", "valkey")  # Flower and the supervisor have no share in it
ENGINE = {
    "PARLEY_ENGINE": "parley_worker.engines.scripted:scripted_engine",
    "PARLEY_SCRIPTED_SECONDS": "0.05",
    "PARLEY_RETAIN_SECONDS": "60",
}


def observation_rows(console: Console) -> list[Measure]:
    """Measure the processor time of scrapes and traces as a share of that of jobs."""
    console.print(f"bench: {RATE} jobs a second for {LOADED_SECONDS:.0f} s, then {ROUNDS * SCRAPES} scrapes")
    noted = milliseconds()[1]
    keeper, worker = free_port(), free_port()
    ports = {"PARLEY_KEEPER_PORT": str(keeper), "PARLEY_WORKER_METRICS_PORT": str(worker)}
    with one_machine(**ENGINE, **ports) as system, collector():  # the keeper of the system itself sends no traces
        job, sent = _loaded(system)
        api = str(system.http.base_url).rstrip("/")
        scrapes = _scraped(
            system, [f"{api}/metrics", *(f"http://127.0.0.1:{port}/metrics" for port in (keeper, worker))]
        )
    parts = [
        (statistics.mean(sent), standard_error(sent)),
        (statistics.mean(noted), standard_error(noted)),
        (statistics.mean(scrapes) / (SCRAPED_EVERY * RATE), standard_error(scrapes) / (SCRAPED_EVERY * RATE)),
    ]
    total, error = sum(value for value, _ in parts), sum(error**2 for _, error in parts) ** 0.5
    of_a_job = f"{total:.2f} of {job:.1f} ms per job, ± {100 * error / job:.2f} % (standard error)"
    return [
        Measure("processor time of observation, of that of a job", 100 * total / job, "%", 1, note=of_a_job),
        Measure("processor time of the keeper per trace", *_stated(sent)),
        Measure("processor time of Redis per trace", *_stated(noted)),
        Measure("processor time of a round of scrapes", *_stated(scrapes)),
    ]


def _stated(values: Sequence[float]) -> tuple[float, str, None, bool, str]:
    """Return the rest of a row without a goal."""
    return statistics.mean(values), "ms", None, False, f"± {standard_error(values):.3f} (standard error)"


def _loaded(system: System) -> tuple[float, list[float]]:
    """Load the system and send its traces.

    Returns:
        Processor milliseconds of a job, and those of the sender per trace, one figure for each round of the task.
    """
    sender = TraceSender.from_environment(Settings(redis_url=_redis_url(system)))
    assert sender is not None
    sender.announce()
    stopped, sent = threading.Event(), list[float]()

    def send() -> None:
        while not stopped.wait(TRACES_SECONDS):
            began = time.thread_time()
            number = sender.run_once(lambda: None)
            if number > RATE * TRACES_SECONDS / 2:  # not the few of the first and the last round
                sent.append((time.thread_time() - began) * 1000 / number)

    thread = threading.Thread(target=send)
    thread.start()
    _submit(system, 5.0)  # warms up
    sent.clear()
    before = _cpu_seconds(system)
    number = _submit(system, LOADED_SECONDS)
    spent = _cpu_seconds(system) - before
    stopped.set()
    thread.join()
    return spent * 1000 / number, sent


def _redis_url(system: System) -> str:
    (server,) = system.processes("valkey-server")
    command = server.cmdline()
    return f"unix://{command[command.index('--unixsocket') + 1]}"


def _submit(system: System, seconds: float) -> int:
    """Submit jobs at the rate and wait for the last ones; return their number."""
    recording, number, began = flac(1), round(RATE * seconds), time.monotonic()

    def submit(index: int) -> str:
        time.sleep(max(0.0, began + index / RATE - time.monotonic()))
        return system.submit(recording)

    with ThreadPoolExecutor(SENDERS) as threads:
        ids = list(threads.map(submit, range(number)))
    for job_id in ids[-SENDERS:]:
        system.finished(job_id)
    return number


def _scraped(system: System, urls: Sequence[str]) -> list[float]:
    """Return the processor milliseconds of a round of scrapes, one figure for each comparison with an idle system."""
    found = list[float]()
    with httpx.Client(headers={"Accept": PROMETHEUS}) as http:

        def spent(scrapes: bool) -> float:
            before = _cpu_seconds(system)
            for _ in range(SCRAPES):
                if scrapes:
                    for url in urls:
                        http.get(url).raise_for_status()
                time.sleep(PAUSE_SECONDS)
            return (_cpu_seconds(system) - before) * 1000 / SCRAPES

        spent(scrapes=True)
        for _ in range(ROUNDS):
            found.append(spent(scrapes=True) - spent(scrapes=False))
    return found


def _cpu_seconds(system: System) -> float:
    """Return the processor seconds of the parts, with those of children that have ended."""
    total = 0.0
    for process in system.root.children(recursive=True):
        with suppress(psutil.Error):
            if any(part in " ".join(process.cmdline()) for part in PARTS):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
